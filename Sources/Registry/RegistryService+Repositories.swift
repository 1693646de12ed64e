import Host
package import Identity
import StateStore

extension RegistryService {
  /// The repository of this name, nil when there is none.
  package func repository(_ name: RepositoryName) async throws -> Repository? {
    if let known = cache.repository(name.description) { return known }
    guard let found = try await fetch(Keys.repository(name), as: RepositoryRecord.self) else {
      return nil
    }
    let repository = found.record.repository(name, revision: found.revision)
    cache.remember(repository, readAt: found.readAt)
    return repository
  }

  /// The repository of this name, if it is known without reading records.
  package func cachedRepository(_ name: String) -> Repository? { cache.repository(name) }

  /// The repositories that the caller may see, in bytewise order of their names.
  package func repositories(
    visibleTo caller: Caller, namespace: String?, after: RepositoryName?, limit: Int
  ) async throws -> Page<Repository> {
    let prefix = namespace.map { Keys.repositories.appending($0 + "/") } ?? Keys.repositories
    let end = KeyRange.prefix(prefix).end
    var start = prefix
    if let after { start = max(start, Key(bytes: Keys.repository(after).bytes + [0])) }
    var page = Page<Repository>(items: [], more: false)
    while true {
      let part = try await read(
        RangeRequest(KeyRange(start: start, end: end), limit: min(max(limit, 1) + 1, 1_000)))
      for item in part.items {
        guard let text = item.key.suffix(after: Keys.repositories) else { continue }
        let repository = try RepositoryRecord(item).repository(
          RepositoryName(text), revision: item.modifyRevision)
        guard try await access(of: caller, to: repository) > .none else { continue }
        guard page.items.count < limit else {
          page.more = true
          return page
        }
        page.items.append(repository)
      }
      guard part.more, let last = part.items.last else { return page }
      start = Key(bytes: last.key.bytes + [0])
    }
  }

  /// The names of the repositories that the caller may pull from, in bytewise order, from after the
  /// text `after` on, which need not be a name there is.
  package func catalog(
    _ caller: Caller, after: String?, limit: Int
  ) async throws -> Page<RepositoryName> {
    var start = Keys.repositories
    if let after { start = Key(bytes: Keys.repositories.appending(after).bytes + [0]) }
    let end = KeyRange.prefix(Keys.repositories).end
    let seesAll = caller.isSystem || caller.isAdmin
    var page = Page<RepositoryName>(items: [], more: false)
    while true {
      let part = try await read(
        RangeRequest(
          KeyRange(start: start, end: end), limit: min(max(limit, 1) + 1, 1_000), keysOnly: seesAll)
      )
      for item in part.items {
        guard let text = item.key.suffix(after: Keys.repositories) else { continue }
        let name = try RepositoryName(text)
        if !seesAll {
          let repository = try RepositoryRecord(item).repository(
            name, revision: item.modifyRevision)
          guard try await access(of: caller, to: repository) > .none else { continue }
        }
        guard page.items.count < limit else {
          page.more = true
          return page
        }
        page.items.append(name)
      }
      guard part.more, let last = part.items.last else { return page }
      start = Key(bytes: last.key.bytes + [0])
    }
  }

  /// Makes a repository. Throws `denied` without admin on the namespace, `namespaceUnknown`,
  /// `repositoryExists`, `quotaExceeded`, `invalidParameters`.
  package func createRepository(
    _ name: RepositoryName, _ draft: RepositoryDraft, by caller: Caller
  ) async throws -> Repository {
    try await requireWritable()
    guard try await namespaceAccess(of: caller, to: name.namespace) == .admin else {
      throw caller.isAnonymous ? Self.unauthorized(name) : Self.denied(name)
    }
    if !caller.isSystem, try await namespaceAccount(name.namespace) == nil {
      throw RegistryError(
        .namespaceUnknown, "no account of the namespace's name",
        metadata: ["namespace": name.namespace])
    }
    try Self.check(tagLimit: draft.tagLimit)
    try await requireRepositoryQuota(name.namespace)
    let id = Identifier.hexadecimal(bytes: 12)
    let record = RepositoryRecord(id: id, draft, created: clock())
    let key = Keys.repository(name)
    var event = event(.create, .repository, nil, by: caller)
    event.repository = name
    event.repositoryID = id
    let created = try await commit(
      when: [.missing(key)],
      do: [
        .put(key, try record.encoded()), .put(Keys.removal(id), []), .put(Keys.addition(id), []),
        .put(Keys.name(id), Array(name.description.utf8)), try operation(event),
      ])
    guard created, let repository = try await repository(name) else {
      throw RegistryError(
        .repositoryExists, "a repository of this name exists",
        metadata: ["name": name.description])
    }
    return repository
  }

