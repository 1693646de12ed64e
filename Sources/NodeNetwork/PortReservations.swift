import Glibc
import Host
import Synchronization

/// Which host ports are taken, and the sockets that keep other processes off them.
final class PortReservations: Sendable {
  private struct Slot: Hashable {
    var proto: PortProtocol
    var port: UInt16
  }

  private struct Holder {
    var owner: String
    var address: IPAddress
    var socket: Descriptor?
  }

  private struct State {
    var holders: [Slot: [Holder]] = [:]
    var cursor: UInt16
  }

  private let ephemeral: ClosedRange<UInt16>
  private let state: Mutex<State>

  init(ephemeral: ClosedRange<UInt16>) {
    self.ephemeral = ephemeral
    state = Mutex(State(cursor: ephemeral.lowerBound))
  }

  /// Takes one host port for `mapping` on all of `addresses`. Blocks, briefly.
  /// - Returns: a binding for each address, all of the same port.
  func reserve(_ mapping: PortMapping, addresses: [IPAddress], owner: String) throws
    -> [PortBinding]
  {
    try state.withLock { state in
      var failure: (any Error)?
      for port in candidates(for: mapping, from: state.cursor) {
        do {
          for address in addresses {
            let binding = PortBinding(
              containerPort: mapping.containerPort, proto: mapping.proto, hostAddress: address,
              hostPort: port)
            try take(binding, owner: owner, in: &state)
          }
          if mapping.hostPorts == nil { state.cursor = next(after: port) }
          return addresses.map {
            PortBinding(
              containerPort: mapping.containerPort, proto: mapping.proto, hostAddress: $0,
              hostPort: port)
          }
        } catch {
          let slot = Slot(proto: mapping.proto, port: port)
          for address in addresses { give(address, slot, owner, in: &state) }
          failure = error
          // An address that is not the host's fails for every port alike.
          if let error = error as? SystemError, error.errno != EADDRINUSE { throw error }
        }
      }
      if let hostPorts = mapping.hostPorts, hostPorts.count == 1, let failure { throw failure }
      throw NodeNetworkError(.portUnavailable, "all ports are allocated")
    }
  }

  /// Takes a port again after a restart of the daemon.
  func restore(_ binding: PortBinding, owner: String) throws {
    try state.withLock { try take(binding, owner: owner, in: &$0) }
  }

  /// Lets go of ports of an owner.
  func release(_ bindings: [PortBinding], owner: String) {
    state.withLock { state in
      for binding in bindings {
        let slot = Slot(proto: binding.proto, port: binding.hostPort)
        give(binding.hostAddress, slot, owner, in: &state)
      }
    }
  }

  /// The listening socket of a TCP port, to accept connections from.
  func socket(for binding: PortBinding) -> Descriptor? {
    state.withLock { state in
      state.holders[Slot(proto: binding.proto, port: binding.hostPort)]?
        .first { $0.address == binding.hostAddress }?.socket
    }
  }

  /// Closes everything.
  func releaseAll() { state.withLock { $0.holders = [:] } }

  /// The ports to try, one after the other; random ones go round from where the last was found.
  private func candidates(for mapping: PortMapping, from cursor: UInt16) -> some Sequence<UInt16> {
    let all = mapping.hostPorts ?? ephemeral
    let first = mapping.hostPorts == nil && all.contains(cursor) ? cursor : all.lowerBound
    let wraps = Int(all.upperBound) - Int(first)
    return (0..<all.count).lazy.map { step in
      step <= wraps ? first + UInt16(step) : all.lowerBound + UInt16(step - wraps - 1)
    }
  }

  private func next(after port: UInt16) -> UInt16 {
    port >= ephemeral.upperBound ? ephemeral.lowerBound : port + 1
  }

