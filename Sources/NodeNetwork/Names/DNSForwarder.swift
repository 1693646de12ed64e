import Glibc
import Host
import NIOCore
import NIOPosix
import Synchronization

/// Asks other name servers, from the host's namespace: so servers on the host's loopback work too.
final class DNSForwarder: Sendable {
  private struct HostServers {
    var changed = timespec()
    var checked: NIODeadline?
    var servers: [IPAddress] = []
  }

  private static let limit = 1024
  private static let patience = TimeAmount.milliseconds(2500)

  private let hostResolvConf: String
  private let cache = Mutex(HostServers())
  private let running = Atomic<Int>(0)

  init(hostResolvConf: String) { self.hostResolvConf = hostResolvConf }

  /// The name servers of the host, read again when the file has changed (looked at once a second).
  func hostServers() -> [IPAddress] {
    cache.withLock { cache in
      let now = NIODeadline.now()
      if let checked = cache.checked, now - checked < .seconds(1) { return cache.servers }
      cache.checked = now
      var information = stat()
      guard stat(hostResolvConf, &information) == 0 else { return [] }
      let changed = information.st_mtim
      if changed.tv_sec != cache.changed.tv_sec || changed.tv_nsec != cache.changed.tv_nsec {
        cache.changed = changed
        cache.servers = HostResolver.read(hostResolvConf).servers.compactMap { IPAddress($0) }
      }
      return cache.servers
    }
  }

  /// Asks the servers one after the other, twice round, until one answers.
  /// - Returns: the answer as it came; nil if there was none, or too much is under way.
  func ask(
    _ servers: [IPAddress], _ message: [UInt8], _ query: DNSQuery, overUDP: Bool,
    on loop: any EventLoop
  ) -> EventLoopFuture<[UInt8]?> {
    guard !servers.isEmpty,
      running.wrappingAdd(1, ordering: .relaxed).oldValue < DNSForwarder.limit
    else {
      if !servers.isEmpty { running.wrappingSubtract(1, ordering: .relaxed) }
      return loop.makeSucceededFuture(nil)
    }
    // Its own number, hard to guess, in place of the client's.
    let id = UInt16.random(in: .min ... .max)
    let outgoing = id.bigEndianBytes + message.dropFirst(2)
    let attempt = DNSAttempt(
      message: outgoing, id: id, question: query.question, overUDP: overUDP,
      patience: DNSForwarder.patience)
    let order = servers.prefix(3) + servers.prefix(3)
    let result = next(attempt, order[...], best: nil, on: loop)
    result.whenComplete { _ in self.running.wrappingSubtract(1, ordering: .relaxed) }
    return result
  }

  private func next(
    _ attempt: DNSAttempt, _ servers: ArraySlice<IPAddress>, best: [UInt8]?, on loop: any EventLoop
  ) -> EventLoopFuture<[UInt8]?> {
    guard let server = servers.first else { return loop.makeSucceededFuture(best) }
    return attempt.ask(server, on: loop).flatMap { answer in
      // A server that fails or refuses may have a neighbour that does not.
      if let answer, ![2, 5].contains(answer[3] & 15) { return loop.makeSucceededFuture(answer) }
      return self.next(attempt, servers.dropFirst(), best: answer ?? best, on: loop)
    }
  }
}

/// One question to one server.
struct DNSAttempt: Sendable {
  var message: [UInt8]
  var id: UInt16
  var question: [UInt8]
  var overUDP: Bool
  var patience: TimeAmount

  /// The server's answer; nil if it gave none in time.
  func ask(_ server: IPAddress, on loop: any EventLoop) -> EventLoopFuture<[UInt8]?> {
    let promise = loop.makePromise(of: [UInt8]?.self)
    let timeout = loop.scheduleTask(in: patience) { promise.succeed(nil) }
    let attempt = self
    let connecting: EventLoopFuture<any Channel>
    do {
      let address = try SocketAddress(ipAddress: server.description, port: 53)
      connecting =
        overUDP
        ? DatagramBootstrap(group: loop).channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(
              DatagramAnswerHandler(attempt, promise, address))
          }
        }.connect(to: address)
        : ClientBootstrap(group: loop).connectTimeout(patience).channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(StreamAnswerHandler(attempt, promise))
          }
        }.connect(to: address)
    } catch {
      timeout.cancel()
      return loop.makeSucceededFuture(nil)
    }
    connecting.whenFailure { _ in promise.succeed(nil) }
    promise.futureResult.whenComplete { _ in
      timeout.cancel()
      connecting.whenSuccess { $0.close(promise: nil) }
    }
    return promise.futureResult
  }

  /// Whether bytes are the answer to this very question.
  func isAnswer(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= 12 + question.count || bytes.count >= 12 && bytes[5] == 0 else {
      return false
    }
    guard UInt16(bytes[0]) << 8 | UInt16(bytes[1]) == id, bytes[2] & 0x80 != 0 else { return false }
    // Some servers leave the question out of a refusal.
    if bytes[4] == 0 && bytes[5] == 0 { return bytes[3] & 15 != 0 }
    return bytes[12..<(12 + question.count)].elementsEqual(question) { left, right in
      left == right || left | 32 == right | 32 && (97...122).contains(left | 32)
    }
  }
}

private final class DatagramAnswerHandler: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>
  typealias OutboundOut = AddressedEnvelope<ByteBuffer>

  private let attempt: DNSAttempt
  private let promise: EventLoopPromise<[UInt8]?>
  private let server: SocketAddress

  init(
    _ attempt: DNSAttempt, _ promise: EventLoopPromise<[UInt8]?>, _ server: SocketAddress
  ) {
    self.attempt = attempt
    self.promise = promise
    self.server = server
  }

  func channelActive(context: ChannelHandlerContext) {
    let envelope = AddressedEnvelope(
      remoteAddress: server, data: ByteBuffer(bytes: attempt.message))
    context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = Array(unwrapInboundIn(data).data.readableBytesView)
    if attempt.isAnswer(bytes) { promise.succeed(bytes) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { promise.succeed(nil) }
}

private final class StreamAnswerHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let attempt: DNSAttempt
  private let promise: EventLoopPromise<[UInt8]?>
  private var received = ByteBuffer()

  init(_ attempt: DNSAttempt, _ promise: EventLoopPromise<[UInt8]?>) {
    self.attempt = attempt
    self.promise = promise
  }

  func channelActive(context: ChannelHandlerContext) {
    var buffer = ByteBuffer(integer: UInt16(truncatingIfNeeded: attempt.message.count))
    buffer.writeBytes(attempt.message)
    context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var chunk = unwrapInboundIn(data)
    received.writeBuffer(&chunk)
    guard let length = received.getInteger(at: received.readerIndex, as: UInt16.self),
      received.readableBytes >= 2 + Int(length)
    else { return }
    let bytes = received.getBytes(at: received.readerIndex + 2, length: Int(length)) ?? []
    promise.succeed(attempt.isAnswer(bytes) ? bytes : nil)
  }

  func channelInactive(context: ChannelHandlerContext) { promise.succeed(nil) }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { promise.succeed(nil) }
}
