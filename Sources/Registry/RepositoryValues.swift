package import Identity

/// Who may see a repository without being told.
package enum RepositoryVisibility: String, Sendable, Hashable, Codable {
  case `public`
  case `private`
}

/// A place for the manifests and blobs of one name.
package struct Repository: Sendable, Hashable {
  /// The id, which no other repository ever gets.
  package var id: String
  package var name: RepositoryName
  package var visibility: RepositoryVisibility
  /// Whether a tag, once pushed, stays with its manifest.
  package var immutableTags: Bool
  /// How many tags are kept, 0 for any number.
  package var tagLimit: Int
  /// Whether indexes and manifest lists are taken.
  package var enableManifestLists: Bool
  /// Whether pushed images are scanned at once.
  package var scanOnPush: Bool
  package var shortDescription: String
  package var longDescription: String
  package var createdAt: Timestamp
  /// The store's revision of the record.
  package var revision: Int64
}

/// How often a repository was used.
package struct RepositoryCounters: Sendable, Hashable, Codable {
  package var pulls: Int64 = 0
  package var pushes: Int64 = 0
}

/// What a repository is made with.
package struct RepositoryDraft: Sendable, Hashable {
  package var visibility: RepositoryVisibility
  package var immutableTags = false
  package var tagLimit = 0
  package var enableManifestLists = true
  package var scanOnPush = false
  package var shortDescription = ""
  package var longDescription = ""

  /// A draft of this visibility and the usual rest.
  package init(visibility: RepositoryVisibility = .public) {
    self.visibility = visibility
  }
}

/// Changes to a repository; nil leaves a value as it is.
package struct RepositoryChanges: Sendable, Hashable {
  package var visibility: RepositoryVisibility?
  package var immutableTags: Bool?
  package var tagLimit: Int?
  package var enableManifestLists: Bool?
  package var scanOnPush: Bool?
  package var shortDescription: String?
  package var longDescription: String?

  /// No changes.
  package init() {}
}

/// Part of a list, and whether more follows.
package struct Page<Element: Sendable>: Sendable {
  package var items: [Element]
  /// Whether the list goes on after the last item.
  package var more: Bool

  /// A page of these items.
  package init(items: [Element], more: Bool) {
    self.items = items
    self.more = more
  }
}

/// The level a team has on a repository or on a whole namespace.
package struct TeamAccess: Sendable, Hashable {
  package var team: TeamID
  package var level: AccessLevel
}

/// What a namespace may use; nil means without limit.
package struct NamespaceQuota: Sendable, Hashable, Codable {
  /// The most bytes of distinct content in all its repositories.
  package var bytes: Int64?
  /// The most repositories.
  package var repositories: Int?

  /// A quota of these limits.
  package init(bytes: Int64? = nil, repositories: Int? = nil) {
    self.bytes = bytes
    self.repositories = repositories
  }
}

/// What a namespace uses.
package struct NamespaceUsage: Sendable, Hashable {
  /// Bytes of distinct content in all its repositories.
  package var bytes: Int64
  package var repositories: Int
}

/// Rules for the whole registry that administrators change while it runs; one record in the store.
package struct GovernanceSettings: Sendable, Hashable, Codable {
  /// Whether a push to a repository that does not exist makes it, for those who administer the
  /// namespace.
  package var createOnPush = true
  /// The visibility of repositories made by a push.
  package var createOnPushVisibility = RepositoryVisibility.private
  /// Whether every change is refused.
  package var readOnly = false
  /// Whether new repositories scan what is pushed.
  package var scanOnPush = false

  /// The settings of a new registry.
  package init() {}
}

/// How one process of the registry works; given at its start.
package struct RegistrySettings: Sendable {
  /// How long content that nothing refers to is kept, so that a push under way finds it.
  package var grace: Duration = .seconds(24 * 3600)
  /// How long an upload may rest before it is dropped.
  package var uploadLifetime: Duration = .seconds(7 * 24 * 3600)
  /// What becomes of uploads that have rested too long.
  package var uploadPurging = UploadPurging.drops
  /// The most bytes of manifests kept in memory.
  package var manifestCacheBytes = 64 << 20
  /// The largest manifest that is taken, in bytes.
  package var maximumManifestBytes = 4 << 20
  /// The most digests that one manifest may refer to.
  package var maximumReferences = 8_192
  /// Whether blobs and manifests may be deleted by clients.
  package var allowsDeletion = true
  /// Whether this process refuses every change, whatever the rules for the whole registry say.
  package var isReadOnly = false

  /// What becomes of uploads that have rested too long.
  package enum UploadPurging: Sendable, Hashable {
    /// They are dropped, by collections of garbage as well.
    case drops
    /// Those that would be dropped are only counted.
    case counts
    /// They stay, unless somebody has them dropped.
    case keeps
  }

  /// The usual settings.
  package init() {}
}