  private func take(_ binding: PortBinding, owner: String, in state: inout State) throws {
    let slot = Slot(proto: binding.proto, port: binding.hostPort)
    for holder in state.holders[slot] ?? []
    where holder.address.isIPv6 == binding.hostAddress.isIPv6
      && (holder.address == binding.hostAddress || holder.address.isUnspecified
        || binding.hostAddress.isUnspecified)
    {
      let place = HostPort(address: binding.hostAddress, port: binding.hostPort)
      throw NodeNetworkError(
        .portUnavailable, "Bind for \(place) failed: port is already allocated",
        metadata: ["port": "\(place)", "protocol": binding.proto.rawValue])
    }
    let socket = try ReservedSocket.open(binding)
    state.holders[slot, default: []].append(
      Holder(owner: owner, address: binding.hostAddress, socket: socket))
  }

  private func give(_ address: IPAddress, _ slot: Slot, _ owner: String, in state: inout State) {
    state.holders[slot]?.removeAll { $0.owner == owner && $0.address == address }
    if state.holders[slot]?.isEmpty == true { state.holders[slot] = nil }
  }
}

/// An address and a port, written as in "0.0.0.0:80" or "[::]:80".
struct HostPort: CustomStringConvertible {
  var address: IPAddress
  var port: UInt16

  var description: String { address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}

/// Sockets that keep a port.
enum ReservedSocket {
  /// Binds the port of a binding, and listens on it for TCP.
  /// - Returns: nil for a protocol this kernel has no sockets for.
  static func open(_ binding: PortBinding) throws -> Descriptor? {
    let family = binding.hostAddress.isIPv6 ? AF_INET6 : AF_INET
    let kind = binding.proto == .udp ? SOCK_DGRAM : SOCK_STREAM
    let number = socket(
      family, Int32(kind.rawValue) | O_CLOEXEC | O_NONBLOCK,
      Int32(binding.proto.number))
    if number < 0 && binding.proto == .sctp { return nil }
    let descriptor = Descriptor(owning: try checked("socket", nil, number))
    var on: Int32 = 1
    // Connections that linger after a restart must not keep us from our own port; two listeners
    // cannot share one however this is set. Two UDP sockets could, so they go without.
    if binding.proto != .udp { setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, 4) }
    if binding.hostAddress.isIPv6 {
      setsockopt(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, 4)
    }
    let place = HostPort(address: binding.hostAddress, port: binding.hostPort)
    try SocketName.bind(number, binding.hostAddress, binding.hostPort, "listen \(place)")
    if binding.proto != .udp { try checked("listen \(place)", nil, listen(number, 128)) }
    return descriptor
  }
}

/// Addresses as socket calls take them.
enum SocketName {
  /// Binds a socket.
  static func bind(_ socket: Int32, _ address: IPAddress, _ port: UInt16, _ what: String) throws {
    let bytes = raw(address, port)
    let status = bytes.withUnsafeBytes { buffer in
      buffer.withMemoryRebound(to: sockaddr.self) { rebound in
        Glibc.bind(socket, rebound.baseAddress, socklen_t(bytes.count))
      }
    }
    try checked(what, nil, status)
  }

  /// `struct sockaddr_in` or `struct sockaddr_in6`.
  static func raw(_ address: IPAddress, _ port: UInt16) -> [UInt8] {
    let family = UInt16(address.isIPv6 ? AF_INET6 : AF_INET)
    let head = [UInt8(family & 0xff), UInt8(family >> 8)] + port.bigEndianBytes
    if address.isIPv6 { return head + [0, 0, 0, 0] + address.bytes + [0, 0, 0, 0] }
    return head + address.bytes + [UInt8](repeating: 0, count: 8)
  }

  /// The port a socket was given.
  static func boundPort(_ socket: Int32) throws -> UInt16 {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let status = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(socket, $0, &length)
      }
    }
    try checked("getsockname", nil, status)
    return withUnsafeBytes(of: &storage) { UInt16($0[2]) << 8 | UInt16($0[3]) }
  }
}
