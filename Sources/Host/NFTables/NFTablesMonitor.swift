import CLinux
import Glibc
import NIOCore
import NIOPosix

/// Tells of changes that other programs make to chains and rules of IPv4 or IPv6 tables.
package final class NFTablesMonitor: Sendable {
  private let channel: any Channel

  private init(channel: any Channel) { self.channel = channel }

  /// Begins to watch the calling thread's namespace.
  /// - Parameter changed: called on an event loop, once for changes that come together; must not
  ///   block.
  /// - Throws: `SystemError`, or what NIO throws.
  package static func start(
    changed: @escaping @Sendable () -> Void
  ) async throws -> NFTablesMonitor {
    let number = socket(
      AF_NETLINK, Int32(SOCK_RAW.rawValue) | O_CLOEXEC | O_NONBLOCK, NETLINK_NETFILTER)
    let descriptor = Descriptor(owning: try checked("netlink socket", nil, number))
    var group = Int32(NFNLGRP_NFTABLES.rawValue)
    try checked(
      "watch nftables", nil, setsockopt(number, 270, Int32(NETLINK_ADD_MEMBERSHIP), &group, 4))
    // What is lost in a flood would only have said the same again.
    var on: Int32 = 1
    setsockopt(number, 270, Int32(NETLINK_NO_ENOBUFS), &on, 4)
    let channel = try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 1 << 16))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ChangeHandler(changed))
        }
      }
      .takingOwnershipOfDescriptor(input: descriptor.release()).get()
    return NFTablesMonitor(channel: channel)
  }

  /// Ends the watch.
  package func close() async {
    try? await channel.close()  // a channel that is closed already is closed
  }
}

private final class ChangeHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let changed: @Sendable () -> Void
  private var isScheduled = false

  init(_ changed: @escaping @Sendable () -> Void) { self.changed = changed }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isScheduled, isOfInterest(Array(unwrapInboundIn(data).readableBytesView)) else { return }
    isScheduled = true
    // Programs make their changes in many small steps.
    context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(200)) {
      self.isScheduled = false
      self.changed()
    }
  }

  /// A chain or its policy set, or a rule gone, in the IPv4 or the IPv6 family.
  private func isOfInterest(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while rest.count >= 20 {
      var reader = NetlinkReader(rest)
      let length = Int(reader.read(UInt32.self))
      let type = reader.read(UInt16.self)
      let family = rest[rest.startIndex + 16]
      guard length >= 16, length <= rest.count else { return false }
      let message = UInt32(type & 0xff)
      let isChange =
        message == NFT_MSG_NEWCHAIN.rawValue || message == NFT_MSG_DELRULE.rawValue
        || message == NFT_MSG_DELCHAIN.rawValue
      if type >> 8 == 10, isChange, family == 2 || family == 10 { return true }
      rest = rest.dropFirst((length + 3) & ~3)
    }
    return false
  }
}
