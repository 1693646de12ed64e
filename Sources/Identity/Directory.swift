import StateStore

/// Accounts, memberships and teams as they stand in the store, with the indexes that questions need.
/// Decides nothing and waits for nothing; fed with records.
struct Directory: Sendable {
  private(set) var accounts: [AccountID: Account] = [:]
  private(set) var teams: [TeamID: Team] = [:]
  private var idsByName: [AccountName: AccountID] = [:]
  private var teamsByOrganization: [AccountID: Set<TeamID>] = [:]
  private var organizationsByUser: [AccountID: [AccountID: OrganizationRole]] = [:]
  private var usersByOrganization: [AccountID: [AccountID: OrganizationRole]] = [:]
  private var teamsByUser: [AccountID: [TeamID: Bool]] = [:]
  private var usersByTeam: [TeamID: [AccountID: Bool]] = [:]

  /// The account of this name.
  func account(named name: AccountName) -> Account? {
    idsByName[name].flatMap { accounts[$0] }
  }

  /// The organisations of a user that exist.
  func organizations(of user: AccountID) -> [AccountID: OrganizationRole] {
    (organizationsByUser[user] ?? [:]).filter { accounts[$0.key] != nil }
  }

  /// The teams of a user that exist, with whether the user administers them.
  func teams(ofUser user: AccountID) -> [TeamID: Bool] {
    (teamsByUser[user] ?? [:]).filter { teams[$0.key] != nil }
  }

  /// The teams of an organisation by name.
  func teams(of organization: AccountID) -> [Team] {
    (teamsByOrganization[organization] ?? []).compactMap { teams[$0] }
      .sorted { $0.name < $1.name }
  }

  /// Every membership record of an organisation, also of users that are gone.
  func memberRoles(of organization: AccountID) -> [AccountID: OrganizationRole] {
    usersByOrganization[organization] ?? [:]
  }

  /// Every membership record of a team, also of users that are gone.
  func memberFlags(ofTeam id: TeamID) -> [AccountID: Bool] {
    usersByTeam[id] ?? [:]
  }

  /// Takes a record in, or out when it was deleted.
  /// - Throws: `IdentityError` with `damaged`; the record then counts as missing.
  mutating func apply(_ key: Key, _ item: KeyValue?) throws {
    if let suffix = key.suffix(after: Keys.accounts), let id = AccountID(suffix) {
      try setAccount(id, item)
    } else if let suffix = key.suffix(after: Keys.members),
      let (user, organization) = Self.pair(suffix, AccountID.init, AccountID.init)
    {
      Self.remove(organization, from: &organizationsByUser, at: user)
      Self.remove(user, from: &usersByOrganization, at: organization)
      guard let item else { return }
      let role = try RecordCoding.decode(MemberRecord.self, item).role
      organizationsByUser[user, default: [:]][organization] = role
      usersByOrganization[organization, default: [:]][user] = role
    } else if let suffix = key.suffix(after: Keys.teams),
      let (organization, id) = Self.pair(suffix, AccountID.init, TeamID.init)
    {
      try setTeam(id, of: organization, item)
    } else if let suffix = key.suffix(after: Keys.teamMembers),
      let (user, team) = Self.pair(suffix, AccountID.init, TeamID.init)
    {
      Self.remove(team, from: &teamsByUser, at: user)
      Self.remove(user, from: &usersByTeam, at: team)
      guard let item else { return }
      let isAdmin = try RecordCoding.decode(TeamMemberRecord.self, item).isAdmin
      teamsByUser[user, default: [:]][team] = isAdmin
      usersByTeam[team, default: [:]][user] = isAdmin
    }
  }

  private mutating func setAccount(_ id: AccountID, _ item: KeyValue?) throws {
    if let old = accounts.removeValue(forKey: id), idsByName[old.name] == id {
      idsByName[old.name] = nil
    }
    guard let item else { return }
    let account = try RecordCoding.decode(AccountRecord.self, item)
      .account(id, revision: item.modifyRevision)
    accounts[id] = account
    idsByName[account.name] = id
  }

  private mutating func setTeam(
    _ id: TeamID, of organization: AccountID, _ item: KeyValue?
  ) throws {
    teams[id] = nil
    teamsByOrganization[organization]?.remove(id)
    guard let item else { return }
    let record = try RecordCoding.decode(TeamRecord.self, item)
    teams[id] = Team(
      id: id, organization: organization, name: record.name, description: record.description,
      revision: item.modifyRevision)
    teamsByOrganization[organization, default: []].insert(id)
  }

  /// Takes one entry out of an inner table, and the inner table with its last.
  private static func remove<Outer: Hashable, Inner: Hashable, Value>(
    _ inner: Inner, from table: inout [Outer: [Inner: Value]], at outer: Outer
  ) {
    table[outer]?[inner] = nil
    if table[outer]?.isEmpty == true { table[outer] = nil }
  }

  private static func pair<First, Second>(
    _ suffix: String, _ first: (String) -> First?, _ second: (String) -> Second?
  ) -> (First, Second)? {
    guard let slash = suffix.firstIndex(of: "/"),
      let left = first(String(suffix[..<slash])),
      let right = second(String(suffix[suffix.index(after: slash)...]))
    else { return nil }
    return (left, right)
  }
}
