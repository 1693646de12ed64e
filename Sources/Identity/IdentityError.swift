/// Why Identity refused or failed.
package struct IdentityError: Error, Sendable {
  /// The kind of an error. More may come; compare with the constants.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    /// The constant's name.
    package let description: String

    /// Name or secret is wrong; never says which.
    package static let unauthenticated = Code(description: "unauthenticated")
    /// Too many failures, or too much to do; `retryAfter` says when to come again.
    package static let throttled = Code(description: "throttled")
    /// The secret is right, but the account may not sign in.
    package static let inactive = Code(description: "inactive")
    /// There is no such account.
    package static let noSuchAccount = Code(description: "noSuchAccount")
    /// There is no such team in the organisation.
    package static let noSuchTeam = Code(description: "noSuchTeam")
    /// The user is not a member.
    package static let noSuchMember = Code(description: "noSuchMember")
    /// There is no such access or refresh token, or not any more.
    package static let noSuchToken = Code(description: "noSuchToken")
    /// Another account or team has the name.
    package static let nameTaken = Code(description: "nameTaken")
    /// The account is of the wrong kind: a user was needed, or an organisation.
    package static let wrongKind = Code(description: "wrongKind")
    /// A value breaks its limits.
    package static let invalidRequest = Code(description: "invalidRequest")
    /// The password is too short or too long.
    package static let invalidPassword = Code(description: "invalidPassword")
    /// Nobody would be left to administer.
    package static let lastAdministrator = Code(description: "lastAdministrator")
    /// Someone else changed the same thing in the meantime; read again.
    package static let conflict = Code(description: "conflict")
    /// A bearer token is malformed, forged, for someone else or not valid now.
    package static let invalidToken = Code(description: "invalidToken")
    /// A sealed secret cannot be opened with this key, or a record cannot be read.
    package static let damaged = Code(description: "damaged")
    /// The store, the machine's randomness or a file failed; see `cause`.
    package static let unavailable = Code(description: "unavailable")
  }

  /// The kind of the error.
  package var code: Code
  /// What went wrong, the same text for every error of its sort.
  package var message: String
  /// The facts of this one. Never a secret.
  package var metadata: [String: String]
  /// When asking again may help.
  package var retryAfter: Duration?
  /// The error below, if any.
  package var cause: (any Error)?

  /// An error of these parts.
  package init(
    _ code: Code, _ message: String, metadata: [String: String] = [:],
    retryAfter: Duration? = nil, cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.metadata = metadata
    self.retryAfter = retryAfter
    self.cause = cause
  }
}

extension IdentityError: CustomStringConvertible {
  /// The message with the facts.
  package var description: String {
    var text = message
    if !metadata.isEmpty {
      let facts = metadata.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      text += " (" + facts.joined(separator: ", ") + ")"
    }
    if let cause { text += ": \(cause)" }
    return text
  }
}

extension IdentityError {
  static let unauthenticated = IdentityError(
    .unauthenticated, "the name or the secret is wrong")

  static func noSuchAccount(_ account: some CustomStringConvertible) -> IdentityError {
    IdentityError(.noSuchAccount, "no such account", metadata: ["account": "\(account)"])
  }

  static func noSuchTeam(_ team: some CustomStringConvertible) -> IdentityError {
    IdentityError(.noSuchTeam, "no such team", metadata: ["team": "\(team)"])
  }

  static func conflict(_ thing: some CustomStringConvertible) -> IdentityError {
    IdentityError(
      .conflict, "it was changed by someone else at the same time", metadata: ["name": "\(thing)"])
  }

  static func invalidToken(_ reason: String) -> IdentityError {
    IdentityError(.invalidToken, "the token is not valid", metadata: ["reason": reason])
  }

  static func damaged(_ key: String, cause: (any Error)? = nil) -> IdentityError {
    IdentityError(.damaged, "a record cannot be read", metadata: ["key": key], cause: cause)
  }
}
