import Glibc
import Host

/// The sockets of a container's name server, opened inside its namespace.
///
/// They are on ports of their own; rules inside the namespace bring what is sent to 127.0.0.11:53
/// there, so that the container may itself listen on port 53 of all addresses.
struct ResolverSockets: Sendable {
  /// Where containers find their name server.
  static let address = IPAddress(127, 0, 0, 11)
  /// The table inside the container's namespace.
  static let table = "martlet_names"

  let datagram: Descriptor
  let stream: Descriptor
  /// What laid the rules. Closing it at once would wait for the kernel to clear up after them.
  let rules: NFTablesSocket

  /// Opens the sockets and lays the rules. Blocks.
  /// - Throws: `SystemError` or `NetlinkFailure`.
  static func open(inside path: String) throws -> ResolverSockets {
    try NetworkNamespace.run(in: path) {
      let datagram = try socket(SOCK_DGRAM)
      let stream = try socket(SOCK_STREAM)
      try checked("listen", nil, listen(stream.rawValue, 64))
      var rules = NFTablesTransaction()
      rules.replaceTable(table, family: .ip)
      // NF_INET_LOCAL_OUT, at the usual priority of destination NAT.
      rules.addNATChain("output", family: .ip, table: table, hook: 3, priority: -100)
      for (proto, socket) in [(PortProtocol.udp, datagram), (.tcp, stream)] {
        rules.redirect(
          chain: "output", table: table, proto: proto.number, address: address, port: 53,
          to: try SocketName.boundPort(socket.rawValue))
      }
      let socket = try NFTablesSocket()
      try socket.commit(rules)
      return ResolverSockets(datagram: datagram, stream: stream, rules: socket)
    }
  }

  private static func socket(_ kind: __socket_type) throws -> Descriptor {
    let flags = Int32(kind.rawValue) | O_CLOEXEC | O_NONBLOCK
    let descriptor = Descriptor(
      owning: try checked("socket", nil, Glibc.socket(AF_INET, flags, 0)))
    try SocketName.bind(descriptor.rawValue, address, 0, "bind \(address)")
    return descriptor
  }
}
