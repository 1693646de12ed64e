package import Host
package import Logging
package import NIOCore
package import NIOHTTP1
import NIOWebSocket
import Synchronization

/// One request and the means to answer it.
package final class Exchange: Sendable {
  private enum Answer { case none, streaming, done, upgraded }
  private struct State {
    var answer = Answer.none
    var status: HTTPResponseStatus?
  }

  /// The request's line and headers.
  package let request: HTTPRequestHead
  /// Names the request in logs: the client's own `X-Request-Id`, or one of ours.
  package let id: RequestID
  /// Who asks.
  package let peer: ConnectionPeer
  /// The request's body, read once, in pieces; reading is what lets the client send more.
  package let body: RequestBody
  package let logger: Logger

  private let input: InputReader
  private let output: ConnectionWriter
  private let channel: any Channel
  /// Whether what is sent must pass through us to be encrypted.
  private let isEncrypted: Bool
  private let limits: HTTPServerLimits
  private let state = Mutex(State())

  init(
    request: HTTPRequestHead, input: InputReader,
    output: ConnectionWriter, channel: any Channel,
    peer: ConnectionPeer, isEncrypted: Bool, limits: HTTPServerLimits, logger: Logger
  ) {
    self.request = request
    self.input = input
    self.output = output
    self.channel = channel
    self.peer = peer
    self.isEncrypted = isEncrypted
    self.limits = limits
    self.logger = logger
    id = RequestID(request.headers)
    body = RequestBody(
      request: request, input: input, output: output, channel: channel,
      idleTimeout: limits.bodyIdleTimeout)
  }

  /// The status answered with, once there is one.
  package var status: HTTPResponseStatus? { state.withLock { $0.status } }

  /// Whether the head of an answer has been sent.
  package var hasBegun: Bool { state.withLock { $0.answer != .none } }

  /// Whether the client asks to speak another protocol after this request.
  package var wantsUpgrade: Bool { request.wantsUpgrade }

  /// Reads the whole body. Throws `bodyTooLarge`, `clientGone`.
  package func collectBody(upTo limit: Int) async throws -> ByteBuffer {
    if let length = body.declaredLength {
      if length == 0 { return ByteBuffer() }
      if length > limit { throw TransportError.bodyTooLarge(limit) }
    }
    // closing the connection is what ends a read that waits for a client that says nothing
    let channel = channel
    let timer = channel.eventLoop.scheduleTask(in: TimeAmount(limits.bodyTimeout)) {
      channel.close(promise: nil)
    }
    defer { timer.cancel() }
    return try await body.collect(upTo: limit)
  }

  // MARK: Answers

  /// Sends a whole answer.
  package func respond(
    _ status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: ByteBuffer = ByteBuffer()
  ) async throws {
    try claim(.done, status)
    var headers = headers
    if status.mayHaveResponseBody, !headers.contains(name: "content-length") {
      headers.add(name: "Content-Length", value: String(body.readableBytes))
    }
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    try await output.writeUncancelled(.complete(head, body))
  }

  /// Sends a whole answer whose body is a part of an open file, which is closed by it. The kernel
  /// sends the bytes by itself where they need no encryption.
  package func respondFile(
    _ status: HTTPResponseStatus, headers: HTTPHeaders, file: Descriptor, offset: Int64,
    length: Int64
  ) async throws {
    var headers = headers
    headers.replaceOrAdd(name: "Content-Length", value: String(length))
    try await begin(status, headers: headers)
    if isEncrypted {
      var position = offset
      let end = offset + length
      while position < end {
        let count = Int(min(256 * 1024, end - position))
        let bytes = try await FilePiece.read(file, at: position, count: count)
        position += Int64(bytes.readableBytes)
        try await write(bytes)
      }
    } else {
      try await output.write(.file(file, offset: offset, length: length))
    }
    try await finish()
  }

  /// Sends the head of an answer whose body follows through ``write(_:)`` and ``finish()``.
  package func begin(_ status: HTTPResponseStatus, headers: HTTPHeaders = [:]) async throws {
    try claim(.streaming, status)
    try await output.write(
      .head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)))
  }

  /// Sends a piece of the body at once; returns when the client has room for more. Throws when the
  /// client is gone.
  package func write(_ bytes: ByteBuffer) async throws {
    guard bytes.readableBytes > 0 else { return }
    try await output.write(.body(bytes))
  }

  /// Ends the body.
  package func finish() async throws {
    let isStreaming = state.withLock { state in
      guard state.answer == .streaming else { return false }
      state.answer = .done
      return true
    }
    if isStreaming { try await output.write(.end) }
  }

  /// Turns the connection into a raw stream: answers 101 when the client asked for an upgrade, else
  /// 200 with no end. What is left of the request's body is read and dropped.
  package func upgradeToRawStream(headers: HTTPHeaders) async throws -> RawStream {
    try await body.skip(upTo: limits.skippedBodySize)
    var headers = headers
    var status = HTTPResponseStatus.ok
    if wantsUpgrade {
      status = .custom(code: 101, reasonPhrase: "UPGRADED")
      headers.add(name: "Connection", value: "Upgrade")
      headers.add(name: "Upgrade", value: request.headers.first(name: "upgrade") ?? "tcp")
    }
    return try await upgrade(status, headers, .raw)
  }

  /// Makes the WebSocket handshake; what is written goes into binary or text frames. Throws
  /// `badRequest` when the request is no proper handshake.
  package func upgradeToWebSocket(binary: Bool) async throws -> RawStream {
    guard request.headers[canonicalForm: "upgrade"].contains(where: { $0 == "websocket" }) else {
      throw TransportError(code: .badRequest, message: "not a WebSocket handshake")
    }
    let upgrader = NIOWebSocketServerUpgrader(
      shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
      upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
    let request = request
    let channel = channel
    let headers: HTTPHeaders
    do {
      headers = try await channel.eventLoop.flatSubmit {
        upgrader.buildUpgradeResponse(
          channel: channel, upgradeRequest: request, initialResponseHeaders: [:])
      }.get()
    } catch {
      throw TransportError(
        code: .badRequest, message: "not a proper WebSocket handshake", cause: error)
    }
    return try await upgrade(.switchingProtocols, headers, .webSocket(binary: binary))
  }

  private func upgrade(
    _ status: HTTPResponseStatus, _ headers: HTTPHeaders, _ kind: UpgradeProtocol
  ) async throws -> RawStream {
    try claim(.upgraded, status)
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    try await output.write(.upgrade(head, kind))
    return RawStream(input: input, output: output)
  }

  private func claim(_ answer: Answer, _ status: HTTPResponseStatus) throws {
    try state.withLock { state in
      guard state.answer == .none else {
        throw TransportError(code: .misuse, message: "a request was answered twice")
      }
      state.answer = answer
      state.status = status
    }
  }

  // MARK: The end of the exchange

  /// Answers an error that the handler threw, or breaks the answer off.
  func fail(with error: any Error) async {
    if hasBegun {
      logger.debug("answer broken off", metadata: ["request": "\(id)", "error": "\(error)"])
      if status.map({ $0.code != 101 }) == true { await output.send(.abort) }
      return
    }
    let status: HTTPResponseStatus
    if let failure = error as? TransportError {
      status = failure.status
    } else {
      status = .internalServerError
      if !(error is CancellationError) {
        logger.error("unclassified error", metadata: ["request": "\(id)", "error": "\(error)"])
      }
    }
    try? await respond(  // a client that is gone needs no answer
      status, headers: ["Content-Type": "application/json"], body: Envelope.body("\(error)"))
  }

  /// Completes what the handler left open; tells whether the connection can serve another request.
  func conclude() async throws -> Bool {
    switch state.withLock({ $0.answer }) {
    case .none:
      await fail(with: TransportError(code: .misuse, message: "a request was not answered"))
    case .streaming: try await finish()
    case .upgraded: return false
    case .done: break
    }
    if body.isComplete { return true }
    try await body.skip(upTo: limits.skippedBodySize)
    return true
  }
}
