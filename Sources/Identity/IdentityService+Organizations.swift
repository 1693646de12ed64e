import StateStore

extension IdentityService {
  /// The members of an organisation by name. Throws `noSuchAccount`, `wrongKind`.
  package func members(of organization: AccountID) async throws -> [OrganizationMember] {
    try await checkKind(organization, .organization)
    return try await directory.read { directory in
      directory.memberRoles(of: organization).compactMap { user, role in
        directory.accounts[user].map { OrganizationMember(account: $0, role: role) }
      }
    }.sorted { $0.account.name < $1.account.name }
  }

  /// Makes a user a member, or gives a member another role. Throws `noSuchAccount`, `wrongKind`.
  package func setMember(
    _ user: AccountID, of organization: AccountID, role: OrganizationRole
  ) async throws {
    try await checkKind(organization, .organization)
    try await checkKind(user, .user)
    let value = try RecordCoding.encode(MemberRecord(role: role))
    let isDone = try await commit(
      Transaction(
        when: [.exists(Keys.account(organization)), .exists(Keys.account(user))],
        do: [.put(Keys.member(user, of: organization), value)]))
    guard isDone else { throw IdentityError.noSuchAccount(user) }
  }

  /// Takes a user out of an organisation and its teams, in one step. Throws `noSuchMember`,
  /// `noSuchAccount`, `wrongKind`, `conflict`.
  package func removeMember(_ user: AccountID, of organization: AccountID) async throws {
    try await checkKind(organization, .organization)
    let key = Keys.member(user, of: organization)
    let memberships = Keys.teamMembers(of: user)
    for _ in 0..<Self.attemptLimit {
      let (items, revision) = try await storing { try await store.list(prefix: memberships) }
      let inTeams = items.filter { item in
        item.key.suffix(after: memberships).flatMap(TeamID.init)
          .flatMap { id in directory.peek { $0.teams[id]?.organization } ?? nil } == organization
      }
      let untouched = Compare(
        .prefix(memberships), .less, .modifyRevision(revision + 1))
      guard inTeams.count < Transaction.operationLimit else {
        throw IdentityError(.conflict, "the member is in too many teams to be removed at once")
      }
      let isDone = try await commit(
        Transaction(
          when: [.exists(key), untouched],
          do: [.delete(key)] + inTeams.map { .delete($0.key) }))
      if isDone { return }
      guard try await storing({ try await store.get(key) }) != nil else {
        throw Self.noSuchMember(user)
      }
    }
    throw IdentityError.conflict(user)
  }

  /// The organisations of a user by name. Throws `noSuchAccount`.
  package func organizations(
    of user: AccountID
  ) async throws -> [(organization: Account, role: OrganizationRole)] {
    _ = try await account(id: user)
    return try await directory.read { directory in
      directory.organizations(of: user).compactMap { id, role in
        directory.accounts[id].map { (organization: $0, role: role) }
      }
    }.sorted { $0.organization.name < $1.organization.name }
  }

  static func noSuchMember(_ user: AccountID) -> IdentityError {
    IdentityError(.noSuchMember, "the user is not a member", metadata: ["user": "\(user)"])
  }
}

extension IdentityService {
  /// The teams of an organisation by name. Throws `noSuchAccount`, `wrongKind`.
  package func teams(of organization: AccountID) async throws -> [Team] {
    try await checkKind(organization, .organization)
    return try await directory.read { $0.teams(of: organization) }
  }

  /// The teams that a user is in. Throws `noSuchAccount`.
  package func teams(ofUser user: AccountID) async throws -> [Team] {
    _ = try await account(id: user)
    return try await directory.read { directory in
      directory.teams(ofUser: user).keys.compactMap { directory.teams[$0] }
    }.sorted { ($0.organization, $0.name) < ($1.organization, $1.name) }
  }

  /// The team of this name. Throws `noSuchTeam`, `noSuchAccount`, `wrongKind`.
  package func team(_ name: AccountName, of organization: AccountID) async throws -> Team {
    guard let team = try await teams(of: organization).first(where: { $0.name == name }) else {
      throw IdentityError.noSuchTeam(name)
    }
    return team
  }

  /// The team of this id. Throws `noSuchTeam`.
  package func team(id: TeamID) async throws -> Team {
    guard let team = try await directory.read({ $0.teams[id] }) else {
      throw IdentityError.noSuchTeam(id)
    }
    return team
  }

  /// The team of this id or name in the organisation. Throws `noSuchTeam`.
  package func team(nameOrID text: String, of organization: AccountID) async throws -> Team {
    let found = try await teams(of: organization)
      .first { $0.id.description == text || $0.name.description == text }
    guard let found else { throw IdentityError.noSuchTeam(text.prefix(100)) }
    return found
  }

