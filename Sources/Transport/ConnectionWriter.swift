import NIOCore
import Synchronization

/// Bytes on their way from handlers to the event loop. NIO's writer learns that a client does not
/// read only once the event loop has run; until then a fast handler would queue without bound.
final class OutputBacklog: Sendable {
  private let bytes = Atomic(0)

  /// Notes a message about to be queued; gives how much is queued with it.
  func add(_ message: ConnectionOutput) -> Int {
    bytes.wrappingAdd(message.byteCount, ordering: .relaxed).newValue
  }

  /// Notes that the event loop has taken a message.
  func remove(_ message: ConnectionOutput) {
    bytes.wrappingSubtract(message.byteCount, ordering: .relaxed)
  }
}

/// Sends messages to a connection, in order, each flushed at once.
struct ConnectionWriter: Sendable {
  private static let limit = 512 * 1024

  private let outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>
  private let backlog: OutputBacklog
  private let eventLoop: any EventLoop

  init(
    _ outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>, backlog: OutputBacklog,
    eventLoop: any EventLoop
  ) {
    self.outbound = outbound
    self.backlog = backlog
    self.eventLoop = eventLoop
  }

  /// Sends a message; returns when there is room for more. Throws when the client is gone or the
  /// task is cancelled.
  func write(_ message: ConnectionOutput) async throws {
    if backlog.add(message) > Self.limit {
      // once the event loop has caught up, the writer knows whether the client still reads
      try await eventLoop.submit {}.get()
    }
    try await outbound.write(message)
  }

  /// Sends even from a cancelled task, so that a client that half-closed gets its answer.
  func writeUncancelled(_ message: ConnectionOutput) async throws {
    guard Task.isCancelled else { return try await write(message) }
    try await Task { try await write(message) }.value
  }

  /// Sends even from a cancelled task; a connection that is closed is no matter.
  func send(_ message: ConnectionOutput) async {
    try? await writeUncancelled(message)  // closed already: nothing left to tell the client
  }
}
