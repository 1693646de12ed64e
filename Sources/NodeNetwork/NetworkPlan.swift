import Host

/// A specification checked and completed: what the network will be, not yet made.
struct NetworkPlan: Sendable {
  var record: NetworkRecord
  var pools: [AddressAllocator]
}

/// Turns a specification into a plan, or says in dockerd's words what is wrong with it.
struct NetworkPlanner {
  let configuration: NodeNetworkConfiguration
  /// The networks there are.
  let existing: [NetworkRecord]
  /// What the host itself reaches, which automatic subnets keep clear of.
  let hostSubnets: [Subnet]

  func plan(_ specification: NetworkSpecification, id: String, now: Int64) throws -> NetworkPlan {
    try checkName(specification.name)
    guard let driver = NetworkDriver(rawValue: specification.driver) else {
      throw NodeNetworkError(
        .notFound,
        "could not find plugin \(specification.driver) in v1 plugin registry: plugin not found",
        metadata: ["driver": specification.driver])
    }
    if driver == .host || driver == .none {
      let name = driver == .none ? "null" : "host"
      throw NodeNetworkError(.forbidden, "only one instance of \"\(name)\" network is allowed")
    }
    guard ["", "default", "null"].contains(specification.ipamDriver) else {
      throw NodeNetworkError(
        .notFound, "could not find plugin \(specification.ipamDriver): IPAM driver not found")
    }
    guard specification.enableIPv4 || specification.enableIPv6 else {
      throw NodeNetworkError(.invalidParameter, "IPv4 or IPv6 must be enabled")
    }
    var record = NetworkRecord(
      id: id, name: specification.name, createdAt: now, driver: driver,
      enableIPv4: specification.enableIPv4, enableIPv6: specification.enableIPv6,
      ipamDriver: specification.ipamDriver.isEmpty ? "default" : specification.ipamDriver,
      ipamOptions: specification.ipamOptions, ipam: [], isInternal: specification.isInternal,
      isAttachable: specification.isAttachable, options: specification.options,
      labels: specification.labels, interface: nil)
    record.interface = try interface(for: record)
    _ = try record.settings()
    let pools = try allocators(for: specification, record: &record)
    return NetworkPlan(record: record, pools: pools)
  }

  private func checkName(_ name: String) throws {
    let allowed = name.utf8.allSatisfy { byte in
      (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        || [45, 46, 95].contains(byte)
    }
    let startsWell = name.utf8.first.map { ![45, 46, 95].contains($0) } ?? false
    guard allowed, startsWell, name.utf8.count <= 255 else {
      throw NodeNetworkError(
        .invalidParameter,
        "invalid network name \"\(name)\": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    }
    guard !existing.contains(where: { $0.name == name }) else {
      throw NodeNetworkError(.conflict, "network with name \(name) already exists")
    }
  }

  private func interface(for record: NetworkRecord) throws -> String? {
    let asked: String?
    switch record.driver {
    case .bridge: asked = record.options["com.docker.network.bridge.name"]
    case .macvlan: asked = record.options["parent"]
    case .host, .none: return nil
    }
    guard let asked, !asked.isEmpty else {
      let prefix = record.driver == .bridge ? configuration.bridgePrefix : "dm-"
      return prefix + record.id.prefix(12)
    }
    guard asked.utf8.count <= 15, asked.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 47 }) else {
      throw NodeNetworkError(.invalidParameter, "invalid interface name \"\(asked)\"")
    }
    let other = existing.first { $0.interface == asked && $0.driver == record.driver }
    if let other, record.driver == .macvlan {
      throw NodeNetworkError(
        .forbidden, "network \(other.name) is already using parent interface \(asked)")
    }
    if let other {
      throw NodeNetworkError(
        .forbidden,
        "cannot create network \(record.id) (\(asked)): conflicts with network \(other.id) "
          + "(\(asked)): networks have same bridge name")
    }
    return asked
  }

  private func allocators(
    for specification: NetworkSpecification, record: inout NetworkRecord
  ) throws -> [AddressAllocator] {
    if record.ipamDriver == "null" { return [] }
    var taken = existing.flatMap(\.subnets)
    var pools: [AddressAllocator] = []
    var configurations = specification.ipam.filter { $0 != IPAMConfiguration() }
    for isIPv6 in [false, true] where isIPv6 ? record.enableIPv6 : record.enableIPv4 {
      let isGiven = configurations.contains {
        ($0.subnet ?? $0.gateway ?? "").contains(":") == isIPv6
      }
      if !isGiven { configurations.append(try automatic(isIPv6: isIPv6, id: record.id, taken)) }
    }
    for configuration in configurations {
      let parsed = try IPAMParser(configuration: configuration).parse()
      let isEnabled = parsed.subnet.isIPv6 ? record.enableIPv6 : record.enableIPv4
      guard isEnabled else { continue }
      guard !taken.contains(where: { $0.overlaps(parsed.subnet) }) else {
        throw NodeNetworkError(
          .forbidden, "invalid pool request: Pool overlaps with other one on this address space",
          metadata: ["subnet": parsed.subnet.description])
      }
      taken.append(parsed.subnet)
      var completed = configuration
      completed.subnet = parsed.subnet.description
      pools.append(try parsed.allocator(isInternal: record.isInternal, &completed))
      record.ipam.append(completed)
    }
    return pools
  }

  private func automatic(isIPv6: Bool, id: String, _ taken: [Subnet]) throws -> IPAMConfiguration {
    let pools = configuration.addressPools
    let avoided = taken + hostSubnets
    if let subnet = SubnetAllocator.next(from: pools, isIPv6: isIPv6, avoiding: avoided) {
      return IPAMConfiguration(subnet: subnet.description)
    }
    if isIPv6 && !pools.contains(where: { $0.base.isIPv6 }) {
      return IPAMConfiguration(subnet: SubnetAllocator.uniqueLocal(from: id).description)
    }
    throw NodeNetworkError(
      .system, "all predefined address pools have been fully subnetted")
  }
}

/// One subnet of a specification, parsed.
struct ParsedIPAM: Sendable {
  var subnet: Subnet
  var range: Subnet?
  var gateway: IPAddress?
  var auxiliary: [IPAddress]

