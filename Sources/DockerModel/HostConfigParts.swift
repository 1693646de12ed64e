/// Which log driver keeps a container's output, and its options.
package struct LogConfig: Codable, Sendable, Hashable {
  package var type: String = ""
  package var config: [String: String] = [:]

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case type = "Type"
    case config = "Config"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.type = try values.value(.type) ?? ""
    config = try values.value(.config) ?? [:]
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(self.type, forKey: .type)
    try values.encode(config, forKey: .config)
  }
}

/// When a container that ended is started again (`RestartPolicy`).
package struct RestartPolicy: Codable, Sendable, Hashable {
  package var name: String = ""
  package var maximumRetryCount: Int = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
    case maximumRetryCount = "MaximumRetryCount"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
    maximumRetryCount = try values.value(.maximumRetryCount) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(maximumRetryCount, forKey: .maximumRetryCount)
  }
}

/// An address of this machine on which a container's port is reachable (`PortBinding`).
package struct PortBinding: Codable, Sendable, Hashable {
  package var hostIp: String = ""
  package var hostPort: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case hostIp = "HostIp"
    case hostPort = "HostPort"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    hostIp = try values.value(.hostIp) ?? ""
    hostPort = try values.value(.hostPort) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(hostIp, forKey: .hostIp)
    try values.encode(hostPort, forKey: .hostPort)
  }
}

/// A device's share of block input and output.
package struct WeightDevice: Codable, Sendable, Hashable {
  package var path: String = ""
  package var weight: Int = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case path = "Path"
    case weight = "Weight"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    path = try values.value(.path) ?? ""
    weight = try values.value(.weight) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(path, forKey: .path)
    try values.encode(weight, forKey: .weight)
  }
}

/// A device's limit of block input or output (`ThrottleDevice`).
package struct ThrottleDevice: Codable, Sendable, Hashable {
  package var path: String = ""
  package var rate: Int64 = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case path = "Path"
    case rate = "Rate"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    path = try values.value(.path) ?? ""
    rate = try values.value(.rate) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(path, forKey: .path)
    try values.encode(rate, forKey: .rate)
  }
}

/// A device of this machine made available in a container (`DeviceMapping`).
package struct DeviceMapping: Codable, Sendable, Hashable {
  package var pathOnHost: String = ""
  package var pathInContainer: String = ""
  package var cgroupPermissions: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case pathOnHost = "PathOnHost"
    case pathInContainer = "PathInContainer"
    case cgroupPermissions = "CgroupPermissions"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    pathOnHost = try values.value(.pathOnHost) ?? ""
    pathInContainer = try values.value(.pathInContainer) ?? ""
    cgroupPermissions = try values.value(.cgroupPermissions) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(pathOnHost, forKey: .pathOnHost)
    try values.encode(pathInContainer, forKey: .pathInContainer)
    try values.encode(cgroupPermissions, forKey: .cgroupPermissions)
  }
}

/// A request for devices by what they can do (`DeviceRequest`).
package struct DeviceRequest: Codable, Sendable, Hashable {
  package var driver: String = ""
  package var count: Int = 0
  package var deviceIDs: [String]?
  package var capabilities: [[String]]?
  package var options: [String: String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case driver = "Driver"
    case count = "Count"
    case deviceIDs = "DeviceIDs"
    case capabilities = "Capabilities"
    case options = "Options"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    driver = try values.value(.driver) ?? ""
    count = try values.value(.count) ?? 0
    deviceIDs = try values.decodeIfPresent([String].self, forKey: .deviceIDs)
    capabilities = try values.decodeIfPresent([[String]].self, forKey: .capabilities)
    options = try values.decodeIfPresent([String: String].self, forKey: .options)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(driver, forKey: .driver)
    try values.encode(count, forKey: .count)
    try values.encode(deviceIDs, forKey: .deviceIDs)
    try values.encode(capabilities, forKey: .capabilities)
    try values.encode(options, forKey: .options)
  }
}

/// A resource limit of a container's processes.
package struct Ulimit: Codable, Sendable, Hashable {
  package var name: String = ""
  package var hard: Int64 = 0
  package var soft: Int64 = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
    case hard = "Hard"
    case soft = "Soft"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
    hard = try values.value(.hard) ?? 0
    soft = try values.value(.soft) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(hard, forKey: .hard)
    try values.encode(soft, forKey: .soft)
  }
}
