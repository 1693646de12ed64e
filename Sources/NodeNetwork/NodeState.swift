import Host

/// What the daemon knows of its networks and of the containers on them. Plain values: every
/// decision is made here under one lock, every effect elsewhere.
struct NodeState: Sendable {
  /// The networks by id.
  var networks: [String: NetworkState] = [:]
  /// The namespaces of running containers, by container id.
  var sandboxes: [String: Sandbox] = [:]

  /// The network of that id, name or unique beginning of an id.
  func find(_ reference: String) throws -> NetworkState {
    if let network = networks[reference], network.phase == .ready { return network }
    let visible = networks.values.filter { $0.phase == .ready }
    if let network = visible.first(where: { $0.record.name == reference }) { return network }
    let matches = reference.isEmpty ? [] : visible.filter { $0.id.hasPrefix(reference) }
    if matches.count > 1 {
      throw NodeNetworkError(
        .invalidParameter,
        "network \(reference) is ambiguous (\(matches.count) matches found based on ID prefix)")
    }
    guard let match = matches.first else {
      throw NodeNetworkError(.notFound, "network \(reference) not found")
    }
    return match
  }
}

/// One network with everything on it.
struct NetworkState: Sendable {
  var record: NetworkRecord
  var settings: NetworkSettings
  var pools: [AddressAllocator]
  /// The kernel's number for the bridge.
  var bridgeIndex: Int32 = 0
  /// The endpoints by container id, also those still being made.
  var endpoints: [String: EndpointRecord] = [:]
  /// Who answers to a name, in lower case; containers in the order they came.
  private(set) var names: [String: [String]] = [:]
  /// Whose an address is, for reverse look-ups.
  private(set) var owners: [IPAddress: String] = [:]
  /// How far it is made or unmade.
  var phase = Phase.creating

  /// Only a network that is ready can be seen and attached to; its name and subnets are taken from
  /// the first moment to the last.
  enum Phase: Sendable { case creating, ready, removing }

  var id: String { record.id }

  init(record: NetworkRecord, pools: [AddressAllocator]) throws {
    self.record = record
    self.pools = pools
    settings = try record.settings()
  }

  /// The gateway containers use for that family: none on internal networks.
  func gateway(isIPv6: Bool) -> IPAddress? {
    guard !record.isInternal else { return nil }
    return pools.indices.first { pools[$0].subnet.isIPv6 == isIPv6 }
      .flatMap { record.ipam[$0].gateway }.flatMap { IPAddress($0) }
  }

  /// Makes the endpoint known by its names and addresses.
  mutating func publishNames(of endpoint: EndpointRecord) {
    for name in endpoint.dnsNames {
      names[name.lowercased(), default: []].append(endpoint.containerID)
    }
    for address in [endpoint.ipv4Address, endpoint.ipv6Address] {
      if let address { owners[address] = endpoint.containerID }
    }
  }

  /// Takes back what `publishNames` did.
  mutating func withdrawNames(of endpoint: EndpointRecord) {
    for name in endpoint.dnsNames {
      let key = name.lowercased()
      names[key]?.removeAll { $0 == endpoint.containerID }
      if names[key]?.isEmpty == true { names[key] = nil }
    }
    for address in [endpoint.ipv4Address, endpoint.ipv6Address] {
      if let address { owners[address] = nil }
    }
  }

  /// Gives the addresses of an endpoint back.
  mutating func releaseAddresses(of endpoint: EndpointRecord) {
    for address in [endpoint.ipv4Address, endpoint.ipv6Address] {
      guard let address else { continue }
      for index in pools.indices where pools[index].subnet.contains(address) {
        pools[index].release(address)
      }
    }
  }

  /// Takes the addresses of an endpoint that is there already.
  mutating func restoreAddresses(of endpoint: EndpointRecord) {
    for address in [endpoint.ipv4Address, endpoint.ipv6Address] {
      guard let address else { continue }
      for index in pools.indices where pools[index].subnet.contains(address) {
        pools[index].restore(address)
      }
    }
  }

  /// Finds an address for a new endpoint.
  /// - Returns: nil if the network has no subnets of that family.
  mutating func allocate(_ requested: String?, isIPv6: Bool) throws -> InterfaceAddress? {
    let indices = pools.indices.filter { pools[$0].subnet.isIPv6 == isIPv6 }
    if let requested, !requested.isEmpty { return try allocate(requested, isIPv6, indices) }
    guard !indices.isEmpty else { return nil }
    for index in indices {
      if let address = pools[index].next() {
        return InterfaceAddress(address, prefixLength: pools[index].subnet.prefixLength)
      }
    }
    throw NodeNetworkError(
      .forbidden,
      "no available \(isIPv6 ? "IPv6" : "IPv4") addresses on this network's address pools: "
        + "\(record.name) (\(record.id))")
  }

  private mutating func allocate(
    _ text: String, _ isIPv6: Bool, _ indices: [Int]
  ) throws -> InterfaceAddress {
    guard let address = IPAddress(text), address.isIPv6 == isIPv6 else {
      throw NodeNetworkError(
        .invalidParameter, "invalid \(isIPv6 ? "IPv6" : "IPv4") address: \(text)")
    }
    guard !record.isPredefined else {
      throw NodeNetworkError(
        .invalidParameter,
        "user specified IP address is supported on user defined networks only")
    }
    for index in indices where pools[index].subnet.contains(address) {
      do {
        try pools[index].claim(address)
        return InterfaceAddress(address, prefixLength: pools[index].subnet.prefixLength)
      } catch .taken {
        throw NodeNetworkError(.forbidden, "Address already in use")
      } catch .outside {
        break
      }
    }
    throw NodeNetworkError(
      .invalidParameter,
      "invalid config for network \(record.name): invalid endpoint settings:\n"
        + "no configured subnet or ip-range contain the IP address \(text)")
  }
}

/// A running container's network namespace.
struct Sandbox: Sendable {
  var containerID: String
  /// The file the namespace is bound to.
  var path: String
  var dns: DNSSettings
  /// A socket inside, if one was kept open.
  var routes: RouteSocket?
  /// The endpoints by network id.
  var endpoints: [String: EndpointRecord] = [:]
  /// The name server at 127.0.0.11.
  var resolver: SandboxResolver?

  /// The first name of the form `ethN` that no endpoint has.
  func freeInterfaceName(prefix: String) -> String {
    let taken = Set(endpoints.values.map(\.interfaceName))
    var number = 0
    while taken.contains("\(prefix)\(number)") { number += 1 }
    return "\(prefix)\(number)"
  }

  /// The endpoint whose gateway is the default route of a family: the highest priority, then the
  /// first network by name.
  func gatewayEndpoint(isIPv6: Bool) -> EndpointRecord? {
    endpoints.values.filter { $0.gateway(isIPv6: isIPv6) != nil }.min {
      $0.gatewayPriority == $1.gatewayPriority
        ? $0.networkName < $1.networkName : $0.gatewayPriority > $1.gatewayPriority
    }
  }
}

extension EndpointRecord {
  /// The gateway of a family.
  func gateway(isIPv6: Bool) -> IPAddress? { isIPv6 ? ipv6Gateway : ipv4Gateway }

  /// The address of a family.
  func address(isIPv6: Bool) -> IPAddress? { isIPv6 ? ipv6Address : ipv4Address }
}
