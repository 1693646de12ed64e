package import DockerModel

/// What the door needs of networks. Identifiers are what the client gave: a name, an id or the
/// beginning of one.
package protocol NetworkBackend: Sendable {
  /// Networks that match, without their containers.
  func list(_ filters: Filters) async throws -> [Network]

  func inspect(network: String, options: NetworkInspectOptions) async throws -> Network

  func create(_ request: NetworkCreateRequest) async throws -> NetworkCreateResponse

  /// Removes it. Throws `forbidden` when it is predefined or in use.
  func remove(network: String) async throws

  func connect(network: String, _ request: NetworkConnectRequest) async throws

  func disconnect(network: String, _ request: NetworkDisconnectRequest) async throws

  /// Removes networks that nothing uses and that match.
  func prune(_ filters: Filters) async throws -> NetworkPruneResponse
}
