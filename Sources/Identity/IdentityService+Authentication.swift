import StateStore
import Synchronization

extension IdentityService {
  private static let secretLimit = 1_024

  /// Who has this name and secret: a password or a personal access token. A wrong name takes as long
  /// as a wrong secret. Throws `unauthenticated`; `throttled` after too many failures for the name
  /// or from the address (a secret that was right lately still passes); `inactive` when the secret
  /// is right but the account may not sign in.
  package func authenticate(
    name: String, secret: String, address: String?
  ) async throws -> Caller {
    let accountName = AccountName(name)
    let account = try await directory.read { directory in
      accountName.flatMap { directory.account(named: $0) }
    }
    if let caller = rememberedCaller(name: name, secret: secret, address: address) {
      return caller
    }
    guard secret.utf8.count <= Self.secretLimit else { throw IdentityError.unauthenticated }
    let owner = account.map { $0.id.description } ?? "name:" + name.prefix(128)
    let mark = verified.mark(owner: owner, secret: secret)
    let subjects = LoginThrottle.Subject.subjects(name: name, address: address)
    let entry = try await verifyOnce(mark, subjects: subjects) { [self] in
      try await verify(account, secret: secret, mark: mark)
    }
    let caller = try await self.caller(
      for: entry.account, address: address, credential: entry.credential)
    guard let caller else { throw Self.inactive(name) }
    return caller
  }

  /// As `authenticate`, but only what is in memory: nil when the secret has to be verified. Never
  /// waits, so that it can be asked on an event loop.
  package func rememberedCaller(name: String, secret: String, address: String?) -> Caller? {
    guard let accountName = AccountName(name), secret.utf8.count <= Self.secretLimit,
      let found = directory.peek({ $0.account(named: accountName) }), let account = found
    else { return nil }
    let mark = verified.mark(owner: account.id.description, secret: secret)
    guard let entry = verified.entry(mark, now: clock()) else { return nil }
    return rememberedCaller(
      for: account.id, address: address, credential: entry.credential, grants: nil)
  }

  /// Lets the attempt through the throttle and verifies, or waits for another that verifies the
  /// same secret for the same account.
  func verifyOnce(
    _ mark: VerifiedSecrets.Mark, subjects: [LoginThrottle.Subject],
    _ verify: @escaping @Sendable () async throws -> VerifiedSecrets.Entry
  ) async throws -> VerifiedSecrets.Entry {
    let now = clock()
    let attempt = SignIns.Attempt(mark: mark, epoch: verified.epoch)
    let admission: Result<Task<VerifiedSecrets.Entry, any Error>, IdentityError> =
      signIns.withLock { state in
        if let running = state.running[attempt] { return .success(running) }
        if let wait = state.throttle.admit(subjects, now: now) {
          return .failure(
            IdentityError(.throttled, "too many failed sign-ins", retryAfter: wait))
        }
        let task = Task {
          let result = await Result(catching: verify)
          finish(attempt, subjects, result)
          return try result.get()
        }
        state.running[attempt] = task
        return .success(task)
      }
    return try await admission.get().value
  }

  private func finish(
    _ attempt: SignIns.Attempt, _ subjects: [LoginThrottle.Subject],
    _ result: Result<VerifiedSecrets.Entry, any Error>
  ) {
    let outcome: LoginThrottle.Outcome =
      switch result {
      case .success: .success
      case .failure(let error as IdentityError):
        error.code == .unauthenticated
          ? .failure : error.code == .inactive ? .success : .abandoned
      case .failure: .abandoned
      }
    let now = clock()
    signIns.withLock { state in
      state.running[attempt] = nil
      state.throttle.finish(subjects, outcome, now: now)
    }
  }

  private func verify(
    _ account: Account?, secret: String, mark: VerifiedSecrets.Mark
  ) async throws -> VerifiedSecrets.Entry {
    let epoch = verified.epoch
    let now = clock()
    guard let account, account.kind == .user else {
      try await hasher.verifyNothing(secret)
      throw IdentityError.unauthenticated
    }
    var until = now + settings.verifiedFor
    let credential: Caller.Credential
    if let token = try await usableAccessToken(secret, of: account.id, now: now) {
      credential = .accessToken
      until = min(until, token.expiresAt ?? until)
      await noteUse(token, now: now)
    } else {
      try await verifyPassword(secret, of: account.id)
      credential = .password
    }
    guard account.isActive else { throw Self.inactive(account.name.description) }
    let entry = VerifiedSecrets.Entry(account: account.id, credential: credential, until: until)
    verified.insert(mark, entry, epoch: epoch, now: now)
    return entry
  }

