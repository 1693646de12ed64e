import Host
package import Identity
package import Registry
package import StateStore

/// The policies of repositories; they lie in the store under `/policies/`.
///
/// Who may make them is for the caller to find out. Every method throws ``JobError``, or
/// `CancellationError`.
package final class PolicyService: Sendable {
  private static let root: Key = "/policies/records/"
  private static let statuses: Key = "/policies/statuses/"
  /// The most policies of one kind that a repository may have.
  private static let limit = 100

  private let records: JobStore
  private let secrets: SecretBox
  private let clock: @Sendable () -> Timestamp

  /// The policies in this store. Passwords are sealed in `secrets`.
  package init(
    store: any StateStore, secrets: SecretBox,
    clock: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
  ) {
    records = JobStore(store: store)
    self.secrets = secrets
    self.clock = clock
  }

  private static func key(_ id: String) -> Key { root.appending(id) }

  /// The policies of a kind, by age: of one repository, or of all.
  package func policies(
    _ kind: PolicyKind?, of repository: Repository? = nil
  ) async throws -> [Policy] {
    var found: [Policy] = []
    try await records.scan(Self.root) { item in
      let record = try PolicyRecord(item)
      guard let id = item.key.suffix(after: Self.root), kind.map({ $0 == record.kind }) ?? true,
        repository.map({ $0.id == record.repositoryID }) ?? true
      else { return }
      found.append(record.policy(id, nil))
    }
    for index in found.indices {
      let status = try await records.fetch(
        Self.statuses.appending(found[index].id), as: PolicyStatusRecord.self)
      found[index].apply(status?.record)
    }
    return found.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
  }

  /// Every policy as the dispatcher needs them, without how they fared.
  func activePolicies() async throws -> [Policy] {
    var found: [Policy] = []
    try await records.scan(Self.root) { item in
      guard let id = item.key.suffix(after: Self.root) else { return }
      let record = try PolicyRecord(item)
      if record.enabled { found.append(record.policy(id, nil)) }
    }
    return found
  }

  /// A policy. Throws `noSuchPolicy` when there is none of this kind.
  package func policy(_ id: String, _ kind: PolicyKind) async throws -> Policy {
    let found = try await record(id)
    guard let found, found.record.kind == kind else { throw Self.unknown(id) }
    let status = try await records.fetch(
      Self.statuses.appending(id), as: PolicyStatusRecord.self)
    return found.record.policy(id, status?.record)
  }

  private func record(_ id: String) async throws -> (record: PolicyRecord, revision: Revision)? {
    guard (1...64).contains(id.utf8.count), !id.utf8.contains(UInt8(ascii: "/")) else {
      return nil
    }
    return try await records.fetch(Self.key(id), as: PolicyRecord.self)
  }

  private static func unknown(_ id: String) -> JobError {
    JobError(.noSuchPolicy, "no such policy", metadata: ["policy": String(id.prefix(64))])
  }

  /// Makes a policy of a repository. Throws `invalidRequest`.
  package func create(
    _ kind: PolicyKind, of repository: Repository, _ draft: PolicyDraft, by caller: Caller
  ) async throws -> Policy {
    guard try await policies(kind, of: repository).count < Self.limit else {
      throw JobError.invalid("policies", "the repository has as many policies as it may have")
    }
    var record = PolicyRecord(
      kind: kind, repository: repository.name, repositoryID: repository.id, author: caller.name,
      created: clock().milliseconds)
    try apply(draft, to: &record)
    let id = Identifier.hexadecimal(bytes: 16)
    _ = try await records.commit(
      do: [.put(Self.key(id), try record.encoded()), .put(JobKeys.subscriptions, [])])
    return record.policy(id, nil)
  }

  /// Changes what the draft says of a policy. Throws `noSuchPolicy`, `invalidRequest`.
  package func update(
    _ id: String, _ kind: PolicyKind, _ draft: PolicyDraft
  ) async throws -> Policy {
    try await records.retrying { () -> Void? in
      guard let found = try await record(id), found.record.kind == kind else {
        throw Self.unknown(id)
      }
      var record = found.record
      try apply(draft, to: &record)
      let done = try await records.commit(
        when: [.modifyRevision(of: Self.key(id), is: found.revision)],
        do: [.put(Self.key(id), try record.encoded()), .put(JobKeys.subscriptions, [])])
      return done ? () : nil
    }
    return try await policy(id, kind)
  }

  private func apply(_ draft: PolicyDraft, to record: inout PolicyRecord) throws {
    if let rules = draft.rules, record.kind != .pollMirroring {
      guard rules.count <= 64 else { throw JobError.invalid("rules", "there are too many rules") }
      for rule in rules { try rule.check() }
      record.rules = rules
    }
    if let template = draft.tagTemplate, record.kind != .pollMirroring {
      record.template = try TagTemplate(template).text
    }
    record.enabled = draft.isEnabled ?? record.enabled
    switch record.kind {
    case .promotion:
      record.target = draft.target ?? record.target
      guard let target = record.target else {
        throw JobError.invalid("targetRepository", "a promotion needs a target")
      }
      guard target != record.repository || record.template != "%n" else {
        throw JobError.invalid("targetRepository", "the promotion would change nothing")
      }
    case .pruning:
      // A policy without rules would delete every tag.
      guard !record.rules.isEmpty else {
        throw JobError.invalid("rules", "a pruning policy needs at least one rule")
      }
    case .pushMirroring, .pollMirroring: try applyRemote(draft, to: &record)
    }
  }

  private func applyRemote(_ draft: PolicyDraft, to record: inout PolicyRecord) throws {
    var remote =
      record.remote
      ?? RemoteRepository(
        host: "", repository: "", certificateAuthority: "", skipsTLSVerification: false,
        username: "")
    let before = remote.host
    remote.host = draft.remoteHost ?? remote.host
    remote.repository = draft.remoteRepository ?? remote.repository
    remote.certificateAuthority =
      draft.remoteCertificateAuthority ?? remote.certificateAuthority
    remote.skipsTLSVerification = draft.skipsTLSVerification ?? remote.skipsTLSVerification
    remote.username = draft.username ?? remote.username
    try RemoteRegistry.check(remote)
    var secret = try record.secret.map { try opened($0) } ?? RemoteSecret()
    // A password must not be sent to a host that whoever changes the policy does not know it for.
    if !before.isEmpty, before != remote.host, draft.password == nil, draft.token == nil {
      secret = RemoteSecret()
    }
    secret.password = draft.password ?? secret.password
    secret.token = draft.token ?? secret.token
    record.remote = remote
    record.secret = try sealed(secret)
  }

  private func sealed(_ secret: RemoteSecret) throws -> String {
    do {
      return try secrets.seal(String(decoding: secret.encoded(), as: UTF8.self))
    } catch let error as IdentityError {
      throw JobError(.unavailable, "the credentials cannot be sealed", cause: error)
    }
  }

  private func opened(_ sealed: String) throws -> RemoteSecret {
    do {
      return try RemoteSecret(
        KeyValue(
          key: "", value: Array(try secrets.open(sealed).utf8), createRevision: 0,
          modifyRevision: 0, version: 0))
    } catch let error as IdentityError {
      throw JobError(.corrupt, "the credentials cannot be opened", cause: error)
    }
  }

  /// The password and the token of a mirroring policy.
  func secret(of id: String) async throws -> RemoteSecret {
    guard let found = try await record(id) else { throw Self.unknown(id) }
    return try found.record.secret.map { try opened($0) } ?? RemoteSecret()
  }

  /// Deletes a policy. Throws `noSuchPolicy`.
  package func delete(_ id: String, _ kind: PolicyKind) async throws {
    guard let found = try await record(id), found.record.kind == kind else {
      throw Self.unknown(id)
    }
    _ = try await records.commit(
      do: [
        .delete(Self.key(id)), .delete(Self.statuses.appending(id)),
        .put(JobKeys.subscriptions, []),
      ])
  }

  /// Deletes every policy of a repository that is gone since `time`, and those that promoted into
  /// it then.
  func deletePolicies(
    ofRepository id: String, named name: RepositoryName, since time: Timestamp
  ) async throws {
    for policy in try await policies(nil)
    where policy.repositoryID == id || (policy.target == name && policy.createdAt < time) {
      do {
        try await delete(policy.id, policy.kind)
      } catch let error as JobError where error.code == .noSuchPolicy {
        continue
      }
    }
  }

  /// Writes down how a policy's run ended.
  func report(_ id: String, code: String, detail: String) async throws {
    let now = clock()
    let key = Self.statuses.appending(id)
    let before = try await records.fetch(key, as: PolicyStatusRecord.self)?.record
    let record = PolicyStatusRecord(
      last: code == PolicyStatusRecord.success ? now.milliseconds : before?.last,
      status: PolicyStatus(code: code, detail: detail.shortened(to: 1_000), timestamp: now))
    _ = try await records.commit(
      when: [.exists(Self.key(id))], do: [.put(key, try record.encoded())])
  }
}

