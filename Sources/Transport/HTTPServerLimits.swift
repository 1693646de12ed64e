/// What a server grants each client.
package struct HTTPServerLimits: Sendable {
  /// Bytes of one header field, and of the request line's target.
  package var headerFieldSize = 64 * 1024
  /// Bytes of all header fields.
  package var headerListSize = 256 * 1024
  package var headerCount = 200
  /// From the first byte of a request to the end of its head.
  package var headTimeout = Duration.seconds(30)
  /// Between requests.
  package var idleTimeout = Duration.seconds(300)
  /// For a client to close after we closed our side, and for it to take what was still unsent.
  package var lingerTimeout = Duration.seconds(2)
  /// For a body that is read as a whole.
  package var bodyTimeout = Duration.seconds(60)
  /// Between two pieces of a body that is read as it comes.
  package var bodyIdleTimeout = Duration.seconds(3600)
  /// Unread body that is skipped so that the connection can be used again.
  package var skippedBodySize = 256 * 1024
  /// Connections at once on one listener; further ones wait in the kernel's queue.
  package var connections = 8192
  /// For requests under way when the server is told to shut down.
  package var shutdownTimeout = Duration.seconds(5)

  package init() {}
}
