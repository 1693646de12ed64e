package import DockerModel

/// What the door needs of the engine as a whole.
package protocol SystemBackend: Sendable {
  func info() async throws -> SystemInfo

  func version() async throws -> SystemVersion

  func diskUsage(_ options: DiskUsageOptions) async throws -> SystemDataUsageResponse

  /// Tries credentials at a registry. Throws `unauthorized` when they are refused.
  func authenticate(_ credentials: AuthConfig) async throws -> SystemAuthResponse

  /// Remembered events from `since`, then those that happen, until `until` or until the consumer
  /// stops. What happens after this call returned is not missed.
  func events(
    _ options: EventsOptions
  ) async throws -> any AsyncSequence<EventMessage, any Error> & Sendable
}
