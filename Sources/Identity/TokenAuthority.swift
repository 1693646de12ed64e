package import Logging
package import StateStore

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
  package let issuedAt: Timestamp
  package let expiresAt: Timestamp
  /// `access`.
  package let grants: [TokenGrant]
}

/// Signs and verifies bearer tokens.
package final class TokenAuthority: Sendable {
  let store: any StateStore
  let secretBox: SecretBox?
  let settings: TokenSettings
  let logger: Logger
  let clock: @Sendable () -> Timestamp

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
  }
}
