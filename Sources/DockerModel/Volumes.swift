/// A volume (`Volume`).
package struct Volume: Codable, Sendable, Hashable {
  package var createdAt: Timestamp = .zero
  package var driver: String = "local"
  package var labels: [String: String]?
  package var mountpoint: String = ""
  package var name: String = ""
  package var options: [String: String]?
  package var scope: String = "local"
  package var usageData: VolumeUsageData?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case createdAt = "CreatedAt"
    case driver = "Driver"
    case labels = "Labels"
    case mountpoint = "Mountpoint"
    case name = "Name"
    case options = "Options"
    case scope = "Scope"
    case usageData = "UsageData"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    createdAt = try values.value(.createdAt) ?? .zero
    driver = try values.value(.driver) ?? "local"
    labels = try values.decodeIfPresent([String: String].self, forKey: .labels)
    mountpoint = try values.value(.mountpoint) ?? ""
    name = try values.value(.name) ?? ""
    options = try values.decodeIfPresent([String: String].self, forKey: .options)
    scope = try values.value(.scope) ?? "local"
    usageData = try values.decodeIfPresent(VolumeUsageData.self, forKey: .usageData)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(createdAt, forKey: .createdAt)
    try values.encode(driver, forKey: .driver)
    try values.encode(labels, forKey: .labels)
    try values.encode(mountpoint, forKey: .mountpoint)
    try values.encode(name, forKey: .name)
    try values.encode(options, forKey: .options)
    try values.encode(scope, forKey: .scope)
    try values.encodeIfPresent(usageData, forKey: .usageData)
  }
}

/// How much a volume holds and how many containers use it.
package struct VolumeUsageData: Codable, Sendable, Hashable {
  package var refCount: Int64 = 0
  package var size: Int64 = -1

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case refCount = "RefCount"
    case size = "Size"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    refCount = try values.value(.refCount) ?? 0
    size = try values.value(.size) ?? -1
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(refCount, forKey: .refCount)
    try values.encode(size, forKey: .size)
  }
}

/// The body of `POST /volumes/create` (`VolumeCreateOptions`).
package struct VolumeCreateOptions: Codable, Sendable, Hashable {
  package var name: String = ""
  package var driver: String = ""
  package var driverOpts: [String: String]?
  package var labels: [String: String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
    case driver = "Driver"
    case driverOpts = "DriverOpts"
    case labels = "Labels"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
    driver = try values.value(.driver) ?? ""
    driverOpts = try values.decodeIfPresent([String: String].self, forKey: .driverOpts)
    labels = try values.decodeIfPresent([String: String].self, forKey: .labels)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(driver, forKey: .driver)
    try values.encode(driverOpts, forKey: .driverOpts)
    try values.encode(labels, forKey: .labels)
  }
}

/// The volumes of this machine (`VolumeListResponse`).
package struct VolumeListResponse: Codable, Sendable, Hashable {
  package var volumes: [Volume] = []
  package var warnings: [String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case volumes = "Volumes"
    case warnings = "Warnings"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    volumes = try values.value(.volumes) ?? []
    warnings = try values.decodeIfPresent([String].self, forKey: .warnings)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(volumes, forKey: .volumes)
    try values.encode(warnings, forKey: .warnings)
  }
}

/// What a prune of volumes removed.
package struct VolumePruneResponse: Codable, Sendable, Hashable {
  package var volumesDeleted: [String]?
  package var spaceReclaimed: Int64 = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case volumesDeleted = "VolumesDeleted"
    case spaceReclaimed = "SpaceReclaimed"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    volumesDeleted = try values.decodeIfPresent([String].self, forKey: .volumesDeleted)
    spaceReclaimed = try values.value(.spaceReclaimed) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(volumesDeleted, forKey: .volumesDeleted)
    try values.encode(spaceReclaimed, forKey: .spaceReclaimed)
  }
}
