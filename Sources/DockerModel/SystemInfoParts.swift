/// Drivers that are there (`PluginsInfo`).
package struct PluginsInfo: Codable, Sendable, Hashable {
  package var volume: [String] = []
  package var network: [String] = []
  package var authorization: [String]?
  package var log: [String] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case volume = "Volume"
    case network = "Network"
    case authorization = "Authorization"
    case log = "Log"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    volume = try values.value(.volume) ?? []
    network = try values.value(.network) ?? []
    authorization = try values.decodeIfPresent([String].self, forKey: .authorization)
    log = try values.value(.log) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(volume, forKey: .volume)
    try values.encode(network, forKey: .network)
    try values.encode(authorization, forKey: .authorization)
    try values.encode(log, forKey: .log)
  }
}

/// How registries are reached (`RegistryServiceConfig`).
package struct RegistryServiceConfig: Codable, Sendable, Hashable {
  package var allowNondistributableArtifactsCIDRs: [String] = []
  package var allowNondistributableArtifactsHostnames: [String] = []
  package var insecureRegistryCIDRs: [String] = []
  package var indexConfigs: [String: IndexInfo] = [:]
  package var mirrors: [String] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case allowNondistributableArtifactsCIDRs = "AllowNondistributableArtifactsCIDRs"
    case allowNondistributableArtifactsHostnames = "AllowNondistributableArtifactsHostnames"
    case insecureRegistryCIDRs = "InsecureRegistryCIDRs"
    case indexConfigs = "IndexConfigs"
    case mirrors = "Mirrors"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    allowNondistributableArtifactsCIDRs =
      try values.value(.allowNondistributableArtifactsCIDRs) ?? []
    allowNondistributableArtifactsHostnames =
      try values.value(.allowNondistributableArtifactsHostnames) ?? []
    insecureRegistryCIDRs = try values.value(.insecureRegistryCIDRs) ?? []
    indexConfigs = try values.value(.indexConfigs) ?? [:]
    mirrors = try values.value(.mirrors) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(
      allowNondistributableArtifactsCIDRs, forKey: .allowNondistributableArtifactsCIDRs)
    try values.encode(
      allowNondistributableArtifactsHostnames, forKey: .allowNondistributableArtifactsHostnames)
    try values.encode(insecureRegistryCIDRs, forKey: .insecureRegistryCIDRs)
    try values.encode(indexConfigs, forKey: .indexConfigs)
    try values.encode(mirrors, forKey: .mirrors)
  }
}

/// One registry (`IndexInfo`).
package struct IndexInfo: Codable, Sendable, Hashable {
  package var name: String = ""
  package var mirrors: [String] = []
  package var secure: Bool = false
  package var official: Bool = false

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name = "Name"
    case mirrors = "Mirrors"
    case secure = "Secure"
    case official = "Official"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.value(.name) ?? ""
    mirrors = try values.value(.mirrors) ?? []
    secure = try values.value(.secure) ?? false
    official = try values.value(.official) ?? false
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(mirrors, forKey: .mirrors)
    try values.encode(secure, forKey: .secure)
    try values.encode(official, forKey: .official)
  }
}

/// A program that runs containers (`Runtime`).
package struct Runtime: Codable, Sendable, Hashable {
  package var path: String = ""
  package var runtimeArgs: [String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case path
    case runtimeArgs
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    path = try values.value(.path) ?? ""
    runtimeArgs = try values.decodeIfPresent([String].self, forKey: .runtimeArgs)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(path, forKey: .path)
    try values.encodeIfPresent(runtimeArgs, forKey: .runtimeArgs)
  }
}

