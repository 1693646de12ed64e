import FoundationEssentials
import Glibc
import Host
import Logging
import StateStore
import Synchronization

extension NodeNetwork {
  /// Brings the node's networks to what the store and the running containers say: makes what is
  /// missing, takes over what is there, and removes links, namespaces and rules of this daemon that
  /// belong to nobody. Must be called once, before anything else.
  /// - Parameter live: the containers that run now, with the endpoints the Engine kept.
  /// - Throws: `NodeNetworkError` if the default bridge or the rules cannot be set up.
  package func start(live: [SandboxState]) async throws {
    do {
      let records = try await storedNetworks()
      let hostLinks = try await BlockingPool.shared.run {
        try makeFolder(self.namespaceFolder)
        try self.firewall.install()
        return try HostLinks.read()
      }
      try await load(records, hostLinks)
      restore(live)
      try await realizeAll()
      try await BlockingPool.shared.run {
        try self.removeStrays()
        try self.reconnectPorts()
      }
      await restorePublishedPorts()
      try await BlockingPool.shared.run { try self.firewall.reconcile(self.desiredElements()) }
      await reopenResolvers()
      await watchForeignForwarding()
    } catch {
      throw NodeNetworkError.wrapping(error, "failed to set up the networks of this node")
    }
  }

  /// Keeps bridges passing when another program sets up its chains after us.
  private func watchForeignForwarding() async {
    do {
      let watching = try await NFTablesMonitor.start { [weak self] in
        // Short, and of no consequence if the daemon ends meanwhile: the next start does the same.
        guard let self else { return }
        Task {
          try? await BlockingPool.shared.run { self.passForeignForwarding() }  // reports itself
        }
      }
      monitor.withLock { $0 = watching }
    } catch {
      logger.warning(
        "other programs' changes to nftables are not watched", metadata: ["error": "\(error)"])
    }
  }

  private func storedNetworks() async throws -> [NetworkRecord] {
    try await store.list(prefix: "/networks/").items.compactMap { item in
      do {
        return try JSONDecoder().decode(NetworkRecord.self, from: Data(item.value))
      } catch {
        logger.error(
          "a stored network cannot be read and is left alone",
          metadata: ["key": "\(item.key)", "error": "\(error)"])
        return nil
      }
    }
  }

