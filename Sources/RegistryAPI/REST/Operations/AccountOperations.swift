import Identity
import NIOHTTP1
import Registry
import Transport

/// Accounts, organizations, teams and their members, as the account service has them.
enum AccountOperations {
  private static let root = "/enzi/v0/accounts"
  private static let one = root + "/{account}"
  private static let organization = root + "/{organization}"
  private static let missing: (HTTPResponseStatus, String) = (.notFound, "NO_SUCH_ACCOUNT")
  private static let noTeam: (HTTPResponseStatus, String) = (.notFound, "NO_SUCH_TEAM")
  private static let paging: [RESTParameter] = [
    .number("limit", "How many entries to answer; 10 unless given."),
    .string("start", "Where the page begins: `nextPageStart` of the one before."),
  ]

  static let all: [RESTOperation] = accounts + organizations + teams + rest

  private static let accounts: [RESTOperation] = [
    RESTOperation(
      .GET, root,
      .init(
        "listAccounts", "accounts", "List users and organizations.",
        query: paging + [
          .string(
            "filter",
            "all, users, orgs, admins, non-admins, active-users or inactive-users.")
        ])
    ) { try await list($0) },
    RESTOperation(
      .POST, root,
      .init(
        "createAccount", "accounts", "Create a user or an organization.", access: .administrator,
        errors: [(.badRequest, "ACCOUNT_EXISTS"), (.badRequest, "INVALID_PASSWORD")]),
      takes: AccountForm.self, success: .created
    ) { try await create($0, $1) },
    RESTOperation(
      .GET, one, .init("getAccount", "accounts", "Show an account.", errors: [missing])
    ) { request in
      .init(try await wire(try await request.account(request.path("account")), request))
    },
    RESTOperation(
      .PATCH, one,
      .init(
        "updateAccount", "accounts",
        "Change an account; users may change their own full name, the rest is for administrators.",
        errors: [missing, (.conflict, "LAST_ADMINISTRATOR")]), takes: AccountChangeForm.self
    ) { try await update($0, $1) },
    RESTOperation(
      .DELETE, one,
      .init(
        "deleteAccount", "accounts", "Delete an account with its repositories.",
        access: .administrator, errors: [missing, (.conflict, "LAST_ADMINISTRATOR")]),
      success: .noContent
    ) { try await delete($0, $0.path("account")) },
    RESTOperation(
      .POST, one + "/changePassword",
      .init(
        "changePassword", "accounts",
        "Change a user's password; users must say their old one.",
        errors: [missing, (.badRequest, "INVALID_PASSWORD")]), takes: PasswordForm.self
    ) { try await changePassword($0, $1) },
    RESTOperation(
      .GET, one + "/organizations",
      .init(
        "listUserOrganizations", "accounts", "List the organizations a user belongs to.",
        errors: [missing])
    ) { request in
      let user = try await request.account(request.path("account"))
      try request.requireSelf(user)
      let members = try await request.identity.organizations(of: user.id).map {
        MemberWire(isAdmin: $0.role == .owner, member: AccountWire($0.organization))
      }
      return .init(
        MemberList(members: members, nextPageStart: "", resourceCount: members.count))
    },
  ]

  private static let organizations: [RESTOperation] = [
    RESTOperation(
      .GET, organization + "/members",
      .init("listMembers", "accounts", "List an organization's members.", errors: [missing])
    ) { request in
      let organization = try await request.organization()
      try requireMember(of: organization, request)
      let members = try await request.identity.members(of: organization.id).map {
        MemberWire(isAdmin: $0.role == .owner, member: AccountWire($0.account))
      }
      return .init(
        MemberList(members: members, nextPageStart: "", resourceCount: members.count))
    },
    RESTOperation(
      .PUT, organization + "/members/{member}",
      .init(
        "setMember", "accounts", "Make a user a member or an owner of an organization.",
        errors: [missing]), takes: MemberForm.self
    ) { request, form in
      let organization = try await request.organization()
      try request.requireOwner(of: organization)
      let user = try await request.account(request.path("member"))
      try await request.identity.setMember(
        user.id, of: organization.id, role: form.isAdmin ?? false ? .owner : .member)
      return .init(MemberWire(isAdmin: form.isAdmin ?? false, member: AccountWire(user)))
    },
    RESTOperation(
      .DELETE, organization + "/members/{member}",
      .init(
        "removeMember", "accounts", "Take a user out of an organization and its teams.",
        errors: [missing, (.notFound, "NO_SUCH_MEMBER")]), success: .noContent
    ) { request in
      let organization = try await request.organization()
      let user = try await request.account(request.path("member"))
      if request.caller.account?.id != user.id { try request.requireOwner(of: organization) }
      try await request.identity.removeMember(user.id, of: organization.id)
      return .init(Nothing())
    },
  ]

