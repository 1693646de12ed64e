import Crypto
import FoundationEssentials
import Logging
import StateStore

extension IdentityService {
  /// What every personal access token begins with, so that people and secret scanners know it.
  package static let accessTokenPrefix = "mrt_"
  private static let tokenBytes = 32
  /// How much the time of last use may lag.
  private static let usageGrain: Duration = .seconds(600)
  private static let tokensPerUser = 1_000

  /// A user's access tokens, oldest first. Throws `noSuchAccount`.
  package func accessTokens(of user: AccountID) async throws -> [AccessToken] {
    _ = try await account(id: user)
    let prefix = Keys.accessTokens(of: user)
    let items = try await storing { try await store.list(prefix: prefix) }.items
    let used = try await storing { try await store.list(prefix: Keys.usage(of: user)) }.items
    var uses: [String: Timestamp] = [:]
    for item in used {
      guard let id = item.key.suffix(after: Keys.usage(of: user)) else { continue }
      uses[id] = try RecordCoding.decode(UsageRecord.self, item).at
    }
    return try items.compactMap { item in
      guard let id = item.key.suffix(after: prefix).flatMap(AccessTokenID.init) else { return nil }
      let record = try RecordCoding.decode(AccessTokenRecord.self, item)
      return record.token(id, of: user, lastUsedAt: uses[id.description])
    }.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
  }

  /// One access token of a user. Throws `noSuchToken`.
  package func accessToken(_ id: AccessTokenID, of user: AccountID) async throws -> AccessToken {
    guard let (record, _) = try await stored(AccessTokenRecord.self, Keys.accessToken(id, of: user))
    else { throw Self.noSuchToken(id.description) }
    let used = try await stored(UsageRecord.self, Keys.usage(id, of: user))
    return record.token(id, of: user, lastUsedAt: used?.record.at)
  }

  /// Makes an access token. The secret is answered this once and kept nowhere. Throws
  /// `noSuchAccount`, `wrongKind`, `invalidRequest`.
  package func createAccessToken(
    for user: AccountID, label: String, expiresAt: Timestamp? = nil,
    generatedBy: String = "user"
  ) async throws -> (token: AccessToken, secret: String) {
    try await checkKind(user, .user)
    try Self.checkText(label, "label", limit: 256)
    try Self.checkText(generatedBy, "generatedBy", limit: 64)
    let count = try await storing {
      try await store.range(
        RangeRequest(.prefix(Keys.accessTokens(of: user)), countOnly: true))
    }.count
    guard count < Self.tokensPerUser else {
      throw IdentityError(
        .invalidRequest, "the user has too many access tokens",
        metadata: ["limit": "\(Self.tokensPerUser)"])
    }
    let secret = Self.accessTokenPrefix + Self.randomSecret()
    let id = AccessTokenID(unchecked: Self.hash(secret))
    let record = AccessTokenRecord(
      label: label, isActive: true, createdAt: clock(), expiresAt: expiresAt,
      generatedBy: generatedBy)
    let isDone = try await commit(
      Transaction(
        when: [.exists(Keys.account(user))],
        do: [.put(Keys.accessToken(id, of: user), try RecordCoding.encode(record))]))
    guard isDone else { throw IdentityError.noSuchAccount(user) }
    return (record.token(id, of: user, lastUsedAt: nil), secret)
  }

  /// Changes an access token; disabled, it stops working before this returns. Throws `noSuchToken`,
  /// `invalidRequest`, `conflict`.
  package func updateAccessToken(
    _ id: AccessTokenID, of user: AccountID, label: String? = nil, isActive: Bool? = nil
  ) async throws -> AccessToken {
    try Self.checkText(label ?? "", "label", limit: 256)
    let key = Keys.accessToken(id, of: user)
    for _ in 0..<Self.attemptLimit {
      guard let (old, revision) = try await stored(AccessTokenRecord.self, key) else {
        throw Self.noSuchToken(id.description)
      }
      var new = old
      new.label = label ?? old.label
      new.isActive = isActive ?? old.isActive
      let put = Operation.put(key, try RecordCoding.encode(new))
      let isDone = try await commit(
        Transaction(when: [.modifyRevision(of: key, is: revision)], do: [put]))
      if isDone { return try await accessToken(id, of: user) }
    }
    throw IdentityError.conflict(id)
  }

  /// Deletes an access token; it stops working before this returns. Throws `noSuchToken`.
  package func deleteAccessToken(_ id: AccessTokenID, of user: AccountID) async throws {
    let key = Keys.accessToken(id, of: user)
    let isDone = try await commit(
      Transaction(when: [.exists(key)], do: [.delete(key), .delete(Keys.usage(id, of: user))]))
    guard isDone else { throw Self.noSuchToken(id.description) }
  }

  /// The access token of this secret, when the user has it and it works now.
  func usableAccessToken(
    _ secret: String, of user: AccountID, now: Timestamp
  ) async throws -> AccessToken? {
    guard secret.hasPrefix(Self.accessTokenPrefix) else { return nil }
    let id = AccessTokenID(unchecked: Self.hash(secret))
    guard
      let (record, _) = try await stored(AccessTokenRecord.self, Keys.accessToken(id, of: user)),
      record.isActive, record.expiresAt.map({ now < $0 }) ?? true
    else { return nil }
    return record.token(id, of: user, lastUsedAt: nil)
  }

