import Glibc
import Host
import Logging
import StateStore
import Synchronization

extension NodeNetwork {
  /// Makes a network; it is durable and usable when this returns.
  /// - Throws: `NodeNetworkError` in dockerd's words.
  package func create(_ specification: NetworkSpecification) async throws -> NetworkRecord {
    let id = Identifier.random()
    let hostSubnets = try await BlockingPool.shared.run { try RouteSocket().routedSubnets() }
    let network = try claim(specification, id: id, hostSubnets: hostSubnets)
    do {
      let index = try await BlockingPool.shared.run { try self.realize(network) }
      do {
        try await save(network.record)
      } catch {
        try await BlockingPool.shared.run { self.unrealize(network.record, network.settings) }
        throw error
      }
      state.withLock { state in
        state.networks[id]?.bridgeIndex = index
        state.networks[id]?.phase = .ready
      }
      return network.record
    } catch {
      state.withLock { _ = $0.networks.removeValue(forKey: id) }
      throw NodeNetworkError.wrapping(error, "failed to create network \(specification.name)")
    }
  }

  /// Plans a network and takes its name and subnets.
  private func claim(
    _ specification: NetworkSpecification, id: String, hostSubnets: [Subnet]
  ) throws -> NetworkState {
    try state.withLock { state in
      let planner = NetworkPlanner(
        configuration: configuration, existing: state.networks.values.map(\.record),
        hostSubnets: hostSubnets)
      let plan = try planner.plan(specification, id: id, now: NodeNetwork.now())
      let network = try NetworkState(record: plan.record, pools: plan.pools)
      state.networks[id] = network
      return network
    }
  }

  /// Removes a network that no container is on.
  /// - Returns: the network as it was.
  /// - Throws: `notFound`, or `forbidden` for a predefined network or one in use.
  @discardableResult
  package func remove(_ reference: String) async throws -> NetworkRecord {
    let network = try state.withLock { state in
      let network = try state.find(reference)
      guard !network.record.isPredefined else {
        throw NodeNetworkError(
          .forbidden, "\(network.record.name) is a pre-defined network and cannot be removed")
      }
      guard network.endpoints.isEmpty else {
        throw NodeNetworkError(
          .forbidden,
          "error while removing network: network \(network.record.name) id \(network.id) has "
            + "active endpoints", metadata: ["network": network.id])
      }
      state.networks[network.id]?.phase = .removing
      return network
    }
    do {
      try await store.delete(NodeNetwork.key(network.id))
    } catch {
      state.withLock { $0.networks[network.id]?.phase = .ready }
      throw NodeNetworkError.wrapping(error, "failed to remove network \(network.record.name)")
    }
    do {
      try await BlockingPool.shared.run { self.unrealize(network.record, network.settings) }
    } catch {
      logger.warning(
        "the next start removes what is left of a network",
        metadata: ["network": "\(network.id)", "error": "\(error)"])
    }
    state.withLock { _ = $0.networks.removeValue(forKey: network.id) }
    return network.record
  }

  /// Removes the networks that no running container is on and that `isCandidate` picks; never a
  /// predefined one.
  /// - Returns: what was removed.
  package func prune(
    where isCandidate: @Sendable (NetworkRecord) -> Bool
  ) async throws -> [NetworkRecord] {
    var removed: [NetworkRecord] = []
    for record in networks() where !record.isPredefined && isCandidate(record) {
      guard endpoints(on: record.id).isEmpty else { continue }
      do {
        removed.append(try await remove(record.id))
      } catch let error as NodeNetworkError where [.forbidden, .notFound].contains(error.code) {
        continue  // somebody was faster
      }
    }
    return removed
  }

  /// Makes the network's link and rules; undoes its own work if it fails. Blocks.
  /// - Returns: the kernel's number for the bridge, 0 for networks without.
  func realize(_ network: NetworkState) throws -> Int32 {
    switch network.record.driver {
    case .host, .none: return 0
    case .bridge: return try realizeBridge(network)
    case .macvlan:
      try realizeParent(network.record)
      return 0
    }
  }

