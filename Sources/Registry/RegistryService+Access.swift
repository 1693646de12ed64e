package import Identity
import StateStore

extension RegistryService {
  /// The repository, if the caller may do `action` with it.
  ///
  /// Throws `unauthorized` when nobody is logged in, or when the token was not issued for this
  /// (`metadata["reason"]` is `scope`); `repositoryUnknown` when the caller may not know whether
  /// there is such a repository; `denied` otherwise.
  package func authorize(
    _ caller: Caller, _ action: RepositoryAction, on name: RepositoryName
  ) async throws -> Repository {
    let found = try await repository(name)
    let level: AccessLevel
    if let found {
      level = try await access(of: caller, to: found)
    } else {
      level = .none
    }
    guard let found, level > .none else {
      if caller.isAnonymous { throw Self.unauthorized(name) }
      throw Self.unknown(name)
    }
    guard PermissionTable.allows(level, action) else {
      if caller.isAnonymous { throw Self.unauthorized(name) }
      throw Self.denied(name)
    }
    try requireScope(caller, PermissionTable.tokenAction(for: action), name)
    return found
  }

  /// As ``authorize(_:_:on:)`` for a push; a repository that does not exist is made where the
  /// settings and the caller's rights on the namespace let it. Whether a repository that the
  /// caller may not see exists cannot be told from the answer.
  package func authorizePush(
    _ caller: Caller, to name: RepositoryName
  ) async throws -> Repository {
    if try await repository(name) != nil {
      do {
        return try await authorize(caller, .push, on: name)
      } catch let error as RegistryError where error.code == .repositoryUnknown {
        throw Self.denied(name)
      }
    }
    guard try await mayCreateByPush(caller, name) else {
      throw caller.isAnonymous ? Self.unauthorized(name) : Self.denied(name)
    }
    try requireScope(caller, "push", name)
    var draft = RepositoryDraft()
    let rules = try await governance()
    draft.visibility = caller.isSystem ? .public : rules.createOnPushVisibility
    draft.scanOnPush = rules.scanOnPush
    do {
      return try await createRepository(name, draft, by: caller)
    } catch let error as RegistryError where error.code == .repositoryExists {
      return try await authorize(caller, .push, on: name)
    }
  }

  private func mayCreateByPush(_ caller: Caller, _ name: RepositoryName) async throws -> Bool {
    if caller.isSystem { return true }
    guard try await governance().createOnPush else { return false }
    guard try await namespaceAccess(of: caller, to: name.namespace) == .admin else { return false }
    return try await namespaceAccount(name.namespace) != nil
  }

  /// The caller's level on a repository, none when it does not exist.
  package func access(of caller: Caller, to name: RepositoryName) async throws -> AccessLevel {
    guard let repository = try await repository(name) else { return .none }
    return try await access(of: caller, to: repository)
  }

  /// The caller's level on a repository, whatever a token limits it to.
  package func access(of caller: Caller, to repository: Repository) async throws -> AccessLevel {
    if let known = immediateAccess(of: caller, to: repository) { return known }
    var level: AccessLevel = repository.visibility == .public ? .readOnly : .none
    level = max(level, try await namespaceAccess(of: caller, to: repository.name.namespace))
    guard level < .admin, !caller.teams.isEmpty else { return level }
    for access in try await teamAccess(on: repository) where caller.teams.contains(access.team) {
      level = max(level, access.level)
    }
    return level
  }

  /// The caller's level where it can be told without reading records; nil where not.
  package func immediateAccess(of caller: Caller, to repository: Repository) -> AccessLevel? {
    if caller.isSystem || caller.isAdmin || caller.name == repository.name.namespace {
      return .admin
    }
    guard caller.organizations.isEmpty, caller.teams.isEmpty else { return nil }
    return repository.visibility == .public ? .readOnly : AccessLevel.none
  }

  /// The caller's level on a whole namespace: admin may make repositories in it.
  package func namespaceAccess(
    of caller: Caller, to namespace: String
  ) async throws -> AccessLevel {
    if caller.isSystem || caller.isAdmin { return .admin }
    if caller.isAnonymous { return .none }
    if caller.name == namespace { return .admin }
    guard !caller.organizations.isEmpty || !caller.teams.isEmpty else { return .none }
    if let account = try await namespaceAccount(namespace),
      caller.organizations[account.id] == .owner
    {
      return .admin
    }
    guard !caller.teams.isEmpty else { return .none }
    var level = AccessLevel.none
    for access in try await teamAccess(onNamespace: namespace)
    where caller.teams.contains(access.team) {
      level = max(level, access.level)
    }
    return level
  }

  /// Those of the asked token actions that the caller may have on a repository, for the token
  /// service.
  package func grantedActions(
    _ caller: Caller, on name: RepositoryName, asked: [String]
  ) async throws -> [String] {
    var allowed: [String]
    if let found = try await repository(name) {
      allowed = PermissionTable.tokenActions(try await access(of: caller, to: found))
    } else {
      let creates = try await mayCreateByPush(caller, name)
      allowed = PermissionTable.tokenActions(creates ? .admin : .none)
    }
    if let grants = caller.grants {
      let limits = Self.grantedActions(grants, name)
      if !limits.contains("*") { allowed = allowed.filter(limits.contains) }
    }
    var seen: Set<String> = []
    return asked.filter { allowed.contains($0) && seen.insert($0).inserted }
  }

  /// Whether what the caller was logged in with lets it do `action`, whatever its rights.
  func hasScope(_ caller: Caller, _ action: String, _ name: RepositoryName) -> Bool {
    guard let grants = caller.grants else { return true }
    let actions = Self.grantedActions(grants, name)
    return actions.contains(action) || actions.contains("*")
  }

  private func requireScope(
    _ caller: Caller, _ action: String, _ name: RepositoryName
  ) throws {
    guard hasScope(caller, action, name) else {
      throw RegistryError(
        .unauthorized, "the token was not issued for this",
        metadata: ["name": name.description, "action": action, "reason": "scope"])
    }
  }

  private static func grantedActions(_ grants: [TokenGrant], _ name: RepositoryName) -> Set<String>
  {
    var actions: Set<String> = []
    for grant in grants where grant.type == "repository" {
      let isShort = name.namespace == RepositoryName.libraryNamespace && grant.name == name.name
      if grant.name == name.description || isShort { actions.formUnion(grant.actions) }
    }
    return actions
  }

  /// The account a namespace belongs to.
  func namespaceAccount(_ namespace: String) async throws -> Account? {
    guard let name = AccountName(namespace) else { return nil }
    do {
      return try await identity.account(name)
    } catch let error as IdentityError where error.code == .noSuchAccount {
      return nil
    } catch let error as IdentityError {
      throw RegistryError(.unavailable, "the account cannot be looked up", cause: error)
    }
  }

  static func unauthorized(_ name: RepositoryName) -> RegistryError {
    RegistryError(
      .unauthorized, "authentication required", metadata: ["name": name.description])
  }

  static func denied(_ name: RepositoryName) -> RegistryError {
    RegistryError(
      .denied, "requested access to the resource is denied", metadata: ["name": name.description])
  }

  static func unknown(_ name: RepositoryName) -> RegistryError {
    RegistryError(
      .repositoryUnknown, "repository name not known to registry",
      metadata: ["name": name.description])
  }
}

extension Caller {
  /// Whether the caller is the registry itself, or a registry that knows no accounts.
  var isSystem: Bool {
    if case .system = subject { return true }
    return false
  }
}
