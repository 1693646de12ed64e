/// The body of `POST /containers/create`: the members of a `ContainerConfig` and two more.
package struct ContainerCreateRequest: Codable, Sendable, Hashable {
  /// What to run.
  package var config = ContainerConfig()
  /// How to run it here.
  package var hostConfig = HostConfig()
  /// The networks to join.
  package var networkingConfig = NetworkingConfig()

  /// A request in which nothing is asked for.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case hostConfig = "HostConfig"
    case networkingConfig = "NetworkingConfig"
  }

  package init(from decoder: any Decoder) throws {
    config = try ContainerConfig(from: decoder)
    let values = try decoder.container(keyedBy: CodingKeys.self)
    hostConfig = try values.value(.hostConfig) ?? HostConfig()
    networkingConfig = try values.value(.networkingConfig) ?? NetworkingConfig()
  }

  package func encode(to encoder: any Encoder) throws {
    try config.encode(to: encoder)
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(hostConfig, forKey: .hostConfig)
    try values.encode(networkingConfig, forKey: .networkingConfig)
  }
}

/// The body of `POST /containers/{id}/update`: the resource members of a `HostConfig` and the
/// restart policy. A member at its unset value changes nothing.
package struct ContainerUpdateRequest: Codable, Sendable, Hashable {
  /// The host configuration of which the resource members count.
  package var resources = HostConfig()

  /// A request that changes nothing.
  package init() {}

  package init(from decoder: any Decoder) throws { resources = try HostConfig(from: decoder) }

  package func encode(to encoder: any Encoder) throws { try resources.encode(to: encoder) }
}
