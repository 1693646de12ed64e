/// Permission for some actions on one thing: an entry of the `access` claim of a registry's token.
package struct TokenGrant: Hashable, Sendable, Codable {
  /// `repository` or `registry`.
  package var type: String
  /// The name of the repository, or `catalog`.
  package var name: String
  /// `pull`, `push`, `delete` or `*`.
  package var actions: [String]

  /// A grant of these parts.
  package init(type: String, name: String, actions: [String]) {
    self.type = type
    self.name = name
    self.actions = actions
  }
}

/// Who asks for something, and what is known of them.
package struct Caller: Hashable, Sendable {
  /// On whose behalf.
  package enum Subject: Hashable, Sendable {
    /// Nobody who said who they are.
    case anonymous
    /// A user.
    case user(Account)
    /// The program itself: jobs that no user started.
    case system
  }

  /// How the caller showed who they are.
  package enum Credential: String, Hashable, Sendable {
    case none
    case password
    case accessToken
    case bearer
    case session
  }

  package var subject: Subject
  /// The organisations that the user belongs to.
  package var organizations: [AccountID: OrganizationRole]
  /// The teams that the user belongs to.
  package var teams: Set<TeamID>
  /// Whence the request came, without the port; nil when not over the network.
  package var address: String?
  package var credential: Credential
  /// What the credential is limited to, on top of what the subject may do; nil when not limited.
  package var grants: [TokenGrant]?

  /// A caller of these parts.
  package init(
    subject: Subject, organizations: [AccountID: OrganizationRole] = [:],
    teams: Set<TeamID> = [], address: String? = nil, credential: Credential = .none,
    grants: [TokenGrant]? = nil
  ) {
    self.subject = subject
    self.organizations = organizations
    self.teams = teams
    self.address = address
    self.credential = credential
    self.grants = grants
  }

  /// Nobody in particular, from `address`.
  package static func anonymous(
    address: String? = nil, grants: [TokenGrant]? = nil
  ) -> Caller {
    Caller(subject: .anonymous, address: address, grants: grants)
  }

  /// The program itself.
  package static let system = Caller(subject: .system)

  /// The user; nil for anonymous and the system.
  package var account: Account? {
    if case .user(let account) = subject { account } else { nil }
  }

  /// Whether the caller may do everything everywhere, grants aside.
  package var isAdmin: Bool {
    switch subject {
    case .anonymous: false
    case .user(let account): account.isAdmin
    case .system: true
    }
  }

  /// Whether nobody said who they are.
  package var isAnonymous: Bool { subject == .anonymous }

  /// The user's name, `system`, or nothing for anonymous.
  package var name: String {
    switch subject {
    case .anonymous: ""
    case .user(let account): account.name.description
    case .system: "system"
    }
  }
}