  private static let teams: [RESTOperation] = [
    RESTOperation(
      .GET, organization + "/teams",
      .init("listTeams", "accounts", "List an organization's teams.", errors: [missing])
    ) { request in
      let organization = try await request.organization()
      try requireMember(of: organization, request)
      var wires: [AccountTeam] = []
      for team in try await request.identity.teams(of: organization.id) {
        wires.append(try await wire(team, request))
      }
      return .init(TeamList(teams: wires, nextPageStart: "", resourceCount: wires.count))
    },
    RESTOperation(
      .POST, organization + "/teams",
      .init(
        "createTeam", "accounts", "Create a team.",
        errors: [missing, (.badRequest, "ACCOUNT_EXISTS")]), takes: TeamForm.self,
      success: .created
    ) { request, form in
      let organization = try await request.organization()
      try request.requireOwner(of: organization)
      guard let name = form.name.flatMap({ AccountName($0) }) else {
        throw RESTError.invalidParameters("the team's name is not well formed")
      }
      let team = try await request.identity.createTeam(
        name, of: organization.id, description: form.description ?? "")
      return .init(try await wire(team, request))
    },
    RESTOperation(
      .GET, organization + "/teams/{team}",
      .init("getTeam", "accounts", "Show a team.", errors: [missing, noTeam])
    ) { request in
      let organization = try await request.organization()
      try requireMember(of: organization, request)
      return .init(try await wire(try await team(request, organization), request))
    },
    RESTOperation(
      .PATCH, organization + "/teams/{team}",
      .init("updateTeam", "accounts", "Change a team.", errors: [missing, noTeam]),
      takes: TeamForm.self
    ) { request, form in
      let organization = try await request.organization()
      try request.requireOwner(of: organization)
      let name = try form.name.map { text in
        guard let name = AccountName(text) else {
          throw RESTError.invalidParameters("the team's name is not well formed")
        }
        return name
      }
      let changed = try await request.identity.updateTeam(
        try await team(request, organization).id, name: name, description: form.description)
      return .init(try await wire(changed, request))
    },
    RESTOperation(
      .DELETE, organization + "/teams/{team}",
      .init("deleteTeam", "accounts", "Delete a team.", errors: [missing, noTeam]),
      success: .noContent
    ) { request in
      let organization = try await request.organization()
      try request.requireOwner(of: organization)
      try await request.identity.deleteTeam(try await team(request, organization).id)
      return .init(Nothing())
    },
    RESTOperation(
      .GET, organization + "/teams/{team}/members",
      .init(
        "listTeamMembers", "accounts", "List a team's members.", query: paging,
        errors: [missing, noTeam])
    ) { request in
      let organization = try await request.organization()
      try requireMember(of: organization, request)
      let team = try await team(request, organization)
      let members = try await request.identity.members(ofTeam: team.id).map {
        MemberWire(isAdmin: $0.isAdmin, member: AccountWire($0.account))
      }
      return .init(
        MemberList(members: members, nextPageStart: "", resourceCount: members.count))
    },
    RESTOperation(
      .PUT, organization + "/teams/{team}/members/{member}",
      .init(
        "setTeamMember", "accounts",
        "Put a user into a team, and into its organization unless there already.",
        errors: [missing, noTeam]), takes: MemberForm.self
    ) { try await setTeamMember($0, $1) },
    RESTOperation(
      .DELETE, organization + "/teams/{team}/members/{member}",
      .init(
        "removeTeamMember", "accounts", "Take a user out of a team.",
        errors: [missing, noTeam, (.notFound, "NO_SUCH_MEMBER")]), success: .noContent
    ) { request in
      let organization = try await request.organization()
      let team = try await team(request, organization)
      let user = try await request.account(request.path("member"))
      if request.caller.account?.id != user.id {
        try await requireTeamAdmin(team, organization, request)
      }
      try await request.identity.removeMember(user.id, fromTeam: team.id)
      return .init(Nothing())
    },
  ]

  private static let rest: [RESTOperation] = [
    RESTOperation(
      .GET, "/api/v0/accounts/language",
      .init("getLanguage", "accounts", "Show the language of texts.", access: .anyone)
    ) { _ in .init(LanguageWire(language: "en")) },
    RESTOperation(
      .DELETE, "/api/v0/accounts/{namespace}",
      .init(
        "deleteNamespace", "accounts", "Delete an account with its repositories.",
        access: .administrator, errors: [missing, (.conflict, "LAST_ADMINISTRATOR")]),
      success: .noContent
    ) { try await delete($0, $0.path("namespace")) },
    RESTOperation(
      .DELETE, "/api/v0/accounts/{namespace}/repositories",
      .init(
        "deleteNamespaceRepositories", "accounts", "Delete every repository of a namespace.",
        errors: [missing]), success: .noContent
    ) { request in
      try await RepositoryOperations.requireNamespaceAdmin(request)
      try await request.registry.deleteNamespace(
        request.path("namespace"), by: request.caller)
      return .init(Nothing())
    },
  ]

  // MARK: What they do

  private static func requireMember(of organization: Account, _ request: RESTRequest) throws {
    guard request.caller.isAdmin || request.caller.organizations[organization.id] != nil else {
      throw RESTError.notAuthorized
    }
  }

