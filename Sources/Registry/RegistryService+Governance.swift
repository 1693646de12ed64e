package import Identity
import OCI
import StateStore

extension RegistryService {
  /// The rules for the whole registry.
  package func governance() async throws -> GovernanceSettings {
    if let known = cache.governance { return known }
    let response = try await read(RangeRequest(.key(Keys.settings)))
    let settings = try response.items.first.map { try GovernanceSettings($0) }
    cache.remember(settings ?? GovernanceSettings(), readAt: response.revision)
    return settings ?? GovernanceSettings()
  }

  /// Changes the rules for the whole registry; works in read-only mode, which it can end.
  package func setGovernance(_ settings: GovernanceSettings, by caller: Caller) async throws {
    let event = event(.update, .settings, nil, by: caller)
    _ = try await commit(
      when: [], do: [.put(Keys.settings, try settings.encoded()), try operation(event)])
  }

  /// The teams with access to a repository, by id.
  package func teamAccess(on repository: Repository) async throws -> [TeamAccess] {
    try await teamAccess(below: Keys.teamAccess.appending(repository.id + "/"))
  }

  /// The teams with access to a whole namespace, by id.
  package func teamAccess(onNamespace namespace: String) async throws -> [TeamAccess] {
    try await teamAccess(below: Keys.namespaceAccess.appending(namespace + "/"))
  }

  private func teamAccess(below prefix: Key) async throws -> [TeamAccess] {
    try await read(RangeRequest(.prefix(prefix))).items.compactMap { item in
      guard let team = item.key.suffix(after: prefix).flatMap({ TeamID($0) }) else { return nil }
      return TeamAccess(team: team, level: try AccessRecord(item).level)
    }
  }

  /// Gives a team a level on a repository; none takes it away. Throws `notAnOrganization`,
  /// `teamUnknown`, `repositoryUnknown`.
  package func setTeamAccess(
    _ level: AccessLevel, for team: TeamID, on repository: Repository, by caller: Caller
  ) async throws {
    try await requireWritable()
    if level > .none { try await requireTeam(team, of: repository.name.namespace) }
    let key = Keys.teamAccess.appending("\(repository.id)/\(team.description)")
    var event = event(.update, .repository, repository, by: caller)
    event.facts = ["team": team.description, "accessLevel": level.name]
    let change: Operation =
      level == .none ? .delete(key) : .put(key, try AccessRecord(level: level).encoded())
    guard
      try await commit(
        when: [.exists(Keys.removal(repository.id))], do: [change, try operation(event)])
    else { throw Self.unknown(repository.name) }
  }

  /// Gives a team a level on a whole namespace; none takes it away. Throws `notAnOrganization`,
  /// `teamUnknown`.
  package func setTeamAccess(
    _ level: AccessLevel, for team: TeamID, onNamespace namespace: String, by caller: Caller
  ) async throws {
    try await requireWritable()
    if level > .none { try await requireTeam(team, of: namespace) }
    let key = Keys.namespaceAccess.appending("\(namespace)/\(team.description)")
    var event = event(.update, .settings, nil, by: caller)
    event.facts = ["namespace": namespace, "team": team.description, "accessLevel": level.name]
    let change: Operation =
      level == .none ? .delete(key) : .put(key, try AccessRecord(level: level).encoded())
    _ = try await commit(when: [], do: [change, try operation(event)])
  }

  private func requireTeam(_ team: TeamID, of namespace: String) async throws {
    guard let account = try await namespaceAccount(namespace), account.kind == .organization else {
      throw RegistryError(
        .notAnOrganization, "only organizations have teams", metadata: ["namespace": namespace])
    }
    guard try await isTeam(team, of: account) else {
      throw RegistryError(
        .teamUnknown, "the organization has no such team",
        metadata: ["namespace": namespace, "team": team.description])
    }
  }

  private func isTeam(_ team: TeamID, of organization: Account) async throws -> Bool {
    do {
      return try await identity.teams(of: organization.id).contains { $0.id == team }
    } catch let error as IdentityError {
      throw RegistryError(.unavailable, "the teams cannot be looked up", cause: error)
    }
  }

  /// What a namespace may use, nil for everything.
  package func quota(of namespace: String) async throws -> NamespaceQuota? {
    try await fetch(Keys.quotas.appending(namespace), as: NamespaceQuota.self)?.record
  }

  /// Limits what a namespace may use; nil lifts the limit. What is there already stays.
  package func setQuota(
    _ quota: NamespaceQuota?, of namespace: String, by caller: Caller
  ) async throws {
    let key = Keys.quotas.appending(namespace)
    var event = event(.update, .settings, nil, by: caller)
    event.facts = ["namespace": namespace]
    let change: Operation = try quota.map { .put(key, try $0.encoded()) } ?? .delete(key)
    _ = try await commit(when: [], do: [change, try operation(event)])
  }

  /// What a namespace uses. Reads every record of its content.
  package func usage(of namespace: String) async throws -> NamespaceUsage {
    var ids: [String] = []
    try await scan(Keys.repositories.appending(namespace + "/")) { item in
      ids.append(try RepositoryRecord(item).id)
    }
    var sizes: [String: Int64] = [:]
    for id in ids {
      let links = Keys.links.appending(id + "/")
      try await scan(links) { item in
        sizes[item.key.suffix(after: links) ?? ""] = try LinkRecord(item).size
      }
      let manifests = Keys.manifests.appending(id + "/")
      try await scan(manifests) { item in
        sizes[item.key.suffix(after: manifests) ?? ""] = try ManifestRecord(item).size
      }
    }
    return NamespaceUsage(bytes: sizes.values.reduce(0, +), repositories: ids.count)
  }

  /// Refuses content that the namespace has no room for.
  func requireRoom(_ namespace: String, for size: Int64) async throws {
    guard let limit = try await quota(of: namespace)?.bytes else { return }
    let used = try await usage(of: namespace).bytes
    guard size <= limit, used <= limit - size else {
      throw RegistryError(
        .quotaExceeded, "the namespace has no room for this",
        metadata: ["namespace": namespace, "used": "\(used)", "limit": "\(limit)"])
    }
  }

  func requireRepositoryQuota(_ namespace: String) async throws {
    guard let limit = try await quota(of: namespace)?.repositories else { return }
    let count = try await read(
      RangeRequest(.prefix(Keys.repositories.appending(namespace + "/")), countOnly: true)
    ).count
    guard count < limit else {
      throw RegistryError(
        .quotaExceeded, "the namespace may have no more repositories",
        metadata: ["namespace": namespace, "limit": "\(limit)"])
    }
  }
}