  /// Throws `unauthenticated` unless it is the user's password, taking as long either way. Hashes it
  /// anew when the parameters have changed.
  func verifyPassword(_ password: String, of id: AccountID) async throws {
    let key = Keys.password(of: id)
    guard let (record, revision) = try await stored(PasswordRecord.self, key) else {
      try await hasher.verifyNothing(password)
      throw IdentityError.unauthenticated
    }
    guard try await hasher.verify(password, hash: record.hash) else {
      throw IdentityError.unauthenticated
    }
    guard hasher.isOutdated(record.hash) else { return }
    var renewed = record
    renewed.hash = try await hasher.hash(password)
    let put = Operation.put(key, try RecordCoding.encode(renewed))
    // When someone changed the password meanwhile, theirs stands.
    _ = try await commit(
      Transaction(when: [.modifyRevision(of: key, is: revision)], do: [put]))
  }

  /// Verifies a password that is about to be changed, throttled as a sign-in and never from memory.
  func checkCurrentPassword(
    _ password: String, of id: AccountID, name: AccountName
  ) async throws {
    guard password.utf8.count <= Self.secretLimit else { throw IdentityError.unauthenticated }
    let mark = verified.mark(owner: "change:\(id)", secret: password)
    let subjects = LoginThrottle.Subject.subjects(name: name.description, address: nil)
    _ = try await verifyOnce(mark, subjects: subjects) { [self] in
      try await verifyPassword(password, of: id)
      return VerifiedSecrets.Entry(account: id, credential: .password, until: clock())
    }
  }

  private static func inactive(_ name: String) -> IdentityError {
    IdentityError(.inactive, "the account may not sign in", metadata: ["name": name])
  }
}

extension Result where Failure == any Error {
  /// What an asynchronous body returns or throws.
  init(catching body: () async throws -> Success) async {
    do {
      self = .success(try await body())
    } catch {
      self = .failure(error)
    }
  }
}

extension IdentityService {
  /// The account as a caller; nil when it is gone, no user, or may not sign in.
  package func caller(
    for id: AccountID, address: String? = nil, credential: Caller.Credential = .none,
    grants: [TokenGrant]? = nil
  ) async throws -> Caller? {
    try await directory.read { directory in
      Self.caller(
        in: directory, id, address: address, credential: credential, grants: grants)
    }
  }

  /// The account of this name as a caller; nil when it is gone, no user, or may not sign in.
  package func caller(
    for name: AccountName, address: String? = nil, credential: Caller.Credential = .none,
    grants: [TokenGrant]? = nil
  ) async throws -> Caller? {
    try await directory.read { directory in
      directory.account(named: name).flatMap { account in
        Self.caller(
          in: directory, account.id, address: address, credential: credential, grants: grants)
      }
    }
  }

  /// Whoever a verified token was made for, limited to its grants; nil when the account is gone, has
  /// become another's, or may not sign in.
  package func caller(for claims: TokenClaims, address: String? = nil) async throws -> Caller? {
    try await directory.read { Self.caller(in: $0, for: claims, address: address) }
  }

  /// As `caller(for:)`, but never waits: nil also when nothing was loaded yet.
  package func rememberedCaller(for claims: TokenClaims, address: String? = nil) -> Caller? {
    directory.peek { Self.caller(in: $0, for: claims, address: address) } ?? nil
  }

  private func rememberedCaller(
    for id: AccountID, address: String?, credential: Caller.Credential, grants: [TokenGrant]?
  ) -> Caller? {
    directory.peek { directory in
      Self.caller(in: directory, id, address: address, credential: credential, grants: grants)
    } ?? nil
  }

  private static func caller(
    in directory: Directory, for claims: TokenClaims, address: String?
  ) -> Caller? {
    if claims.subject.isEmpty {
      var caller = Caller.anonymous(address: address, grants: claims.grants)
      caller.credential = .bearer
      return caller
    }
    guard let name = AccountName(claims.subject), let account = directory.account(named: name),
      claims.accountID == nil || claims.accountID == account.id
    else { return nil }
    return caller(
      in: directory, account.id, address: address, credential: .bearer, grants: claims.grants)
  }

  private static func caller(
    in directory: Directory, _ id: AccountID, address: String?, credential: Caller.Credential,
    grants: [TokenGrant]?
  ) -> Caller? {
    guard let account = directory.accounts[id], account.kind == .user, account.isActive
    else { return nil }
    return Caller(
      subject: .user(account), organizations: directory.organizations(of: id),
      teams: Set(directory.teams(ofUser: id).keys), address: address, credential: credential,
      grants: grants)
  }
}
