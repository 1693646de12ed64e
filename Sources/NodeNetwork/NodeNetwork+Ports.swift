import Host
import Logging
import Synchronization

extension NodeNetwork {
  /// Publishes ports of a container on the host, all of them or none.
  ///
  /// A mapping without a host address is bound to all addresses of both families. Internal networks
  /// and those without bridges publish nothing.
  /// - Returns: what is bound, in the order of the mappings, IPv4 first.
  /// - Throws: `portUnavailable` if a port is taken by a container or another process.
  package func publish(
    containerID: String, networkID: String, ports mappings: [PortMapping]
  ) async throws -> [PortBinding] {
    let found = state.withLock { state in
      state.networks[networkID].flatMap { network in
        network.endpoints[containerID].map { ($0, network.settings, network.record.isInternal) }
      }
    }
    guard let (endpoint, settings, isInternal) = found else {
      throw NodeNetworkError(.notFound, "container \(containerID) is not on network \(networkID)")
    }
    guard !mappings.isEmpty, endpoint.hostInterfaceName != nil, !isInternal else { return [] }
    do {
      let bindings = try await BlockingPool.shared.run {
        try self.reserve(mappings, for: endpoint, settings)
      }
      do {
        try await expose(bindings, of: endpoint)
      } catch {
        var exposed = endpoint
        exposed.ports = bindings
        await conceal(exposed)
        throw error
      }
      state.withLock { state in
        state.networks[networkID]?.endpoints[containerID]?.ports += bindings
        state.sandboxes[containerID]?.endpoints[networkID]?.ports += bindings
      }
      return bindings
    } catch {
      throw programmingError(error, endpoint)
    }
  }

  /// Takes back all ports published through an endpoint.
  package func unpublish(containerID: String, networkID: String) async {
    guard let endpoint = endpoint(containerID: containerID, networkID: networkID) else { return }
    await withdrawPorts(of: endpoint)
    state.withLock { state in
      state.networks[networkID]?.endpoints[containerID]?.ports = []
      state.sandboxes[containerID]?.endpoints[networkID]?.ports = []
    }
  }

  /// Takes back an endpoint's ports without touching its record; reports what fails.
  func withdrawPorts(of endpoint: EndpointRecord) async {
    guard !endpoint.ports.isEmpty else { return }
    await conceal(endpoint)
  }

  /// Removes proxies, elements and reservations of the ports an endpoint lists.
  private func conceal(_ endpoint: EndpointRecord) async {
    await proxies.close(endpoint.ports)
    do {
      try await BlockingPool.shared.run {
        try self.firewall.update(adding: [:], removing: self.portElements(endpoint))
        try NodeNetwork.forgetFlows(of: endpoint.ports)
      }
    } catch {
      logger.warning(
        "the next start removes what is left of a published port",
        metadata: ["endpoint": "\(endpoint.id)", "error": "\(error)"])
    }
    ports.release(endpoint.ports, owner: endpoint.id)
  }

  /// Senders of UDP do not start anew when a port changes hands, so their flows must. Blocks.
  private static func forgetFlows(of bindings: [PortBinding]) throws {
    let ports = Set(bindings.filter { $0.proto == .udp }.map(\.hostPort))
    if !ports.isEmpty { try ConnectionTracking.forgetUDP(toPorts: ports) }
  }

  /// The map elements of an endpoint's ports.
  func portElements(_ endpoint: EndpointRecord) -> [String: [NFTablesElement]] {
    var elements: [String: [NFTablesElement]] = [:]
    for binding in endpoint.ports {
      guard let target = endpoint.address(isIPv6: binding.hostAddress.isIPv6) else { continue }
      let (map, element) = FirewallRules.element(binding, target: target)
      elements[map, default: []].append(element)
    }
    return elements
  }

  /// Adds the map elements of bindings, and starts the proxies of those no rule can serve.
  func expose(_ bindings: [PortBinding], of endpoint: EndpointRecord) async throws {
    var exposed = endpoint
    exposed.ports = bindings
    let elements = portElements(exposed)
    if !elements.isEmpty {
      try await BlockingPool.shared.run {
        try self.firewall.update(adding: elements)
        try NodeNetwork.forgetFlows(of: bindings)
        // Where addresses of bridged frames are translated, what a container sends to its own
        // published port has to go back out of the port it came from.
        if let port = endpoint.hostInterfaceName, NodeNetwork.rulesSeeBridgedFrames {
          try RouteSocket().perform { $0.allowHairpin(onPort: port) }
        }
      }
    }
    for binding in bindings where binding.proto == .tcp && binding.hostAddress.isIPv6 {
      guard let target = endpoint.ipv4Address ?? endpoint.ipv6Address,
        let socket = ports.socket(for: binding)
      else { continue }
      try await proxies.open(binding, target: target, socket: socket)
    }
  }

  private func reserve(
    _ mappings: [PortMapping], for endpoint: EndpointRecord, _ settings: NetworkSettings
  ) throws -> [PortBinding] {
    var reserved: [PortBinding] = []
    do {
      for mapping in mappings {
        let addresses = try hostAddresses(for: mapping, endpoint, settings)
        reserved += try ports.reserve(mapping, addresses: addresses, owner: endpoint.id)
      }
      return reserved
    } catch {
      ports.release(reserved, owner: endpoint.id)
      throw error
    }
  }

  /// The addresses a mapping is bound to. IPv6 is served by rules where the container has an IPv6
  /// address, and for TCP by a proxy where it has none.
  private func hostAddresses(
    for mapping: PortMapping, _ endpoint: EndpointRecord, _ settings: NetworkSettings
  ) throws -> [IPAddress] {
    if let text = mapping.hostAddress, !text.isEmpty {
      guard let address = IPAddress(text) else {
        throw NodeNetworkError(.invalidParameter, "invalid host IP address: \(text)")
      }
      return [address]
    }
    if let fixed = settings.hostBinding ?? configuration.defaultHostAddress { return [fixed] }
    var addresses: [IPAddress] = endpoint.ipv4Address == nil ? [] : [.anyIPv4]
    if endpoint.ipv6Address != nil || mapping.proto == .tcp && PortProxies.hostHasIPv6 {
      addresses.append(.anyIPv6)
    }
    return addresses
  }

  private func programmingError(
    _ error: any Error, _ endpoint: EndpointRecord
  ) -> NodeNetworkError {
    let code = (error as? NodeNetworkError)?.code ?? .portUnavailable
    var text = "\(error)"
    if let error = error as? SystemError, error.operation.hasPrefix("listen ") {
      text = "failed to bind host port for \(error.operation.dropFirst(7)): \(error.reason)"
    }
    return NodeNetworkError(
      code,
      "driver failed programming external connectivity on endpoint \(endpoint.containerName) "
        + "(\(endpoint.id)): \(text)", metadata: ["endpoint": endpoint.id])
  }
}
