import StateStore

/// Where what lies in the store. A user's secrets and memberships lie under the user's id, so that
/// deleting the user takes them along in one transaction.
enum Keys {
  /// Everything of Identity; the watch is on this.
  static let root: Key = "/identity/"
  /// What is kept in memory.
  static let directory: Key = "/identity/directory/"
  static let accounts: Key = "/identity/directory/accounts/"
  static let members: Key = "/identity/directory/members/"
  static let teams: Key = "/identity/directory/teams/"
  static let teamMembers: Key = "/identity/directory/team-members/"
  static let secrets: Key = "/identity/secrets/"
  static let signingKeys: Key = "/identity/signing-keys/"

  static func account(_ id: AccountID) -> Key { accounts.appending(id.description) }

  /// Holds the account's id: makes the name unique.
  static func name(_ name: AccountName) -> Key {
    Key("/identity/names/\(name)")
  }

  static func members(of user: AccountID) -> Key { members.appending("\(user)/") }

  static func member(_ user: AccountID, of organization: AccountID) -> Key {
    members.appending("\(user)/\(organization)")
  }

  static func teams(of organization: AccountID) -> Key { teams.appending("\(organization)/") }

  static func team(_ id: TeamID, of organization: AccountID) -> Key {
    teams.appending("\(organization)/\(id)")
  }

  static func teamNames(of organization: AccountID) -> Key {
    Key("/identity/team-names/\(organization)/")
  }

  /// Holds the team's id: makes the name unique in the organisation.
  static func teamName(_ name: AccountName, of organization: AccountID) -> Key {
    teamNames(of: organization).appending(name.description)
  }

  static func teamMembers(of user: AccountID) -> Key { teamMembers.appending("\(user)/") }

  static func teamMember(_ user: AccountID, of team: TeamID) -> Key {
    teamMembers.appending("\(user)/\(team)")
  }

  static func secrets(of user: AccountID) -> Key { secrets.appending("\(user)/") }

  static func password(of user: AccountID) -> Key { secrets.appending("\(user)/password") }

  static func accessTokens(of user: AccountID) -> Key { secrets.appending("\(user)/tokens/") }

  static func accessToken(_ id: AccessTokenID, of user: AccountID) -> Key {
    accessTokens(of: user).appending(id.description)
  }

  /// When a token was last used; apart from the token, whose changes drop what was verified.
  static func usage(of user: AccountID) -> Key { secrets.appending("\(user)/used/") }

  static func usage(_ id: AccessTokenID, of user: AccountID) -> Key {
    usage(of: user).appending(id.description)
  }

  static func refreshToken(hash: String, of user: AccountID) -> Key {
    secrets.appending("\(user)/refresh/\(hash)")
  }

  static func signingKey(_ id: String) -> Key { signingKeys.appending(id) }
}
