package import StateStore

/// A user or an organisation.
package struct Account: Hashable, Sendable {
  /// The two sorts of account, which share one space of names.
  package enum Kind: String, Sendable, Codable {
    /// Someone, or some program, that signs in.
    case user
    /// A namespace with members and teams; nobody signs in as one.
    case organization
  }

  package let id: AccountID
  package let name: AccountName
  package let kind: Kind
  /// The name for people; may be empty.
  package var fullName: String
  /// Whether the user may sign in.
  package var isActive: Bool
  /// Whether the user may do everything everywhere.
  package var isAdmin: Bool
  package let createdAt: Timestamp
  /// The store's revision that last changed the account.
  package let revision: Revision

  /// An account of these parts; Identity's own accounts come from `IdentityService`.
  package init(
    id: AccountID, name: AccountName, kind: Kind, fullName: String, isActive: Bool,
    isAdmin: Bool, createdAt: Timestamp, revision: Revision
  ) {
    self.id = id
    self.name = name
    self.kind = kind
    self.fullName = fullName
    self.isActive = isActive
    self.isAdmin = isAdmin
    self.createdAt = createdAt
    self.revision = revision
  }

  /// Whether the account is an organisation.
  package var isOrganization: Bool { kind == .organization }
}

/// Some members of an organisation that are given access together.
package struct Team: Hashable, Sendable {
  package let id: TeamID
  package let organization: AccountID
  /// Unique in its organisation, same grammar as an account's.
  package let name: AccountName
  package var description: String
  /// The store's revision that last changed the team.
  package let revision: Revision

  /// A team of these parts; Identity's own teams come from `IdentityService`.
  package init(
    id: TeamID, organization: AccountID, name: AccountName, description: String,
    revision: Revision
  ) {
    self.id = id
    self.organization = organization
    self.name = name
    self.description = description
    self.revision = revision
  }
}

/// What a user is in an organisation. Owners manage its members, teams and repositories.
package enum OrganizationRole: String, Hashable, Sendable, Codable {
  case member
  case owner
}

/// A user in an organisation.
package struct OrganizationMember: Hashable, Sendable {
  package let account: Account
  package let role: OrganizationRole
}

/// A user in a team.
package struct TeamMember: Hashable, Sendable {
  package let account: Account
  /// Whether the member may add and remove others.
  package let isAdmin: Bool
}

/// Which accounts are wanted.
package enum AccountFilter: String, Hashable, Sendable {
  case all
  case users
  case organizations = "orgs"
  case admins
  case nonAdmins = "non-admins"
  case activeUsers = "active-users"
  case inactiveUsers = "inactive-users"

  /// Whether the filter lets the account through.
  package func accepts(_ account: Account) -> Bool {
    switch self {
    case .all: true
    case .users: account.kind == .user
    case .organizations: account.kind == .organization
    case .admins: account.kind == .user && account.isAdmin
    case .nonAdmins: account.kind == .user && !account.isAdmin
    case .activeUsers: account.kind == .user && account.isActive
    case .inactiveUsers: account.kind == .user && !account.isActive
    }
  }
}

/// A part of a list of accounts, by name.
package struct AccountPage: Hashable, Sendable {
  package var accounts: [Account]
  /// Give it as `after` to get the next part; nil at the end.
  package var next: AccountName?
  /// How many accounts pass the filter in all.
  package var total: Int
  /// How many users and organisations there are, whatever the filter.
  package var userCount: Int
  package var organizationCount: Int
}

/// What to change of an account; nil leaves it.
package struct AccountChanges: Hashable, Sendable {
  package var fullName: String?
  package var isActive: Bool?
  package var isAdmin: Bool?

  /// These changes.
  package init(fullName: String? = nil, isActive: Bool? = nil, isAdmin: Bool? = nil) {
    self.fullName = fullName
    self.isActive = isActive
    self.isAdmin = isAdmin
  }
}

/// A secret that stands in for its user's password, in programs.
package struct AccessToken: Hashable, Sendable {
  package let id: AccessTokenID
  package let account: AccountID
  package let label: String
  package let isActive: Bool
  package let createdAt: Timestamp
  /// When it stops working; nil for never.
  package let expiresAt: Timestamp?
  /// When it was last used, exact to some minutes; nil for never.
  package let lastUsedAt: Timestamp?
  /// What made it: `user`, or `auto` for those that a sign-in made.
  package let generatedBy: String
}

/// A refresh token that was taken back in for new tokens.
package struct RefreshGrant: Hashable, Sendable {
  package let account: Account
  package let service: String
  package let clientID: String
  package let expiresAt: Timestamp
}
