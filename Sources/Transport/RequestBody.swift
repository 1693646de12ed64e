package import NIOCore
import NIOHTTP1
import Synchronization

/// The body of a request: pieces in order, read once. The client is told to go on
/// (`Expect: 100-continue`) when the first piece is asked for.
package struct RequestBody: AsyncSequence, Sendable {
  package typealias Element = ByteBuffer
  package typealias Failure = any Error

  private final class Progress: Sendable {
    let isComplete: Atomic<Bool>
    let owesContinue: Atomic<Bool>

    init(isComplete: Bool, owesContinue: Bool) {
      self.isComplete = Atomic(isComplete)
      self.owesContinue = Atomic(owesContinue)
    }
  }

  private let input: InputReader
  private let output: ConnectionWriter
  private let channel: any Channel
  private let idleTimeout: Duration
  private let progress: Progress
  /// The body's length where the client said it, 0 when there is none; nil when it comes in chunks.
  package let declaredLength: Int?

  init(
    request: HTTPRequestHead, input: InputReader, output: ConnectionWriter, channel: any Channel,
    idleTimeout: Duration
  ) {
    self.input = input
    self.output = output
    self.channel = channel
    self.idleTimeout = idleTimeout
    let chunked = request.headers.contains(name: "transfer-encoding")
    declaredLength =
      chunked ? nil : request.headers.first(name: "content-length").map { Int($0) ?? .max } ?? 0
    let expects = request.headers.first(name: "expect")?.lowercased() == "100-continue"
    progress = Progress(isComplete: false, owesContinue: expects)
  }

  /// Whether everything has been read.
  var isComplete: Bool { progress.isComplete.load(ordering: .acquiring) }

  package struct AsyncIterator: AsyncIteratorProtocol {
    let body: RequestBody

    package func next() async throws -> ByteBuffer? { try await body.next() }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }

  private func next() async throws -> ByteBuffer? {
    if isComplete { return nil }
    if progress.owesContinue.exchange(false, ordering: .relaxed) {
      try await output.write(
        .informational(HTTPResponseHead(version: .http1_1, status: .continue)))
    }
    switch try await nextPart() {
    case .body(let bytes): return bytes
    case .end:
      progress.isComplete.store(true, ordering: .releasing)
      return nil
    case .head, .raw, nil:
      throw TransportError(code: .clientGone, message: "the client broke off its request")
    }
  }

  /// A body that cannot be parsed, or ends before its end, is the client's fault.
  private func nextPart() async throws -> ConnectionInput? {
    // closing the connection is what ends a read that waits for a client that says nothing
    let channel = channel
    let timer = channel.eventLoop.scheduleTask(in: TimeAmount(idleTimeout)) {
      channel.close(promise: nil)
    }
    defer { timer.cancel() }
    do {
      return try await input.next()
    } catch let error as HTTPParserError {
      throw TransportError(
        code: .badRequest, message: "the request's body is malformed or broken off", cause: error)
    }
  }

  /// Reads everything into one buffer. Throws `bodyTooLarge`.
  func collect(upTo limit: Int) async throws -> ByteBuffer {
    var all = ByteBuffer()
    while var bytes = try await next() {
      guard all.readableBytes + bytes.readableBytes <= limit else {
        throw TransportError.bodyTooLarge(limit)
      }
      if all.readableBytes == 0 { all = bytes } else { all.writeBuffer(&bytes) }
    }
    return all
  }

  /// Reads and drops what is left. Throws `bodyTooLarge` when that is more than `limit`.
  func skip(upTo limit: Int) async throws {
    // a client still waiting to be told to go on sends nothing
    if progress.owesContinue.load(ordering: .relaxed) {
      throw TransportError(code: .clientGone, message: "the body was never asked for")
    }
    var count = 0
    while let bytes = try await next() {
      count += bytes.readableBytes
      if count > limit { throw TransportError.bodyTooLarge(limit) }
    }
  }
}

extension TransportError {
  static func bodyTooLarge(_ limit: Int) -> TransportError {
    TransportError(
      code: .bodyTooLarge, message: "the request's body is too large",
      metadata: ["limit": "\(limit)"])
  }
}