  private static func requireTeamAdmin(
    _ team: Team, _ organization: Account, _ request: RESTRequest
  ) async throws {
    if request.caller.isAdmin || request.caller.organizations[organization.id] == .owner { return }
    let members = try await request.identity.members(ofTeam: team.id)
    guard members.contains(where: { $0.account.id == request.caller.account?.id && $0.isAdmin })
    else { throw RESTError.notAuthorized }
  }

  private static func team(_ request: RESTRequest, _ organization: Account) async throws -> Team {
    try await request.identity.team(nameOrID: request.path("team"), of: organization.id)
  }

  private static func wire(_ account: Account, _ request: RESTRequest) async throws -> AccountWire {
    guard account.isOrganization else { return AccountWire(account) }
    return AccountWire(
      account, members: try await request.identity.members(of: account.id).count,
      teams: try await request.identity.teams(of: account.id).count)
  }

  private static func wire(_ team: Team, _ request: RESTRequest) async throws -> AccountTeam {
    AccountTeam(team, members: try await request.identity.members(ofTeam: team.id).count)
  }

  private static func list(_ request: RESTRequest) async throws -> RESTAnswer<AccountList> {
    let text = request.query["filter"] ?? "all"
    guard let filter = AccountFilter(rawValue: text.isEmpty ? "all" : text) else {
      throw RESTError.invalidParameters("there is no such filter")
    }
    let limit = min(max(try request.number("limit", default: 10), 1), 10_000)
    let page = try await request.identity.accounts(
      filter, after: request.query["start"].flatMap { AccountName($0) }, limit: limit)
    var wires: [AccountWire] = []
    for account in page.accounts { wires.append(try await wire(account, request)) }
    return RESTAnswer(
      AccountList(
        usersCount: page.userCount, orgsCount: page.organizationCount,
        resourceCount: page.total, nextPageStart: page.next?.description ?? "",
        accounts: wires), next: page.next?.description)
  }

  private static func create(
    _ request: RESTRequest, _ form: AccountForm
  ) async throws -> RESTAnswer<AccountWire> {
    guard let name = AccountName(form.name) else {
      throw RESTError.invalidParameters("the account's name is not well formed")
    }
    let account: Account
    if form.isOrg ?? false {
      account = try await request.identity.createOrganization(
        name, fullName: form.fullName ?? "", owner: request.caller.account?.id)
    } else {
      account = try await request.identity.createUser(
        name, password: form.password.flatMap { $0.isEmpty ? nil : $0 },
        fullName: form.fullName ?? "", isAdmin: form.isAdmin ?? false,
        isActive: form.isActive ?? true)
    }
    return .init(try await wire(account, request))
  }

  private static func update(
    _ request: RESTRequest, _ form: AccountChangeForm
  ) async throws -> RESTAnswer<AccountWire> {
    let account = try await request.account(request.path("account"))
    let isOwner = request.caller.organizations[account.id] == .owner
    if form.isAdmin != nil || form.isActive != nil || !isOwner {
      try form.isAdmin != nil || form.isActive != nil
        ? request.requireAdministrator() : request.requireSelf(account)
    }
    let changed = try await request.identity.update(
      account.id,
      AccountChanges(fullName: form.fullName, isActive: form.isActive, isAdmin: form.isAdmin))
    return .init(try await wire(changed, request))
  }

  private static func delete(
    _ request: RESTRequest, _ name: String
  ) async throws -> RESTAnswer<Nothing> {
    let account = try await request.account(name)
    guard account.id != request.caller.account?.id else {
      throw RESTError(.conflict, "OWN_ACCOUNT", "nobody can delete their own account")
    }
    try await request.registry.deleteNamespace(account.name.description, by: request.caller)
    try await request.identity.deleteAccount(account.id)
    return .init(Nothing())
  }

  private static func changePassword(
    _ request: RESTRequest, _ form: PasswordForm
  ) async throws -> RESTAnswer<AccountWire> {
    let account = try await request.account(request.path("account"))
    try request.requireSelf(account)
    let isOwn = request.caller.account?.id == account.id
    if isOwn, form.oldPassword == nil {
      throw RESTError.invalidParameters("the old password is needed")
    }
    try await request.identity.setPassword(
      form.newPassword, of: account.id, checking: isOwn ? form.oldPassword : nil)
    return .init(try await wire(account, request))
  }

  private static func setTeamMember(
    _ request: RESTRequest, _ form: MemberForm
  ) async throws -> RESTAnswer<MemberWire> {
    let organization = try await request.organization()
    let team = try await team(request, organization)
    try await requireTeamAdmin(team, organization, request)
    let user = try await request.account(request.path("member"))
    let isMember = try await request.identity.organizations(of: user.id)
      .contains { $0.organization.id == organization.id }
    if !isMember {
      // Whom to let into the organization is for its owners.
      try request.requireOwner(of: organization)
      try await request.identity.setMember(user.id, of: organization.id, role: .member)
    }
    try await request.identity.addMember(
      user.id, toTeam: team.id, isAdmin: form.isAdmin ?? false)
    return .init(MemberWire(isAdmin: form.isAdmin ?? false, member: AccountWire(user)))
  }
}
