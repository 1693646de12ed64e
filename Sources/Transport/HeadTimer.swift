import NIOCore

/// Closes a connection that takes too long over the head of a request, from its first byte, or that
/// idles too long between requests. First in the pipeline, so that TLS handshakes count, too.
final class HeadTimer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private enum Phase { case idle, receiving, stopped }

  private let limits: HTTPServerLimits
  private var phase = Phase.stopped
  private var timer: Scheduled<Void>?
  private var context: ChannelHandlerContext?

  init(limits: HTTPServerLimits) { self.limits = limits }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    stop()
    self.context = nil
  }

  func channelActive(context: ChannelHandlerContext) {
    waitForRequest()
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if phase == .idle { arm(.receiving, limits.headTimeout) }
    context.fireChannelRead(data)
  }

  /// The connection has nothing to do until the next request begins.
  func waitForRequest() { arm(.idle, limits.idleTimeout) }

  /// A request is being served, or the connection was upgraded.
  func stop() {
    timer?.cancel()
    timer = nil
    phase = .stopped
  }

  private func arm(_ phase: Phase, _ timeout: Duration) {
    guard let context else { return }
    timer?.cancel()
    self.phase = phase
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) {
      context.close(promise: nil)
    }
  }
}
