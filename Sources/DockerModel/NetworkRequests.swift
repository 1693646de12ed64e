/// The body of `POST /networks/create`.
package struct NetworkCreateRequest: Codable, Sendable, Hashable {
  package var name: String = ""
  package var checkDuplicate: Bool = false
  package var driver: String = ""
  package var scope: String = ""
  package var `internal`: Bool = false
  package var attachable: Bool = false
  package var ingress: Bool = false
  package var configOnly: Bool = false
  package var configFrom: ConfigReference?
  package var ipam: IPAM?
  package var enableIPv4: Bool?
  package var enableIPv6: Bool?
  package var options: [String: String]?
  package var labels: [String: String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
    case checkDuplicate = "CheckDuplicate"
    case driver = "Driver"
    case scope = "Scope"
    case `internal` = "Internal"
    case attachable = "Attachable"
    case ingress = "Ingress"
    case configOnly = "ConfigOnly"
    case configFrom = "ConfigFrom"
    case ipam = "IPAM"
    case enableIPv4 = "EnableIPv4"
    case enableIPv6 = "EnableIPv6"
    case options = "Options"
    case labels = "Labels"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
    checkDuplicate = try values.value(.checkDuplicate) ?? false
    driver = try values.value(.driver) ?? ""
    scope = try values.value(.scope) ?? ""
    self.`internal` = try values.value(.internal) ?? false
    attachable = try values.value(.attachable) ?? false
    ingress = try values.value(.ingress) ?? false
    configOnly = try values.value(.configOnly) ?? false
    configFrom = try values.decodeIfPresent(ConfigReference.self, forKey: .configFrom)
    ipam = try values.decodeIfPresent(IPAM.self, forKey: .ipam)
    enableIPv4 = try values.decodeIfPresent(Bool.self, forKey: .enableIPv4)
    enableIPv6 = try values.decodeIfPresent(Bool.self, forKey: .enableIPv6)
    options = try values.decodeIfPresent([String: String].self, forKey: .options)
    labels = try values.decodeIfPresent([String: String].self, forKey: .labels)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(checkDuplicate, forKey: .checkDuplicate)
    try values.encode(driver, forKey: .driver)
    try values.encode(scope, forKey: .scope)
    try values.encode(self.`internal`, forKey: .internal)
    try values.encode(attachable, forKey: .attachable)
    try values.encode(ingress, forKey: .ingress)
    try values.encode(configOnly, forKey: .configOnly)
    try values.encode(configFrom, forKey: .configFrom)
    try values.encode(ipam, forKey: .ipam)
    try values.encode(enableIPv4, forKey: .enableIPv4)
    try values.encode(enableIPv6, forKey: .enableIPv6)
    try values.encode(options, forKey: .options)
    try values.encode(labels, forKey: .labels)
  }
}

/// The answer to a network's creation (`NetworkCreateResponse`).
package struct NetworkCreateResponse: Codable, Sendable, Hashable {
  package var id: String = ""
  package var warning: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "Id"
    case warning = "Warning"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    warning = try values.value(.warning) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(warning, forKey: .warning)
  }
}

/// The body of `POST /networks/{id}/connect`.
package struct NetworkConnectRequest: Codable, Sendable, Hashable {
  package var container: String = ""
  package var endpointConfig: EndpointSettings?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case container = "Container"
    case endpointConfig = "EndpointConfig"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    container = try values.value(.container) ?? ""
    endpointConfig = try values.decodeIfPresent(EndpointSettings.self, forKey: .endpointConfig)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(container, forKey: .container)
    try values.encode(endpointConfig, forKey: .endpointConfig)
  }
}

/// The body of `POST /networks/{id}/disconnect`.
package struct NetworkDisconnectRequest: Codable, Sendable, Hashable {
  package var container: String = ""
  package var force: Bool = false

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case container = "Container"
    case force = "Force"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    container = try values.value(.container) ?? ""
    force = try values.value(.force) ?? false
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(container, forKey: .container)
    try values.encode(force, forKey: .force)
  }
}

/// What a prune of networks removed.
package struct NetworkPruneResponse: Codable, Sendable, Hashable {
  package var networksDeleted: [String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case networksDeleted = "NetworksDeleted"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    networksDeleted = try values.decodeIfPresent([String].self, forKey: .networksDeleted)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(networksDeleted, forKey: .networksDeleted)
  }
}
