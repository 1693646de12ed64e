import Crypto
import FoundationEssentials
import Host
package import Logging
package import StateStore
import Synchronization

/// How the token authority signs.
package struct TokenSettings: Sendable {
  /// The `iss` of every token.
  package var issuer: String
  /// How long a token is valid.
  package var lifetime: Duration = .seconds(300)
  /// How long a key signs before the next takes over.
  package var rotation: Duration = .seconds(30 * 86_400)

  /// Settings with this issuer.
  package init(issuer: String) {
    self.issuer = issuer
  }
}

/// A token just signed.
package struct SignedToken: Hashable, Sendable {
  /// The compact form, for `Authorization: Bearer`.
  package let token: String
  /// The `jti`.
  package let id: String
  package let issuedAt: Timestamp
  package let expiresAt: Timestamp
  /// Seconds from `issuedAt` to `expiresAt`, as a token service answers.
  package var lifetimeSeconds: Int64 { expiresAt.seconds - issuedAt.seconds }
}

/// What a token says, after it was verified.
package struct TokenClaims: Hashable, Sendable {
  /// `iss`.
  package let issuer: String
  /// `sub`: the name of an account; empty for anonymous.
  package let subject: String
  /// The account's id, so that a name that was given to someone else does not pass; nil for
  /// anonymous.
  package let accountID: AccountID?
  /// `aud`.
  package let audience: [String]
  /// `jti`.
  package let id: String
  /// `iat`.
  package let issuedAt: Timestamp
  /// `nbf`.
  package let notBefore: Timestamp
  /// `exp`.
  package let expiresAt: Timestamp
  /// `access`.
  package let grants: [TokenGrant]
}

/// Signs and verifies bearer tokens: JWTs (RFC 7519) with ES256 signatures, made by swift-crypto and
/// no JOSE package (see `JSONWebToken`). The keys lie in the store, so that every process on it
/// verifies what any of them signed.
///
/// Every method throws `IdentityError` (or `CancellationError`).
package final class TokenAuthority: Sendable {
  /// How much clocks may differ.
  static let leeway: Duration = .seconds(60)
  /// The longest a token may be valid.
  static let longestLifetime: Duration = .seconds(86_400)
  private static let rememberedTokens = 4_096
  /// How often an unknown `kid` may have the store read.
  private static let reloadPause: Duration = .seconds(1)

  private let store: any StateStore
  private let secretBox: SecretBox?
  private let settings: TokenSettings
  private let logger: Logger
  private let clock: @Sendable () -> Timestamp
  private let state: Mutex<State>

  private struct State {
    var ring: SigningKeyRing
    /// When the store was last read.
    var loadedAt: Timestamp?
    var verified: [String: TokenClaims] = [:]
  }

  /// An authority whose keys lie in the store, sealed when there is a secret box.
  package init(
    store: any StateStore, secretBox: SecretBox?, settings: TokenSettings, logger: Logger,
    clock: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
  ) {
    self.store = store
    self.secretBox = secretBox
    self.settings = settings
    self.logger = logger
    self.clock = clock
    self.state = Mutex(State(ring: Self.ring([], settings)))
  }

  private static func ring(_ keys: [SigningKey], _ settings: TokenSettings) -> SigningKeyRing {
    SigningKeyRing(
      keys, rotation: settings.rotation, retention: Self.longestLifetime + Self.leeway * 2)
  }

  /// Signs a token for an account (its name and id), or for anonymous (an empty subject).
  package func sign(
    subject: String, accountID: AccountID? = nil, audience: String, grants: [TokenGrant],
    lifetime: Duration? = nil
  ) async throws -> SignedToken {
    let now = Timestamp(seconds: clock().seconds)
    let key = try await signingKey(now: clock())
    let claims = TokenClaims(
      issuer: settings.issuer, subject: subject, accountID: accountID, audience: [audience],
      id: Identifier.hexadecimal(bytes: 16), issuedAt: now, notBefore: now,
      expiresAt: now + min(lifetime ?? settings.lifetime, Self.longestLifetime), grants: grants)
    let payload = try RecordCoding.encode(TokenPayload(claims))
    let token = try JSONWebToken.sign(payload, keyID: key.id, key: key.privateKey)
    guard token.utf8.count <= JSONWebToken.sizeLimit else {
      throw IdentityError(
        .invalidRequest, "too much was asked for in one token",
        metadata: ["bytes": "\(token.utf8.count)", "limit": "\(JSONWebToken.sizeLimit)"])
    }
    return SignedToken(token: token, id: claims.id, issuedAt: now, expiresAt: claims.expiresAt)
  }

  /// What a token says, when one of our keys signed it, for this audience, and it is valid now, give
  /// or take a minute. Throws `invalidToken`.
  package func verify(_ token: String, audience: String) async throws -> TokenClaims {
    if let claims = rememberedClaims(token, audience: audience) { return claims }
    let parsed = try JSONWebToken(token)
    guard let key = try await key(parsed.keyID) else {
      throw IdentityError.invalidToken("unknown key")
    }
    guard parsed.isSigned(by: key.privateKey.publicKey) else {
      throw IdentityError.invalidToken("signature")
    }
    let claims = try TokenPayload(parsed.payload).claims
    try check(claims, audience: audience)
    remember(token, claims)
    return claims
  }

  /// As `verify`, but only from memory: nil when the token has to be looked at. Never waits, so that
  /// it can be asked on an event loop.
  package func rememberedClaims(_ token: String, audience: String) -> TokenClaims? {
    guard token.utf8.count <= JSONWebToken.sizeLimit,
      let claims = state.withLock({ $0.verified[token] }),
      (try? check(claims, audience: audience)) != nil
      // What is not valid any more is said by `verify`, with the reason.
    else { return nil }
    return claims
  }

  /// The public keys as a JWK set (RFC 7517, section 5).
  package func keySet() async throws -> [UInt8] {
    _ = try await signingKey(now: clock())
    let keys = state.withLock { $0.ring.ordered.map(\.publicJWK) }
    return try RecordCoding.encode(["keys": keys])
  }

  private func check(_ claims: TokenClaims, audience: String) throws {
    let now = clock()
    guard claims.issuer == settings.issuer else { throw IdentityError.invalidToken("issuer") }
    guard claims.audience.contains(audience) else {
      throw IdentityError.invalidToken("audience")
    }
    guard now < claims.expiresAt + Self.leeway else {
      throw IdentityError.invalidToken("expired")
    }
    guard claims.notBefore <= now + Self.leeway else {
      throw IdentityError.invalidToken("not valid yet")
    }
  }

  private func remember(_ token: String, _ claims: TokenClaims) {
    let now = clock()
    state.withLock { state in
      if state.verified.count >= Self.rememberedTokens {
        state.verified = state.verified.filter { now < $0.value.expiresAt + Self.leeway }
      }
      if state.verified.count >= Self.rememberedTokens {
        state.verified.removeAll(keepingCapacity: true)
      }
      state.verified[token] = claims
    }
  }
}

