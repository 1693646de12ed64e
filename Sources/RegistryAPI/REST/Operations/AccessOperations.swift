import Identity
import NIOHTTP1
import Registry

/// What teams may do with repositories and namespaces.
enum AccessOperations {
  private static let repository = "/api/v0/repositories/{namespace}/{repository}/teamAccess"
  private static let namespace = "/api/v0/repositoryNamespaces/{namespace}/teamAccess"
  private static let errors: [(HTTPResponseStatus, String)] = [
    (.notFound, "NO_SUCH_REPOSITORY"), (.notFound, "NO_SUCH_TEAM"),
    (.badRequest, "NOT_AN_ORGANIZATION"), (.badRequest, "INVALID_ACCESS_LEVEL"),
  ]

  static let all: [RESTOperation] = [
    RESTOperation(
      .GET, repository,
      .init(
        "listRepositoryTeamAccess", "access", "List the teams with access to a repository.",
        query: RESTParameter.page, errors: errors)
    ) { request in
      .init(try await list(try await request.repository(.manageAccess), request))
    },
    RESTOperation(
      .PUT, repository + "/{team}",
      .init(
        "setRepositoryTeamAccess", "access", "Give a team a level on a repository.",
        errors: errors), takes: AccessForm.self
    ) { request, form in
      let repository = try await request.repository(.manageAccess)
      let team = try await team(request, ofNamespace: repository.name.namespace)
      try await request.registry.setTeamAccess(
        form.level(), for: team.id, on: repository, by: request.caller)
      return .init(try await list(repository, request))
    },
    RESTOperation(
      .DELETE, repository + "/{team}",
      .init(
        "deleteRepositoryTeamAccess", "access", "Take a team's level on a repository away.",
        errors: errors), success: .noContent
    ) { request in
      let repository = try await request.repository(.manageAccess)
      let team = try await team(request, ofNamespace: repository.name.namespace)
      try await request.registry.setTeamAccess(
        .none, for: team.id, on: repository, by: request.caller)
      return .init(Nothing())
    },
    RESTOperation(
      .GET, namespace,
      .init(
        "listNamespaceTeamAccess", "access", "List the teams with access to a whole namespace.",
        query: RESTParameter.page, errors: [(.notFound, "NO_SUCH_ACCOUNT")])
    ) { try await listNamespace($0) },
    RESTOperation(
      .GET, namespace + "/{team}",
      .init(
        "getNamespaceTeamAccess", "access", "Show a team's level on a whole namespace.",
        errors: [(.notFound, "NO_SUCH_NAMESPACE_TEAM_ACCESS")])
    ) { try await showNamespace($0) },
    RESTOperation(
      .PUT, namespace + "/{team}",
      .init(
        "setNamespaceTeamAccess", "access",
        "Give a team a level on every repository of a namespace.", errors: errors),
      takes: AccessForm.self
    ) { request, form in
      try await RepositoryOperations.requireNamespaceAdmin(request)
      let team = try await team(request, ofNamespace: request.path("namespace"))
      try await request.registry.setTeamAccess(
        form.level(), for: team.id, onNamespace: request.path("namespace"), by: request.caller)
      return try await showNamespace(request)
    },
    RESTOperation(
      .DELETE, namespace + "/{team}",
      .init(
        "deleteNamespaceTeamAccess", "access", "Take a team's level on a namespace away.",
        errors: errors), success: .noContent
    ) { request in
      try await RepositoryOperations.requireNamespaceAdmin(request)
      let team = try await team(request, ofNamespace: request.path("namespace"))
      try await request.registry.setTeamAccess(
        .none, for: team.id, onNamespace: request.path("namespace"), by: request.caller)
      return .init(Nothing())
    },
    RESTOperation(
      .GET, "/api/v0/accounts/{organization}/teams/{team}/repositoryAccess",
      .init(
        "listTeamRepositoryAccess", "access", "List the repositories a team has access to.",
        query: RESTParameter.page,
        errors: [(.notFound, "NO_SUCH_ACCOUNT"), (.notFound, "NO_SUCH_TEAM")])
    ) { try await listTeam($0) },
    RESTOperation(
      .GET, "/api/v0/accounts/{user}/repositoryAccess/{namespace}/{repository}",
      .init(
        "getUserRepositoryAccess", "access", "Show a user's level on a repository.",
        errors: [(.notFound, "NO_SUCH_ACCOUNT"), (.notFound, "NO_SUCH_REPOSITORY")])
    ) { try await showUser($0) },
  ]

