import Host
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The name server of one container, at 127.0.0.11 in its namespace.
final class SandboxResolver: Sendable {
  private let datagram: any Channel
  private let stream: any Channel
  private let rules: NFTablesSocket

  private init(datagram: any Channel, stream: any Channel, rules: NFTablesSocket) {
    self.datagram = datagram
    self.stream = stream
    self.rules = rules
  }

  /// Begins to serve.
  /// - Parameter decide: what to do with a query; called on event loops, must not block.
  static func start(
    _ sockets: ResolverSockets, forwarder: DNSForwarder, logger: Logger,
    decide: @escaping @Sendable (DNSQuery) -> DNSDecision
  ) async throws -> SandboxResolver {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let service = DNSService(forwarder: forwarder, decide: decide)
    let datagram = try await DatagramBootstrap(group: loop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(DatagramHandler(service))
        }
      }
      .withBoundSocket(sockets.datagram.release()).get()
    do {
      let connections = Limit(64)
      let stream = try await ServerBootstrap(group: loop)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(StreamHandler(service, connections))
          }
        }
        .withBoundSocket(sockets.stream.release()).get()
      return SandboxResolver(datagram: datagram, stream: stream, rules: sockets.rules)
    } catch {
      try? await datagram.close()  // the first failure is the one to tell
      throw error
    }
  }

  /// Closes the sockets queries come by.
  func close() async {
    for channel in [datagram, stream] {
      try? await channel.close()  // a channel that is closed already is closed
    }
  }

  /// Closes the socket the rules were laid with. Blocks, if that was a moment ago.
  func closeRules() { rules.close() }
}

/// Turns messages into answers.
struct DNSService: Sendable {
  let forwarder: DNSForwarder
  let decide: @Sendable (DNSQuery) -> DNSDecision
  /// One container's questions to others must not keep all containers' from being asked.
  private let underWay = Limit(256)

  init(forwarder: DNSForwarder, decide: @escaping @Sendable (DNSQuery) -> DNSDecision) {
    self.forwarder = forwarder
    self.decide = decide
  }

  /// The answer to a message; nil if it deserves none.
  func answer(_ message: [UInt8], overUDP: Bool, on loop: any EventLoop) -> EventLoopFuture<
    [UInt8]?
  > {
    let query: DNSQuery
    do {
      query = try DNSQuery(message)
    } catch {
      guard case .malformed(let id) = error else { return loop.makeSucceededFuture(nil) }
      return loop.makeSucceededFuture(DNSAnswer.formatError(id: id))
    }
    guard query.opcode == 0 else {
      let answer = DNSAnswer.make(query, [], code: .notImplemented, overUDP: overUDP)
      return loop.makeSucceededFuture(answer)
    }
    switch decide(query) {
    case .answer(let records):
      return loop.makeSucceededFuture(DNSAnswer.make(query, records, overUDP: overUDP))
    case .fail:
      let answer = DNSAnswer.make(query, [], code: .serverFailure, overUDP: overUDP)
      return loop.makeSucceededFuture(answer)
    case .forward(let servers):
      guard underWay.enter() else {
        let answer = DNSAnswer.make(query, [], code: .serverFailure, overUDP: overUDP)
        return loop.makeSucceededFuture(answer)
      }
      return forwarder.ask(servers, message, query, overUDP: overUDP, on: loop).map { answer in
        guard let answer else {
          return DNSAnswer.make(query, [], code: .serverFailure, overUDP: overUDP)
        }
        return DNSAnswer.adapted(answer, to: query, overUDP: overUDP)
      }.always { _ in underWay.leave() }
    }
  }
}

/// Queries over UDP.
private final class DatagramHandler: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>
  typealias OutboundOut = AddressedEnvelope<ByteBuffer>

  private let service: DNSService

  init(_ service: DNSService) { self.service = service }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let envelope = unwrapInboundIn(data)
    let client = envelope.remoteAddress
    let channel = context.channel
    service.answer(Array(envelope.data.readableBytesView), overUDP: true, on: context.eventLoop)
      .whenSuccess { answer in
        guard let answer else { return }
        channel.writeAndFlush(
          AddressedEnvelope(remoteAddress: client, data: ByteBuffer(bytes: answer)), promise: nil)
      }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A client that went away makes its answer fail; others go on being served.
  }
}

/// How many of something one container may have at a time.
private final class Limit: Sendable {
  private let most: Int
  private let open = Mutex(0)

  init(_ most: Int) { self.most = most }

  func enter() -> Bool {
    open.withLock { count in
      guard count < most else { return false }
      count += 1
      return true
    }
  }

  func leave() { open.withLock { $0 -= 1 } }
}

/// Queries over TCP, each with its length before it.
private final class StreamHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let service: DNSService
  private let connections: Limit
  private var isCounted = false
  private var received = ByteBuffer()
  private var timeout: Scheduled<Void>?

  init(_ service: DNSService, _ connections: Limit) {
    self.service = service
    self.connections = connections
  }

  func channelActive(context: ChannelHandlerContext) {
    isCounted = connections.enter()
    guard isCounted else {
      context.close(promise: nil)
      return
    }
    restartTimeout(context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    timeout?.cancel()
    if isCounted { connections.leave() }
    isCounted = false
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var chunk = unwrapInboundIn(data)
    received.writeBuffer(&chunk)
    restartTimeout(context)
    let channel = context.channel
    while let length = received.getInteger(at: received.readerIndex, as: UInt16.self),
      received.readableBytes >= 2 + Int(length)
    {
      received.moveReaderIndex(forwardBy: 2)
      guard let message = received.readBytes(length: Int(length)) else { return }
      service.answer(message, overUDP: false, on: context.eventLoop).whenSuccess { answer in
        guard let answer else { return channel.close(promise: nil) }
        var buffer = ByteBuffer(integer: UInt16(truncatingIfNeeded: answer.count))
        buffer.writeBytes(answer)
        channel.writeAndFlush(buffer, promise: nil)
      }
    }
    received.discardReadBytes()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func restartTimeout(_ context: ChannelHandlerContext) {
    timeout?.cancel()
    let channel = context.channel
    timeout = context.eventLoop.scheduleTask(in: .seconds(15)) { channel.close(promise: nil) }
  }
}
