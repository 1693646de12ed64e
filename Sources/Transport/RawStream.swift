package import NIOCore

/// A connection after an upgrade: bytes in both directions until either side has had enough.
package struct RawStream: AsyncSequence, Sendable {
  package typealias Element = ByteBuffer
  package typealias Failure = any Error

  let input: InputReader
  let output: ConnectionWriter

  /// Sends bytes at once; returns when the client has room for more. Throws when it is gone.
  package func write(_ bytes: ByteBuffer) async throws {
    guard bytes.readableBytes > 0 else { return }
    try await output.write(.raw(bytes))
  }

  /// Closes our side once everything is sent; the client may go on sending.
  package func finishOutput() async throws { try await output.write(.halfClose) }

  package struct AsyncIterator: AsyncIteratorProtocol {
    let input: InputReader

    /// What the client sent next; nil once it closed its side.
    package func next() async throws -> ByteBuffer? {
      while let part = try await input.next() {
        if case .raw(let bytes) = part { return bytes }
      }
      return nil
    }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(input: input) }
}
