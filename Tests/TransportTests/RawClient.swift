import NIOCore
import NIOPosix

/// A client that sends and reads exact bytes.
struct RawClient {
  private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
  private let writer: NIOAsyncChannelOutboundWriter<ByteBuffer>
  private var unread = ByteBuffer()
  let channel: any Channel

  struct UnexpectedEnd: Error { let read: String }

  /// Connects to a unix socket, runs `body`, and closes the connection.
  static func connected<Result>(
    to path: String, _ body: (inout RawClient) async throws -> Result
  ) async throws -> Result {
    let stream = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .connect(unixDomainSocketPath: path) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
            wrappingChannelSynchronously: channel,
            configuration: .init(isOutboundHalfClosureEnabled: true))
        }
      }
    return try await stream.executeThenClose { inbound, outbound in
      var client = RawClient(
        iterator: inbound.makeAsyncIterator(), writer: outbound, channel: stream.channel)
      return try await body(&client)
    }
  }

  private init(
    iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
    writer: NIOAsyncChannelOutboundWriter<ByteBuffer>, channel: any Channel
  ) {
    self.iterator = iterator
    self.writer = writer
    self.channel = channel
  }

  func send(_ text: String) async throws { try await writer.write(ByteBuffer(string: text)) }
  func send(bytes: [UInt8]) async throws { try await writer.write(ByteBuffer(bytes: bytes)) }

  /// Half-closes.
  func finish() { writer.finish() }

  /// What arrives up to and with `mark`.
  mutating func read(through mark: String) async throws -> String {
    let mark = Array(mark.utf8)
    while true {
      let view = unread.readableBytesView
      if let end = view.firstRange(of: mark)?.upperBound {
        return unread.readString(length: end - view.startIndex) ?? ""
      }
      guard var more = try await iterator.next() else {
        throw UnexpectedEnd(read: String(buffer: unread))
      }
      unread.writeBuffer(&more)
    }
  }

  /// Exactly so many bytes.
  mutating func read(count: Int) async throws -> [UInt8] {
    while unread.readableBytes < count {
      guard var more = try await iterator.next() else {
        throw UnexpectedEnd(read: String(buffer: unread))
      }
      unread.writeBuffer(&more)
    }
    return unread.readBytes(length: count) ?? []
  }

  /// Everything until the server closes its side.
  mutating func readToEnd() async throws -> String {
    while var more = try await iterator.next() { unread.writeBuffer(&more) }
    defer { unread.clear() }
    return String(buffer: unread)
  }
}