  /// Changes a repository's settings. Throws `repositoryUnknown`, `invalidParameters`.
  package func updateRepository(
    _ name: RepositoryName, _ changes: RepositoryChanges, by caller: Caller
  ) async throws -> Repository {
    try await requireWritable()
    if let limit = changes.tagLimit { try Self.check(tagLimit: limit) }
    let key = Keys.repository(name)
    try await retrying { () -> Void? in
      guard var found = try await fetch(key, as: RepositoryRecord.self) else {
        throw Self.unknown(name)
      }
      found.record.apply(changes)
      var event = event(.update, .repository, nil, by: caller)
      event.repository = name
      event.repositoryID = found.record.id
      let done = try await commit(
        when: [.modifyRevision(of: key, is: found.revision)],
        do: [.put(key, try found.record.encoded()), try operation(event)])
      return done ? () : nil
    }
    guard let repository = try await repository(name) else { throw Self.unknown(name) }
    return repository
  }

  /// Deletes a repository with its tags and manifests; blobs go with the next collection of
  /// garbage. Throws `repositoryUnknown`.
  package func deleteRepository(_ name: RepositoryName, by caller: Caller) async throws {
    try await requireWritable()
    let key = Keys.repository(name)
    try await retrying { () -> Void? in
      guard let found = try await fetch(key, as: RepositoryRecord.self) else {
        throw Self.unknown(name)
      }
      let id = found.record.id
      var event = event(.delete, .repository, nil, by: caller)
      event.repository = name
      event.repositoryID = id
      let ranges = [Keys.tags, Keys.manifests, Keys.links, Keys.referrers, Keys.teamAccess].map {
        Operation.delete(DeleteRequest(.prefix($0.appending(id + "/"))))
      }
      let done = try await commit(
        when: [.modifyRevision(of: key, is: found.revision)],
        do: ranges + [
          .delete(key), .delete(Keys.removal(id)), .delete(Keys.addition(id)),
          .delete(Keys.name(id)), .delete(Keys.counters.appending(id)), try operation(event),
        ])
      return done ? () : nil
    }
  }

  /// Deletes every repository of a namespace, its teams' access and its quota: for when its account
  /// goes, so that a later account of the same name does not find them. Returns how many
  /// repositories there were.
  @discardableResult
  package func deleteNamespace(_ namespace: String, by caller: Caller) async throws -> Int {
    try await requireWritable()
    var names: [RepositoryName] = []
    try await scan(Keys.repositories.appending(namespace + "/"), keysOnly: true) { item in
      guard let text = item.key.suffix(after: Keys.repositories) else { return }
      names.append(try RepositoryName(text))
    }
    var count = 0
    for name in names {
      do {
        try await deleteRepository(name, by: caller)
        count += 1
      } catch let error as RegistryError where error.code == .repositoryUnknown {
        continue
      }
    }
    let access = Keys.namespaceAccess.appending(namespace + "/")
    _ = try await commit(
      when: [],
      do: [
        .delete(DeleteRequest(.prefix(access))), .delete(Keys.quotas.appending(namespace)),
      ])
    return count
  }

  /// How often a repository was pulled from and pushed to.
  package func counters(of repository: Repository) async throws -> RepositoryCounters {
    try await fetch(Keys.counters.appending(repository.id), as: RepositoryCounters.self)?.record
      ?? RepositoryCounters()
  }

  private static func check(tagLimit: Int) throws {
    guard (0...1_000_000).contains(tagLimit) else {
      throw RegistryError(
        .invalidParameters, "the tag limit is out of range", metadata: ["tagLimit": "\(tagLimit)"])
    }
  }
}
