import Glibc
import Host
import NIOCore
import NIOPosix
import Synchronization

/// Carries TCP connections that no address translation can: from ::1, and from IPv6 to containers
/// that have IPv4 alone.
final class PortProxies: Sendable {
  /// Whether this kernel has IPv6 addresses to publish on.
  static let hostHasIPv6: Bool = access("/proc/net/if_inet6", R_OK) == 0

  private let open = Mutex<[PortBinding: any Channel]>([:])

  /// Accepts connections of a published port and carries them to `target`.
  func open(_ binding: PortBinding, target: IPAddress, socket: Descriptor) async throws {
    let address = try SocketAddress(
      ipAddress: target.description, port: Int(binding.containerPort))
    // The reservation keeps its own descriptor of the same socket.
    let copy = try checked("dup", nil, fcntl(socket.rawValue, F_DUPFD_CLOEXEC, 3))
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { client in PortProxies.join(client, to: address) }
      .withBoundSocket(copy).get()
    let previous = open.withLock { $0.updateValue(channel, forKey: binding) }
    try await previous?.close()
  }

  /// Stops accepting on these ports; connections that are open go on.
  func close(_ bindings: [PortBinding]) async {
    let channels = open.withLock { open in bindings.compactMap { open.removeValue(forKey: $0) } }
    for channel in channels {
      try? await channel.close()  // a channel that is closed already is closed
    }
  }

  /// Stops accepting anywhere.
  func closeAll() async { await close(open.withLock { Array($0.keys) }) }

  private static func join(
    _ client: any Channel, to address: SocketAddress
  ) -> EventLoopFuture<Void> {
    ClientBootstrap(group: client.eventLoop)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.autoRead, value: false)
      .connectTimeout(.seconds(10))
      .connect(to: address)
      .flatMapThrowing { server in
        try client.pipeline.syncOperations.addHandler(ForwardingHandler(to: server))
        try server.pipeline.syncOperations.addHandler(ForwardingHandler(to: client))
        server.read()
      }
  }
}

/// Writes what one side sends to the other, no faster than that takes it.
private final class ForwardingHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let other: any Channel

  init(to other: any Channel) { self.other = other }

  func channelActive(context: ChannelHandlerContext) { context.read() }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let channel = context.channel
    other.writeAndFlush(unwrapInboundIn(data)).whenComplete { result in
      switch result {
      case .success: channel.read()
      case .failure: channel.close(promise: nil)
      }
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event {
      other.close(mode: .output, promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
