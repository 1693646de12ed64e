import Host
import Logging
import StateStore

extension IdentityService {
  /// The account of this name. Throws `noSuchAccount`.
  package func account(_ name: AccountName) async throws -> Account {
    guard let account = try await directory.read({ $0.account(named: name) }) else {
      throw IdentityError.noSuchAccount(name)
    }
    return account
  }

  /// The account of this id. Throws `noSuchAccount`.
  package func account(id: AccountID) async throws -> Account {
    guard let account = try await directory.read({ $0.accounts[id] }) else {
      throw IdentityError.noSuchAccount(id)
    }
    return account
  }

  /// The account of this id or, when there is none, this name. Throws `noSuchAccount`.
  package func account(nameOrID text: String) async throws -> Account {
    let found = try await directory.read { directory in
      AccountID(text).flatMap { directory.accounts[$0] }
        ?? AccountName(text).flatMap { directory.account(named: $0) }
    }
    guard let found else { throw IdentityError.noSuchAccount(text.prefix(100)) }
    return found
  }

  /// The accounts that pass the filter, by name, at most `limit` of them.
  package func accounts(
    _ filter: AccountFilter, after: AccountName? = nil, limit: Int
  ) async throws -> AccountPage {
    let all = try await directory.read { Array($0.accounts.values) }
    let accepted = all.filter(filter.accepts).sorted { $0.name < $1.name }
    let rest = accepted.drop { account in after.map { account.name <= $0 } ?? false }
    let page = Array(rest.prefix(max(0, limit)))
    let users = all.count { !$0.isOrganization }
    return AccountPage(
      accounts: page, next: rest.count > page.count ? page.last?.name : nil,
      total: accepted.count, userCount: users, organizationCount: all.count - users)
  }

  /// Makes a user. Without a password nobody can sign in as the user until one is set. Throws
  /// `nameTaken`, `invalidPassword`, `invalidRequest`.
  package func createUser(
    _ name: AccountName, password: String?, fullName: String = "", isAdmin: Bool = false,
    isActive: Bool = true
  ) async throws -> Account {
    if let password { try checkPassword(password) }
    let record = AccountRecord(
      name: name, kind: .user, fullName: fullName, isActive: isActive, isAdmin: isAdmin,
      createdAt: clock())
    let id = Self.newAccountID()
    var additions: [Operation] = []
    if let password {
      let secret = PasswordRecord(
        hash: try await hasher.hash(password), changedAt: record.createdAt)
      additions.append(.put(Keys.password(of: id), try RecordCoding.encode(secret)))
    }
    return try await create(record, id: id, additions: additions)
  }

  /// Makes an organisation, and `owner` its owner. Throws `nameTaken`, `noSuchAccount`,
  /// `invalidRequest`.
  package func createOrganization(
    _ name: AccountName, fullName: String = "", owner: AccountID?
  ) async throws -> Account {
    let record = AccountRecord(
      name: name, kind: .organization, fullName: fullName, isActive: true, isAdmin: false,
      createdAt: clock())
    let id = Self.newAccountID()
    guard let owner else { return try await create(record, id: id) }
    try await checkKind(owner, .user)
    let member = try RecordCoding.encode(MemberRecord(role: .owner))
    return try await create(
      record, id: id, additions: [.put(Keys.member(owner, of: id), member)],
      conditions: [.exists(Keys.account(owner))])
  }

  private func create(
    _ record: AccountRecord, id: AccountID, additions: [Operation] = [],
    conditions: [Compare] = []
  ) async throws -> Account {
    try Self.checkText(record.fullName, "fullName")
    let nameKey = Keys.name(record.name)
    let puts: [Operation] = [
      .put(Keys.account(id), try RecordCoding.encode(record)),
      .put(nameKey, Array(id.description.utf8)),
    ]
    let isDone = try await commit(
      Transaction(when: [.missing(nameKey)] + conditions, do: puts + additions))
    guard isDone else {
      let isTaken = try await storing { try await store.get(nameKey) } != nil
      guard isTaken else { throw IdentityError.conflict(record.name) }
      throw IdentityError(
        .nameTaken, "another account has this name", metadata: ["name": "\(record.name)"])
    }
    return try await account(id: id)
  }

  /// Changes an account. Throws `noSuchAccount`, `lastAdministrator`, `wrongKind` (an organisation
  /// cannot administer), `invalidRequest`, `conflict`.
  package func update(_ id: AccountID, _ changes: AccountChanges) async throws -> Account {
    try Self.checkText(changes.fullName ?? "", "fullName")
    let key = Keys.account(id)
    for _ in 0..<Self.attemptLimit {
      guard let (old, revision) = try await stored(AccountRecord.self, key) else {
        throw IdentityError.noSuchAccount(id)
      }
      if old.kind == .organization, changes.isAdmin == true || changes.isActive == false {
        throw IdentityError(.wrongKind, "this can be said of users only")
      }
      var new = old
      new.apply(changes)
      var conditions = [Compare.modifyRevision(of: key, is: revision)]
      if old.isAdmin && old.isActive && !(new.isAdmin && new.isActive) {
        conditions.append(try await otherAdministrator(than: id))
      }
      let put = Operation.put(key, try RecordCoding.encode(new))
      if try await commit(Transaction(when: conditions, do: [put])) {
        return try await account(id: id)
      }
    }
    throw IdentityError.conflict(id)
  }

