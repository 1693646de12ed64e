/// A container's part in networks (`NetworkSettings`).
package struct NetworkSettings: Codable, Sendable, Hashable {
  package var bridge: String = ""
  package var sandboxID: String = ""
  package var sandboxKey: String = ""
  package var ports: [String: [PortBinding]?] = [:]
  package var hairpinMode: Bool = false
  package var linkLocalIPv6Address: String = ""
  package var linkLocalIPv6PrefixLen: Int = 0
  package var secondaryIPAddresses: [Address]?
  package var secondaryIPv6Addresses: [Address]?
  package var endpointID: String = ""
  package var gateway: String = ""
  package var globalIPv6Address: String = ""
  package var globalIPv6PrefixLen: Int = 0
  package var ipAddress: String = ""
  package var ipPrefixLen: Int = 0
  package var ipv6Gateway: String = ""
  package var macAddress: String = ""
  package var networks: [String: EndpointSettings] = [:]

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case bridge = "Bridge"
    case sandboxID = "SandboxID"
    case sandboxKey = "SandboxKey"
    case ports = "Ports"
    case hairpinMode = "HairpinMode"
    case linkLocalIPv6Address = "LinkLocalIPv6Address"
    case linkLocalIPv6PrefixLen = "LinkLocalIPv6PrefixLen"
    case secondaryIPAddresses = "SecondaryIPAddresses"
    case secondaryIPv6Addresses = "SecondaryIPv6Addresses"
    case endpointID = "EndpointID"
    case gateway = "Gateway"
    case globalIPv6Address = "GlobalIPv6Address"
    case globalIPv6PrefixLen = "GlobalIPv6PrefixLen"
    case ipAddress = "IPAddress"
    case ipPrefixLen = "IPPrefixLen"
    case ipv6Gateway = "IPv6Gateway"
    case macAddress = "MacAddress"
    case networks = "Networks"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    bridge = try values.value(.bridge) ?? ""
    sandboxID = try values.value(.sandboxID) ?? ""
    sandboxKey = try values.value(.sandboxKey) ?? ""
    ports = try values.value(.ports) ?? [:]
    hairpinMode = try values.value(.hairpinMode) ?? false
    linkLocalIPv6Address = try values.value(.linkLocalIPv6Address) ?? ""
    linkLocalIPv6PrefixLen = try values.value(.linkLocalIPv6PrefixLen) ?? 0
    secondaryIPAddresses = try values.decodeIfPresent([Address].self, forKey: .secondaryIPAddresses)
    secondaryIPv6Addresses = try values.decodeIfPresent(
      [Address].self, forKey: .secondaryIPv6Addresses)
    endpointID = try values.value(.endpointID) ?? ""
    gateway = try values.value(.gateway) ?? ""
    globalIPv6Address = try values.value(.globalIPv6Address) ?? ""
    globalIPv6PrefixLen = try values.value(.globalIPv6PrefixLen) ?? 0
    ipAddress = try values.value(.ipAddress) ?? ""
    ipPrefixLen = try values.value(.ipPrefixLen) ?? 0
    ipv6Gateway = try values.value(.ipv6Gateway) ?? ""
    macAddress = try values.value(.macAddress) ?? ""
    networks = try values.value(.networks) ?? [:]
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(bridge, forKey: .bridge)
    try values.encode(sandboxID, forKey: .sandboxID)
    try values.encode(sandboxKey, forKey: .sandboxKey)
    try values.encode(ports, forKey: .ports)
    try values.encode(hairpinMode, forKey: .hairpinMode)
    try values.encode(linkLocalIPv6Address, forKey: .linkLocalIPv6Address)
    try values.encode(linkLocalIPv6PrefixLen, forKey: .linkLocalIPv6PrefixLen)
    try values.encode(secondaryIPAddresses, forKey: .secondaryIPAddresses)
    try values.encode(secondaryIPv6Addresses, forKey: .secondaryIPv6Addresses)
    try values.encode(endpointID, forKey: .endpointID)
    try values.encode(gateway, forKey: .gateway)
    try values.encode(globalIPv6Address, forKey: .globalIPv6Address)
    try values.encode(globalIPv6PrefixLen, forKey: .globalIPv6PrefixLen)
    try values.encode(ipAddress, forKey: .ipAddress)
    try values.encode(ipPrefixLen, forKey: .ipPrefixLen)
    try values.encode(ipv6Gateway, forKey: .ipv6Gateway)
    try values.encode(macAddress, forKey: .macAddress)
    try values.encode(networks, forKey: .networks)
  }
}

