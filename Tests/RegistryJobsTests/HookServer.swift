import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A small HTTP server that remembers what it is told.
final class HookServer: Sendable {
  struct Received: Sendable {
    var method: HTTPMethod
    var path: String
    var headers: HTTPHeaders
    var body: [UInt8]
  }

  struct Reply: Sendable {
    var status = HTTPResponseStatus.ok
    var headers: HTTPHeaders = [:]
    /// How many bytes are promised; two are sent.
    var length = 2
  }

  private let all = Mutex<[Received]>([])
  private let replies: [Reply]

  /// What it was told so far.
  var received: [Received] { all.withLock { $0 } }

  private init(_ replies: [Reply]) { self.replies = replies }

  /// Runs a server that answers with these replies, the last of them again and again.
  static func run(
    isSecure: Bool = false, replies: [Reply] = [Reply()],
    _ body: (HookServer, String) async throws -> Void
  ) async throws {
    let server = HookServer(replies)
    let tls = isSecure ? try Self.tls() : nil
    let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
          try pipeline.configureHTTPServerPipeline()
          try pipeline.addHandler(Handler(server))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = channel.localAddress?.port ?? 0
    var result = Result<Void, any Error>.success(())
    do {
      try await body(server, "\(isSecure ? "https" : "http")://127.0.0.1:\(port)/hook")
    } catch {
      result = .failure(error)
    }
    try await channel.close()
    try result.get()
  }

  private func take(_ request: Received) -> Reply {
    let number = all.withLock { all in
      all.append(request)
      return all.count - 1
    }
    return replies[min(number, replies.count - 1)]
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: HookServer
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ server: HookServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head):
        self.head = head
        body = []
      case .body(let piece): body += Array(piece.readableBytesView)
      case .end:
        guard let head else { return }
        let reply = server.take(
          Received(method: head.method, path: head.uri, headers: head.headers, body: body))
        var headers = reply.headers
        headers.add(name: "Content-Length", value: "\(reply.length)")
        context.write(
          wrapOutboundOut(
            .head(HTTPResponseHead(version: .http1_1, status: reply.status, headers: headers))),
          promise: nil)
        context.writeAndFlush(
          wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "ok")))), promise: nil)
        if reply.length == 2 {
          context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
      }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }
  }

  // MARK: Its certificate, which nobody else uses

  private static func tls() throws -> NIOSSLContext {
    let configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map {
        .certificate($0)
      },
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)))
    return try NIOSSLContext(configuration: configuration)
  }

  static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBbzCCARWgAwIBAgIUUgJvmpeqJyuHYWjO3PSZ6kR5W2owCgYIKoZIzj0EAwIw
    FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAx
    MDAwMDAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
    PQMBBwNCAAQY5GuEPeoFhX/N01tRnw5fR93JGOCUjOlKdamWD/+xuu0MkGPTV2v4
    22R/JZ0lX6to000QZt/h2T3+wgW0CC+eo0MwQTAPBgNVHRMBAf8EBTADAQH/MA8G
    A1UdEQQIMAaHBH8AAAEwHQYDVR0OBBYEFPFq54rF4lHt/aY9l9LhsH9Q5TumMAoG
    CCqGSM49BAMCA0gAMEUCIDz+7i/Oh3zJjCdKEX4HUAyrTL3OFn76h8xWfqL2VobQ
    AiEAo7Q5uaOhJmjtN67YQDHp/9cC/809pnN8hp2v0wvVnA4=
    -----END CERTIFICATE-----
    """

  private static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4DxzsbnV5oR9kVud
    Det7fPLQqDBHMQWR02fcn5VadrihRANCAAQY5GuEPeoFhX/N01tRnw5fR93JGOCU
    jOlKdamWD/+xuu0MkGPTV2v422R/JZ0lX6to000QZt/h2T3+wgW0CC+e
    -----END PRIVATE KEY-----
    """
}
