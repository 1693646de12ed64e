import CLinux
import Glibc

/// The kernel's table of connections in the calling thread's namespace (nf_conntrack). Blocks.
package enum ConnectionTracking {
  /// Forgets UDP flows to these ports of the host, so that packets of senders that go on meet the
  /// rules as they are now. A kernel without the interface forgets nothing.
  /// - Throws: `SystemError`.
  package static func forgetUDP(toPorts ports: Set<UInt16>) throws {
    let socket = try NetlinkSocket(protocol: NETLINK_NETFILTER)
    defer { socket.close() }
    var request = NetlinkBuffer()
    request.message(message(get), flags: NLM_F_DUMP) { $0.append([UInt8](repeating: 0, count: 4)) }
    let flows: [NetlinkReply]
    do {
      flows = try socket.dump(request)
    } catch let error as SystemError where [EINVAL, EOPNOTSUPP].contains(error.errno) {
      return
    }
    var deletions = NetlinkBuffer()
    for flow in flows {
      guard let family = flow.body.first else { continue }
      let table = NetlinkReader.table(flow.body.dropFirst(4))
      guard let original = table[tuple] else { continue }
      let proto = NetlinkReader.table(NetlinkReader.table(original)[tupleProtocol] ?? [])
      let port = NetlinkReader.number(proto[destinationPort], as: UInt16.self).bigEndian
      guard proto[number]?.first == UInt8(IPPROTO_UDP), ports.contains(port) else { continue }
      deletions.message(message(delete), flags: NLM_F_ACK) { buffer in
        buffer.append([family, UInt8(0), UInt8(0), UInt8(0)])
        buffer.nested(tuple) { $0.append(original) }
      }
    }
    guard deletions.count > 0 else { return }
    // A flow that ended by itself in the meantime is as good as forgotten.
    _ = try socket.perform(deletions)
  }

  // linux/netfilter/nfnetlink_conntrack.h
  private static let get: Int32 = 1
  private static let delete: Int32 = 2
  private static let tuple = 1
  private static let tupleProtocol = 2
  private static let number = 1
  private static let destinationPort = 3

  private static func message(_ type: Int32) -> Int32 { 1 << 8 | type }
}
