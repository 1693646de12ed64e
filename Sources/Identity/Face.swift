private func unwritten() -> IdentityError { IdentityError(.unavailable, "not yet") }

extension IdentityService {
  package func authenticate(name: String, secret: String, address: String?) async throws -> Caller { throw unwritten() }
  package func rememberedCaller(name: String, secret: String, address: String?) -> Caller? { nil }
  package func caller(for id: AccountID, address: String? = nil, credential: Caller.Credential = .none, grants: [TokenGrant]? = nil) async throws -> Caller? { throw unwritten() }
  package func caller(for name: AccountName, address: String? = nil, credential: Caller.Credential = .none, grants: [TokenGrant]? = nil) async throws -> Caller? { throw unwritten() }
  package func caller(for claims: TokenClaims, address: String? = nil) async throws -> Caller? { throw unwritten() }
  package func rememberedCaller(for claims: TokenClaims, address: String? = nil) -> Caller? { nil }

  package func account(_ name: AccountName) async throws -> Account { throw unwritten() }
  package func account(id: AccountID) async throws -> Account { throw unwritten() }
  package func account(nameOrID: String) async throws -> Account { throw unwritten() }
  package func accounts(_ filter: AccountFilter, after: AccountName? = nil, limit: Int) async throws -> AccountPage { throw unwritten() }
  package func createUser(_ name: AccountName, password: String?, fullName: String = "", isAdmin: Bool = false, isActive: Bool = true) async throws -> Account { throw unwritten() }
  package func createOrganization(_ name: AccountName, fullName: String = "", owner: AccountID?) async throws -> Account { throw unwritten() }
  package func update(_ id: AccountID, _ changes: AccountChanges) async throws -> Account { throw unwritten() }
  package func setPassword(_ password: String, of id: AccountID, checking old: String? = nil) async throws { throw unwritten() }
  package func deleteAccount(_ id: AccountID) async throws { throw unwritten() }
  package func ensureAdministrator(_ name: AccountName, password: String?) async throws -> String? { throw unwritten() }

  package func members(of organization: AccountID) async throws -> [OrganizationMember] { throw unwritten() }
  package func setMember(_ user: AccountID, of organization: AccountID, role: OrganizationRole) async throws { throw unwritten() }
  package func removeMember(_ user: AccountID, of organization: AccountID) async throws { throw unwritten() }
  package func organizations(of user: AccountID) async throws -> [(organization: Account, role: OrganizationRole)] { throw unwritten() }
  package func teams(of organization: AccountID) async throws -> [Team] { throw unwritten() }
  package func teams(ofUser user: AccountID) async throws -> [Team] { throw unwritten() }
  package func team(_ name: AccountName, of organization: AccountID) async throws -> Team { throw unwritten() }
  package func team(id: TeamID) async throws -> Team { throw unwritten() }
  package func team(nameOrID: String, of organization: AccountID) async throws -> Team { throw unwritten() }
  package func createTeam(_ name: AccountName, of organization: AccountID, description: String = "") async throws -> Team { throw unwritten() }
  package func updateTeam(_ id: TeamID, name: AccountName? = nil, description: String? = nil) async throws -> Team { throw unwritten() }
  package func deleteTeam(_ id: TeamID) async throws { throw unwritten() }
  package func members(ofTeam id: TeamID) async throws -> [TeamMember] { throw unwritten() }
  package func addMember(_ user: AccountID, toTeam id: TeamID, isAdmin: Bool = false) async throws { throw unwritten() }
  package func removeMember(_ user: AccountID, fromTeam id: TeamID) async throws { throw unwritten() }

  package func accessTokens(of user: AccountID) async throws -> [AccessToken] { throw unwritten() }
  package func accessToken(_ id: AccessTokenID, of user: AccountID) async throws -> AccessToken { throw unwritten() }
  package func createAccessToken(for user: AccountID, label: String, expiresAt: Timestamp? = nil, generatedBy: String = "user") async throws -> (token: AccessToken, secret: String) { throw unwritten() }
  package func updateAccessToken(_ id: AccessTokenID, of user: AccountID, label: String? = nil, isActive: Bool? = nil) async throws -> AccessToken { throw unwritten() }
  package func deleteAccessToken(_ id: AccessTokenID, of user: AccountID) async throws { throw unwritten() }

  package func issueRefreshToken(for user: AccountID, service: String, clientID: String) async throws -> String { throw unwritten() }
  package func redeemRefreshToken(_ token: String, service: String) async throws -> RefreshGrant { throw unwritten() }
  package func revokeRefreshToken(_ token: String) async throws { throw unwritten() }
}

extension TokenAuthority {
  package func sign(subject: String, accountID: AccountID? = nil, audience: String, grants: [TokenGrant], lifetime: Duration? = nil) async throws -> SignedToken { throw unwritten() }
  package func verify(_ token: String, audience: String) async throws -> TokenClaims { throw unwritten() }
  package func rememberedClaims(_ token: String, audience: String) -> TokenClaims? { nil }
  package func keySet() async throws -> [UInt8] { throw unwritten() }
}
