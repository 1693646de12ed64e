// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Identity
import NIOHTTP1
import OCI
import Registry

/// Whom a namespace belongs to.
enum NamespaceType: String, APIChoice { case user, organization }

/// Who may see a repository.
enum Visibility: String, APIChoice {
  case `public`
  case `private`
}

/// A repository as the REST API shows it.
struct RepositoryWire: APIObject {
  static let schemaName = "Repository"
  var id: String
  var namespace: String
  var namespaceType: NamespaceType
  var name: String
  var shortDescription: String
  var longDescription: String
  var visibility: Visibility
  var scanOnPush: Bool
  var immutableTags: Bool
  var enableManifestLists: Bool
  var pulls: Int64
  var pushes: Int64
  var tagLimit: Int

  init(_ repository: Repository, _ type: NamespaceType, _ counters: RepositoryCounters) {
    id = repository.id
    namespace = repository.name.namespace
    namespaceType = type
    name = repository.name.name
    shortDescription = repository.shortDescription
    longDescription = repository.longDescription
    visibility = repository.visibility == .public ? .public : .private
    scanOnPush = repository.scanOnPush
    immutableTags = repository.immutableTags
    enableManifestLists = repository.enableManifestLists
    pulls = counters.pulls
    pushes = counters.pushes
    tagLimit = repository.tagLimit
  }
}

struct RepositoryList: APIObject {
  var repositories: [RepositoryWire]
}

/// What a repository is made of, or what of it is changed.
struct RepositoryForm: APIObject {
  var name: String?
  var shortDescription: String?
  var longDescription: String?
  var visibility: String?
  var scanOnPush: Bool?
  var immutableTags: Bool?
  var enableManifestLists: Bool?
  var tagLimit: Int?

  /// Throws ``RESTError``.
  func parsedVisibility() throws -> RepositoryVisibility? {
    guard let visibility, !visibility.isEmpty else { return nil }
    guard let value = RepositoryVisibility(rawValue: visibility) else {
      throw RESTError(
        .badRequest, "INVALID_REPOSITORY_VISIBILITY", "the visibility must be public or private")
    }
    return value
  }
}

struct ScanToggle: APIObject {
  var scanOnPush: Bool
}

/// One line of an image's history.
struct HistoryLineWire: APIObject {
  static let schemaName = "HistoryLine"
  var line: String
  var layerDigest: String
  var size: Int64
  var isEmpty: Bool
  var mediaType: String
  var urls: [String]

  init(_ line: HistoryLine) {
    self.line = line.line
    layerDigest = line.layerDigest?.description ?? ""
    size = line.size
    isEmpty = line.isEmpty
    mediaType = line.mediaType ?? ""
    urls = line.urls
  }
}

/// A manifest as the REST API shows it.
struct ManifestWire: APIObject {
  static let schemaName = "Manifest"
  struct Child: APIObject {
    static let schemaName = "ManifestChild"
    var digest: String
  }

  var digest: String
  var mediaType: String
  var configDigest: String
  var configMediaType: String
  var os: String
  var osVersion: String
  var architecture: String
  var author: String
  var size: Int64
  var createdAt: Timestamp
  var artifactType: String?
  var dockerfile: [HistoryLineWire]?
  var manifests: [Child]?

  init(_ summary: ManifestSummary, history: [HistoryLine]? = nil) {
    digest = summary.digest.description
    mediaType = summary.mediaType
    configDigest = summary.configDigest?.description ?? ""
    configMediaType = summary.configMediaType ?? ""
    os = summary.os ?? ""
    osVersion = summary.osVersion ?? ""
    architecture = summary.architecture ?? ""
    author = summary.author
    size = summary.totalSize
    createdAt = summary.createdAt
    artifactType = summary.artifactType
    if MediaType.isIndex(summary.mediaType) {
      manifests = summary.children.map { Child(digest: $0.description) }
    } else {
      dockerfile = history?.map(HistoryLineWire.init)
    }
  }
}