  /// Makes a team. Throws `nameTaken`, `noSuchAccount`, `wrongKind`, `invalidRequest`.
  package func createTeam(
    _ name: AccountName, of organization: AccountID, description: String = ""
  ) async throws -> Team {
    try await checkKind(organization, .organization)
    try Self.checkText(description, "description")
    let id = Self.newTeamID()
    let nameKey = Keys.teamName(name, of: organization)
    let record = TeamRecord(name: name, description: description)
    let isDone = try await commit(
      Transaction(
        when: [.missing(nameKey), .exists(Keys.account(organization))],
        do: [
          .put(Keys.team(id, of: organization), try RecordCoding.encode(record)),
          .put(nameKey, Array(id.description.utf8)),
        ]))
    guard isDone else { throw Self.teamNameTaken(name) }
    return try await team(id: id)
  }

  /// Changes a team. Throws `nameTaken`, `noSuchTeam`, `invalidRequest`.
  package func updateTeam(
    _ id: TeamID, name: AccountName? = nil, description: String? = nil
  ) async throws -> Team {
    try Self.checkText(description ?? "", "description")
    for _ in 0..<Self.attemptLimit {
      let organization = try await team(id: id).organization
      let key = Keys.team(id, of: organization)
      guard let (old, revision) = try await stored(TeamRecord.self, key) else {
        throw IdentityError.noSuchTeam(id)
      }
      let new = TeamRecord(
        name: name ?? old.name, description: description ?? old.description)
      var conditions = [Compare.modifyRevision(of: key, is: revision)]
      var steps: [Operation] = [.put(key, try RecordCoding.encode(new))]
      if new.name != old.name {
        let nameKey = Keys.teamName(new.name, of: organization)
        conditions.append(.missing(nameKey))
        steps.append(.put(nameKey, Array(id.description.utf8)))
        steps.append(.delete(Keys.teamName(old.name, of: organization)))
        if try await storing({ try await store.get(nameKey) }) != nil {
          throw Self.teamNameTaken(new.name)
        }
      }
      if try await commit(Transaction(when: conditions, do: steps)) {
        return try await team(id: id)
      }
    }
    throw IdentityError.conflict(id)
  }

  /// Deletes a team with its memberships. Throws `noSuchTeam`, `conflict`.
  package func deleteTeam(_ id: TeamID) async throws {
    for _ in 0..<Self.attemptLimit {
      let organization = try await team(id: id).organization
      let key = Keys.team(id, of: organization)
      guard let (record, revision) = try await stored(TeamRecord.self, key) else {
        throw IdentityError.noSuchTeam(id)
      }
      let isDone = try await commit(
        Transaction(
          when: [.modifyRevision(of: key, is: revision)],
          do: [.delete(key), .delete(Keys.teamName(record.name, of: organization))]))
      guard isDone else { continue }
      await sweepMemberships(ofTeams: [id])
      return
    }
    throw IdentityError.conflict(id)
  }

  private static func teamNameTaken(_ name: AccountName) -> IdentityError {
    IdentityError(
      .nameTaken, "another team of the organisation has this name",
      metadata: ["name": "\(name)"])
  }
}

extension IdentityService {
  /// The members of a team by name. Throws `noSuchTeam`.
  package func members(ofTeam id: TeamID) async throws -> [TeamMember] {
    _ = try await team(id: id)
    return try await directory.read { directory in
      directory.memberFlags(ofTeam: id).compactMap { user, isAdmin in
        directory.accounts[user].map { TeamMember(account: $0, isAdmin: isAdmin) }
      }
    }.sorted { $0.account.name < $1.account.name }
  }

  /// Puts a user into a team, and into its organisation when they are not in it. Throws
  /// `noSuchTeam`, `noSuchAccount`, `wrongKind`.
  package func addMember(
    _ user: AccountID, toTeam id: TeamID, isAdmin: Bool = false
  ) async throws {
    let team = try await team(id: id)
    try await checkKind(user, .user)
    let memberKey = Keys.member(user, of: team.organization)
    let join = Transaction(
      when: [.missing(memberKey)],
      do: [.put(memberKey, try RecordCoding.encode(MemberRecord(role: .member)))])
    let flag = try RecordCoding.encode(TeamMemberRecord(isAdmin: isAdmin))
    let isDone = try await commit(
      Transaction(
        when: [.exists(Keys.team(id, of: team.organization)), .exists(Keys.account(user))],
        do: [.put(Keys.teamMember(user, of: id), flag), .transaction(join)]))
    guard isDone else { throw IdentityError.noSuchTeam(id) }
  }

  /// Takes a user out of a team. Throws `noSuchTeam`, `noSuchMember`.
  package func removeMember(_ user: AccountID, fromTeam id: TeamID) async throws {
    _ = try await team(id: id)
    let key = Keys.teamMember(user, of: id)
    guard try await commit(Transaction(when: [.exists(key)], do: [.delete(key)])) else {
      throw Self.noSuchMember(user)
    }
  }
}
