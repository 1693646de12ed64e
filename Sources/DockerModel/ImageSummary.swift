/// One line of `docker images` (`ImageSummary`).
package struct ImageSummary: Codable, Sendable, Hashable {
  package var id: String = ""
  package var parentId: String = ""
  package var repoTags: [String] = []
  package var repoDigests: [String] = []
  package var created: Int64 = 0
  package var size: Int64 = 0
  package var sharedSize: Int64 = -1
  package var virtualSize: Int64 = 0
  package var labels: [String: String]?
  package var containers: Int64 = -1

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "Id"
    case parentId = "ParentId"
    case repoTags = "RepoTags"
    case repoDigests = "RepoDigests"
    case created = "Created"
    case size = "Size"
    case sharedSize = "SharedSize"
    case virtualSize = "VirtualSize"
    case labels = "Labels"
    case containers = "Containers"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    parentId = try values.value(.parentId) ?? ""
    repoTags = try values.value(.repoTags) ?? []
    repoDigests = try values.value(.repoDigests) ?? []
    created = try values.value(.created) ?? 0
    size = try values.value(.size) ?? 0
    sharedSize = try values.value(.sharedSize) ?? -1
    virtualSize = try values.value(.virtualSize) ?? 0
    labels = try values.decodeIfPresent([String: String].self, forKey: .labels)
    containers = try values.value(.containers) ?? -1
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(parentId, forKey: .parentId)
    try values.encode(repoTags, forKey: .repoTags)
    try values.encode(repoDigests, forKey: .repoDigests)
    try values.encode(created, forKey: .created)
    try values.encode(size, forKey: .size)
    try values.encode(sharedSize, forKey: .sharedSize)
    try values.encodeUnlessUnset(virtualSize, forKey: .virtualSize)
    try values.encode(labels, forKey: .labels)
    try values.encode(containers, forKey: .containers)
  }
}

/// One step of an image's history (`HistoryResponseItem`).
package struct ImageHistoryResponseItem: Codable, Sendable, Hashable {
  package var id: String = ""
  package var created: Int64 = 0
  package var createdBy: String = ""
  package var tags: [String]?
  package var size: Int64 = 0
  package var comment: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "Id"
    case created = "Created"
    case createdBy = "CreatedBy"
    case tags = "Tags"
    case size = "Size"
    case comment = "Comment"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    created = try values.value(.created) ?? 0
    createdBy = try values.value(.createdBy) ?? ""
    tags = try values.decodeIfPresent([String].self, forKey: .tags)
    size = try values.value(.size) ?? 0
    comment = try values.value(.comment) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(created, forKey: .created)
    try values.encode(createdBy, forKey: .createdBy)
    try values.encode(tags, forKey: .tags)
    try values.encode(size, forKey: .size)
    try values.encode(comment, forKey: .comment)
  }
}

/// One thing that removing an image removed (`ImageDeleteResponseItem`).
package struct ImageDeleteResponseItem: Codable, Sendable, Hashable {
  package var untagged: String = ""
  package var deleted: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case untagged = "Untagged"
    case deleted = "Deleted"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    untagged = try values.value(.untagged) ?? ""
    deleted = try values.value(.deleted) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(untagged, forKey: .untagged)
    try values.encodeUnlessUnset(deleted, forKey: .deleted)
  }
}

/// What a prune of images removed.
package struct ImagePruneResponse: Codable, Sendable, Hashable {
  package var imagesDeleted: [ImageDeleteResponseItem]?
  package var spaceReclaimed: Int64 = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case imagesDeleted = "ImagesDeleted"
    case spaceReclaimed = "SpaceReclaimed"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    imagesDeleted = try values.decodeIfPresent(
      [ImageDeleteResponseItem].self, forKey: .imagesDeleted)
    spaceReclaimed = try values.value(.spaceReclaimed) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(imagesDeleted, forKey: .imagesDeleted)
    try values.encode(spaceReclaimed, forKey: .spaceReclaimed)
  }
}

/// What a registry says of an image (`DistributionInspect`).
package struct DistributionInspect: Codable, Sendable, Hashable {
  package var descriptor: OCIDescriptor = OCIDescriptor()
  package var platforms: [OCIPlatform] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case descriptor = "Descriptor"
    case platforms = "Platforms"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    descriptor = try values.value(.descriptor) ?? OCIDescriptor()
    platforms = try values.value(.platforms) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(descriptor, forKey: .descriptor)
    try values.encode(platforms, forKey: .platforms)
  }
}

/// A reference to content by digest (`OCIDescriptor`).
package struct OCIDescriptor: Codable, Sendable, Hashable {
  package var mediaType: String = ""
  package var digest: String = ""
  package var size: Int64 = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case mediaType
    case digest
    case size
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    mediaType = try values.value(.mediaType) ?? ""
    digest = try values.value(.digest) ?? ""
    size = try values.value(.size) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(mediaType, forKey: .mediaType)
    try values.encode(digest, forKey: .digest)
    try values.encode(size, forKey: .size)
  }
}

/// The machine an image runs on (`OCIPlatform`).
package struct OCIPlatform: Codable, Sendable, Hashable {
  package var architecture: String = ""
  package var os: String = ""
  package var osVersion: String = ""
  package var osFeatures: [String] = []
  package var variant: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case architecture
    case os
    case osVersion = "os.version"
    case osFeatures = "os.features"
    case variant
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    architecture = try values.value(.architecture) ?? ""
    os = try values.value(.os) ?? ""
    osVersion = try values.value(.osVersion) ?? ""
    osFeatures = try values.value(.osFeatures) ?? []
    variant = try values.value(.variant) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(architecture, forKey: .architecture)
    try values.encode(os, forKey: .os)
    try values.encodeUnlessUnset(osVersion, forKey: .osVersion)
    try values.encodeUnlessUnset(osFeatures, forKey: .osFeatures)
    try values.encodeUnlessUnset(variant, forKey: .variant)
  }
}

/// Credentials for a registry (`AuthConfig`), also the content of `X-Registry-Auth`.
package struct AuthConfig: Codable, Sendable, Hashable {
  package var username: String = ""
  package var password: String = ""
  package var auth: String = ""
  package var email: String = ""
  package var serveraddress: String = ""
  package var identitytoken: String = ""
  package var registrytoken: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case username
    case password
    case auth
    case email
    case serveraddress
    case identitytoken
    case registrytoken
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    username = try values.value(.username) ?? ""
    password = try values.value(.password) ?? ""
    auth = try values.value(.auth) ?? ""
    email = try values.value(.email) ?? ""
    serveraddress = try values.value(.serveraddress) ?? ""
    identitytoken = try values.value(.identitytoken) ?? ""
    registrytoken = try values.value(.registrytoken) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeUnlessUnset(username, forKey: .username)
    try values.encodeUnlessUnset(password, forKey: .password)
    try values.encodeUnlessUnset(auth, forKey: .auth)
    try values.encodeUnlessUnset(email, forKey: .email)
    try values.encodeUnlessUnset(serveraddress, forKey: .serveraddress)
    try values.encodeUnlessUnset(identitytoken, forKey: .identitytoken)
    try values.encodeUnlessUnset(registrytoken, forKey: .registrytoken)
  }
}

/// The answer to `POST /auth`.
package struct SystemAuthResponse: Codable, Sendable, Hashable {
  package var status: String = ""
  package var identityToken: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case status = "Status"
    case identityToken = "IdentityToken"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    status = try values.value(.status) ?? ""
    identityToken = try values.value(.identityToken) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(status, forKey: .status)
    try values.encodeUnlessUnset(identityToken, forKey: .identityToken)
  }
}