  /// The note on links of ours: this daemon's, whatever their names.
  func linkAlias(_ id: String) -> String { "\(configuration.tableName):\(id)" }

  /// Whether outgoing traffic of a network is masqueraded.
  func masquerades(_ settings: NetworkSettings) -> Bool {
    settings.masquerade ?? configuration.masquerade
  }

  private func realizeBridge(_ network: NetworkState) throws -> Int32 {
    let record = network.record
    guard let name = record.interface else { return 0 }
    let routes = try RouteSocket()
    let present = try routes.link(named: name)
    if let present, present.kind != "bridge" {
      throw NodeNetworkError(.forbidden, "interface \(name) exists and is not a bridge")
    }
    do {
      if present == nil {
        var link = RouteChanges.NewLink(name: name)
        // A fixed address: a bridge otherwise takes that of a port, which comes and goes.
        // Always the same one: containers that outlive the bridge remember it.
        link.hardwareAddress = HardwareAddress(for: network.anyAddress).bytes
        link.mtu = network.settings.mtu
        try routes.perform { $0.addBridge(link) }
      }
      guard let index = try routes.link(named: name)?.index else {
        throw SystemError(ENODEV, "find bridge", name)
      }
      try routes.perform { changes in
        var settings = RouteChanges.LinkSettings()
        settings.alias = present == nil ? linkAlias(record.id) : nil
        changes.set(index: index, settings)
        for address in network.gatewayAddresses
        where address.address.isIPv6 || !network.settings.inhibitsIPv4 {
          changes.addAddress(address, index: index)
        }
      }
      try prepareKernel(for: record, bridge: name)
      try firewall.update(adding: elements(of: network))
      passForeignForwarding(adding: name)
      return index
    } catch {
      unrealize(record, network.settings, deleteLink: present == nil)
      throw error
    }
  }

  /// The set elements of a bridge network.
  func elements(of network: NetworkState) -> [String: [NFTablesElement]] {
    guard network.record.driver == .bridge, let bridge = network.record.interface else {
      return [:]
    }
    return FirewallRules.elements(
      bridge: bridge, subnets: network.record.subnets, isInternal: network.record.isInternal,
      masquerade: masquerades(network.settings),
      isOpen: network.settings.interContainerCommunication)
  }

  /// Keeps other programs' rules from dropping what our bridges forward; reports what fails, since
  /// those rules are not ours to rely on.
  func passForeignForwarding(adding: String? = nil, removing: String? = nil) {
    let bridges = state.withLock { state in
      state.networks.values.filter { $0.record.driver == .bridge }.compactMap(\.record.interface)
    }
    let wanted = Set(bridges + [adding].compactMap { $0 }).subtracting([removing].compactMap { $0 })
    do {
      try ForeignForwarding(owner: configuration.tableName).pass(wanted)
    } catch {
      logger.warning(
        "another program's FORWARD chain may drop traffic of bridges",
        metadata: ["error": "\(error)"])
    }
  }

  private func prepareKernel(for record: NetworkRecord, bridge: String) throws {
    // Ports published on 127.0.0.1 arrive at the bridge with a loopback source.
    try Sysctl.write("net/ipv4/conf/\(bridge)/route_localnet", "1")
    try Sysctl.writeIfPresent("net/ipv6/conf/\(bridge)/accept_ra", "0")
    guard configuration.enableForwarding else { return }
    if record.enableIPv4, try Sysctl.read("net/ipv4/ip_forward") != "1" {
      try Sysctl.write("net/ipv4/ip_forward", "1")
    }
    if record.enableIPv6, try Sysctl.read("net/ipv6/conf/all/forwarding") != "1" {
      try keepRouterAdvertisements()
      try Sysctl.write("net/ipv6/conf/all/forwarding", "1")
    }
  }