extension TokenAuthority {
  private static let attemptLimit = 8

  /// The key of this id. One that is not known may be another process's newest: the store is read
  /// again, but not for each forged token.
  private func key(_ id: String) async throws -> SigningKey? {
    let now = clock()
    let (known, mayReload) = state.withLock { state in
      (state.ring.keys[id], state.loadedAt.map { now - $0 >= Self.reloadPause } ?? true)
    }
    guard known == nil, mayReload else { return known }
    _ = try await load(now: now)
    return state.withLock { $0.ring.keys[id] }
  }

  /// The key that signs now; made when there is none or the last is due.
  private func signingKey(now: Timestamp) async throws -> SigningKey {
    if let key = state.withLock({ $0.ring.current(now: now) }) { return key }
    for _ in 0..<Self.attemptLimit {
      let revision = try await load(now: now)
      let ring = state.withLock { $0.ring }
      if let key = ring.current(now: now) { return key }
      let key = SigningKey(P256.Signing.PrivateKey(), createdAt: now)
      let record = try RecordCoding.encode(key.record(sealedWith: secretBox))
      // Only when no other process made one meanwhile.
      let unchanged = Compare(
        .prefix(Keys.signingKeys), .less, .modifyRevision(revision + 1))
      let transaction = Transaction(
        when: [unchanged],
        do: [.put(Keys.signingKey(key.id), record)]
          + ring.outlived(now: now).prefix(64).map { .delete(Keys.signingKey($0.id)) })
      guard try await storing({ try await store.transact(transaction) }).succeeded else {
        continue
      }
      logger.info("a new key signs tokens", metadata: ["kid": "\(key.id)"])
    }
    throw IdentityError.conflict("signing key")
  }

  /// Reads the keys; returns the revision they were read at.
  private func load(now: Timestamp) async throws -> Revision {
    let (items, revision) = try await storing { try await store.list(prefix: Keys.signingKeys) }
    var keys: [SigningKey] = []
    for item in items {
      do {
        let record = try RecordCoding.decode(SigningKeyRecord.self, item)
        keys.append(try SigningKey(record, openedWith: secretBox))
      } catch {
        // The tokens it signed fail and are asked for anew: better than not to start.
        logger.error(
          "a signing key is left out",
          metadata: ["key": "\(item.key.string)", "error": "\(error)"])
      }
    }
    let ring = Self.ring(keys, settings)
    state.withLock { state in
      state.ring = ring
      state.loadedAt = now
    }
    return revision
  }

  private func storing<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch let error as StateStoreError {
      throw IdentityError(
        .unavailable, "signing keys cannot be read or written", cause: error)
    }
  }
}
