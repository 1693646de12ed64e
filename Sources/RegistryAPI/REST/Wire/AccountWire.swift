// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Identity

/// An account as the account service shows it.
struct AccountWire: APIObject {
  static let schemaName = "Account"
  var name: String
  var id: String
  var fullName: String
  var isOrg: Bool
  var isAdmin: Bool
  var isActive: Bool
  var isImported: Bool
  var onDemand: Bool
  var otpEnabled: Bool
  var membersCount: Int
  var teamsCount: Int

  init(_ account: Account, members: Int = 0, teams: Int = 0) {
    name = account.name.description
    id = account.id.description
    fullName = account.fullName
    isOrg = account.isOrganization
    isAdmin = account.isAdmin
    isActive = account.isActive
    isImported = false
    onDemand = false
    otpEnabled = false
    membersCount = members
    teamsCount = teams
  }
}

struct AccountList: APIObject {
  var usersCount: Int
  var orgsCount: Int
  var resourceCount: Int
  var nextPageStart: String
  var accounts: [AccountWire]
}

struct AccountForm: APIObject {
  var name: String
  var password: String?
  var fullName: String?
  var isOrg: Bool?
  var isAdmin: Bool?
  var isActive: Bool?
  var searchLDAP: Bool?
}

struct AccountChangeForm: APIObject {
  var fullName: String?
  var isAdmin: Bool?
  var isActive: Bool?
}

struct PasswordForm: APIObject {
  var oldPassword: String?
  var newPassword: String
}

struct AccountTeam: APIObject {
  static let schemaName = "Team"
  var id: String
  var orgID: String
  var name: String
  var description: String
  var membersCount: Int

  init(_ team: Team, members: Int) {
    id = team.id.description
    orgID = team.organization.description
    name = team.name.description
    description = team.description
    membersCount = members
  }
}

struct TeamForm: APIObject {
  var name: String?
  var description: String?
}

struct TeamList: APIObject {
  var teams: [AccountTeam]
  var nextPageStart: String
  var resourceCount: Int
}

struct MemberWire: APIObject {
  static let schemaName = "Member"
  var isAdmin: Bool
  var member: AccountWire
}

struct MemberList: APIObject {
  var members: [MemberWire]
  var nextPageStart: String
  var resourceCount: Int
}

struct MemberForm: APIObject {
  var isAdmin: Bool?
}

/// A personal access token. The clear token comes only when it is made.
struct TokenWire: APIObject {
  static let schemaName = "APIToken"
  var token: String?
  var hashedToken: String
  var tokenLabel: String
  var isActive: Bool
  var lastUsed: Timestamp
  var createdAt: Timestamp
  var expiresAt: Timestamp?
  var generatedBy: String
  var creatorUa: String

  init(_ token: AccessToken, secret: String? = nil, userAgent: String = "") {
    self.token = secret
    hashedToken = token.id.description
    tokenLabel = token.label
    isActive = token.isActive
    lastUsed = token.lastUsedAt ?? .never
    createdAt = token.createdAt
    expiresAt = token.expiresAt
    generatedBy = token.generatedBy
    creatorUa = userAgent
  }
}

extension Timestamp {
  /// How the product's API writes that something never was: Go's zero time.
  static let never = Timestamp("0001-01-01T00:00:00Z") ?? Timestamp(milliseconds: 0)
}

struct TokenForm: APIObject {
  var tokenLabel: String?
  /// When it stops working; never unless given.
  var expiresAt: Timestamp?
}

struct TokenChangeForm: APIObject {
  var tokenLabel: String?
  var isActive: Bool?
}

struct LanguageWire: APIObject {
  static let schemaName = "Language"
  var language: String
}
