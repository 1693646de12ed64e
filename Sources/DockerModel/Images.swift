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
  package var config: ImageConfig?
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
    config = try values.decodeIfPresent(ImageConfig.self, forKey: .config)
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

/// How containers of an image run unless told otherwise (`ImageConfig`).
package struct ImageConfig: Codable, Sendable, Hashable {
  package var hostname: String = ""
  package var domainname: String = ""
  package var user: String = ""
  package var attachStdin: Bool = false
  package var attachStdout: Bool = false
  package var attachStderr: Bool = false
  package var exposedPorts: [String: EmptyObject]?
  package var tty: Bool = false
  package var openStdin: Bool = false
  package var stdinOnce: Bool = false
  package var env: [String]?
  package var cmd: StringList?
  package var healthcheck: HealthConfig?
  package var argsEscaped: Bool?
  package var image: String = ""
  package var volumes: [String: EmptyObject]?
  package var workingDir: String = ""
  package var entrypoint: StringList?
  package var onBuild: [String]?
  package var labels: [String: String]?
  package var stopSignal: String = ""
  package var shell: StringList?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case hostname = "Hostname"
    case domainname = "Domainname"
    case user = "User"
    case attachStdin = "AttachStdin"
    case attachStdout = "AttachStdout"
    case attachStderr = "AttachStderr"
    case exposedPorts = "ExposedPorts"
    case tty = "Tty"
    case openStdin = "OpenStdin"
    case stdinOnce = "StdinOnce"
    case env = "Env"
    case cmd = "Cmd"
    case healthcheck = "Healthcheck"
    case argsEscaped = "ArgsEscaped"
    case image = "Image"
    case volumes = "Volumes"
    case workingDir = "WorkingDir"
    case entrypoint = "Entrypoint"
    case onBuild = "OnBuild"
    case labels = "Labels"
    case stopSignal = "StopSignal"
    case shell = "Shell"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    hostname = try values.value(.hostname) ?? ""
    domainname = try values.value(.domainname) ?? ""
    user = try values.value(.user) ?? ""
    attachStdin = try values.value(.attachStdin) ?? false
    attachStdout = try values.value(.attachStdout) ?? false
    attachStderr = try values.value(.attachStderr) ?? false
    exposedPorts = try values.decodeIfPresent([String: EmptyObject].self, forKey: .exposedPorts)
    tty = try values.value(.tty) ?? false
    openStdin = try values.value(.openStdin) ?? false
    stdinOnce = try values.value(.stdinOnce) ?? false
    env = try values.decodeIfPresent([String].self, forKey: .env)
    cmd = try values.value(.cmd)
    healthcheck = try values.decodeIfPresent(HealthConfig.self, forKey: .healthcheck)
    argsEscaped = try values.decodeIfPresent(Bool.self, forKey: .argsEscaped)
    image = try values.value(.image) ?? ""
    volumes = try values.decodeIfPresent([String: EmptyObject].self, forKey: .volumes)
    workingDir = try values.value(.workingDir) ?? ""
    entrypoint = try values.value(.entrypoint)
    onBuild = try values.decodeIfPresent([String].self, forKey: .onBuild)
    labels = try values.decodeIfPresent([String: String].self, forKey: .labels)
    stopSignal = try values.value(.stopSignal) ?? ""
    shell = try values.value(.shell)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(hostname, forKey: .hostname)
    try values.encode(domainname, forKey: .domainname)
    try values.encode(user, forKey: .user)
    try values.encode(attachStdin, forKey: .attachStdin)
    try values.encode(attachStdout, forKey: .attachStdout)
    try values.encode(attachStderr, forKey: .attachStderr)
    try values.encodeIfPresent(exposedPorts, forKey: .exposedPorts)
    try values.encode(tty, forKey: .tty)
    try values.encode(openStdin, forKey: .openStdin)
    try values.encode(stdinOnce, forKey: .stdinOnce)
    try values.encode(env, forKey: .env)
    try values.encode(cmd, forKey: .cmd)
    try values.encodeIfPresent(healthcheck, forKey: .healthcheck)
    try values.encodeIfPresent(argsEscaped, forKey: .argsEscaped)
    try values.encode(image, forKey: .image)
    try values.encode(volumes, forKey: .volumes)
    try values.encode(workingDir, forKey: .workingDir)
    try values.encode(entrypoint, forKey: .entrypoint)
    try values.encode(onBuild, forKey: .onBuild)
    try values.encode(labels, forKey: .labels)
    try values.encodeUnlessUnset(stopSignal, forKey: .stopSignal)
    try values.encodeIfPresent(shell, forKey: .shell)
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
