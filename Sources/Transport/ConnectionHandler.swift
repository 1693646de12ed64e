import Host
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Joins NIO's HTTP/1.1 codec to the messages of a connection: keeps requests and answers in step,
/// decides on keep-alive, notices clients that go away, and takes the codec out of the pipeline for
/// an upgrade.
final class ConnectionHandler: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = ConnectionInput
  typealias OutboundIn = ConnectionOutput
  typealias OutboundOut = HTTPServerResponsePart

  /// What must be remembered of a request until it has been answered.
  private struct Pending {
    let isHead: Bool
    let version: HTTPVersion
    let isKeepAlive: Bool
    let wantsUpgrade: Bool
    let hasLongBody: Bool
    var isComplete = false
  }

  private enum Phase { case http, upgraded, lingering, closed }

  private let handler: any HTTPHandler
  private let timer: HeadTimer
  private let limits: HTTPServerLimits
  private let headers: HTTPHeaders
  private let statistics: ServerStatistics
  private let encoder: HTTPResponseEncoder
  private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
  private let gone: EventLoopPromise<Void>
  private let backlog: OutputBacklog
  private var isGone = false
  private var phase = Phase.http
  private var pending: CircularBuffer<Pending> = []
  private var closesAfterAnswer = false
  private var codecIsRemoved = false
  private var sawEndOfInput = false
  private var activity = ServerStatistics.Activity.closed
  private var peer: ConnectionPeer?
  /// The head of a request that may be answered at once, until its end has come.
  private var heldHead: HTTPRequestHead?

  /// `gone` is completed when the client has left, or when nothing it still sends could matter.
  init(
    handler: any HTTPHandler, timer: HeadTimer, limits: HTTPServerLimits, headers: HTTPHeaders,
    statistics: ServerStatistics, encoder: HTTPResponseEncoder,
    decoder: ByteToMessageHandler<HTTPRequestDecoder>, gone: EventLoopPromise<Void>,
    backlog: OutputBacklog
  ) {
    self.handler = handler
    self.timer = timer
    self.limits = limits
    self.headers = headers
    self.statistics = statistics
    self.encoder = encoder
    self.decoder = decoder
    self.gone = gone
    self.backlog = backlog
  }

  private func signalGone() {
    guard !isGone else { return }
    isGone = true
    gone.succeed()
  }

  func handlerRemoved(context: ChannelHandlerContext) { signalGone() }

  func channelActive(context: ChannelHandlerContext) {
    statistics.countConnection()
    note(.waiting)
    context.fireChannelActive()
  }

  private func note(_ new: ServerStatistics.Activity) {
    statistics.move(from: activity, to: new)
    activity = new
  }

  func channelInactive(context: ChannelHandlerContext) {
    phase = .closed
    note(.closed)
    signalGone()
    context.fireChannelInactive()
  }

  // MARK: From the client

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch phase {
    case .http: receive(context: context, part: Self.unwrapInboundIn(data))
    case .upgraded where codecIsRemoved || pending.first?.wantsUpgrade == true:
      context.fireChannelRead(Self.wrapInboundOut(.raw(Bytes.unwrapInboundIn(data))))
    case .upgraded: break  // what the parser made of bytes that came before the answer
    case .lingering, .closed: break
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if phase == .lingering { context.read() }
    context.fireChannelReadComplete()
  }

  private func receive(context: ChannelHandlerContext, part: HTTPServerRequestPart) {
    switch part {
    case .head(let head):
      timer.stop()
      statistics.countRequest()
      note(.reading)
      let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
      pending.append(
        Pending(
          isHead: head.method == .HEAD, version: head.version, isKeepAlive: head.isKeepAlive,
          wantsUpgrade: head.wantsUpgrade || head.method == .CONNECT,
          hasLongBody: head.headers.contains(name: "transfer-encoding")
            || length > limits.skippedBodySize))
      // what is behind other requests, or more than the client takes, waits its turn
      if pending.count == 1, !closesAfterAnswer, context.channel.isWritable,
        head.mayHaveReadyAnswer
      {
        heldHead = head
      } else {
        context.fireChannelRead(Self.wrapInboundOut(.head(head)))
      }
    case .body(let bytes):
      context.fireChannelRead(Self.wrapInboundOut(.body(bytes)))
    case .end:
      if !pending.isEmpty {
        pending[pending.index(before: pending.endIndex)].isComplete = true
        note(.writing)
      }
      if let head = heldHead {
        heldHead = nil
        if answerAtOnce(context: context, head) { return }
        context.fireChannelRead(Self.wrapInboundOut(.head(head)))
      }
      context.fireChannelRead(Self.wrapInboundOut(.end))
    }
  }

  /// Gives the answer that the handler has at hand, if it has one.
  private func answerAtOnce(context: ChannelHandlerContext, _ request: HTTPRequestHead) -> Bool {
    let peer = self.peer ?? ConnectionPeer(context.channel)
    self.peer = peer
    guard let answer = handler.readyAnswer(to: request, from: peer) else { return false }
    let head = HTTPResponseHead(
      version: .http1_1, status: answer.status, headers: answer.headers)
    complete(context: context, head: head, body: answer.body)
    context.flush()
    return true
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case ChannelEvent.inputClosed: endOfInput(context: context)
    case is ChannelShouldQuiesceEvent:
      closesAfterAnswer = true
      if phase == .http, pending.isEmpty { context.close(promise: nil) }
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  private func endOfInput(context: ChannelHandlerContext) {
    switch phase {
    case .http:
      if pending.isEmpty { return context.close(promise: nil) }
      closesAfterAnswer = true
      signalGone()
      context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    case .upgraded: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    case .lingering: context.close(promise: nil)
    case .closed: break
    }
  }

  /// Asked before the decoder learns of the end of the client's side, upon which it would drop the
  /// bytes it holds behind a request for an upgrade. True when the end is noted here instead.
  func holdBackEndOfInput() -> Bool {
    let awaitsUpgrade =
      phase == .http && pending.first.map { $0.wantsUpgrade && $0.isComplete } == true
    guard awaitsUpgrade || (phase == .upgraded && !codecIsRemoved) else { return false }
    sawEndOfInput = true
    closesAfterAnswer = true
    return true
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // what is dropped need not be understood
    if phase == .lingering, error is HTTPParserError || error is ByteToMessageDecoderError {
      return
    }
    guard phase == .http, let failure = error as? HTTPParserError else {
      context.fireErrorCaught(error)
      context.close(promise: nil)
      return
    }
    if let last = pending.last {
      closesAfterAnswer = true
      if let head = heldHead {
        heldHead = nil
        context.fireChannelRead(Self.wrapInboundOut(.head(head)))
      }
      // the body can never be completed: whoever reads it must learn
      if !last.isComplete { context.fireErrorCaught(error) }
    } else {
      let status: HTTPResponseStatus =
        failure == .headerOverflow ? .requestHeaderFieldsTooLarge : .badRequest
      let answer = Envelope.response(status, message: "\(failure)", closing: true)
      pending.append(
        Pending(
          isHead: false, version: .http1_1, isKeepAlive: false, wantsUpgrade: false,
          hasLongBody: true))
      complete(context: context, head: answer.head, body: answer.body)
      context.flush()
    }
  }

  // MARK: To the client

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let message = Self.unwrapOutboundIn(data)
    backlog.remove(message)
    switch (message, phase) {
    case (.complete(let head, let body), .http):
      complete(context: context, head: head, body: body)
    case (.informational(let head), .http):
      context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
    case (.head(let head), .http): writeHead(context: context, head)
    case (.body(let bytes), .http): writeBody(context: context, bytes)
    case (.file(let file, let offset, let length), .http):
      writeFile(context: context, file, offset, length)
    case (.end, .http): writeEnd(context: context)
    case (.upgrade(let head, let kind), .http): upgrade(context: context, head, to: kind)
    case (.raw(let bytes), .upgraded):
      context.write(Bytes.wrapOutboundOut(bytes), promise: nil)
    case (.halfClose, .upgraded): context.close(mode: .output, promise: nil)
    case (.close, .http), (.close, .upgraded): linger(context: context)
    case (.abort, _): context.close(promise: nil)
    default: break
    }
    promise?.succeed()
  }

  private func complete(
    context: ChannelHandlerContext, head: HTTPResponseHead, body: ByteBuffer
  ) {
    writeHead(context: context, head)
    if body.readableBytes > 0 { writeBody(context: context, body) }
    writeEnd(context: context)
  }

  private func writeHead(context: ChannelHandlerContext, _ head: HTTPResponseHead) {
    guard let request = pending.first else { return }
    var head = head
    head.version = request.version
    if !headers.isEmpty { addCommonHeaders(to: &head) }
    // the parser stops behind a request for an upgrade, whatever becomes of it
    if !request.isKeepAlive || request.wantsUpgrade
      || (!request.isComplete && request.hasLongBody)
      || request.version.minor == 0
    {
      closesAfterAnswer = true
    }
    if closesAfterAnswer { head.headers.replaceOrAdd(name: "Connection", value: "close") }
    context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
  }

  private func addCommonHeaders(to head: inout HTTPResponseHead) {
    let own = head.headers
    for (name, value) in headers where !own.contains(name: name) {
      head.headers.add(name: name, value: value)
    }
  }

  private func writeBody(context: ChannelHandlerContext, _ bytes: ByteBuffer) {
    guard pending.first?.isHead == false else { return }
    context.write(Self.wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
  }

  private func writeFile(
    context: ChannelHandlerContext, _ file: Descriptor, _ offset: Int64, _ length: Int64
  ) {
    guard pending.first?.isHead == false, length > 0 else { return file.close() }
    let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: file.release())
    let region = FileRegion(
      fileHandle: handle, readerIndex: Int(offset), endIndex: Int(offset + length))
    let sent = context.eventLoop.makePromise(of: Void.self)
    sent.futureResult.assumeIsolated().whenComplete { _ in
      try? handle.close()  // it was only read
    }
    context.write(Self.wrapOutboundOut(.body(.fileRegion(region))), promise: sent)
  }

  private func writeEnd(context: ChannelHandlerContext) {
    guard let request = pending.popFirst() else { return }
    if !request.isHead { context.write(Self.wrapOutboundOut(.end(nil)), promise: nil) }
    if closesAfterAnswer {
      linger(context: context)
    } else if pending.isEmpty {
      note(.waiting)
      timer.waitForRequest()
    }
  }

  private func upgrade(
    context: ChannelHandlerContext, _ head: HTTPResponseHead, to kind: UpgradeProtocol
  ) {
    phase = .upgraded
    timer.stop()
    let pipeline = context.pipeline.syncOperations
    pipeline.removeHandler(encoder, promise: nil)
    var bytes = context.channel.allocator.buffer(capacity: 256)
    bytes.writeString("HTTP/1.1 \(head.status.code) \(head.status.reasonPhrase)\r\n")
    for (name, value) in head.headers { bytes.writeString("\(name): \(value)\r\n") }
    bytes.writeString("\r\n")
    context.writeAndFlush(Bytes.wrapOutboundOut(bytes), promise: nil)
    if case .webSocket(let binary) = kind {
      do {
        try pipeline.addHandlers(
          [
            WebSocketFrameEncoder(),
            ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 20)),
            WebSocketBytes(binary: binary),
          ], position: .before(self))
      } catch {
        context.fireErrorCaught(error)
        return context.close(promise: nil)
      }
    }
    // bytes that came after the request are handed on once the decoder is out
    let bound = context.loopBound
    let removed = context.eventLoop.makePromise(of: Void.self)
    removed.futureResult.assumeIsolated().whenComplete { _ in
      self.codecIsRemoved = true
      guard self.sawEndOfInput, self.phase == .upgraded else { return }
      bound.value.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }
    pipeline.removeHandler(decoder, promise: removed)
  }

  /// Sends what is left and the end of our side, then reads and drops what the client still sends: a
  /// socket closed with unread bytes would make the kernel throw away what was sent last.
  private func linger(context: ChannelHandlerContext) {
    phase = .lingering
    timer.stop()
    context.flush()
    let bound = context.loopBound
    let sent = context.eventLoop.makePromise(of: Void.self)
    sent.futureResult.assumeIsolated().whenComplete { _ in
      // a client that has ended its side has nothing left to send
      if self.sawEndOfInput { bound.value.close(promise: nil) }
    }
    context.close(mode: .output, promise: sent)
    context.read()
    context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limits.lingerTimeout)) {
      if self.phase == .lingering { bound.value.close(promise: nil) }
    }
  }
}

/// Stands before the decoder and keeps the end of the client's side from it during an upgrade.
final class EndOfInputGate: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let connection: ConnectionHandler

  init(_ connection: ConnectionHandler) { self.connection = connection }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event as? ChannelEvent == .inputClosed, connection.holdBackEndOfInput() { return }
    context.fireUserInboundEventTriggered(event)
  }
}

/// Only for its typed wrapping: after an upgrade the pipeline carries bytes.
private final class Bytes: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
}

extension HTTPRequestHead {
  /// Whether the client asked for another protocol on this connection.
  var wantsUpgrade: Bool {
    headers.contains(name: "upgrade")
      && headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
  }
}