/// A tag as the REST API shows it. Nothing is signed yet.
struct TagWire: APIObject {
  static let schemaName = "Tag"
  var name: String
  var digest: String
  var author: String
  var createdAt: Timestamp
  var updatedAt: Timestamp
  var hashMismatch: Bool
  var inNotary: Bool
  var manifest: ManifestWire

  init(_ tag: TagRecord, _ manifest: ManifestWire) {
    name = tag.name.description
    digest = tag.digest.description
    author = tag.author
    createdAt = tag.createdAt
    updatedAt = tag.updatedAt
    hashMismatch = false
    inNotary = false
    self.manifest = manifest
  }
}

/// A tag by name and digest.
struct TagReference: APIObject {
  var name: String
  var digest: String
}

struct PromotionForm: APIObject {
  var targetRepository: String
  var targetTag: String?
}

/// What a promotion by hand did. The field with the digest is called `string` by the product.
struct PromotionResult: APIObject {
  var promotionPolicyID: String
  var string: String
  var sourceRepository: String
  var sourceTag: String
}

struct PushMirroringForm: APIObject {
  var remoteHost: String
  var remoteRepository: String
  var remoteTag: String?
  var remoteCA: String?
  var skipTLSVerification: Bool?
  var username: String?
  var password: String?
  var authToken: String?
}

struct PushMirroringResult: APIObject {
  var mirroringPolicyID: String
  var digest: String
  var remoteRepository: String
  var remoteTag: String
  /// The job that sends it.
  var jobID: String
}

/// A level of access.
enum AccessLevelName: String, APIChoice {
  case readOnly = "read-only"
  case readWrite = "read-write"
  case admin

  init?(_ level: AccessLevel) {
    guard let value = AccessLevelName(rawValue: level.name) else { return nil }
    self = value
  }
}

struct TeamWire: APIObject {
  static let schemaName = "TeamReference"
  var id: String
  var clientUserIsMember: Bool
}

struct TeamAccessEntry: APIObject {
  var accessLevel: AccessLevelName
  var team: TeamWire
}

struct RepositoryTeamAccess: APIObject {
  var repository: RepositoryWire
  var teamAccessList: [TeamAccessEntry]
}

struct NamespaceReference: APIObject {
  var id: String
  var name: String
  var type: NamespaceType
}

struct NamespaceTeamAccessList: APIObject {
  var namespace: NamespaceReference
  var teamAccessList: [TeamAccessEntry]
}

struct NamespaceTeamAccess: APIObject {
  var accessLevel: AccessLevelName
  var team: TeamWire
  var namespace: NamespaceReference
}

struct AccessForm: APIObject {
  var accessLevel: String

  /// Throws ``RESTError``.
  func level() throws -> AccessLevel {
    guard let level = AccessLevel(name: accessLevel) else {
      throw RESTError(
        .badRequest, "INVALID_ACCESS_LEVEL",
        "the level must be read-only, read-write or admin")
    }
    return level
  }
}

struct RepositoryAccessEntry: APIObject {
  var accessLevel: AccessLevelName
  var repository: RepositoryWire
}

struct TeamRepositoryAccess: APIObject {
  var team: TeamWire
  var repositoryAccessList: [RepositoryAccessEntry]
}

struct UserRepositoryAccess: APIObject {
  var accessLevel: String
  var user: AccountWire
  var repository: RepositoryWire
}

/// What a namespace may use and uses. 0 means without limit.
struct QuotaWire: APIObject {
  static let schemaName = "Quota"
  var namespace: String
  var maximumBytes: Int64
  var maximumRepositories: Int
  var usedBytes: Int64
  var usedRepositories: Int
}

struct QuotaForm: APIObject {
  var maximumBytes: Int64?
  var maximumRepositories: Int?
}

/// An upload that is not finished.
struct UploadWire: APIObject {
  static let schemaName = "Upload"
  var id: String
  var repository: String
  var account: String
  var startedAt: Timestamp
}