  /// Deletes an account with its secrets, memberships, and, of an organisation, its teams. What
  /// other modules keep for it they delete themselves, before. Throws `noSuchAccount`,
  /// `lastAdministrator`, `conflict`.
  package func deleteAccount(_ id: AccountID) async throws {
    let key = Keys.account(id)
    for _ in 0..<Self.attemptLimit {
      guard let (record, revision) = try await stored(AccountRecord.self, key) else {
        throw IdentityError.noSuchAccount(id)
      }
      var conditions = [Compare.modifyRevision(of: key, is: revision)]
      if record.isAdmin && record.isActive {
        conditions.append(try await otherAdministrator(than: id))
      }
      let teams = try await directory.read { $0.teams(of: id).map(\.id) }
      let prefixes = [
        Keys.secrets(of: id), Keys.members(of: id), Keys.teamMembers(of: id),
        Keys.teams(of: id), Keys.teamNames(of: id),
      ]
      let deletions: [Operation] =
        [.delete(key), .delete(Keys.name(record.name))]
        + prefixes.map { .delete(DeleteRequest(.prefix($0))) }
      guard try await commit(Transaction(when: conditions, do: deletions)) else { continue }
      await sweepMemberships(of: id, ofTeams: teams)
      return
    }
    throw IdentityError.conflict(id)
  }

  /// Deletes the membership records of an organisation and teams that are gone. They mean nothing
  /// any more, and nobody can add to them, so that a failure leaves only some bytes.
  func sweepMemberships(of organization: AccountID? = nil, ofTeams teams: [TeamID]) async {
    do {
      let keys = try await directory.read { directory in
        let inTeams = teams.flatMap { team in
          directory.memberFlags(ofTeam: team).keys.map { Keys.teamMember($0, of: team) }
        }
        guard let organization else { return inTeams }
        return inTeams
          + directory.memberRoles(of: organization).keys.map {
            Keys.member($0, of: organization)
          }
      }
      for start in stride(from: 0, to: keys.count, by: Transaction.operationLimit) {
        let part = keys[start..<min(start + Transaction.operationLimit, keys.count)]
        _ = try await storing {
          try await store.transact(Transaction(do: part.map { .delete($0) }))
        }
      }
    } catch {
      logger.warning(
        "memberships of a deleted organisation were left", metadata: ["error": "\(error)"])
    }
  }

  /// The condition that some other active administrator stays as they are.
  private func otherAdministrator(than id: AccountID) async throws -> Compare {
    let others = try await directory.read { directory in
      directory.accounts.values.filter { $0.isAdmin && $0.isActive && $0.id != id }
    }
    guard let other = others.min(by: { $0.id < $1.id }) else {
      throw IdentityError(
        .lastAdministrator, "the last active administrator must stay one",
        metadata: ["account": "\(id)"])
    }
    return .modifyRevision(of: Keys.account(other.id), is: other.revision)
  }

  /// Throws `noSuchAccount`, or `wrongKind` when the account is of another kind.
  func checkKind(_ id: AccountID, _ kind: Account.Kind) async throws {
    let account = try await account(id: id)
    guard account.kind == kind else {
      throw IdentityError(
        .wrongKind, "the account is of the wrong kind",
        metadata: ["account": "\(account.name)", "needed": kind.rawValue])
    }
  }
}

extension IdentityService {
  private static let passwordLimit = 1_024

  /// Sets a user's password; all that was remembered of the old one is forgotten before this
  /// returns. Refresh tokens end with it. Throws `unauthenticated` when `old` is given and wrong,
  /// `throttled`, `noSuchAccount`, `wrongKind`, `invalidPassword`, `conflict`.
  package func setPassword(
    _ password: String, of id: AccountID, checking old: String? = nil
  ) async throws {
    try await checkKind(id, .user)
    try checkPassword(password)
    if let old {
      let name = try await account(id: id).name
      try await checkCurrentPassword(old, of: id, name: name)
    }
    let record = PasswordRecord(hash: try await hasher.hash(password), changedAt: clock())
    let isDone = try await commit(
      Transaction(
        when: [.exists(Keys.account(id))],
        do: [
          .put(Keys.password(of: id), try RecordCoding.encode(record)),
          .delete(DeleteRequest(.prefix(Keys.secrets(of: id).appending("refresh/")))),
        ]))
    guard isDone else { throw IdentityError.noSuchAccount(id) }
  }

  func checkPassword(_ password: String) throws {
    guard password.count >= settings.passwordMinimum,
      password.utf8.count <= Self.passwordLimit
    else {
      throw IdentityError(
        .invalidPassword, "the password is too short or too long",
        metadata: [
          "minimum": "\(settings.passwordMinimum)", "maximum": "\(Self.passwordLimit)",
        ])
    }
  }

  /// Makes an administrator when there is no active one, with this password or a random one, which
  /// is answered to be printed once. Throws `nameTaken` when the name is an account's that does not
  /// administer.
  package func ensureAdministrator(
    _ name: AccountName, password: String?
  ) async throws -> String? {
    let exists = try await directory.read { directory in
      directory.accounts.values.contains { $0.isAdmin && $0.isActive }
    }
    guard !exists else { return nil }
    let secret = password ?? Self.oneTimePassword()
    _ = try await createUser(name, password: secret, fullName: "Administrator", isAdmin: true)
    return password == nil ? secret : nil
  }

  /// 100 random bits in letters and digits that are not taken for each other.
  private static func oneTimePassword() -> String {
    let letters = Array("abcdefghjkmnpqrstuvwxyz23456789ACDEFGHJKLMNPQRTUVWXY")
    var generator = SystemRandomNumberGenerator()
    return String((0..<20).map { _ in letters.randomElement(using: &generator) ?? "x" })
  }
}
