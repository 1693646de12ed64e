import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

@testable import BlobStorage

/// A server that answers as it is told to, also badly.
final class FakeS3: Sendable {
  struct Request: Sendable {
    var method: HTTPMethod
    var uri: String
    var headers: HTTPHeaders
    var body: ByteBuffer
    /// How many came before it.
    var number: Int
  }

  struct Reply: Sendable {
    enum Ending: Sendable { case whole, close, stall }

    var status = HTTPResponseStatus.ok
    var headers: [(String, String)] = []
    var body = ByteBuffer()
    /// The length that is announced, where it is not the body's.
    var length: Int?
    /// Bytes that are sent after the body, as the other side takes them.
    var filling = 0
    var ending = Ending.whole
    /// Whether not even a head is sent.
    var isSilent = false

    static func text(_ status: HTTPResponseStatus, _ text: String = "") -> Reply {
      Reply(status: status, body: ByteBuffer(string: text))
    }
    static func error(_ status: HTTPResponseStatus, _ code: String) -> Reply {
      text(status, "<Error><Code>\(code)</Code><Message>no</Message></Error>")
    }
    static let silence = Reply(ending: .stall, isSilent: true)
    static let hangUp = Reply(ending: .close, isSilent: true)
  }

  /// What is answered to each request.
  struct Script: Sendable {
    let reply: @Sendable (Request) -> Reply

    init(_ reply: @escaping @Sendable (Request) -> Reply) { self.reply = reply }

    static func always(_ reply: Reply) -> Script { Script { _ in reply } }
  }

  struct State: Sendable {
    var requests: [Request] = []
    var filled = 0
    var isBlocked = false
    var closed = 0
  }

  let state = Mutex(State())
  private let channel: any Channel

  var requests: [Request] { state.withLock { $0.requests } }

  private init(channel: any Channel) { self.channel = channel }

  /// Runs a server for the time of `body`, which is given settings to reach it.
  static func run(
    _ script: Script, _ body: (FakeS3, S3Settings) async throws -> Void
  ) async throws {
    let holder = Holder()
    let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false).flatMap {
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(FakeHandler(holder, script))
          }
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let server = FakeS3(channel: channel)
    holder.server.withLock { $0 = server }
    var settings = S3Settings(bucket: "bucket", region: "here")
    (settings.accessKey, settings.secretKey) = ("access", "secret")
    settings.regionEndpoint = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    settings.chunkSize = S3Settings.smallestChunk
    do {
      try await body(server, settings)
    } catch {
      try await channel.close()
      throw error
    }
    try await channel.close()
  }

  final class Holder: Sendable {
    let server = Mutex<FakeS3?>(nil)

    func change(_ body: (inout State) -> Void) {
      server.withLock { $0 }?.state.withLock { body(&$0) }
    }
  }
}

/// Collects a request, and does what the reply says.
private final class FakeHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let holder: FakeS3.Holder
  private let script: FakeS3.Script
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()
  private var reply: FakeS3.Reply?
  private var filling = 0

  init(_ holder: FakeS3.Holder, _ script: FakeS3.Script) {
    self.holder = holder
    self.script = script
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.clear()
    case .body(var piece):
      body.writeBuffer(&piece)
    case .end:
      guard let head else { return }
      var request = FakeS3.Request(
        method: head.method, uri: head.uri, headers: head.headers, body: body, number: 0)
      holder.change { state in
        request.number = state.requests.count
        state.requests.append(request)
      }
      answer(script.reply(request), context)
    }
  }

  private func answer(_ reply: FakeS3.Reply, _ context: ChannelHandlerContext) {
    self.reply = reply
    filling = reply.filling
    if !reply.isSilent {
      var head = HTTPResponseHead(version: .http1_1, status: reply.status)
      let length = reply.length ?? (reply.body.readableBytes + reply.filling)
      for (name, value) in reply.headers { head.headers.add(name: name, value: value) }
      if reply.status != .noContent {
        head.headers.add(name: "Content-Length", value: String(length))
      }
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      if reply.body.readableBytes > 0 {
        context.write(wrapOutboundOut(.body(.byteBuffer(reply.body))), promise: nil)
      }
      context.flush()
    }
    fill(context)
  }

  private func fill(_ context: ChannelHandlerContext) {
    guard let reply else { return }
    while filling > 0, context.channel.isWritable {
      let count = min(filling, 65_536)
      filling -= count
      holder.change { $0.filled += count }
      context.writeAndFlush(
        wrapOutboundOut(.body(.byteBuffer(ByteBuffer(repeating: 7, count: count)))), promise: nil)
    }
    let isBlocked = filling > 0
    holder.change { $0.isBlocked = isBlocked }
    // A write may have made the channel writable and so have come here before.
    guard !isBlocked, self.reply != nil else { return }
    self.reply = nil
    switch reply.ending {
    case .whole: context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    case .close: context.close(promise: nil)
    case .stall: break
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    fill(context)
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    holder.change { $0.closed += 1 }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
