/// A mount asked for in a container (`Mount`).
package struct Mount: Codable, Sendable, Hashable {
  package var type: String = ""
  package var source: String = ""
  package var target: String = ""
  package var readOnly: Bool = false
  package var consistency: String = ""
  package var bindOptions: BindOptions?
  package var volumeOptions: VolumeOptions?
  package var tmpfsOptions: TmpfsOptions?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case type = "Type"
    case source = "Source"
    case target = "Target"
    case readOnly = "ReadOnly"
    case consistency = "Consistency"
    case bindOptions = "BindOptions"
    case volumeOptions = "VolumeOptions"
    case tmpfsOptions = "TmpfsOptions"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.type = try values.value(.type) ?? ""
    source = try values.value(.source) ?? ""
    target = try values.value(.target) ?? ""
    readOnly = try values.value(.readOnly) ?? false
    consistency = try values.value(.consistency) ?? ""
    bindOptions = try values.decodeIfPresent(BindOptions.self, forKey: .bindOptions)
    volumeOptions = try values.decodeIfPresent(VolumeOptions.self, forKey: .volumeOptions)
    tmpfsOptions = try values.decodeIfPresent(TmpfsOptions.self, forKey: .tmpfsOptions)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(self.type, forKey: .type)
    try values.encodeUnlessUnset(source, forKey: .source)
    try values.encode(target, forKey: .target)
    try values.encodeUnlessUnset(readOnly, forKey: .readOnly)
    try values.encodeUnlessUnset(consistency, forKey: .consistency)
    try values.encodeIfPresent(bindOptions, forKey: .bindOptions)
    try values.encodeIfPresent(volumeOptions, forKey: .volumeOptions)
    try values.encodeIfPresent(tmpfsOptions, forKey: .tmpfsOptions)
  }
}

/// Options of a mount of type `bind`.
package struct BindOptions: Codable, Sendable, Hashable {
  package var propagation: String = ""
  package var nonRecursive: Bool = false
  package var createMountpoint: Bool = false
  package var readOnlyNonRecursive: Bool = false
  package var readOnlyForceRecursive: Bool = false

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case propagation = "Propagation"
    case nonRecursive = "NonRecursive"
    case createMountpoint = "CreateMountpoint"
    case readOnlyNonRecursive = "ReadOnlyNonRecursive"
    case readOnlyForceRecursive = "ReadOnlyForceRecursive"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    propagation = try values.value(.propagation) ?? ""
    nonRecursive = try values.value(.nonRecursive) ?? false
    createMountpoint = try values.value(.createMountpoint) ?? false
    readOnlyNonRecursive = try values.value(.readOnlyNonRecursive) ?? false
    readOnlyForceRecursive = try values.value(.readOnlyForceRecursive) ?? false
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(propagation, forKey: .propagation)
    try values.encodeUnlessUnset(nonRecursive, forKey: .nonRecursive)
    try values.encodeUnlessUnset(createMountpoint, forKey: .createMountpoint)
    try values.encodeUnlessUnset(readOnlyNonRecursive, forKey: .readOnlyNonRecursive)
    try values.encodeUnlessUnset(readOnlyForceRecursive, forKey: .readOnlyForceRecursive)
  }
}

/// Options of a mount of type `volume`.
package struct VolumeOptions: Codable, Sendable, Hashable {
  package var noCopy: Bool = false
  package var labels: [String: String]?
  package var driverConfig: DriverConfig?
  package var subpath: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case noCopy = "NoCopy"
    case labels = "Labels"
    case driverConfig = "DriverConfig"
    case subpath = "Subpath"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    noCopy = try values.value(.noCopy) ?? false
    labels = try values.decodeIfPresent([String: String].self, forKey: .labels)
    driverConfig = try values.decodeIfPresent(DriverConfig.self, forKey: .driverConfig)
    subpath = try values.value(.subpath) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(noCopy, forKey: .noCopy)
    try values.encodeIfPresent(labels, forKey: .labels)
    try values.encodeIfPresent(driverConfig, forKey: .driverConfig)
    try values.encodeUnlessUnset(subpath, forKey: .subpath)
  }
}

/// A volume driver and its options.
package struct DriverConfig: Codable, Sendable, Hashable {
  package var name: String = ""
  package var options: [String: String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
    case options = "Options"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
    options = try values.decodeIfPresent([String: String].self, forKey: .options)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(name, forKey: .name)
    try values.encodeIfPresent(options, forKey: .options)
  }
}

/// Options of a mount of type `tmpfs`.
package struct TmpfsOptions: Codable, Sendable, Hashable {
  package var sizeBytes: Int64 = 0
  package var mode: UInt32 = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case sizeBytes = "SizeBytes"
    case mode = "Mode"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    sizeBytes = try values.value(.sizeBytes) ?? 0
    mode = try values.value(.mode) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(sizeBytes, forKey: .sizeBytes)
    try values.encodeUnlessUnset(mode, forKey: .mode)
  }
}
