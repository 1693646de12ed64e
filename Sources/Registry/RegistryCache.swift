import StateStore
import Synchronization

/// Repositories and manifests that were read not long ago, right as long as a watch tells of every
/// change to them.
///
/// What is read at some revision is taken in only if nothing newer is known to have changed it, so
/// that a slow reader cannot put back what a writer has replaced.
final class RegistryCache: Sendable {
  private struct Name: Hashable {
    var repository: String
    var reference: String
  }

  private struct Entry {
    var manifest: StoredManifest
    var repositoryID: String
    var lastUse: UInt64
  }

  private struct State {
    var isHealthy = false
    /// Nothing read before this revision is taken in.
    var floor: Revision = 0
    /// When something of a repository, by name or id, was last changed.
    var changes: [String: Revision] = [:]
    var repositories: [String: Repository] = [:]
    var manifests: [Name: Entry] = [:]
    var names: [String: Set<Name>] = [:]
    var governance: GovernanceSettings?
    /// Lists of tags by the id of their repository.
    var tagLists: [String: TagList] = [:]
    var tagListBytes = 0
    var bytes = 0
    var tick: UInt64 = 0
  }

  private static let repositoryLimit = 20_000
  private static let changeLimit = 50_000
  private static let settingsName = "/settings"
  /// What an entry costs beside the manifest's bytes.
  private static let entryOverhead = 512

  private let byteLimit: Int
  private let state = Mutex(State())

  init(byteLimit: Int) {
    self.byteLimit = byteLimit
  }

  /// The records whose changes must be told.
  static var watchedKeys: KeyRange {
    .interval(Keys.manifests, KeyRange.prefix(Keys.tags).upperBound ?? Keys.teamAccess)
  }

  /// Whether a watch is in place.
  var isHealthy: Bool { state.withLock(\.isHealthy) }

  /// Forgets everything; from now on changes after `revision` are told.
  func begin(at revision: Revision) {
    state.withLock {
      $0 = State()
      $0.isHealthy = true
      $0.floor = revision
    }
  }

  /// Forgets everything and takes nothing in until ``begin(at:)``.
  func end() {
    state.withLock { $0 = State() }
  }

  /// The repository of this name, if it is known.
  func repository(_ name: String) -> Repository? {
    state.withLock { $0.repositories[name] }
  }

  /// The manifest, if it is known.
  func manifest(_ repository: String, _ reference: String) -> StoredManifest? {
    state.withLock { state in
      let name = Name(repository: repository, reference: reference)
      guard state.manifests[name] != nil else { return nil }
      state.tick += 1
      state.manifests[name]?.lastUse = state.tick
      return state.manifests[name]?.manifest
    }
  }

  /// The governance settings, if they are known.
  var governance: GovernanceSettings? { state.withLock(\.governance) }

  func remember(_ settings: GovernanceSettings, readAt revision: Revision) {
    state.withLock { state in
      guard Self.isCurrent(state, Self.settingsName, revision) else { return }
      state.governance = settings
    }
  }

  func remember(_ repository: Repository, readAt revision: Revision) {
    state.withLock { state in
      let name = repository.name.description
      guard Self.isCurrent(state, name, revision) else { return }
      if state.repositories.count >= Self.repositoryLimit { state.repositories = [:] }
      state.repositories[name] = repository
    }
  }

  /// Takes in that `reference` meant `manifest` when the store had `revision`.
  func remember(
    _ manifest: StoredManifest, as reference: String, in repository: Repository,
    readAt revision: Revision
  ) {
    state.withLock { state in
      let name = Name(repository: repository.name.description, reference: reference)
      guard Self.isCurrent(state, name.repository, revision),
        Self.isCurrent(state, repository.id, revision), manifest.size <= byteLimit / 8
      else { return }
      Self.remove(name, from: &state)
      state.tick += 1
      state.manifests[name] = Entry(
        manifest: manifest, repositoryID: repository.id, lastUse: state.tick)
      state.names[repository.id, default: []].insert(name)
      state.bytes += manifest.size + Self.entryOverhead
      if state.bytes > byteLimit { evict(&state) }
    }
  }