/// An address with the length of its prefix (`Address`).
package struct Address: Codable, Sendable, Hashable {
  package var addr: String = ""
  package var prefixLen: Int = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case addr = "Addr"
    case prefixLen = "PrefixLen"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    addr = try values.value(.addr) ?? ""
    prefixLen = try values.value(.prefixLen) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(addr, forKey: .addr)
    try values.encode(prefixLen, forKey: .prefixLen)
  }
}

/// A container's membership of one network (`EndpointSettings`).
package struct EndpointSettings: Codable, Sendable, Hashable {
  package var ipamConfig: EndpointIPAMConfig?
  package var links: [String]?
  package var aliases: [String]?
  package var macAddress: String = ""
  package var driverOpts: [String: String]?
  package var gwPriority: Int = 0
  package var networkID: String = ""
  package var endpointID: String = ""
  package var gateway: String = ""
  package var ipAddress: String = ""
  package var ipPrefixLen: Int = 0
  package var ipv6Gateway: String = ""
  package var globalIPv6Address: String = ""
  package var globalIPv6PrefixLen: Int = 0
  package var dnsNames: [String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case ipamConfig = "IPAMConfig"
    case links = "Links"
    case aliases = "Aliases"
    case macAddress = "MacAddress"
    case driverOpts = "DriverOpts"
    case gwPriority = "GwPriority"
    case networkID = "NetworkID"
    case endpointID = "EndpointID"
    case gateway = "Gateway"
    case ipAddress = "IPAddress"
    case ipPrefixLen = "IPPrefixLen"
    case ipv6Gateway = "IPv6Gateway"
    case globalIPv6Address = "GlobalIPv6Address"
    case globalIPv6PrefixLen = "GlobalIPv6PrefixLen"
    case dnsNames = "DNSNames"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    ipamConfig = try values.decodeIfPresent(EndpointIPAMConfig.self, forKey: .ipamConfig)
    links = try values.decodeIfPresent([String].self, forKey: .links)
    aliases = try values.decodeIfPresent([String].self, forKey: .aliases)
    macAddress = try values.value(.macAddress) ?? ""
    driverOpts = try values.decodeIfPresent([String: String].self, forKey: .driverOpts)
    gwPriority = try values.value(.gwPriority) ?? 0
    networkID = try values.value(.networkID) ?? ""
    endpointID = try values.value(.endpointID) ?? ""
    gateway = try values.value(.gateway) ?? ""
    ipAddress = try values.value(.ipAddress) ?? ""
    ipPrefixLen = try values.value(.ipPrefixLen) ?? 0
    ipv6Gateway = try values.value(.ipv6Gateway) ?? ""
    globalIPv6Address = try values.value(.globalIPv6Address) ?? ""
    globalIPv6PrefixLen = try values.value(.globalIPv6PrefixLen) ?? 0
    dnsNames = try values.decodeIfPresent([String].self, forKey: .dnsNames)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(ipamConfig, forKey: .ipamConfig)
    try values.encode(links, forKey: .links)
    try values.encode(aliases, forKey: .aliases)
    try values.encode(macAddress, forKey: .macAddress)
    try values.encode(driverOpts, forKey: .driverOpts)
    try values.encodeUnlessUnset(gwPriority, forKey: .gwPriority)
    try values.encode(networkID, forKey: .networkID)
    try values.encode(endpointID, forKey: .endpointID)
    try values.encode(gateway, forKey: .gateway)
    try values.encode(ipAddress, forKey: .ipAddress)
    try values.encode(ipPrefixLen, forKey: .ipPrefixLen)
    try values.encode(ipv6Gateway, forKey: .ipv6Gateway)
    try values.encode(globalIPv6Address, forKey: .globalIPv6Address)
    try values.encode(globalIPv6PrefixLen, forKey: .globalIPv6PrefixLen)
    try values.encode(dnsNames, forKey: .dnsNames)
  }
}

/// The addresses asked for in one network (`EndpointIPAMConfig`).
package struct EndpointIPAMConfig: Codable, Sendable, Hashable {
  package var ipv4Address: String = ""
  package var ipv6Address: String = ""
  package var linkLocalIPs: [String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case ipv4Address = "IPv4Address"
    case ipv6Address = "IPv6Address"
    case linkLocalIPs = "LinkLocalIPs"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    ipv4Address = try values.value(.ipv4Address) ?? ""
    ipv6Address = try values.value(.ipv6Address) ?? ""
    linkLocalIPs = try values.decodeIfPresent([String].self, forKey: .linkLocalIPs)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(ipv4Address, forKey: .ipv4Address)
    try values.encodeUnlessUnset(ipv6Address, forKey: .ipv6Address)
    try values.encodeIfPresent(linkLocalIPs, forKey: .linkLocalIPs)
  }
}
