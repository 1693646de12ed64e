/// The document whose digest is an image's id: how to run the image and what it is made of.
package struct ImageConfiguration: Hashable, Sendable, Codable {
  /// When the image was made, RFC 3339, as the document has it.
  package var created: String?
  package var author: String?
  package var comment: String?
  package var architecture: String?
  package var os: String?
  package var variant: String?
  package var osVersion: String?
  package var osFeatures: [String]?
  package var dockerVersion: String?
  /// The id of the container that the image was committed from.
  package var container: String?
  package var config: ExecutionConfiguration?
  package var rootfs: RootFilesystem
  package var history: [HistoryEntry]?

  enum CodingKeys: String, CodingKey {
    case created, author, comment, architecture, os, variant, container, config, rootfs, history
    case osVersion = "os.version"
    case osFeatures = "os.features"
    case dockerVersion = "docker_version"
  }

  package init(platform: Platform, diffIDs: [Digest] = []) {
    architecture = platform.architecture
    os = platform.os
    variant = platform.variant
    rootfs = RootFilesystem(diffIDs: diffIDs)
  }

  /// The largest configuration that is read, in bytes.
  package static let maximumBytes = 8 * 1024 * 1024

  /// Reads a configuration; throws ``OCIError`` (`invalidDocument`).
  package init(parsing bytes: [UInt8]) throws {
    self = try BoundedJSON.decode(
      ImageConfiguration.self, from: bytes, kind: "image configuration",
      maximumBytes: Self.maximumBytes)
    guard rootfs.type == "layers" else {
      throw OCIError(
        .invalidDocument, "the image's root file system is not made of layers",
        metadata: ["type": rootfs.type])
    }
  }

  /// What the image runs on.
  package var platform: Platform {
    Platform(
      os: os ?? "", architecture: architecture ?? "", variant: variant, osVersion: osVersion,
      osFeatures: osFeatures)
  }

  /// The layers by the digests of their uncompressed archives, lowest first.
  package struct RootFilesystem: Hashable, Sendable, Codable {
    package var type: String
    package var diffIDs: [Digest]

    enum CodingKeys: String, CodingKey {
      case type
      case diffIDs = "diff_ids"
    }

    package init(diffIDs: [Digest]) {
      type = "layers"
      self.diffIDs = diffIDs
    }

    package init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      type = try container.decodeIfPresent(String.self, forKey: .type) ?? "layers"
      diffIDs = try container.decodeIfPresent([Digest].self, forKey: .diffIDs) ?? []
    }
  }

  /// One step in the making of the image.
  package struct HistoryEntry: Hashable, Sendable, Codable {
    package var created: String?
    package var createdBy: String?
    package var author: String?
    package var comment: String?
    /// Whether the step made no layer.
    package var emptyLayer: Bool?

    enum CodingKeys: String, CodingKey {
      case created, author, comment
      case createdBy = "created_by"
      case emptyLayer = "empty_layer"
    }

    package init(
      created: String? = nil, createdBy: String? = nil, author: String? = nil,
      comment: String? = nil, emptyLayer: Bool? = nil
    ) {
      self.created = created
      self.createdBy = createdBy
      self.author = author
      self.comment = comment
      self.emptyLayer = emptyLayer
    }
  }
}

/// An empty JSON object, the value of the sets that Go writes as maps.
package struct EmptyObject: Hashable, Sendable, Codable {
  package init() {}
  package init(from decoder: any Decoder) throws {}
  package func encode(to encoder: any Encoder) throws {
    _ = encoder.container(keyedBy: NoKeys.self)
  }

  private enum NoKeys: CodingKey {}
}

/// What an image asks of the containers made from it (`config` in its configuration).
package struct ExecutionConfiguration: Hashable, Sendable, Codable {
  package var hostname: String?
  package var domainname: String?
  package var user: String?
  package var exposedPorts: [String: EmptyObject]?
  package var env: [String]?
  package var entrypoint: [String]?
  package var cmd: [String]?
  package var healthcheck: Healthcheck?
  package var argsEscaped: Bool?
  package var volumes: [String: EmptyObject]?
  package var workingDir: String?
  package var onBuild: [String]?
  package var labels: [String: String]?
  package var stopSignal: String?
  /// Seconds to wait after the stop signal.
  package var stopTimeout: Int?
  package var shell: [String]?

  enum CodingKeys: String, CodingKey {
    case hostname = "Hostname"
    case domainname = "Domainname"
    case user = "User"
    case exposedPorts = "ExposedPorts"
    case env = "Env"
    case entrypoint = "Entrypoint"
    case cmd = "Cmd"
    case healthcheck = "Healthcheck"
    case argsEscaped = "ArgsEscaped"
    case volumes = "Volumes"
    case workingDir = "WorkingDir"
    case onBuild = "OnBuild"
    case labels = "Labels"
    case stopSignal = "StopSignal"
    case stopTimeout = "StopTimeout"
    case shell = "Shell"
  }

  package init() {}

  /// How to learn whether a container of the image is well. Times are in nanoseconds.
  package struct Healthcheck: Hashable, Sendable, Codable {
    package var test: [String]?
    package var interval: Int64?
    package var timeout: Int64?
    package var startPeriod: Int64?
    package var startInterval: Int64?
    package var retries: Int?

    enum CodingKeys: String, CodingKey {
      case test = "Test"
      case interval = "Interval"
      case timeout = "Timeout"
      case startPeriod = "StartPeriod"
      case startInterval = "StartInterval"
      case retries = "Retries"
    }

    package init() {}
  }
}
