import Glibc
import Host
import Synchronization

/// Everything needed to make an endpoint's interface, decided under the lock.
struct EndpointPlan: Sendable {
  var record: EndpointRecord
  var network: NetworkState
  var sandbox: Sandbox
  /// Whether this endpoint's gateways become the default routes.
  var isGateway4: Bool
  var isGateway6: Bool
  var sysctls: [String: String]
}

extension NodeNetwork {
  /// Puts a container on a network. Its namespace must have been made with `createSandbox`, unless
  /// the network is the host's.
  /// - Throws: `NodeNetworkError` in dockerd's words.
  package func attach(_ request: EndpointRequest) async throws -> EndpointRecord {
    let claimed = try await claimEndpoint(request)
    guard let plan = claimed.plan else { return claimed.record }
    do {
      let opened = try await BlockingPool.shared.run { try self.makeInterface(plan) }
      var resolver: SandboxResolver?
      if let opened {
        do {
          resolver = try await startResolver(opened, containerID: request.containerID)
        } catch {
          try await BlockingPool.shared.run { try self.deleteInterface(plan.record, plan.sandbox) }
          throw error
        }
      }
      state.withLock { state in
        state.networks[plan.network.id]?.publishNames(of: plan.record)
        if let resolver { state.sandboxes[request.containerID]?.resolver = resolver }
      }
      return plan.record
    } catch {
      state.withLock { state in
        state.networks[plan.network.id]?.releaseAddresses(of: plan.record)
        state.networks[plan.network.id]?.endpoints[request.containerID] = nil
        state.sandboxes[request.containerID]?.endpoints[plan.network.id] = nil
      }
      throw NodeNetworkError.wrapping(
        error, "failed to attach \(request.containerName) to network \(plan.record.networkName)")
    }
  }

  /// Takes a container off a network, published ports included; the default route moves to the
  /// next gateway there is.
  /// - Throws: `notFound` if it is not on it.
  package func detach(containerID: String, networkID: String) async throws {
    let found = try state.withLock { state -> (EndpointRecord, Sandbox?) in
      let network = try state.find(networkID)
      guard let endpoint = network.endpoints[containerID] else {
        throw NodeNetworkError(
          .notFound, "container \(containerID) is not connected to network \(network.record.name)")
      }
      state.networks[network.id]?.withdrawNames(of: endpoint)
      return (endpoint, state.sandboxes[containerID])
    }
    let (endpoint, sandbox) = found
    await withdrawPorts(of: endpoint)
    if var sandbox {
      sandbox.endpoints[endpoint.networkID] = nil
      let rest = sandbox
      do {
        try await BlockingPool.shared.run {
          try self.deleteInterface(endpoint, rest)
          try self.restoreDefaultRoutes(of: rest, after: endpoint)
        }
      } catch {
        state.withLock { $0.networks[endpoint.networkID]?.publishNames(of: endpoint) }
        throw NodeNetworkError.wrapping(
          error, "failed to detach from network \(endpoint.networkName)")
      }
    }
    state.withLock { state in
      state.networks[endpoint.networkID]?.releaseAddresses(of: endpoint)
      state.networks[endpoint.networkID]?.endpoints[containerID] = nil
      state.sandboxes[containerID]?.endpoints[endpoint.networkID] = nil
    }
  }

  /// Gives a container's endpoints its new name.
  package func rename(containerID: String, to name: String) {
    state.withLock { state in
      for id in state.networks.keys {
        guard var endpoint = state.networks[id]?.endpoints[containerID] else { continue }
        let old = endpoint
        endpoint.containerName = name
        endpoint.dnsNames = endpoint.dnsNames.map { $0 == old.containerName ? name : $0 }
        state.networks[id]?.endpoints[containerID] = endpoint
        if state.networks[id]?.names[old.containerName.lowercased()]?.contains(containerID) == true
        {
          state.networks[id]?.withdrawNames(of: old)
          state.networks[id]?.publishNames(of: endpoint)
        }
        if state.sandboxes[containerID]?.endpoints[id] != nil {
          state.sandboxes[containerID]?.endpoints[id] = endpoint
        }
      }
    }
  }

  /// Claims an endpoint, waiting for containers on their way out if it wants one of their
  /// addresses.
  private func claimEndpoint(
    _ request: EndpointRequest
  ) async throws -> (record: EndpointRecord, plan: EndpointPlan?) {
    do {
      return try state.withLock { state in try claimEndpoint(request, in: &state) }
    } catch let error as NodeNetworkError where error.code == .forbidden && reaper.isBusy {
      await reaper.settle()
      return try state.withLock { state in try claimEndpoint(request, in: &state) }
    }
  }

