import Host

/// Hands out the addresses of one subnet.
///
/// It goes round: a released address comes back only after all others have been handed out, so
/// that stale neighbour and connection entries rarely meet a new owner.
struct AddressAllocator: Sendable, Equatable {
  /// The whole subnet.
  let subnet: Subnet
  /// The part addresses are handed out from.
  let range: Subnet
  private(set) var used: Set<IPAddress>
  private var cursor: UInt128 = 0

  enum ClaimFailure: Error { case outside, taken }

  init(subnet: Subnet, range: Subnet? = nil, reserved: some Sequence<IPAddress> = []) {
    self.subnet = subnet
    self.range = range ?? subnet
    used = Set(reserved)
  }

  /// The next free address; nil when there is none left.
  mutating func next() -> IPAddress? {
    let last = range.lastOffset
    var tried: UInt128 = 0
    while true {
      let candidate = range.network.advanced(by: cursor)
      cursor = cursor >= last ? 0 : cursor + 1
      if isAssignable(candidate) && used.insert(candidate).inserted { return candidate }
      if tried == last { return nil }
      tried += 1
    }
  }

  /// Takes a particular address of the subnet.
  mutating func claim(_ address: IPAddress) throws(ClaimFailure) {
    guard subnet.contains(address), isAssignable(address) else { throw .outside }
    guard used.insert(address).inserted else { throw .taken }
  }

  /// Takes an address that a running container already has, and goes on after it.
  mutating func restore(_ address: IPAddress) {
    used.insert(address)
    guard range.contains(address) else { return }
    let offset = address.value - range.network.value
    if offset >= cursor { cursor = offset >= range.lastOffset ? 0 : offset + 1 }
  }

  /// Gives an address back.
  mutating func release(_ address: IPAddress) { used.remove(address) }

  /// Neither the network's own address nor IPv4's broadcast address can be an interface's.
  private func isAssignable(_ address: IPAddress) -> Bool {
    guard subnet.network.bitWidth - subnet.prefixLength >= 2 else { return true }
    return address != subnet.network && (subnet.isIPv6 || address != subnet.last)
  }
}

/// Cuts subnets from the configured pools.
enum SubnetAllocator {
  /// The first subnet of the pools that shares no address with any of `taken`.
  static func next(
    from pools: [NodeNetworkConfiguration.AddressPool], isIPv6: Bool, avoiding taken: [Subnet]
  ) -> Subnet? {
    for pool in pools where pool.base.isIPv6 == isIPv6 {
      guard pool.size >= pool.base.prefixLength, pool.size <= pool.base.network.bitWidth else {
        continue
      }
      var candidate = Subnet(containing: pool.base.network, prefixLength: pool.size)
      while pool.base.contains(candidate) {
        let blocking = taken.filter { $0.overlaps(candidate) }
        if blocking.isEmpty { return candidate }
        // Go on behind the largest block in the way, or the candidate itself.
        let end = blocking.map(\.last).max().map { max($0, candidate.last) } ?? candidate.last
        let next = Subnet(containing: end.advanced(by: 1), prefixLength: pool.size)
        if next.network <= candidate.network { break }
        candidate = next
      }
    }
    return nil
  }

  /// A unique local /64 made from a network's random id (RFC 4193).
  static func uniqueLocal(from id: String) -> Subnet {
    let digits = UInt128(id.prefix(14), radix: 16) ?? 0
    let value = 0xfd << 120 | digits << 64
    return Subnet(containing: IPAddress(value: value, isIPv6: true), prefixLength: 64)
  }
}
