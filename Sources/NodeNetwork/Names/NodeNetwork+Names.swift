import Host
import Logging
import NIOCore
import Synchronization

/// What a name server does with a query.
enum DNSDecision: Sendable {
  /// It knows the answer.
  case answer([DNSData])
  /// Others may know.
  case forward([IPAddress])
  /// Nobody may be asked.
  case fail
}

extension NodeNetwork {
  /// Starts a container's name server on sockets that were opened in its namespace.
  func startResolver(
    _ sockets: ResolverSockets, containerID: String
  ) async throws -> SandboxResolver {
    try await SandboxResolver.start(sockets, forwarder: forwarder, logger: logger) {
      [weak self] query in
      self?.decide(query, containerID: containerID) ?? .fail
    }
  }

  /// Answers from the networks a container is on, or says who else to ask.
  func decide(_ query: DNSQuery, containerID: String) -> DNSDecision {
    let known = state.withLock { state -> (records: [DNSData]?, reachesOut: Bool, DNSSettings) in
      guard let sandbox = state.sandboxes[containerID] else { return (nil, false, DNSSettings()) }
      let reachesOut = sandbox.endpoints.values.contains {
        $0.ipv4Gateway != nil || $0.ipv6Gateway != nil
      }
      return (state.records(for: query, from: sandbox), reachesOut, sandbox.dns)
    }
    if let records = known.records { return .answer(records) }
    // A container of internal networks alone must not talk to the world through us.
    guard known.reachesOut else { return .fail }
    let own = known.2.servers.compactMap { IPAddress($0) }
    if !own.isEmpty { return .forward(own) }
    let configured = configuration.dns.servers.compactMap { IPAddress($0) }
    return .forward(configured.isEmpty ? forwarder.hostServers() : configured)
  }
}

extension NodeState {
  /// The records a query asks for; empty if the name is known and has none of that type, nil if it
  /// is not known.
  func records(for query: DNSQuery, from sandbox: Sandbox) -> [DNSData]? {
    guard let name = query.name, !name.isEmpty, query.recordClass == 1 else { return nil }
    let attached = sandbox.endpoints.values.filter {
      networks[$0.networkID]?.record.servesNames == true
    }.sorted { $0.networkName < $1.networkName }
    if query.type == DNSType.ptr {
      return ReverseName.address(name).flatMap { reverse($0, attached) }
    }
    var isKnown = false
    for endpoint in attached {
      guard let network = networks[endpoint.networkID] else { continue }
      let linked = endpoint.links.first { $0.key.lowercased() == name }?.value.lowercased()
      guard let owners = network.owners(of: linked ?? name) else { continue }
      isKnown = true
      let addresses = owners.compactMap { owner -> IPAddress? in
        guard let other = network.endpoints[owner] else { return nil }
        switch query.type {
        case DNSType.a: return other.ipv4Address
        case DNSType.aaaa: return other.ipv6Address
        default: return nil
        }
      }
      if !addresses.isEmpty { return addresses.shuffled().map { .address($0) } }
    }
    return isKnown ? [] : nil
  }

  private func reverse(_ address: IPAddress, _ attached: [EndpointRecord]) -> [DNSData]? {
    for endpoint in attached {
      guard let network = networks[endpoint.networkID], let owner = network.owners[address],
        let other = network.endpoints[owner]
      else { continue }
      return [.pointer("\(other.containerName).\(network.record.name)")]
    }
    return nil
  }
}

extension NetworkState {
  /// The containers that answer to a name, which may end in the network's own.
  fileprivate func owners(of name: String) -> [String]? {
    if let found = names[name] { return found }
    let ending = "." + record.name.lowercased()
    guard name.hasSuffix(ending) else { return nil }
    return names[String(name.dropLast(ending.utf8.count))]
  }
}