  /// Writes down that a token was used, unless that was done lately. Signing in does not fail when
  /// this does: the store may be full.
  func noteUse(_ token: AccessToken, now: Timestamp) async {
    let key = Keys.usage(token.id, of: token.account)
    do {
      let last = try await stored(UsageRecord.self, key)?.record.at
      if let last, now - last < Self.usageGrain { return }
      let value = try RecordCoding.encode(UsageRecord(at: now))
      _ = try await store.transact(
        Transaction(
          when: [.exists(Keys.accessToken(token.id, of: token.account))],
          do: [.put(key, value)]))
    } catch {
      logger.warning(
        "the use of an access token was not noted", metadata: ["error": "\(error)"])
    }
  }

  static func noSuchToken(_ id: String) -> IdentityError {
    IdentityError(.noSuchToken, "no such token", metadata: ["token": id])
  }

  /// 256 random bits in base64url.
  static func randomSecret() -> String {
    SymmetricKey(size: .bits256).withUnsafeBytes { Base64URL.encode($0) }
  }

  /// SHA-256 in hexadecimal digits: enough for secrets of 256 random bits, which nobody can guess.
  static func hash(_ secret: String) -> String {
    let digits = Array("0123456789abcdef".utf8)
    let digest = SHA256.hash(data: Array(secret.utf8))
    let text = digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    return String(decoding: text, as: UTF8.self)
  }
}

extension AccessTokenRecord {
  func token(_ id: AccessTokenID, of user: AccountID, lastUsedAt: Timestamp?) -> AccessToken {
    AccessToken(
      id: id, account: user, label: label, isActive: isActive, createdAt: createdAt,
      expiresAt: expiresAt, lastUsedAt: lastUsedAt, generatedBy: generatedBy)
  }
}

extension IdentityService {
  /// Makes a refresh token: a client keeps it instead of the password and gives it back for bearer
  /// tokens of `service`. It ends after a time without use, with the password, and with the account.
  /// Throws `noSuchAccount`, `wrongKind`, `invalidRequest`.
  package func issueRefreshToken(
    for user: AccountID, service: String, clientID: String
  ) async throws -> String {
    try await checkKind(user, .user)
    try Self.checkText(service, "service", limit: 256)
    try Self.checkText(clientID, "client_id", limit: 256)
    let token = "\(user).\(Self.randomSecret())"
    let record = RefreshRecord(
      service: service, clientID: clientID, expiresAt: clock() + settings.refreshTokenLifetime)
    let isDone = try await commit(
      Transaction(
        when: [.exists(Keys.account(user))],
        do: [
          .put(
            Keys.refreshToken(hash: Self.hash(token), of: user), try RecordCoding.encode(record))
        ]))
    guard isDone else { throw IdentityError.noSuchAccount(user) }
    return token
  }

  /// Whom a refresh token stands for; its time starts anew. Throws `noSuchToken` when it is unknown,
  /// over, or another service's, and `inactive`.
  package func redeemRefreshToken(
    _ token: String, service: String
  ) async throws -> RefreshGrant {
    guard let key = Self.refreshKey(token), let (user, _) = Self.refreshParts(token),
      let (record, revision) = try await stored(RefreshRecord.self, key),
      record.service == service
    else { throw Self.noSuchToken("refresh") }
    let now = clock()
    guard now < record.expiresAt else {
      _ = try await commit(Transaction(when: [.exists(key)], do: [.delete(key)]))
      throw Self.noSuchToken("refresh")
    }
    let account = try await account(id: user)
    guard account.isActive else {
      throw IdentityError(
        .inactive, "the account may not sign in", metadata: ["name": "\(account.name)"])
    }
    var renewed = record
    renewed.expiresAt = now + settings.refreshTokenLifetime
    // Written once a day at most: a pull must not cost a write.
    if renewed.expiresAt - record.expiresAt > .seconds(86_400) {
      let put = Operation.put(key, try RecordCoding.encode(renewed))
      let isDone = try await commit(
        Transaction(when: [.modifyRevision(of: key, is: revision)], do: [put]))
      if !isDone, try await storing({ try await store.get(key) }) == nil {
        throw Self.noSuchToken("refresh")
      }
    }
    return RefreshGrant(
      account: account, service: record.service, clientID: record.clientID,
      expiresAt: renewed.expiresAt)
  }

  /// Ends a refresh token. Throws `noSuchToken`.
  package func revokeRefreshToken(_ token: String) async throws {
    guard let key = Self.refreshKey(token),
      try await commit(Transaction(when: [.exists(key)], do: [.delete(key)]))
    else { throw Self.noSuchToken("refresh") }
  }

  private static func refreshParts(_ token: String) -> (AccountID, Substring)? {
    guard token.utf8.count <= 256, let dot = token.firstIndex(of: "."),
      let user = AccountID(String(token[..<dot]))
    else { return nil }
    return (user, token[token.index(after: dot)...])
  }

  private static func refreshKey(_ token: String) -> Key? {
    refreshParts(token).map { user, _ in Keys.refreshToken(hash: hash(token), of: user) }
  }
}