  /// The allocator of the subnet with the gateway settled; the gateway is written to `completed`.
  func allocator(
    isInternal: Bool, _ completed: inout IPAMConfiguration
  ) throws -> AddressAllocator {
    var allocator = AddressAllocator(subnet: subnet, range: range, reserved: auxiliary)
    if let gateway {
      do { try allocator.claim(gateway) } catch {
        throw NodeNetworkError(
          .forbidden, "invalid gateway address \(gateway): Address already in use")
      }
    } else {
      guard let gateway = allocator.next() else {
        throw NodeNetworkError(.forbidden, "no available IPv4 addresses on this network's pool")
      }
      completed.gateway = gateway.description
    }
    return allocator
  }
}

/// Reads the texts of one subnet; all errors are dockerd's.
struct IPAMParser {
  let configuration: IPAMConfiguration

  func parse() throws -> ParsedIPAM {
    guard let text = configuration.subnet, !text.isEmpty else {
      throw invalid("no subnet specified")
    }
    guard let written = InterfaceAddress(text) else {
      throw invalid("invalid subnet \(text): invalid CIDR block notation")
    }
    let subnet = written.subnet
    guard written.address == subnet.network else {
      throw invalid("invalid subnet \(text): it should be \(subnet)")
    }
    return ParsedIPAM(
      subnet: subnet, range: try range(in: subnet),
      gateway: try configuration.gateway.flatMap { $0.isEmpty ? nil : $0 }.map {
        try address($0, "gateway", in: subnet)
      },
      auxiliary: try configuration.auxiliaryAddresses.sorted { $0.key < $1.key }.map {
        try address($0.value, "auxiliary", in: subnet)
      })
  }

  private func range(in subnet: Subnet) throws -> Subnet? {
    guard let text = configuration.range, !text.isEmpty else { return nil }
    guard let written = InterfaceAddress(text) else {
      throw invalid("invalid ip-range \(text): invalid CIDR block notation")
    }
    let range = written.subnet
    guard written.address == range.network else {
      throw invalid("invalid ip-range \(text): it should be \(range)")
    }
    guard range.isIPv6 == subnet.isIPv6 else {
      throw invalid(
        "invalid ip-range \(text): parent subnet is an \(subnet.isIPv6 ? "IPv6" : "IPv4") block")
    }
    guard range.prefixLength >= subnet.prefixLength else {
      throw invalid(
        "invalid ip-range \(text): CIDR block is bigger than its parent subnet \(subnet)")
    }
    guard subnet.contains(range) else {
      throw invalid("invalid ip-range \(text): parent subnet \(subnet) doesn't contain ip-range")
    }
    return range
  }

  private func address(_ text: String, _ kind: String, in subnet: Subnet) throws -> IPAddress {
    guard let address = IPAddress(text) else {
      throw invalid("invalid \(kind) address \(text): invalid address")
    }
    guard address.isIPv6 == subnet.isIPv6 else {
      throw invalid(
        "invalid \(kind) address \(text): parent subnet is an "
          + "\(subnet.isIPv6 ? "IPv6" : "IPv4") block")
    }
    guard subnet.contains(address) else {
      throw invalid(
        "invalid \(kind) address \(text): parent subnet \(subnet) doesn't contain this address")
    }
    return address
  }

  private func invalid(_ text: String) -> NodeNetworkError {
    NodeNetworkError(.invalidParameter, "invalid network config:\n\(text)")
  }
}

extension NetworkRecord {
  /// The subnets, parsed.
  var subnets: [Subnet] { ipam.compactMap { $0.subnet.flatMap { Subnet($0) } } }
}
