/// A network (`Network`).
package struct Network: Codable, Sendable, Hashable {
  package var name: String = ""
  package var id: String = ""
  package var created: Timestamp = .zero
  package var scope: String = "local"
  package var driver: String = ""
  package var enableIPv4: Bool = true
  package var enableIPv6: Bool = false
  package var ipam: IPAM = IPAM()
  package var `internal`: Bool = false
  package var attachable: Bool = false
  package var ingress: Bool = false
  package var configFrom: ConfigReference = ConfigReference()
  package var configOnly: Bool = false
  package var containers: [String: NetworkContainer] = [:]
  package var options: [String: String] = [:]
  package var labels: [String: String] = [:]

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
    case id = "Id"
    case created = "Created"
    case scope = "Scope"
    case driver = "Driver"
    case enableIPv4 = "EnableIPv4"
    case enableIPv6 = "EnableIPv6"
    case ipam = "IPAM"
    case `internal` = "Internal"
    case attachable = "Attachable"
    case ingress = "Ingress"
    case configFrom = "ConfigFrom"
    case configOnly = "ConfigOnly"
    case containers = "Containers"
    case options = "Options"
    case labels = "Labels"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
    id = try values.value(.id) ?? ""
    created = try values.value(.created) ?? .zero
    scope = try values.value(.scope) ?? "local"
    driver = try values.value(.driver) ?? ""
    enableIPv4 = try values.value(.enableIPv4) ?? true
    enableIPv6 = try values.value(.enableIPv6) ?? false
    ipam = try values.value(.ipam) ?? IPAM()
    self.`internal` = try values.value(.internal) ?? false
    attachable = try values.value(.attachable) ?? false
    ingress = try values.value(.ingress) ?? false
    configFrom = try values.value(.configFrom) ?? ConfigReference()
    configOnly = try values.value(.configOnly) ?? false
    containers = try values.value(.containers) ?? [:]
    options = try values.value(.options) ?? [:]
    labels = try values.value(.labels) ?? [:]
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(id, forKey: .id)
    try values.encode(created, forKey: .created)
    try values.encode(scope, forKey: .scope)
    try values.encode(driver, forKey: .driver)
    try values.encode(enableIPv4, forKey: .enableIPv4)
    try values.encode(enableIPv6, forKey: .enableIPv6)
    try values.encode(ipam, forKey: .ipam)
    try values.encode(self.`internal`, forKey: .internal)
    try values.encode(attachable, forKey: .attachable)
    try values.encode(ingress, forKey: .ingress)
    try values.encode(configFrom, forKey: .configFrom)
    try values.encode(configOnly, forKey: .configOnly)
    try values.encode(containers, forKey: .containers)
    try values.encode(options, forKey: .options)
    try values.encode(labels, forKey: .labels)
  }
}

/// A network that another takes its configuration from (`ConfigReference`).
package struct ConfigReference: Codable, Sendable, Hashable {
  package var network: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case network = "Network"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    network = try values.value(.network) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(network, forKey: .network)
  }
}

/// How a network's addresses are given out (`IPAM`).
package struct IPAM: Codable, Sendable, Hashable {
  package var driver: String = "default"
  package var options: [String: String]?
  package var config: [IPAMConfig]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case driver = "Driver"
    case options = "Options"
    case config = "Config"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    driver = try values.value(.driver) ?? "default"
    options = try values.decodeIfPresent([String: String].self, forKey: .options)
    config = try values.decodeIfPresent([IPAMConfig].self, forKey: .config)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(driver, forKey: .driver)
    try values.encode(options, forKey: .options)
    try values.encode(config, forKey: .config)
  }
}

/// One address pool of a network (`IPAMConfig`).
package struct IPAMConfig: Codable, Sendable, Hashable {
  package var subnet: String = ""
  package var ipRange: String = ""
  package var gateway: String = ""
  package var auxiliaryAddresses: [String: String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case subnet = "Subnet"
    case ipRange = "IPRange"
    case gateway = "Gateway"
    case auxiliaryAddresses = "AuxiliaryAddresses"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    subnet = try values.value(.subnet) ?? ""
    ipRange = try values.value(.ipRange) ?? ""
    gateway = try values.value(.gateway) ?? ""
    auxiliaryAddresses = try values.decodeIfPresent(
      [String: String].self, forKey: .auxiliaryAddresses)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(subnet, forKey: .subnet)
    try values.encodeUnlessUnset(ipRange, forKey: .ipRange)
    try values.encodeUnlessUnset(gateway, forKey: .gateway)
    try values.encodeIfPresent(auxiliaryAddresses, forKey: .auxiliaryAddresses)
  }
}

/// A container in a network (`NetworkContainer`).
package struct NetworkContainer: Codable, Sendable, Hashable {
  package var name: String = ""
  package var endpointID: String = ""
  package var macAddress: String = ""
  package var ipv4Address: String = ""
  package var ipv6Address: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
    case endpointID = "EndpointID"
    case macAddress = "MacAddress"
    case ipv4Address = "IPv4Address"
    case ipv6Address = "IPv6Address"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
    endpointID = try values.value(.endpointID) ?? ""
    macAddress = try values.value(.macAddress) ?? ""
    ipv4Address = try values.value(.ipv4Address) ?? ""
    ipv6Address = try values.value(.ipv6Address) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(endpointID, forKey: .endpointID)
    try values.encode(macAddress, forKey: .macAddress)
    try values.encode(ipv4Address, forKey: .ipv4Address)
    try values.encode(ipv6Address, forKey: .ipv6Address)
  }
}
