package import Identity
package import OCI

/// Something that happened to a repository.
package struct RegistryEvent: Sendable, Hashable, Codable {
  /// The kinds of events.
  package enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    case push = "PUSH"
    case pull = "PULL"
    case delete = "DELETE"
    case create = "CREATE"
    case update = "UPDATE"
    case promotion = "PROMOTION"
    case mirror = "MIRROR"
    case scan = "SCAN"
    case webhook = "WEBHOOK"
    case failure = "FAIL"
  }

  /// The kinds of things that events are about.
  package enum Object: String, Sendable, Hashable, Codable, CaseIterable {
    case repository
    case tag
    case manifest
    case blob
    case policy
    case webhook
    case settings
  }

  /// The place in the stream: fixed width, later events have greater ones.
  package var sequence: String
  package var time: Timestamp
  package var kind: Kind
  package var object: Object
  package var repository: RepositoryName?
  package var repositoryID: String?
  /// Name of who did it; empty for nobody in particular.
  package var actor: String
  /// Whence it was done, if it came over the network.
  package var address: String?
  package var digest: Digest?
  package var tag: Tag?
  package var mediaType: String?
  /// Whatever else there is to say, such as a promotion's target.
  package var facts: [String: String]?
}

/// Which events are wanted; nil wants all.
package struct EventFilter: Sendable, Hashable {
  package var kinds: Set<RegistryEvent.Kind>?
  package var object: RegistryEvent.Object?
  package var repository: RepositoryName?
  package var actor: String?
  /// Only events at or after this time.
  package var since: Timestamp?
  /// Only events before this time.
  package var until: Timestamp?
  /// Only events older than the one of this sequence: the next page.
  package var before: String?

  /// Every event.
  package init() {}
}

/// How thoroughly garbage is collected.
package struct GarbageOptions: Sendable, Hashable {
  /// Whether manifests that no tag, index or subject leads to are removed.
  package var removesUntaggedManifests = false
  /// Look, and remove nothing.
  package var dryRun = false
  /// How long unreferenced content is kept; nil for the registry's setting.
  package var grace: Duration?

  /// Collection of what nothing refers to.
  package init() {}
}

/// What a collection of garbage did.
package struct GarbageReport: Sendable, Hashable {
  package var repositories = 0
  package var manifestsRemoved = 0
  package var linksRemoved = 0
  package var blobsRemoved = 0
  package var bytesFreed: Int64 = 0
  /// Files without a record, left by a crash.
  package var orphansRemoved = 0
  package var uploadsRemoved = 0
}
