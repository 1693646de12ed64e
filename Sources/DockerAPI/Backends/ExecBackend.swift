package import DockerModel

/// What the door needs of commands run in containers beside their main process.
package protocol ExecBackend: Sendable {
  /// Prepares a command in a running container. Throws `conflict` when the container is paused or
  /// does not run.
  func create(container: String, _ request: ExecCreateRequest) async throws -> IdResponse

  /// Starts it with nobody attached; returns when it runs.
  func startDetached(exec: String, options: ExecStartOptions) async throws

  /// Starts it and joins the client to its streams; returns when the streams end or the client
  /// leaves.
  func start(exec: String, options: ExecStartOptions, connection: any RawConnection) async throws

  /// Resizes its terminal.
  func resize(exec: String, to size: TerminalSize) async throws

  func inspect(exec: String) async throws -> ExecInspectResponse
}
