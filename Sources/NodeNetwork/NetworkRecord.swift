/// How a network moves packets.
package enum NetworkDriver: String, Sendable, Codable, CaseIterable {
  /// A Linux bridge with masquerading and published ports.
  case bridge
  /// Interfaces of their own on a parent interface.
  case macvlan
  /// The host's own namespace.
  case host
  /// Nothing but loopback; the API's name for it is `null`.
  case none = "null"
}

/// One subnet of a network, in the API's words (`IPAM.Config`).
package struct IPAMConfiguration: Sendable, Codable, Hashable {
  /// The subnet in CIDR notation; nil lets the daemon choose.
  package var subnet: String?
  /// The part of the subnet that addresses are handed out from.
  package var range: String?
  /// The gateway; nil takes the first free address.
  package var gateway: String?
  /// Addresses that are never handed out, by name.
  package var auxiliaryAddresses: [String: String]

  /// One subnet; nothing but the defaults unless told.
  package init(
    subnet: String? = nil, range: String? = nil, gateway: String? = nil,
    auxiliaryAddresses: [String: String] = [:]
  ) {
    self.subnet = subnet
    self.range = range
    self.gateway = gateway
    self.auxiliaryAddresses = auxiliaryAddresses
  }
}

/// What a user asks for with `docker network create`.
package struct NetworkSpecification: Sendable {
  /// The name.
  package var name: String
  /// The driver, in the API's words ("bridge", "macvlan", "host", "null"); checked at creation.
  package var driver = "bridge"
  /// Whether endpoints get IPv4 addresses.
  package var enableIPv4 = true
  /// Whether endpoints get IPv6 addresses.
  package var enableIPv6 = false
  /// The IPAM driver; only "default" (or "") and "null" are known.
  package var ipamDriver = "default"
  /// The options of the IPAM driver, kept for `inspect`.
  package var ipamOptions: [String: String] = [:]
  /// The subnets.
  package var ipam: [IPAMConfiguration] = []
  /// Whether the network reaches nothing outside itself.
  package var isInternal = false
  /// Kept for `inspect`.
  package var isAttachable = false
  /// The driver's options (`com.docker.network.bridge.name`, `parent`, …).
  package var options: [String: String] = [:]
  /// The labels.
  package var labels: [String: String] = [:]

  /// A bridge network of that name.
  package init(name: String) { self.name = name }
}

/// A network as it stands: kept in the store below `/networks/`.
package struct NetworkRecord: Sendable, Codable, Equatable {
  /// 64 hexadecimal digits.
  package var id: String
  /// The name, unique among the networks of a daemon.
  package var name: String
  /// When it was created, in nanoseconds since 1970.
  package var createdAt: Int64
  /// The driver.
  package var driver: NetworkDriver
  /// Whether endpoints get IPv4 addresses.
  package var enableIPv4: Bool
  /// Whether endpoints get IPv6 addresses.
  package var enableIPv6: Bool
  /// The IPAM driver, as asked for.
  package var ipamDriver: String
  /// The IPAM driver's options, as asked for.
  package var ipamOptions: [String: String]
  /// The subnets with everything filled in.
  package var ipam: [IPAMConfiguration]
  /// Whether the network reaches nothing outside itself.
  package var isInternal: Bool
  /// As asked for.
  package var isAttachable: Bool
  /// The driver's options, as asked for.
  package var options: [String: String]
  /// The labels.
  package var labels: [String: String]
  /// The interface on the host: the bridge, or the parent of macvlan interfaces; nil for others.
  package var interface: String?

  /// Whether it is one of `bridge`, `host`, `none`, which every daemon has.
  package var isPredefined: Bool { ["bridge", "host", "none"].contains(name) }
  /// Whether names are served to containers on it: on every network but the predefined ones.
  package var servesNames: Bool { !isPredefined }
}
