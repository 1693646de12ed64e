import BlobStorage
import FoundationEssentials
import Identity
import OCI
import StateStore

/// Where records lie in the store.
enum Keys {
  static let root: Key = "/registry/"
  static let repositories: Key = "/registry/repositories/"
  static let links: Key = "/registry/links/"
  static let manifests: Key = "/registry/manifests/"
  static let tags: Key = "/registry/tags/"
  static let referrers: Key = "/registry/referrers/"
  static let blobs: Key = "/registry/blobs/"
  static let uses: Key = "/registry/uses/"
  static let uploads: Key = "/registry/uploads/"
  static let events: Key = "/registry/events/"
  static let names: Key = "/registry/names/"
  static let counters: Key = "/registry/counters/"
  static let removals: Key = "/registry/removals/"
  static let additions: Key = "/registry/additions/"
  static let teamAccess: Key = "/registry/team-access/"
  static let namespaceAccess: Key = "/registry/namespace-access/"
  static let quotas: Key = "/registry/quotas/"
  static let settings: Key = "/registry/settings"

  static func repository(_ name: RepositoryName) -> Key {
    repositories.appending(name.description)
  }
  /// The name of the repository of an id.
  static func name(_ repository: String) -> Key { names.appending(repository) }
  static func link(_ repository: String, _ digest: Digest) -> Key {
    links.appending("\(repository)/\(digest)")
  }
  static func manifest(_ repository: String, _ digest: Digest) -> Key {
    manifests.appending("\(repository)/\(digest)")
  }
  static func tag(_ repository: String, _ tag: String) -> Key {
    tags.appending("\(repository)/\(tag)")
  }
  static func referrer(_ repository: String, _ subject: Digest, _ digest: Digest) -> Key {
    referrers.appending("\(repository)/\(subject)/\(digest)")
  }
  static func blob(_ digest: Digest) -> Key { blobs.appending(digest.description) }
  /// That a repository has a blob.
  static func blobUse(_ repository: String, _ digest: Digest) -> Key {
    uses.appending("\(digest)/\(repository)/b")
  }
  /// That a repository has a manifest.
  static func manifestUse(_ repository: String, _ digest: Digest) -> Key {
    uses.appending("\(digest)/\(repository)/m")
  }
  static func upload(_ id: String) -> Key { uploads.appending(id) }
  /// Written by whatever takes a blob or manifest out of a repository, and compared by what relies
  /// on one being there.
  static func removal(_ repository: String) -> Key { removals.appending(repository) }
  /// Written by the push of a manifest, and compared by the collector, which relies on there being
  /// no more references than it saw.
  static func addition(_ repository: String) -> Key { additions.appending(repository) }
}

/// A record that is kept as JSON.
protocol StoredRecord: Codable, Sendable {}

extension StoredRecord {
  func encoded() throws -> [UInt8] {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return try Array(encoder.encode(self))
    } catch {
      throw RegistryError(.corrupt, "a record cannot be written", cause: error)
    }
  }

  init(_ item: KeyValue) throws {
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(item.value))
    } catch {
      throw RegistryError(
        .corrupt, "a record cannot be read", metadata: ["key": item.key.string], cause: error)
    }
  }
}

/// A repository. Names of members are short since there are many records.
struct RepositoryRecord: StoredRecord {
  var v = 1
  var id: String
  var visibility: RepositoryVisibility
  var immutable: Bool
  var tagLimit: Int
  var lists: Bool
  var scan: Bool
  var short: String
  var long: String
  var created: Int64

  init(id: String, _ draft: RepositoryDraft, created: Timestamp) {
    self.id = id
    visibility = draft.visibility
    immutable = draft.immutableTags
    tagLimit = draft.tagLimit
    lists = draft.enableManifestLists
    scan = draft.scanOnPush
    short = draft.shortDescription
    long = draft.longDescription
    self.created = created.milliseconds
  }

  mutating func apply(_ changes: RepositoryChanges) {
    visibility = changes.visibility ?? visibility
    immutable = changes.immutableTags ?? immutable
    tagLimit = changes.tagLimit ?? tagLimit
    lists = changes.enableManifestLists ?? lists
    scan = changes.scanOnPush ?? scan
    short = changes.shortDescription ?? short
    long = changes.longDescription ?? long
  }

  func repository(_ name: RepositoryName, revision: Revision) -> Repository {
    Repository(
      id: id, name: name, visibility: visibility, immutableTags: immutable, tagLimit: tagLimit,
      enableManifestLists: lists, scanOnPush: scan, shortDescription: short,
      longDescription: long, createdAt: Timestamp(milliseconds: created), revision: revision)
  }
}

/// That a repository has a blob: its size, and when a push last asked for it.
struct LinkRecord: StoredRecord {
  var v = 1
  var size: Int64
  var used: Int64
}

/// Where a blob's bytes lie.
struct BlobRecord: StoredRecord {
  var v = 1
  var key: StorageKey
  var size: Int64
  var used: Int64
}

/// A tag.
struct StoredTag: StoredRecord {
  var v = 1
  var digest: Digest
  var author: String
  var created: Int64
  var updated: Int64

  func record(_ name: Tag) -> TagRecord {
    TagRecord(
      name: name, digest: digest, author: author, createdAt: Timestamp(milliseconds: created),
      updatedAt: Timestamp(milliseconds: updated))
  }
}

/// A manifest of a repository.
struct ManifestRecord: StoredRecord {
  /// Manifests that refer to more than this are read again by who wants to know to what.
  static let referencesKept = 256

  var v = 1
  var type: String
  var size: Int64
  var total: Int64
  var config: Digest?
  var configType: String?
  var artifact: String?
  var subject: Digest?
  var os: String?
  var osVersion: String?
  var arch: String?
  var author: String
  var created: Int64
  /// When it was last pushed.
  var touched: Int64
  /// What the manifest cannot do without; nil when there is too much of it.
  var blobs: [Digest]?
  var children: [Digest]?

  func summary(_ digest: Digest) -> ManifestSummary {
    ManifestSummary(
      digest: digest, mediaType: type, totalSize: total, configDigest: config,
      configMediaType: configType, artifactType: artifact, subject: subject, os: os,
      osVersion: osVersion, architecture: arch, author: author,
      createdAt: Timestamp(milliseconds: created), children: children ?? [])
  }
}

/// An entry of a referrers list.
struct ReferrerRecord: StoredRecord {
  var v = 1
  var entry: ReferrersList.Referrer
}

/// An upload under way.
struct UploadRecord: StoredRecord {
  var v = 1
  var repository: RepositoryName
  var repositoryID: String
  var account: String
  var started: Int64
  var touched: Int64
}

/// The level of a team.
struct AccessRecord: StoredRecord {
  var v = 1
  var level: AccessLevel
}

extension RegistryEvent: StoredRecord {}
extension RepositoryCounters: StoredRecord {}
extension NamespaceQuota: StoredRecord {}
extension GovernanceSettings: StoredRecord {}
