/// All that is known of an image (`ImageInspect`).
package struct ImageInspect: Codable, Sendable, Hashable {
  package var id: String = ""
  package var repoTags: [String] = []
  package var repoDigests: [String] = []
  package var parent: String = ""
  package var comment: String = ""
  package var created: String = ""
  package var dockerVersion: String = ""
  package var author: String = ""
  /// How containers of the image run unless told otherwise; `ImageConfig` in the API, which has no
  /// member that `ContainerConfig` has not.
  package var config: ContainerConfig?
  package var architecture: String = ""
  package var variant: String = ""
  package var os: String = ""
  package var osVersion: String = ""
  package var size: Int64 = 0
  package var virtualSize: Int64 = 0
  package var graphDriver: GraphDriver = GraphDriver()
  package var rootFS: ImageRootFS = ImageRootFS()
  package var metadata: ImageMetadata = ImageMetadata()

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "Id"
    case repoTags = "RepoTags"
    case repoDigests = "RepoDigests"
    case parent = "Parent"
    case comment = "Comment"
    case created = "Created"
    case dockerVersion = "DockerVersion"
    case author = "Author"
    case config = "Config"
    case architecture = "Architecture"
    case variant = "Variant"
    case os = "Os"
    case osVersion = "OsVersion"
    case size = "Size"
    case virtualSize = "VirtualSize"
    case graphDriver = "GraphDriver"
    case rootFS = "RootFS"
    case metadata = "Metadata"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    repoTags = try values.value(.repoTags) ?? []
    repoDigests = try values.value(.repoDigests) ?? []
    parent = try values.value(.parent) ?? ""
    comment = try values.value(.comment) ?? ""
    created = try values.value(.created) ?? ""
    dockerVersion = try values.value(.dockerVersion) ?? ""
    author = try values.value(.author) ?? ""
    config = try values.decodeIfPresent(ContainerConfig.self, forKey: .config)
    architecture = try values.value(.architecture) ?? ""
    variant = try values.value(.variant) ?? ""
    os = try values.value(.os) ?? ""
    osVersion = try values.value(.osVersion) ?? ""
    size = try values.value(.size) ?? 0
    virtualSize = try values.value(.virtualSize) ?? 0
    graphDriver = try values.value(.graphDriver) ?? GraphDriver()
    rootFS = try values.value(.rootFS) ?? ImageRootFS()
    metadata = try values.value(.metadata) ?? ImageMetadata()
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(repoTags, forKey: .repoTags)
    try values.encode(repoDigests, forKey: .repoDigests)
    try values.encode(parent, forKey: .parent)
    try values.encode(comment, forKey: .comment)
    try values.encode(created, forKey: .created)
    try values.encode(dockerVersion, forKey: .dockerVersion)
    try values.encode(author, forKey: .author)
    try values.encode(config, forKey: .config)
    try values.encode(architecture, forKey: .architecture)
    try values.encodeUnlessUnset(variant, forKey: .variant)
    try values.encode(os, forKey: .os)
    try values.encodeUnlessUnset(osVersion, forKey: .osVersion)
    try values.encode(size, forKey: .size)
    try values.encodeUnlessUnset(virtualSize, forKey: .virtualSize)
    try values.encode(graphDriver, forKey: .graphDriver)
    try values.encode(rootFS, forKey: .rootFS)
    try values.encode(metadata, forKey: .metadata)
  }
}

/// The layers of an image by their uncompressed digests.
package struct ImageRootFS: Codable, Sendable, Hashable {
  package var type: String = "layers"
  package var layers: [String] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case type = "Type"
    case layers = "Layers"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.type = try values.value(.type) ?? "layers"
    layers = try values.value(.layers) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(self.type, forKey: .type)
    try values.encodeUnlessUnset(layers, forKey: .layers)
  }
}

/// What this machine notes of an image.
package struct ImageMetadata: Codable, Sendable, Hashable {
  package var lastTagTime: Timestamp = .zero

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case lastTagTime = "LastTagTime"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    lastTagTime = try values.value(.lastTagTime) ?? .zero
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(lastTagTime, forKey: .lastTagTime)
  }
}