  /// A host that forwards no longer listens to the routers it has its address from, unless told.
  private func keepRouterAdvertisements() throws {
    for link in try RouteSocket().links() where link.name != "lo" {
      let setting = "net/ipv6/conf/\(link.name)/accept_ra"
      do {
        if try Sysctl.read(setting) == "1" { try Sysctl.write(setting, "2") }
      } catch let error as SystemError where error.errno == ENOENT {}  // gone, or without IPv6
    }
  }

  private func realizeParent(_ record: NetworkRecord) throws {
    guard let name = record.interface else { return }
    let routes = try RouteSocket()
    if try routes.link(named: name) != nil { return }
    let link = RouteChanges.NewLink(name: name)
    var settings = RouteChanges.LinkSettings()
    settings.alias = linkAlias(record.id)
    if record.options["parent"] == nil || record.options["parent"] == "" {
      do {
        try routes.perform { $0.addDummy(link) }
      } catch let failure as NetlinkFailure where failure.errno == EOPNOTSUPP {
        // A kernel without dummy links has bridges; one without ports leads nowhere as well.
        try routes.perform { $0.addBridge(link) }
      }
      try routes.perform { $0.set(name, settings) }
      return
    }
    let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let identifier = UInt16(parts[1]), (1...4094).contains(identifier),
      let parent = try routes.link(named: String(parts[0]))
    else {
      throw NodeNetworkError(
        .invalidParameter,
        "invalid parent interface \(name): it does not exist, and is no "
          + "VLAN of an interface that does (as in eth0.10)")
    }
    try routes.perform { changes in
      changes.addVLAN(link, parent: parent.index, identifier: identifier)
      changes.set(name, settings)
    }
  }

  /// Removes the network's link, if we made it, and its rules; reports what fails. Blocks.
  func unrealize(
    _ record: NetworkRecord, _ settings: NetworkSettings, deleteLink: Bool = true
  ) {
    guard let name = record.interface else { return }
    do {
      if record.driver == .bridge {
        try firewall.update(
          adding: [:],
          removing: FirewallRules.elements(
            bridge: name, subnets: record.subnets, isInternal: record.isInternal,
            masquerade: masquerades(settings), isOpen: settings.interContainerCommunication))
      }
      if record.driver == .bridge { passForeignForwarding(removing: name) }
      let routes = try RouteSocket()
      // A bridge or parent that was there before us has no note of ours and stays.
      if deleteLink, let link = try routes.link(named: name),
        link.alias == linkAlias(record.id)
          || link.alias.isEmpty && link.kind == "bridge"
            && name.hasPrefix(configuration.bridgePrefix)
      {
        try routes.perform { $0.deleteLink(named: name) }
      }
    } catch {
      logger.warning(
        "the next start removes what is left of a network",
        metadata: ["network": "\(record.id)", "error": "\(error)"])
    }
  }
}

extension NetworkState {
  /// An address that is this network's alone.
  var anyAddress: IPAddress {
    gatewayAddresses.first { !$0.address.isIPv6 }?.address ?? gatewayAddresses.first?.address
      ?? IPAddress(value: UInt128(id.prefix(8), radix: 16) ?? 0, isIPv6: false)
  }

  /// What the bridge itself is called by: the gateways, internal networks' too.
  var gatewayAddresses: [InterfaceAddress] {
    zip(pools, record.ipam).compactMap { pool, configuration in
      // With another gateway in the subnet the bridge's own address is kept beside it.
      let text = configuration.auxiliaryAddresses["DefaultGatewayIPv4"] ?? configuration.gateway
      return text.flatMap { IPAddress($0) }.map {
        InterfaceAddress($0, prefixLength: pool.subnet.prefixLength)
      }
    }
  }
}

extension NodeNetworkError {
  /// The error itself if it is one of ours, else one of ours around it.
  static func wrapping(_ error: any Error, _ message: String) -> NodeNetworkError {
    error as? NodeNetworkError ?? NodeNetworkError(.system, message, cause: error)
  }
}
