import Host

/// The networks every daemon has, as its configuration wants them.
struct PredefinedNetworks {
  let configuration: NodeNetworkConfiguration
  /// The networks users made.
  let others: [NetworkRecord]
  let hostLinks: HostLinks

  /// `bridge` (unless turned off), `host` and `none`, with the ids they had before.
  /// - Throws: `NodeNetworkError` for settings that contradict themselves.
  func records(stored: [String: NetworkRecord], now: Int64) throws -> [NetworkRecord] {
    var records = [
      stored["host"] ?? plain("host", .host, now), stored["none"] ?? plain("none", .none, now),
    ]
    if let bridge = configuration.defaultBridge {
      records.append(try self.bridge(bridge, stored["bridge"], now))
    }
    return records
  }

  private func plain(_ name: String, _ driver: NetworkDriver, _ now: Int64) -> NetworkRecord {
    NetworkRecord(
      id: Identifier.random(), name: name, createdAt: now, driver: driver, enableIPv4: true,
      enableIPv6: false, ipamDriver: "default", ipamOptions: [:], ipam: [], isInternal: false,
      isAttachable: false, options: [:], labels: [:], interface: nil)
  }

  private func bridge(
    _ wanted: NodeNetworkConfiguration.DefaultBridge, _ old: NetworkRecord?, _ now: Int64
  ) throws -> NetworkRecord {
    var record = plain("bridge", .bridge, now)
    if let old { (record.id, record.createdAt) = (old.id, old.createdAt) }
    record.interface = wanted.name
    record.enableIPv6 = wanted.enableIPv6
    record.options = [
      "com.docker.network.bridge.default_bridge": "true",
      "com.docker.network.bridge.enable_icc": "\(wanted.interContainerCommunication)",
      "com.docker.network.bridge.enable_ip_masquerade": "\(configuration.masquerade)",
      "com.docker.network.bridge.host_binding_ipv4":
        configuration.defaultHostAddress.map { "\($0)" } ?? "0.0.0.0",
      "com.docker.network.bridge.name": wanted.name,
      "com.docker.network.driver.mtu": "\(wanted.mtu ?? 1500)",
    ]
    record.ipam = [try ipv4(wanted, old)]
    if wanted.enableIPv6 { record.ipam.append(ipv6(wanted, record.id)) }
    return record
  }

  /// The address asked for, else the one the bridge has, else the one it had, else a free one.
  private func ipv4(
    _ wanted: NodeNetworkConfiguration.DefaultBridge, _ old: NetworkRecord?
  ) throws -> IPAMConfiguration {
    let present = hostLinks.addresses[wanted.name]?.first { !$0.address.isIPv6 }
    let before = old.flatMap { old -> InterfaceAddress? in
      guard let first = old.ipam.first, let subnet = first.subnet.flatMap({ Subnet($0) }),
        let gateway = first.gateway.flatMap({ IPAddress($0) }), subnet.contains(gateway),
        !hostLinks.foreignSubnets.contains(where: { $0.overlaps(subnet) })
      else { return nil }
      return InterfaceAddress(gateway, prefixLength: subnet.prefixLength)
    }
    var address = wanted.address ?? present ?? before
    if address == nil {
      let taken = others.flatMap(\.subnets) + hostLinks.foreignSubnets
      let pools = configuration.addressPools
      guard let subnet = SubnetAllocator.next(from: pools, isIPv6: false, avoiding: taken) else {
        throw NodeNetworkError(.system, "all predefined address pools have been fully subnetted")
      }
      address = InterfaceAddress(
        subnet.network.advanced(by: 1), prefixLength: subnet.prefixLength)
    }
    guard let address else { return IPAMConfiguration() }
    let overlapping = others.first { $0.subnets.contains { $0.overlaps(address.subnet) } }
    if let overlapping {
      throw NodeNetworkError(
        .forbidden,
        "the default bridge's subnet \(address.subnet) overlaps with network "
          + overlapping.name)
    }
    var auxiliary: [String: String] = [:]
    var gateway = address.address
    if let other = wanted.gatewayIPv4, other != gateway {
      // The bridge keeps its own address; containers are sent to another.
      auxiliary["DefaultGatewayIPv4"] = "\(gateway)"
      gateway = other
    }
    return IPAMConfiguration(
      subnet: "\(address.subnet)", range: wanted.fixedIPv4.map { "\($0)" }, gateway: "\(gateway)",
      auxiliaryAddresses: auxiliary)
  }

  private func ipv6(
    _ wanted: NodeNetworkConfiguration.DefaultBridge, _ id: String
  ) -> IPAMConfiguration {
    let subnet = wanted.fixedIPv6 ?? SubnetAllocator.uniqueLocal(from: id)
    let gateway = wanted.gatewayIPv6 ?? subnet.network.advanced(by: 1)
    return IPAMConfiguration(subnet: "\(subnet)", gateway: "\(gateway)")
  }
}
