import NIOCore
import NIOHTTP1
import Synchronization

/// Reads what arrives on a connection, for one consumer at a time: the connection between requests,
/// a request's body, or the raw stream after an upgrade.
///
/// Unchecked because the compiler cannot see that the iterator is used by one task at a time: every
/// use lies between taking and giving back `isBusy`, and a second user gets an error.
final class InputReader: @unchecked Sendable {
  private var iterator: NIOAsyncChannelInboundStream<ConnectionInput>.AsyncIterator
  private let isBusy = Atomic(false)

  init(_ iterator: NIOAsyncChannelInboundStream<ConnectionInput>.AsyncIterator) {
    self.iterator = iterator
  }

  /// The next message; nil at the end of the client's side.
  func next() async throws -> ConnectionInput? {
    guard isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else {
      throw TransportError(code: .misuse, message: "two readers of one connection")
    }
    defer { isBusy.store(false, ordering: .releasing) }
    return try await iterator.next()
  }

  /// The head of the next request; nil when the client sends no more.
  func nextHead() async throws -> HTTPRequestHead? {
    while let part = try await next() {
      if case .head(let head) = part { return head }
    }
    return nil
  }
}