  /// The tags of the repository of this id, if they are known.
  func tagList(_ repositoryID: String) -> TagList? {
    state.withLock { $0.tagLists[repositoryID] }
  }

  /// Takes in what tags a repository had when the store had `revision`.
  func remember(_ list: TagList, of repository: Repository, readAt revision: Revision) {
    // Lists have a quarter of what manifests have, beside it.
    let (cost, limit) = (list.cost, byteLimit / 4)
    guard cost <= limit else { return }
    state.withLock { state in
      guard Self.isCurrent(state, repository.id, revision) else { return }
      Self.removeTagList(repository.id, from: &state)
      if state.tagListBytes + cost > limit { (state.tagLists, state.tagListBytes) = ([:], 0) }
      state.tagLists[repository.id] = list
      state.tagListBytes += cost
    }
  }

  private static func removeTagList(_ repositoryID: String, from state: inout State) {
    if let list = state.tagLists.removeValue(forKey: repositoryID) {
      state.tagListBytes -= list.cost
    }
  }

  /// Takes in that a record was changed by `revision`.
  func changed(_ key: Key, at revision: Revision) {
    if let name = key.suffix(after: Keys.repositories) {
      state.withLock { state in
        Self.note(name, revision, in: &state)
        let id = state.repositories.removeValue(forKey: name)?.id
        for stale in state.manifests.keys where stale.repository == name && id == nil {
          Self.remove(stale, from: &state)
        }
        for stale in id.flatMap({ state.names[$0] }) ?? [] { Self.remove(stale, from: &state) }
        if let id { Self.removeTagList(id, from: &state) }
      }
    } else if let rest = key.suffix(after: Keys.tags) ?? key.suffix(after: Keys.manifests) {
      guard let slash = rest.firstIndex(of: "/") else { return }
      let id = String(rest[..<slash])
      let reference = String(rest[rest.index(after: slash)...])
      state.withLock { state in
        Self.note(id, revision, in: &state)
        if !state.tagLists.isEmpty, key.suffix(after: Keys.tags) != nil {
          Self.removeTagList(id, from: &state)
        }
        for stale in state.names[id] ?? [] where stale.reference == reference {
          Self.remove(stale, from: &state)
        }
      }
    } else if key == Keys.settings {
      state.withLock { state in
        Self.note(Self.settingsName, revision, in: &state)
        state.governance = nil
      }
    }
  }

  private static func isCurrent(_ state: State, _ name: String, _ revision: Revision) -> Bool {
    state.isHealthy && revision >= state.floor && revision >= state.changes[name] ?? 0
  }

  private static func note(_ name: String, _ revision: Revision, in state: inout State) {
    if state.changes.count >= changeLimit {
      state.floor = max(state.floor, state.changes.values.max() ?? 0)
      state.changes = [:]
    }
    state.changes[name] = max(revision, state.changes[name] ?? 0)
  }

  private static func remove(_ name: Name, from state: inout State) {
    guard let entry = state.manifests.removeValue(forKey: name) else { return }
    state.bytes -= entry.manifest.size + entryOverhead
    state.names[entry.repositoryID]?.remove(name)
    if state.names[entry.repositoryID]?.isEmpty ?? false { state.names[entry.repositoryID] = nil }
  }

  /// Drops what was not used for the longest time, a quarter at once so that sorting is rare.
  private func evict(_ state: inout State) {
    let oldest = state.manifests.sorted { $0.value.lastUse < $1.value.lastUse }.map(\.key)
    for name in oldest {
      guard state.bytes > byteLimit / 4 * 3 else { return }
      Self.remove(name, from: &state)
    }
  }
}

extension KeyRange {
  /// The key the range ends before, if it has one.
  var upperBound: Key? {
    guard case .before(let end) = end else { return nil }
    return end
  }
}
