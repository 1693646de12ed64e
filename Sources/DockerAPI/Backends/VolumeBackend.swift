package import DockerModel

/// What the door needs of volumes.
package protocol VolumeBackend: Sendable {
  func list(_ filters: Filters) async throws -> VolumeListResponse

  func inspect(volume: String) async throws -> Volume

  /// Creates a volume, or answers the one of that name when it agrees with the request.
  func create(_ request: VolumeCreateOptions) async throws -> Volume

  /// Removes it. Throws `conflict` when in use; `force` makes a missing volume a success.
  func remove(volume: String, force: Bool) async throws

  /// Removes unused volumes that match.
  func prune(_ filters: Filters) async throws -> VolumePruneResponse
}