/// A policy as it is stored.
struct PolicyRecord: JobStoredRecord {
  var v = 1
  var kind: PolicyKind
  var repository: RepositoryName
  var repositoryID: String
  var author: String
  var created: Int64
  var rules: [Rule] = []
  var template = "%n"
  var enabled = true
  var target: RepositoryName?
  var remote: RemoteRepository?
  /// A sealed ``RemoteSecret``.
  var secret: String?

  func policy(_ id: String, _ status: PolicyStatusRecord?) -> Policy {
    var policy = Policy(
      id: id, kind: kind, repository: repository, repositoryID: repositoryID, rules: rules,
      tagTemplate: template, isEnabled: enabled, target: target, remote: remote, author: author,
      createdAt: Timestamp(milliseconds: created))
    policy.apply(status)
    return policy
  }
}

extension Policy {
  fileprivate mutating func apply(_ status: PolicyStatusRecord?) {
    lastRunAt = status?.last.map { Timestamp(milliseconds: $0) }
    lastStatus = status?.status
  }
}

/// How a policy fared.
struct PolicyStatusRecord: JobStoredRecord {
  static let success = "SUCCESS"

  var v = 1
  /// When it last worked.
  var last: Int64?
  var status: PolicyStatus
}

/// What shows who we are elsewhere.
struct RemoteSecret: JobStoredRecord, Hashable {
  var password = ""
  var token = ""
}
