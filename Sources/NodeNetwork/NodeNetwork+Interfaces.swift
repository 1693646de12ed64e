import Glibc
import Host
import Logging

extension NodeNetwork {
  /// Makes an endpoint's interface with its addresses and routes; undoes its own work if it fails.
  /// Blocks.
  /// - Returns: the sockets of a name server inside, if this endpoint is the first to need one.
  func makeInterface(_ plan: EndpointPlan) throws -> ResolverSockets? {
    let record = plan.record
    do {
      let inside = try plan.sandbox.routes ?? RouteSocket.inside(plan.sandbox.path)
      switch plan.network.record.driver {
      case .bridge: try makePair(plan)
      case .macvlan: try makeMacvlan(plan)
      case .host, .none: return nil
      }
      try number(plan, through: inside)
      try write(plan.sysctls, interface: record.interfaceName, inside: plan.sandbox.path)
      guard plan.network.record.servesNames, plan.sandbox.resolver == nil else { return nil }
      return try ResolverSockets.open(inside: plan.sandbox.path)
    } catch {
      do { try deleteInterface(record, plan.sandbox) } catch let secondary {
        logger.warning(
          "the next start removes what is left of an endpoint",
          metadata: ["endpoint": "\(record.id)", "error": "\(secondary)"])
      }
      throw error
    }
  }

  private func makePair(_ plan: EndpointPlan) throws {
    guard let hostName = plan.record.hostInterfaceName else { return }
    var near = RouteChanges.NewLink(name: hostName)
    near.mtu = plan.network.settings.mtu
    var far = RouteChanges.NewLink(name: plan.record.interfaceName)
    far.mtu = plan.network.settings.mtu
    far.hardwareAddress = HardwareAddress(plan.record.macAddress)?.bytes
    far.namespace = try Descriptor.open(plan.sandbox.path, O_RDONLY)
    var settings = RouteChanges.LinkSettings()
    settings.master = plan.network.bridgeIndex
    settings.alias = linkAlias(plan.record.id)
    settings.hasLinkLocal = false
    try RouteSocket().perform { changes in
      changes.addPair(near, peer: far)
      changes.set(hostName, settings)
      // Where the rules see bridged frames they say who may talk to whom, and let published
      // ports be reached from neighbours, which an isolated port could not be.
      if !plan.network.settings.interContainerCommunication, !NodeNetwork.rulesSeeBridgedFrames {
        changes.isolatePort(named: hostName)
      }
    }
  }

  /// Whether frames between ports of a bridge pass the rules (br_netfilter). Blocks.
  static var rulesSeeBridgedFrames: Bool {
    // No such setting: no such module.
    (try? Sysctl.read("net/bridge/bridge-nf-call-iptables")) == "1"  // see above
  }

  private func makeMacvlan(_ plan: EndpointPlan) throws {
    let routes = try RouteSocket()
    guard let parent = plan.network.record.interface, let link = try routes.link(named: parent)
    else { throw SystemError(ENODEV, "find parent interface", plan.network.record.interface) }
    var new = RouteChanges.NewLink(name: plan.record.interfaceName)
    new.mtu = plan.network.settings.mtu
    new.hardwareAddress = HardwareAddress(plan.record.macAddress)?.bytes
    new.namespace = try Descriptor.open(plan.sandbox.path, O_RDONLY)
    try routes.perform {
      $0.addMacvlan(new, parent: link.index, mode: plan.network.settings.macvlanMode)
    }
  }

  /// Turns the interface on and gives it addresses and routes.
  private func number(_ plan: EndpointPlan, through inside: RouteSocket) throws {
    let record = plan.record
    guard let index = try inside.link(named: record.interfaceName)?.index else {
      throw SystemError(ENODEV, "find interface", record.interfaceName)
    }
    try inside.perform { changes in
      var settings = RouteChanges.LinkSettings()
      settings.hasLinkLocal = record.ipv6Address != nil
      changes.set(index: index, settings)
      if let address = record.ipv4Address {
        changes.addAddress(
          InterfaceAddress(address, prefixLength: record.ipv4PrefixLength), index: index)
      }
      if let address = record.ipv6Address {
        changes.addAddress(
          InterfaceAddress(address, prefixLength: record.ipv6PrefixLength), index: index)
      }
      for address in record.linkLocalAddresses {
        changes.addAddress(
          InterfaceAddress(address, prefixLength: address.isIPv6 ? 64 : 16), index: index)
      }
      if plan.isGateway4, let gateway = record.ipv4Gateway {
        changes.setDefaultRoute(gateway: gateway, index: index)
      }
      if plan.isGateway6, let gateway = record.ipv6Gateway {
        changes.deleteDefaultRoute(isIPv6: true)
        changes.setDefaultRoute(gateway: gateway, index: index)
      }
    }
  }

  private func write(_ sysctls: [String: String], interface: String, inside path: String) throws {
    guard !sysctls.isEmpty else { return }
    let settings = try sysctls.map { key, value in
      guard let file = Sysctl.path(key, interface: interface) else {
        throw NodeNetworkError(.invalidParameter, "unrecognised network interface sysctl '\(key)'")
      }
      return (file, value)
    }
    try NetworkNamespace.run(in: path) {
      for (file, value) in settings { try Sysctl.write(file, value) }
    }
  }

  /// Removes an endpoint's interface; one that is gone is no error. Blocks.
  func deleteInterface(_ record: EndpointRecord, _ sandbox: Sandbox) throws {
    if let hostName = record.hostInterfaceName {
      try RouteSocket().perform { $0.deleteLink(named: hostName) }
    } else if !record.interfaceName.isEmpty {
      let inside = try sandbox.routes ?? RouteSocket.inside(sandbox.path)
      try inside.perform { $0.deleteLink(named: record.interfaceName) }
    }
  }

  /// Sets the default routes anew when the endpoint that had them is gone. Blocks.
  func restoreDefaultRoutes(of sandbox: Sandbox, after gone: EndpointRecord) throws {
    var inside = sandbox.routes
    for isIPv6 in [false, true] where gone.gateway(isIPv6: isIPv6) != nil {
      guard let next = sandbox.gatewayEndpoint(isIPv6: isIPv6),
        let gateway = next.gateway(isIPv6: isIPv6)
      else { continue }
      let routes = try inside ?? RouteSocket.inside(sandbox.path)
      inside = routes
      guard let link = try routes.link(named: next.interfaceName) else { continue }
      try routes.perform { changes in
        changes.deleteDefaultRoute(isIPv6: isIPv6)
        changes.setDefaultRoute(gateway: gateway, index: link.index)
      }
    }
  }
}
