package import AsyncHTTPClient
import Identity
package import Logging
import NIOCore
package import OCI
package import Registry

/// Hands on the images of another registry and keeps what went through, so that it is there when the
/// other is not, and is fetched once however many ask.
///
/// Tags are compared with the other registry's when they were not lately; manifests come when they
/// are asked for, blobs too. Every method throws `RegistryError`, or `CancellationError`.
package actor PullThroughCache {
  /// What is handed on, and how.
  package struct Settings: Sendable {
    /// `http://` or `https://` with a host.
    package var remoteURL: String
    package var username = ""
    package var password = ""
    /// How long a tag is kept after it was last found to be right; zero for ever.
    package var timeToLive: Duration = .seconds(7 * 86_400)
    /// How long a tag is believed without asking.
    package var freshness: Duration = .seconds(60)

    /// The registry at this URL.
    package init(remoteURL: String) { self.remoteURL = remoteURL }
  }

  /// The most repositories whose sessions are kept.
  private static let sessionLimit = 256
  private static let dockerHub = "registry-1.docker.io"

  private nonisolated let registry: RegistryService
  package nonisolated let settings: Settings
  private let http: HTTPClient
  private let logger: Logger
  private var sessions: [String: RemoteRegistry] = [:]
  private var checked: [String: ContinuousClock.Instant] = [:]
  private var flights: [String: Task<Void, any Error>] = [:]

  /// A cache in this registry. `http` must not follow redirects.
  package init(
    registry: RegistryService, settings: Settings, http: HTTPClient, logger: Logger
  ) {
    self.registry = registry
    self.settings = settings
    self.http = http
    self.logger = logger
  }

  // MARK: What is asked for

  /// Sees to it that a manifest which the other registry has is here. `text` is the repository's
  /// name as the client wrote it. Does nothing where neither has it.
  package func ensureManifest(
    _ text: String, _ name: RepositoryName, _ reference: Reference
  ) async throws {
    switch reference {
    case .digest(let digest):
      if try await has(name, reference) { return }
      try await once("\(name)@\(digest)") {
        try await self.fetch(digest.description, text, name, as: .digest(digest))
      }
    case .tag(let tag):
      let key = "\(name):\(tag)"
      if let at = checked[key], at + settings.freshness > .now, try await has(name, reference) {
        return
      }
      try await once(key) { try await self.refresh(tag, text, name, key) }
    }
  }

  /// Sees to it that a blob which the other registry has is here.
  package func ensureBlob(
    _ text: String, _ name: RepositoryName, _ digest: Digest
  ) async throws {
    let repository = try await repository(name)
    if try await hasBlob(repository, digest) { return }
    try await once("\(name)/\(digest)") {
      // Another flight may have ended since.
      if try await self.hasBlob(repository, digest) { return }
      try await self.translating {
        let remote = try await self.session(text)
        try await ImageCopy(registry: self.registry, log: { _ in })
          .fetchBlob(digest, remote, repository)
      }
    }
  }

  private func has(_ name: RepositoryName, _ reference: Reference) async throws -> Bool {
    guard let repository = try await registry.repository(name) else { return false }
    do {
      _ = try await registry.resolveManifest(repository, reference)
      return true
    } catch let error as RegistryError where error.code == .manifestUnknown {
      return false
    }
  }

  private func hasBlob(_ repository: Repository, _ digest: Digest) async throws -> Bool {
    do {
      _ = try await registry.blob(repository, digest)
      return true
    } catch let error as RegistryError where error.code == .blobUnknown {
      return false
    }
  }

  /// Does something once for all who ask for it at the same time. It goes on when whoever asked
  /// first goes away.
  private func once(_ key: String, _ body: @escaping @Sendable () async throws -> Void) async throws
  {
    if let running = flights[key] { return try await running.value }
    let task = Task { try await body() }
    flights[key] = task
    defer { flights[key] = nil }
    try await task.value
  }

  // MARK: Going there

  private func refresh(
    _ tag: Tag, _ text: String, _ name: RepositoryName, _ key: String
  ) async throws {
    var known: TagRecord?
    if let repository = try await registry.repository(name) {
      do {
        known = try await registry.tag(repository, tag)
      } catch let error as RegistryError where error.code == .tagUnknown {
        known = nil
      }
    }
    do {
      let found: Digest?
      if let known {
        found = try await session(text).digest(of: tag.description)
        if let found, found == known.digest {
          note(key)
          return try await touch(known, name)
        }
      }
      try await fetch(tag.description, text, name, as: .tag(tag))
      note(key)
    } catch let error as JobError where known != nil && error.code == .remoteFailed {
      // What was right a while ago is better than nothing.
      logger.notice(
        "a tag cannot be compared with the other registry's",
        metadata: ["tag": "\(key)", "error": "\(error)"])
    }
  }

  private func note(_ key: String) {
    if checked.count > 100_000 { checked.removeAll() }
    checked[key] = .now
  }

  /// Marks a tag as right once in a while, for the sake of its time to live.
  private func touch(_ tag: TagRecord, _ name: RepositoryName) async throws {
    guard Timestamp.now() - tag.updatedAt > min(settings.timeToLive / 10, .seconds(3_600)),
      settings.timeToLive > .zero, let repository = try await registry.repository(name)
    else { return }
    let manifest = try await registry.resolveManifest(repository, .digest(tag.digest))
    _ = try await registry.putManifest(
      repository, .tag(tag.name), mediaType: manifest.mediaType, content: manifest.content,
      by: .system, requiresReferences: false)
  }

  /// Fetches a manifest; what it refers to comes when it is asked for. Does nothing when the other
  /// registry has none.
  private func fetch(
    _ remoteReference: String, _ text: String, _ name: RepositoryName, as reference: Reference
  ) async throws {
    try await translating {
      let remote = try await session(text)
      guard let found = try await remote.manifest(remoteReference) else { return }
      let repository = try await repository(name)
      _ = try await registry.putManifest(
        repository, reference, mediaType: found.mediaType, content: .init(bytes: found.bytes),
        by: .system, requiresReferences: false)
    }
  }

  /// The repository, which is made when the first thing of it goes through.
  private func repository(_ name: RepositoryName) async throws -> Repository {
    if let known = try await registry.repository(name) { return known }
    do {
      return try await registry.createRepository(
        name, RepositoryDraft(visibility: .public), by: .system)
    } catch let error as RegistryError where error.code == .repositoryExists {
      guard let known = try await registry.repository(name) else { throw error }
      return known
    }
  }

  private func session(_ text: String) async throws -> RemoteRegistry {
    if let known = sessions[text] { return known }
    let isDockerHub = settings.remoteURL.contains(Self.dockerHub)
    let remote = RemoteRepository(
      host: settings.remoteURL,
      repository: isDockerHub && !text.contains("/") ? "library/\(text)" : text,
      certificateAuthority: "", skipsTLSVerification: false, username: settings.username)
    let session = try await RemoteRegistry.connect(
      remote, RemoteSecret(password: settings.password, token: ""), http: http, actions: "pull",
      logger: logger)
    if sessions.count >= Self.sessionLimit { sessions.removeAll() }
    sessions[text] = session
    return session
  }

  private func translating(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let error as JobError {
      throw RegistryError(.unavailable, "the other registry cannot be used", cause: error)
    }
  }
}

/// Deletes the tags that were not found to be right for longer than they live, and what was only kept
/// for them.
struct ProxyExpiryJob: JobKind {
  let action = "proxy_expiry"
  let defaultSchedule: String? = "0 50 * * * *"
  let registry: RegistryService
  let runner: PolicyRunner
  let timeToLive: Duration

  func run(_ job: RunningJob) async throws -> String? {
    guard timeToLive > .zero else { return "tags are kept for ever" }
    let bound = Timestamp.now() - timeToLive
    var count = 0
    var after: RepositoryName?
    while true {
      let page = try await registry.repositories(
        visibleTo: .system, namespace: nil, after: after, limit: 500)
      for repository in page.items {
        for tag in try await runner.tags(repository) where tag.updatedAt < bound {
          try await registry.deleteTag(repository, tag.name, by: .system)
          count += 1
        }
      }
      guard page.more, let last = page.items.last else { break }
      after = last.name
    }
    if count > 0 {
      var options = GarbageOptions()
      options.removesUntaggedManifests = true
      _ = try await registry.collectGarbage(options)
    }
    return "\(count) tags expired"
  }
}