  /// Puts networks into the state, with the predefined ones as the configuration wants them.
  private func load(_ records: [NetworkRecord], _ hostLinks: HostLinks) async throws {
    let stored = Dictionary(records.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var networks: [NetworkState] = []
    for record in records where !record.isPredefined {
      do {
        networks.append(try NetworkState(record: record, pools: try record.allocators()))
      } catch {
        logger.error(
          "a stored network does not make sense and is left alone",
          metadata: ["network": "\(record.id)", "error": "\(error)"])
      }
    }
    let defaults = PredefinedNetworks(
      configuration: configuration, others: networks.map(\.record), hostLinks: hostLinks)
    for wanted in try defaults.records(stored: stored, now: NodeNetwork.now()) {
      if stored[wanted.name] != wanted { try await save(wanted) }
      networks.append(try NetworkState(record: wanted, pools: try wanted.allocators()))
    }
    if configuration.defaultBridge == nil, let old = stored["bridge"] {
      try await store.delete(NodeNetwork.key(old.id))
    }
    let loaded = networks
    state.withLock { state in
      for var network in loaded {
        network.phase = .ready
        state.networks[network.id] = network
      }
    }
  }

  /// Puts running containers into the state.
  private func restore(_ live: [SandboxState]) {
    state.withLock { state in
      for container in live {
        var sandbox = Sandbox(
          containerID: container.containerID, path: container.path, dns: container.dns)
        for endpoint in container.endpoints where state.networks[endpoint.networkID] != nil {
          state.networks[endpoint.networkID]?.restoreAddresses(of: endpoint)
          state.networks[endpoint.networkID]?.endpoints[container.containerID] = endpoint
          state.networks[endpoint.networkID]?.publishNames(of: endpoint)
          sandbox.endpoints[endpoint.networkID] = endpoint
        }
        if !container.path.isEmpty { state.sandboxes[container.containerID] = sandbox }
      }
    }
  }

  private func realizeAll() async throws {
    for network in state.withLock({ Array($0.networks.values) }) {
      do {
        let index = try await BlockingPool.shared.run { try self.realize(network) }
        state.withLock { $0.networks[network.id]?.bridgeIndex = index }
      } catch  where !network.record.isPredefined {
        logger.error(
          "a network cannot be set up",
          metadata: ["network": "\(network.record.name)", "error": "\(error)"])
      }
    }
  }

  /// Removes this daemon's links and namespaces that belong to nothing in the state. Blocks.
  private func removeStrays() throws {
    let (ids, paths) = state.withLock { state in
      let endpoints = state.networks.values.flatMap { $0.endpoints.values.map(\.id) }
      return (Set(state.networks.keys).union(endpoints), Set(state.sandboxes.values.map(\.path)))
    }
    let routes = try RouteSocket()
    let own = configuration.tableName + ":"
    let strays = try routes.links().filter {
      $0.alias.hasPrefix(own) && !ids.contains(String($0.alias.dropFirst(own.count)))
    }
    for link in strays {
      logger.info("removing a link that belongs to nothing", metadata: ["link": "\(link.name)"])
      try routes.perform { $0.deleteLink(named: link.name) }
    }
    for name in try names(in: namespaceFolder) where !paths.contains(namespaceFolder + "/" + name) {
      logger.info("removing a namespace that belongs to nothing", metadata: ["name": "\(name)"])
      try NetworkNamespace.delete(at: namespaceFolder + "/" + name)
    }
  }

  /// Puts the host ends of running containers back on their bridges, where those had to be made
  /// anew. Blocks.
  private func reconnectPorts() throws {
    let wanted = state.withLock { state in
      state.networks.values.filter { $0.bridgeIndex != 0 }.flatMap { network in
        network.endpoints.values.compactMap(\.hostInterfaceName).map { ($0, network.bridgeIndex) }
      }
    }
    let routes = try RouteSocket()
    let present = Dictionary(
      try routes.links().map { ($0.name, $0.master) }, uniquingKeysWith: { first, _ in first })
    for (name, bridge) in wanted where present[name] != nil && present[name] != bridge {
      var settings = RouteChanges.LinkSettings()
      settings.master = bridge
      try routes.perform { $0.set(name, settings) }
    }
  }

  private func restorePublishedPorts() async {
    let endpoints = state.withLock { $0.networks.values.flatMap { $0.endpoints.values } }
    await sideBySide(endpoints.filter { !$0.ports.isEmpty }) { endpoint in
      do {
        try await BlockingPool.shared.run {
          for binding in endpoint.ports { try self.ports.restore(binding, owner: endpoint.id) }
        }
        try await self.expose(endpoint.ports, of: endpoint)
      } catch {
        self.logger.error(
          "a published port could not be taken again",
          metadata: ["container": "\(endpoint.containerID)", "error": "\(error)"])
      }
    }
  }

  /// All elements that bridges and published ports need.
  func desiredElements() -> [String: Set<NFTablesElement>] {
    state.withLock { state in
      var desired: [String: Set<NFTablesElement>] = [:]
      for network in state.networks.values {
        for (set, members) in elements(of: network) {
          desired[set, default: []].formUnion(members)
        }
        for endpoint in network.endpoints.values {
          for (map, members) in portElements(endpoint) {
            desired[map, default: []].formUnion(members)
          }
        }
      }
      return desired
    }
  }

  private func reopenResolvers() async {
    let sandboxes = state.withLock { state in
      state.sandboxes.values.filter { sandbox in
        sandbox.endpoints.keys.contains { state.networks[$0]?.record.servesNames == true }
      }
    }
    await sideBySide(sandboxes) { sandbox in
      do {
        let sockets = try await BlockingPool.shared.run {
          try ResolverSockets.open(inside: sandbox.path)
        }
        let resolver = try await self.startResolver(sockets, containerID: sandbox.containerID)
        self.state.withLock { $0.sandboxes[sandbox.containerID]?.resolver = resolver }
      } catch {
        self.logger.error(
          "the name server of a container could not be opened again",
          metadata: ["container": "\(sandbox.containerID)", "error": "\(error)"])
      }
    }
  }
}

/// Does something for each of many, a few at a time.
private func sideBySide<Item: Sendable>(
  _ items: [Item], _ body: @escaping @Sendable (Item) async -> Void
) async {
  await withDiscardingTaskGroup { group in
    let lanes = min(8, items.count)
    for lane in 0..<lanes {
      group.addTask {
        for index in stride(from: lane, to: items.count, by: lanes) { await body(items[index]) }
      }
    }
  }
}

/// Subnets the host has addresses in or routes to.
struct HostLinks: Sendable {
  /// Subnets reached without this daemon's links.
  var foreignSubnets: [Subnet]
  /// The addresses of each link, by its name.
  var addresses: [String: [InterfaceAddress]]

  /// Reads them from the kernel. Blocks.
  static func read() throws -> HostLinks {
    let routes = try RouteSocket()
    let names = Dictionary(
      try routes.links().map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
    var addresses: [String: [InterfaceAddress]] = [:]
    for (index, address) in try routes.addresses() {
      addresses[names[index] ?? "", default: []].append(address)
    }
    return HostLinks(foreignSubnets: try routes.routedSubnets(), addresses: addresses)
  }
}

extension NetworkRecord {
  /// Allocators for subnets that are settled already.
  func allocators() throws -> [AddressAllocator] {
    try ipam.map { configuration in
      var copy = configuration
      return try IPAMParser(configuration: configuration).parse()
        .allocator(isInternal: isInternal, &copy)
    }
  }
}

private func makeFolder(_ path: String) throws {
  var made = ""
  for part in path.split(separator: "/") {
    made += "/" + part
    if mkdir(made, 0o711) != 0 && errno != EEXIST { throw SystemError.last("mkdir", made) }
  }
}

private func names(in folder: String) throws -> [String] {
  guard let stream = opendir(folder) else { throw SystemError.last("opendir", folder) }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names
}
