import FoundationEssentials
import Glibc
import Host
package import Logging
package import StateStore
import Synchronization

/// The networks of this node: bridges and macvlan, addresses, published ports, names.
///
/// Calls for one container must not overlap one another; calls for different containers may.
package final class NodeNetwork: Sendable {
  let configuration: NodeNetworkConfiguration
  let store: any StateStore
  let logger: Logger
  let state = Mutex(NodeState())
  let ports: PortReservations
  let firewall: Firewall
  let forwarder: DNSForwarder
  let proxies = PortProxies()
  let monitor = Mutex<NFTablesMonitor?>(nil)
  let reaper: LinkReaper

  /// Sets up what `start` will bring to life; touches nothing.
  /// - Parameters:
  ///   - configuration: the daemon's settings.
  ///   - store: where networks are kept, below `/networks/`.
  ///   - logger: where trouble that stops nobody is reported.
  package init(
    configuration: NodeNetworkConfiguration, store: any StateStore, logger: Logger
  ) {
    self.configuration = configuration
    self.store = store
    self.logger = logger
    ports = PortReservations(ephemeral: configuration.ephemeralPorts ?? kernelEphemeralPorts())
    firewall = Firewall(table: configuration.tableName)
    reaper = LinkReaper(name: configuration.tableName, logger: logger)
    forwarder = DNSForwarder(hostResolvConf: configuration.hostResolvConf)
  }

  /// Closes resolvers and lets go of reserved ports. Links, rules and namespaces stay: containers
  /// go on without the daemon.
  package func shutdown() async {
    let resolvers = state.withLock { $0.sandboxes.values.compactMap(\.resolver) }
    for resolver in resolvers { await resolver.close() }
    await proxies.closeAll()
    let watching = monitor.withLock { monitor in
      defer { monitor = nil }
      return monitor
    }
    await watching?.close()
    await reaper.settle()
    ports.releaseAll()
  }

  /// The network of that id, name or unique beginning of an id.
  /// - Throws: `notFound`, or `invalidParameter` when several ids begin so.
  package func network(_ reference: String) throws -> NetworkRecord {
    try state.withLock { try $0.find(reference).record }
  }

  /// All networks, by name.
  package func networks() -> [NetworkRecord] {
    state.withLock { state in
      state.networks.values.filter { $0.phase == .ready }.map(\.record)
    }.sorted { $0.name < $1.name }
  }

  /// The endpoints of running containers on a network, by container name.
  package func endpoints(on networkID: String) -> [EndpointRecord] {
    state.withLock { Array(($0.networks[networkID]?.endpoints ?? [:]).values) }
      .sorted { $0.containerName < $1.containerName }
  }

  /// A container's endpoint on a network, with the ports published through it.
  package func endpoint(containerID: String, networkID: String) -> EndpointRecord? {
    state.withLock { $0.networks[networkID]?.endpoints[containerID] }
  }

  /// The network whose gateway is a container's default route: where its ports are published.
  package func gatewayNetwork(containerID: String) -> String? {
    state.withLock { state in
      guard let sandbox = state.sandboxes[containerID] else { return nil }
      return (sandbox.gatewayEndpoint(isIPv6: false) ?? sandbox.gatewayEndpoint(isIPv6: true))?
        .networkID
    }
  }

  /// The key of a network in the store.
  static func key(_ id: String) -> Key { Key("/networks/" + id) }

  /// Writes a network to the store; durable when it returns.
  func save(_ record: NetworkRecord) async throws {
    let data = try JSONEncoder().encode(record)
    try await store.put(NodeNetwork.key(record.id), Array(data))
  }

  /// Nanoseconds since 1970.
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

/// `net.ipv4.ip_local_port_range`, or what it is when nobody changed it.
private func kernelEphemeralPorts() -> ClosedRange<UInt16> {
  let text = (try? Sysctl.read("net/ipv4/ip_local_port_range")) ?? ""  // the default does as well
  let bounds = text.split { $0 == " " || $0 == "\t" }.compactMap { UInt16($0) }
  guard bounds.count == 2, bounds[0] > 0, bounds[0] <= bounds[1] else { return 32768...60999 }
  return bounds[0]...bounds[1]
}
