/// One line of `docker ps` (`ContainerSummary`).
package struct ContainerSummary: Codable, Sendable, Hashable {
  package var id: String = ""
  package var names: [String] = []
  package var image: String = ""
  package var imageID: String = ""
  package var command: String = ""
  package var created: Int64 = 0
  package var ports: [Port] = []
  package var sizeRw: Int64 = 0
  package var sizeRootFs: Int64 = 0
  package var labels: [String: String] = [:]
  package var state: String = ""
  package var status: String = ""
  package var hostConfig: ContainerSummaryHostConfig = ContainerSummaryHostConfig()
  package var networkSettings: ContainerSummaryNetworkSettings = ContainerSummaryNetworkSettings()
  package var mounts: [MountPoint] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "Id"
    case names = "Names"
    case image = "Image"
    case imageID = "ImageID"
    case command = "Command"
    case created = "Created"
    case ports = "Ports"
    case sizeRw = "SizeRw"
    case sizeRootFs = "SizeRootFs"
    case labels = "Labels"
    case state = "State"
    case status = "Status"
    case hostConfig = "HostConfig"
    case networkSettings = "NetworkSettings"
    case mounts = "Mounts"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    names = try values.value(.names) ?? []
    image = try values.value(.image) ?? ""
    imageID = try values.value(.imageID) ?? ""
    command = try values.value(.command) ?? ""
    created = try values.value(.created) ?? 0
    ports = try values.value(.ports) ?? []
    sizeRw = try values.value(.sizeRw) ?? 0
    sizeRootFs = try values.value(.sizeRootFs) ?? 0
    labels = try values.value(.labels) ?? [:]
    state = try values.value(.state) ?? ""
    status = try values.value(.status) ?? ""
    hostConfig = try values.value(.hostConfig) ?? ContainerSummaryHostConfig()
    networkSettings = try values.value(.networkSettings) ?? ContainerSummaryNetworkSettings()
    mounts = try values.value(.mounts) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(names, forKey: .names)
    try values.encode(image, forKey: .image)
    try values.encode(imageID, forKey: .imageID)
    try values.encode(command, forKey: .command)
    try values.encode(created, forKey: .created)
    try values.encode(ports, forKey: .ports)
    try values.encodeUnlessUnset(sizeRw, forKey: .sizeRw)
    try values.encodeUnlessUnset(sizeRootFs, forKey: .sizeRootFs)
    try values.encode(labels, forKey: .labels)
    try values.encode(state, forKey: .state)
    try values.encode(status, forKey: .status)
    try values.encode(hostConfig, forKey: .hostConfig)
    try values.encode(networkSettings, forKey: .networkSettings)
    try values.encode(mounts, forKey: .mounts)
  }
}

/// The part of a container's host configuration that the list shows.
package struct ContainerSummaryHostConfig: Codable, Sendable, Hashable {
  package var networkMode: String = ""
  package var annotations: [String: String]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case networkMode = "NetworkMode"
    case annotations = "Annotations"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    networkMode = try values.value(.networkMode) ?? ""
    annotations = try values.decodeIfPresent([String: String].self, forKey: .annotations)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(networkMode, forKey: .networkMode)
    try values.encodeIfPresent(annotations, forKey: .annotations)
  }
}

/// The part of a container's network settings that the list shows.
package struct ContainerSummaryNetworkSettings: Codable, Sendable, Hashable {
  package var networks: [String: EndpointSettings] = [:]

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case networks = "Networks"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    networks = try values.value(.networks) ?? [:]
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(networks, forKey: .networks)
  }
}

/// A port of a container and where it is published (`Port`).
package struct Port: Codable, Sendable, Hashable {
  package var ip: String = ""
  package var privatePort: Int = 0
  package var publicPort: Int = 0
  package var type: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case ip = "IP"
    case privatePort = "PrivatePort"
    case publicPort = "PublicPort"
    case type = "Type"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    ip = try values.value(.ip) ?? ""
    privatePort = try values.value(.privatePort) ?? 0
    publicPort = try values.value(.publicPort) ?? 0
    self.type = try values.value(.type) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(ip, forKey: .ip)
    try values.encode(privatePort, forKey: .privatePort)
    try values.encodeUnlessUnset(publicPort, forKey: .publicPort)
    try values.encode(self.type, forKey: .type)
  }
}

/// The processes in a container.
package struct ContainerTopResponse: Codable, Sendable, Hashable {
  package var titles: [String] = []
  package var processes: [[String]] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case titles = "Titles"
    case processes = "Processes"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    titles = try values.value(.titles) ?? []
    processes = try values.value(.processes) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(titles, forKey: .titles)
    try values.encode(processes, forKey: .processes)
  }
}

/// How a container ended (`ContainerWaitResponse`).
package struct ContainerWaitResponse: Codable, Sendable, Hashable {
  package var statusCode: Int = 0
  package var error: ContainerWaitExitError?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case statusCode = "StatusCode"
    case error = "Error"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    statusCode = try values.value(.statusCode) ?? 0
    error = try values.decodeIfPresent(ContainerWaitExitError.self, forKey: .error)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(statusCode, forKey: .statusCode)
    try values.encodeIfPresent(error, forKey: .error)
  }
}

/// Why waiting for a container failed (`ContainerWaitExitError`).
package struct ContainerWaitExitError: Codable, Sendable, Hashable {
  package var message: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case message = "Message"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    message = try values.value(.message) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(message, forKey: .message)
  }
}

/// A path that differs from the image (`FilesystemChange`).
package struct FilesystemChange: Codable, Sendable, Hashable {
  package var path: String = ""
  /// 0 modified, 1 added, 2 deleted.
  package var kind: Int = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case path = "Path"
    case kind = "Kind"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    path = try values.value(.path) ?? ""
    kind = try values.value(.kind) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(path, forKey: .path)
    try values.encode(kind, forKey: .kind)
  }
}

/// What a prune of containers removed.
package struct ContainerPruneResponse: Codable, Sendable, Hashable {
  package var containersDeleted: [String]?
  package var spaceReclaimed: Int64 = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case containersDeleted = "ContainersDeleted"
    case spaceReclaimed = "SpaceReclaimed"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    containersDeleted = try values.decodeIfPresent([String].self, forKey: .containersDeleted)
    spaceReclaimed = try values.value(.spaceReclaimed) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(containersDeleted, forKey: .containersDeleted)
    try values.encode(spaceReclaimed, forKey: .spaceReclaimed)
  }
}
