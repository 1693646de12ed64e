import CLinux
import Glibc

/// Links, addresses and routes of the namespace of the thread that opened it (rtnetlink(7)).
package struct RouteSocket: Sendable {
  private let socket: NetlinkSocket

  /// Opens a socket in the calling thread's namespace.
  /// - Throws: `SystemError`.
  package init() throws { socket = try NetlinkSocket(protocol: NETLINK_ROUTE) }

  /// A socket inside the namespace bound at `path`, usable from any thread.
  /// - Throws: `SystemError`.
  package static func inside(_ path: String) throws -> RouteSocket {
    try NetworkNamespace.run(in: path) { try RouteSocket() }
  }

  /// Closes it.
  package func close() { socket.close() }

  /// Carries out all changes in one system call. The kernel goes on after a failed one.
  /// - Throws: `NetlinkFailure` of the first change that failed, or `SystemError`.
  package func perform(_ changes: RouteChanges) throws {
    guard changes.buffer.count > 0 else { return }
    for case var failure? in try socket.perform(changes.buffer) {
      let (operation, tolerated) = changes.operations[failure.index]
      if tolerated.contains(failure.errno) { continue }
      failure.operation = operation
      throw failure
    }
  }

  /// Carries out changes one builds on the spot.
  package func perform(_ build: (inout RouteChanges) -> Void) throws {
    var changes = RouteChanges()
    build(&changes)
    try perform(changes)
  }

  /// All links.
  /// - Throws: `SystemError`.
  package func links() throws -> [Link] {
    var request = NetlinkBuffer()
    request.message(Int32(RTM_GETLINK), flags: NLM_F_DUMP) {
      $0.append([UInt8](repeating: 0, count: 16))
    }
    return try socket.dump(request).compactMap(Link.init)
  }

  /// The link of that name.
  /// - Returns: nil if there is none.
  /// - Throws: `SystemError`.
  package func link(named name: String) throws -> Link? {
    var request = NetlinkBuffer()
    request.message(Int32(RTM_GETLINK)) {
      $0.append([UInt8](repeating: 0, count: 16))
      $0.attribute(IFLA_IFNAME, text: name)
    }
    return try socket.get(request).flatMap(Link.init)
  }

  /// All addresses, with the index of the link each is on.
  /// - Throws: `SystemError`.
  package func addresses() throws -> [(link: Int32, address: InterfaceAddress)] {
    var request = NetlinkBuffer()
    request.message(Int32(RTM_GETADDR), flags: NLM_F_DUMP) {
      $0.append([UInt8](repeating: 0, count: 8))
    }
    return try socket.dump(request).compactMap { reply in
      var reader = NetlinkReader(reply.body)
      let prefixLength = Int(reader.read(UInt32.self) >> 8 & 0xff)
      let index = reader.read(Int32.self)
      let table = reader.table()
      let bytes = table[IFA_LOCAL] ?? table[IFA_ADDRESS]
      guard let bytes, bytes.count == 4 || bytes.count == 16 else { return nil }
      return (index, InterfaceAddress(IPAddress(bytes: bytes), prefixLength: prefixLength))
    }
  }

  /// The destinations of all unicast routes of the main table, default routes left out.
  /// - Throws: `SystemError`.
  package func routedSubnets() throws -> [Subnet] {
    var request = NetlinkBuffer()
    request.message(Int32(RTM_GETROUTE), flags: NLM_F_DUMP) {
      $0.append([UInt8](repeating: 0, count: 12))
    }
    return try socket.dump(request).compactMap { reply in
      var reader = NetlinkReader(reply.body)
      let family = reader.read(UInt8.self)
      let prefixLength = Int(reader.read(UInt8.self))
      _ = reader.read(UInt16.self)
      let table = reader.read(UInt8.self)
      _ = reader.read(UInt16.self)
      let kind = reader.read(UInt8.self)
      _ = reader.read(UInt32.self)
      guard table == 254, kind == 1, prefixLength > 0,
        let bytes = reader.table()[Int(RTA_DST.rawValue)],
        bytes.count == (Int32(family) == AF_INET6 ? 16 : 4)
      else { return nil }
      return Subnet(containing: IPAddress(bytes: bytes), prefixLength: prefixLength)
    }
  }
}

/// A network interface as the kernel describes it.
package struct Link: Sendable, Equatable {
  /// The kernel's number for it.
  package var index: Int32
  /// Its name.
  package var name: String
  /// Whether it is up.
  package var isUp: Bool
  /// Its kind ("bridge", "veth", "macvlan", …); empty for hardware and loopback.
  package var kind: String
  /// The bridge it belongs to, 0 for none.
  package var master: Int32
  /// The link it hangs on (macvlan, vlan), 0 for none.
  package var parent: Int32
  /// The maximum transmission unit.
  package var mtu: Int
  /// The hardware address.
  package var hardwareAddress: [UInt8]
  /// The note on it, see `RouteChanges.LinkSettings.alias`.
  package var alias: String
  /// The 24 counters of `struct rtnl_link_stats64`, in its order.
  package var counters: [UInt64]

  init?(_ reply: NetlinkReply) {
    guard reply.type == Int(RTM_NEWLINK) else { return nil }
    var reader = NetlinkReader(reply.body)
    _ = reader.read(UInt32.self)
    index = reader.read()
    isUp = reader.read(UInt32.self) & 1 != 0
    _ = reader.read(UInt32.self)
    let table = reader.table()
    name = NetlinkReader.text(table[IFLA_IFNAME])
    master = NetlinkReader.number(table[IFLA_MASTER])
    parent = NetlinkReader.number(table[IFLA_LINK])
    alias = NetlinkReader.text(table[IFLA_IFALIAS])
    mtu = Int(NetlinkReader.number(table[IFLA_MTU], as: UInt32.self))
    hardwareAddress = Array(table[IFLA_ADDRESS] ?? [])
    let information = NetlinkReader.table(table[IFLA_LINKINFO] ?? [])
    kind = NetlinkReader.text(information[IFLA_INFO_KIND])
    var statistics = NetlinkReader(table[IFLA_STATS64] ?? [])
    counters = (0..<24).map { _ in statistics.read() }
  }
}