  /// Checks a request and takes its addresses; the endpoint is in the state when this returns.
  private func claimEndpoint(
    _ request: EndpointRequest, in state: inout NodeState
  ) throws -> (record: EndpointRecord, plan: EndpointPlan?) {
    var network = try state.find(request.network)
    if network.endpoints[request.containerID] != nil {
      throw NodeNetworkError(
        .forbidden,
        "endpoint with name \(request.containerName) already exists in network "
          + network.record.name)
    }
    var record = EndpointRecord(
      id: Identifier.random(), containerID: request.containerID,
      containerName: request.containerName, networkID: network.id,
      networkName: network.record.name)
    record.gatewayPriority = request.gatewayPriority
    guard network.record.driver == .bridge || network.record.driver == .macvlan else {
      state.networks[network.id]?.endpoints[request.containerID] = record
      state.sandboxes[request.containerID]?.endpoints[network.id] = record
      return (record, nil)
    }
    guard var sandbox = state.sandboxes[request.containerID] else {
      throw NodeNetworkError(
        .notFound, "container \(request.containerID) has no network namespace")
    }
    record.aliases = request.aliases
    record.links = request.links
    record.dnsNames = dnsNames(request, on: network.record)
    record.interfaceName = try interfaceName(request, in: sandbox, of: network)
    if network.record.driver == .bridge { record.hostInterfaceName = "mv" + record.id.prefix(12) }
    record.linkLocalAddresses = try request.linkLocalAddresses.map { text in
      guard let address = IPAddress(text) else {
        throw NodeNetworkError(.invalidParameter, "invalid link-local IP address: \(text)")
      }
      return address
    }
    try number(&record, request, on: &network)
    network.endpoints[request.containerID] = record
    state.networks[network.id] = network
    sandbox.endpoints[network.id] = record
    state.sandboxes[request.containerID] = sandbox
    let plan = EndpointPlan(
      record: record, network: network, sandbox: sandbox,
      isGateway4: sandbox.gatewayEndpoint(isIPv6: false)?.id == record.id,
      isGateway6: sandbox.gatewayEndpoint(isIPv6: true)?.id == record.id,
      sysctls: request.sysctls)
    return (record, plan)
  }

  private func dnsNames(_ request: EndpointRequest, on network: NetworkRecord) -> [String] {
    guard network.servesNames else { return [] }
    var names: [String] = []
    let own = [request.containerName] + request.aliases + [String(request.containerID.prefix(12))]
    for name in own where !name.isEmpty && !names.contains(name) { names.append(name) }
    return names
  }

  private func interfaceName(
    _ request: EndpointRequest, in sandbox: Sandbox, of network: NetworkState
  ) throws -> String {
    guard let name = request.interfaceName, !name.isEmpty else {
      return sandbox.freeInterfaceName(prefix: network.settings.interfacePrefix)
    }
    let isPlain = name.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != 47 && $0 != 58 }
    guard name.utf8.count <= 15, isPlain, name != ".", name != "..", name != "lo" else {
      throw NodeNetworkError(.invalidParameter, "invalid interface name: \(name)")
    }
    guard !sandbox.endpoints.values.contains(where: { $0.interfaceName == name }) else {
      throw NodeNetworkError(.conflict, "interface name \(name) is already in use")
    }
    return name
  }

  /// Settles addresses, gateways and the hardware address; gives addresses back if it fails.
  private func number(
    _ record: inout EndpointRecord, _ request: EndpointRequest, on network: inout NetworkState
  ) throws {
    if let address = try network.allocate(request.ipv4Address, isIPv6: false) {
      record.ipv4Address = address.address
      record.ipv4PrefixLength = address.prefixLength
      record.ipv4Gateway = network.gateway(isIPv6: false)
    }
    if let address = try network.allocate(request.ipv6Address, isIPv6: true) {
      record.ipv6Address = address.address
      record.ipv6PrefixLength = address.prefixLength
      record.ipv6Gateway = network.gateway(isIPv6: true)
    }
    if let text = request.macAddress, !text.isEmpty {
      guard let address = HardwareAddress(text) else {
        throw NodeNetworkError(.invalidParameter, "invalid MAC address: \(text)")
      }
      record.macAddress = address.description
    } else {
      let address = record.ipv4Address.map { HardwareAddress(for: $0) } ?? .random()
      record.macAddress = address.description
    }
  }
}