/// This machine's part in a swarm (`SwarmInfo`).
package struct SwarmInfo: Codable, Sendable, Hashable {
  package var nodeID: String = ""
  package var nodeAddr: String = ""
  package var localNodeState: String = "inactive"
  package var controlAvailable: Bool = false
  package var error: String = ""
  package var remoteManagers: [String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case nodeID = "NodeID"
    case nodeAddr = "NodeAddr"
    case localNodeState = "LocalNodeState"
    case controlAvailable = "ControlAvailable"
    case error = "Error"
    case remoteManagers = "RemoteManagers"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    nodeID = try values.value(.nodeID) ?? ""
    nodeAddr = try values.value(.nodeAddr) ?? ""
    localNodeState = try values.value(.localNodeState) ?? "inactive"
    controlAvailable = try values.value(.controlAvailable) ?? false
    error = try values.value(.error) ?? ""
    remoteManagers = try values.decodeIfPresent([String].self, forKey: .remoteManagers)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(nodeID, forKey: .nodeID)
    try values.encode(nodeAddr, forKey: .nodeAddr)
    try values.encode(localNodeState, forKey: .localNodeState)
    try values.encode(controlAvailable, forKey: .controlAvailable)
    try values.encode(error, forKey: .error)
    try values.encode(remoteManagers, forKey: .remoteManagers)
  }
}

/// A version of a program by its commit (`Commit`).
package struct Commit: Codable, Sendable, Hashable {
  package var id: String = ""
  package var expected: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "ID"
    case expected = "Expected"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    expected = try values.value(.expected) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encodeUnlessUnset(expected, forKey: .expected)
  }
}

/// Addresses that networks are cut from.
package struct AddressPool: Codable, Sendable, Hashable {
  package var base: String = ""
  package var size: Int = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case base = "Base"
    case size = "Size"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    base = try values.value(.base) ?? ""
    size = try values.value(.size) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(base, forKey: .base)
    try values.encode(size, forKey: .size)
  }
}

/// What takes room on disk (`GET /system/df`).
package struct SystemDataUsageResponse: Codable, Sendable, Hashable {
  package var layersSize: Int64 = 0
  package var images: [ImageSummary] = []
  package var containers: [ContainerSummary] = []
  package var volumes: [Volume] = []
  package var buildCache: [EmptyObject] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case layersSize = "LayersSize"
    case images = "Images"
    case containers = "Containers"
    case volumes = "Volumes"
    case buildCache = "BuildCache"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    layersSize = try values.value(.layersSize) ?? 0
    images = try values.value(.images) ?? []
    containers = try values.value(.containers) ?? []
    volumes = try values.value(.volumes) ?? []
    buildCache = try values.value(.buildCache) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(layersSize, forKey: .layersSize)
    try values.encode(images, forKey: .images)
    try values.encode(containers, forKey: .containers)
    try values.encode(volumes, forKey: .volumes)
    try values.encode(buildCache, forKey: .buildCache)
  }
}

/// Something that happened (`EventMessage`).
package struct EventMessage: Codable, Sendable, Hashable {
  package var status: String = ""
  package var id: String = ""
  package var from: String = ""
  package var type: String = ""
  package var action: String = ""
  package var actor: EventActor = EventActor()
  package var scope: String = "local"
  /// Seconds.
  package var time: Int64 = 0
  /// Nanoseconds.
  package var timeNano: Int64 = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case status
    case id
    case from
    case type = "Type"
    case action = "Action"
    case actor = "Actor"
    case scope
    case time
    case timeNano
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    status = try values.value(.status) ?? ""
    id = try values.value(.id) ?? ""
    from = try values.value(.from) ?? ""
    self.type = try values.value(.type) ?? ""
    action = try values.value(.action) ?? ""
    actor = try values.value(.actor) ?? EventActor()
    scope = try values.value(.scope) ?? "local"
    time = try values.value(.time) ?? 0
    timeNano = try values.value(.timeNano) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(status, forKey: .status)
    try values.encodeUnlessUnset(id, forKey: .id)
    try values.encodeUnlessUnset(from, forKey: .from)
    try values.encode(self.type, forKey: .type)
    try values.encode(action, forKey: .action)
    try values.encode(actor, forKey: .actor)
    try values.encode(scope, forKey: .scope)
    try values.encode(time, forKey: .time)
    try values.encode(timeNano, forKey: .timeNano)
  }
}

/// What an event happened to (`EventActor`).
package struct EventActor: Codable, Sendable, Hashable {
  package var id: String = ""
  package var attributes: [String: String] = [:]

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "ID"
    case attributes = "Attributes"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    attributes = try values.value(.attributes) ?? [:]
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(attributes, forKey: .attributes)
  }
}