  /// The team that the path names, by name or id.
  private static func team(
    _ request: RESTRequest, ofNamespace namespace: String
  ) async throws -> Team {
    let account = try await request.account(namespace)
    guard account.isOrganization else {
      throw RESTError(.badRequest, "NOT_AN_ORGANIZATION", "only organizations have teams")
    }
    return try await request.identity.team(nameOrID: request.path("team"), of: account.id)
  }

  private static func entries(_ access: [TeamAccess], _ caller: Caller) -> [TeamAccessEntry] {
    access.compactMap { access in
      AccessLevelName(access.level).map {
        TeamAccessEntry(accessLevel: $0, team: team(access.team, caller))
      }
    }
  }

  private static func team(_ id: TeamID, _ caller: Caller) -> TeamWire {
    TeamWire(id: id.description, clientUserIsMember: caller.teams.contains(id))
  }

  private static func list(
    _ repository: Repository, _ request: RESTRequest
  ) async throws -> RepositoryTeamAccess {
    RepositoryTeamAccess(
      repository: try await RepositoryOperations.wire(repository, request),
      teamAccessList: entries(
        try await request.registry.teamAccess(on: repository), request.caller))
  }

  private static func namespace(_ account: Account) -> NamespaceReference {
    NamespaceReference(
      id: account.id.description, name: account.name.description,
      type: account.isOrganization ? .organization : .user)
  }

  private static func listNamespace(
    _ request: RESTRequest
  ) async throws -> RESTAnswer<NamespaceTeamAccessList> {
    let account = try await request.account(request.path("namespace"))
    guard request.caller.isAdmin || request.caller.organizations[account.id] != nil else {
      throw RESTError.notAuthorized
    }
    let access = try await request.registry.teamAccess(onNamespace: request.path("namespace"))
    return .init(
      NamespaceTeamAccessList(
        namespace: namespace(account), teamAccessList: entries(access, request.caller)))
  }

  private static func showNamespace(
    _ request: RESTRequest
  ) async throws -> RESTAnswer<NamespaceTeamAccess> {
    let account = try await request.account(request.path("namespace"))
    guard request.caller.isAdmin || request.caller.organizations[account.id] != nil else {
      throw RESTError.notAuthorized
    }
    let team = try await team(request, ofNamespace: request.path("namespace"))
    let access = try await request.registry.teamAccess(onNamespace: request.path("namespace"))
    guard let found = access.first(where: { $0.team == team.id }),
      let level = AccessLevelName(found.level)
    else {
      throw RESTError(
        .notFound, "NO_SUCH_NAMESPACE_TEAM_ACCESS", "the team has no level on the namespace")
    }
    return .init(
      NamespaceTeamAccess(
        accessLevel: level, team: Self.team(team.id, request.caller),
        namespace: namespace(account)))
  }

  private static func listTeam(
    _ request: RESTRequest
  ) async throws -> RESTAnswer<TeamRepositoryAccess> {
    let organization = try await request.organization()
    let team = try await request.identity.team(
      nameOrID: request.path("team"), of: organization.id)
    guard
      request.caller.isAdmin || request.caller.organizations[organization.id] == .owner
        || request.caller.teams.contains(team.id)
    else { throw RESTError.notAuthorized }
    var found: [RepositoryAccessEntry] = []
    var after: RepositoryName?
    reading: while true {
      let page = try await request.registry.repositories(
        visibleTo: .system, namespace: organization.name.description, after: after, limit: 500)
      for repository in page.items {
        let access = try await request.registry.teamAccess(on: repository)
        guard let entry = access.first(where: { $0.team == team.id }),
          let level = AccessLevelName(entry.level)
        else { continue }
        found.append(
          RepositoryAccessEntry(
            accessLevel: level,
            repository: try await RepositoryOperations.wire(repository, request)))
      }
      guard page.more, let last = page.items.last else { break reading }
      after = last.name
    }
    return .init(
      TeamRepositoryAccess(
        team: Self.team(team.id, request.caller), repositoryAccessList: found))
  }

  private static func showUser(
    _ request: RESTRequest
  ) async throws -> RESTAnswer<UserRepositoryAccess> {
    let user = try await request.account(request.path("user"))
    try request.requireSelf(user)
    let name = try RepositoryName(
      namespace: request.path("namespace"), name: request.path("repository"))
    guard let subject = try await request.identity.caller(for: user.id),
      let repository = try await request.registry.repository(name)
    else { throw RESTRequest.noSuchRepository(name.description) }
    let level = try await request.registry.access(of: subject, to: repository)
    guard level > .none || request.caller.isAdmin else {
      throw RESTRequest.noSuchRepository(name.description)
    }
    return .init(
      UserRepositoryAccess(
        accessLevel: level.name, user: AccountWire(user),
        repository: try await RepositoryOperations.wire(repository, request)))
  }
}
