import AsyncHTTPClient
import FoundationEssentials
import Identity
import Logging
import OCI
import Registry

/// What mirroring and promotion jobs work with.
struct PolicyRunner: Sendable {
  let registry: RegistryService
  let policies: PolicyService
  let http: HTTPClient
  let logger: Logger

  /// The local repository of a policy. Throws when it is gone or another has its name now.
  func repository(of policy: Policy) async throws -> Repository {
    guard let found = try await registry.repository(policy.repository),
      found.id == policy.repositoryID
    else { throw JobError(.failed, "the policy's repository is gone") }
    return found
  }

  func connect(_ policy: Policy, actions: String) async throws -> RemoteRegistry {
    guard let remote = policy.remote else {
      throw JobError(.corrupt, "the policy has no remote repository")
    }
    return try await RemoteRegistry.connect(
      remote, try await policies.secret(of: policy.id), http: http, actions: actions,
      logger: logger)
  }

  /// Writes down how a policy fared, among its repository's events too.
  func report(_ policy: Policy, failure: (any Error)?) async throws {
    if let failure {
      let code = (failure as? JobError)?.code.rawValue ?? "failed"
      try await policies.report(policy.id, code: Self.upperSnake(code), detail: "\(failure)")
      var event = registry.event(
        .failure, .policy, try await registry.repository(policy.repository), by: .system)
      event.facts = ["policy": policy.id, "kind": policy.kind.rawValue]
      try await registry.record(event)
    } else {
      try await policies.report(policy.id, code: PolicyStatusRecord.success, detail: "")
    }
  }

  /// `remoteFailed` as `REMOTE_FAILED`.
  private static func upperSnake(_ name: String) -> String {
    name.reduce(into: "") { text, character in
      if character.isUppercase { text.append("_") }
      text += character.uppercased()
    }
  }

  /// Every tag of a repository, in order.
  func tags(_ repository: Repository) async throws -> [TagRecord] {
    var tags: [TagRecord] = []
    while true {
      let page = try await registry.tagRecords(repository, after: tags.last?.name, limit: 1_000)
      tags += page.items
      guard page.more, !page.items.isEmpty else { return tags }
    }
  }

  /// The tags that a policy's rules hold for.
  func matchingTags(
    _ rules: [Rule], _ repository: Repository, now: Timestamp
  ) async throws -> [TagRecord] {
    try await tags(repository).filter { tag in
      let subject = RuleSubject(tag: tag.name.description, updatedAt: tag.updatedAt)
      return !RegistryService.isAttachment(tag.name)
        && rules.allSatisfy { $0.holds(for: subject, at: now) }
    }
  }
}

/// Sends a tag, or every matching tag, to another registry. Parameters: `policy`, and `tag` with
/// `digest` for one tag; or `mirror`, a sealed ``ManualMirror``.
struct PushMirrorJob: JobKind {
  let action = "push_mirror_tag"
  let concurrency = 4
  let retries = 5
  let runner: PolicyRunner
  let secrets: SecretBox

  func run(_ job: RunningJob) async throws -> String? {
    if let sealed = job.parameters["mirror"] { return try await runManual(sealed, job) }
    let policy: Policy
    do {
      policy = try await runner.policies.policy(try job.required("policy"), .pushMirroring)
    } catch let error as JobError where error.code == .noSuchPolicy {
      return "the policy is gone"
    }
    guard policy.isEnabled else { return "the policy is switched off" }
    do {
      let count = try await run(policy, job)
      try await runner.report(policy, failure: nil)
      return "\(count) tags sent"
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      await job.log("\(error)")
      try await runner.report(policy, failure: error)
      throw error
    }
  }

  private func run(_ policy: Policy, _ job: RunningJob) async throws -> Int {
    let repository = try await runner.repository(of: policy)
    let now = Timestamp.now()
    let template = try TagTemplate(policy.tagTemplate)
    var pending: [(tag: Tag, digest: Digest)] = []
    if let name = job.parameters["tag"], let tag = Tag(name),
      let digest = job.parameters["digest"].flatMap({ Digest($0) })
    {
      pending = [(tag, digest)]
    } else {
      pending = try await runner.matchingTags(policy.rules, repository, now: now).map {
        ($0.name, $0.digest)
      }
    }
    guard !pending.isEmpty else { return 0 }
    let remote = try await runner.connect(policy, actions: "pull,push")
    let copy = ImageCopy(registry: runner.registry) { await job.log($0) }
    for (index, item) in pending.enumerated() {
      await job.report(JobProgress(done: Int64(index), total: Int64(pending.count)))
      guard let target = template.tag(for: item.tag.description, at: now) else {
        throw JobError.invalid("tagTemplate", "the template makes no tag of \(item.tag)")
      }
      await job.log("sending \(repository.name):\(item.tag) as \(target)")
      try await copy.push(item.digest, of: repository, to: remote, as: target)
      try await tell(repository, item.tag, item.digest, policy.remote, target, policy.id)
    }
    await job.report(JobProgress(done: Int64(pending.count), total: Int64(pending.count)))
    return pending.count
  }

  private func tell(
    _ repository: Repository, _ tag: Tag, _ digest: Digest, _ remote: RemoteRepository?,
    _ target: Tag, _ policy: String
  ) async throws {
    var event = runner.registry.event(.mirror, .tag, repository, by: .system)
    event.tag = tag
    event.digest = digest
    event.facts = [
      "direction": "push", "policy": policy, "remoteHost": remote?.host ?? "",
      "remoteRepository": remote?.repository ?? "", "remoteTag": target.description,
    ]
    try await runner.registry.record(event)
  }

  private func runManual(_ sealed: String, _ job: RunningJob) async throws -> String? {
    let mirror = try ManualMirror.open(sealed, secrets)
    guard let repository = try await runner.registry.repository(mirror.repository),
      repository.id == mirror.repositoryID
    else { throw JobError(.failed, "the repository is gone") }
    guard let tag = Tag(mirror.tag), let target = Tag(mirror.remoteTag) else {
      throw JobError.invalid("remoteTag", "the tag is not well formed")
    }
    let remote = try await RemoteRegistry.connect(
      mirror.remote, mirror.secret, http: runner.http, actions: "pull,push",
      logger: runner.logger)
    try await ImageCopy(registry: runner.registry) { await job.log($0) }
      .push(mirror.digest, of: repository, to: remote, as: target)
    try await tell(repository, tag, mirror.digest, mirror.remote, target, "")
    return "sent \(mirror.repository):\(mirror.tag)"
  }
}

/// A tag that somebody sends elsewhere by hand.
struct ManualMirror: JobStoredRecord {
  var repository: RepositoryName
  var repositoryID: String
  var tag: String
  var digest: Digest
  var remote: RemoteRepository
  var remoteTag: String
  var secret: RemoteSecret

  func sealed(_ secrets: SecretBox) throws -> String {
    try secrets.seal(String(decoding: encoded(), as: UTF8.self))
  }

  static func open(_ sealed: String, _ secrets: SecretBox) throws -> ManualMirror {
    do {
      return try JSONDecoder().decode(
        ManualMirror.self, from: Data(try secrets.open(sealed).utf8))
    } catch {
      throw JobError(.corrupt, "the job's parameters cannot be read", cause: error)
    }
  }
}

/// Fetches what is new in the repositories that are polled. Parameter: `policy` for one of them.
struct PollMirrorJob: JobKind {
  let action = "poll_mirror"
  let defaultSchedule: String? = "0 */30 * * * *"
  let runner: PolicyRunner

  func run(_ job: RunningJob) async throws -> String? {
    var pending: [Policy]
    if let id = job.parameters["policy"] {
      pending = [try await runner.policies.policy(id, .pollMirroring)]
    } else {
      pending = try await runner.policies.policies(.pollMirroring)
    }
    pending = pending.filter(\.isEnabled)
    var failed = 0
    var fetched = 0
    for policy in pending {
      do {
        fetched += try await run(policy, job)
        try await runner.report(policy, failure: nil)
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        failed += 1
        await job.log("\(policy.repository): \(error)")
        try await runner.report(policy, failure: error)
      }
    }
    guard failed == 0 else {
      throw JobError(
        .remoteFailed, "some repositories could not be fetched", metadata: ["failed": "\(failed)"])
    }
    return "\(fetched) tags fetched from \(pending.count) repositories"
  }

  private func run(_ policy: Policy, _ job: RunningJob) async throws -> Int {
    let repository = try await runner.repository(of: policy)
    let remote = try await runner.connect(policy, actions: "pull")
    let copy = ImageCopy(registry: runner.registry) { await job.log($0) }
    var count = 0
    var failures: [any Error] = []
    for name in try await remote.tags() {
      guard let tag = Tag(name) else {
        await job.log("\(name.shortened(to: 128)) is left out: it is no tag")
        continue
      }
      do {
        if try await fetch(tag, policy, repository, remote, copy) { count += 1 }
      } catch {
        if error is CancellationError || Task.isCancelled { throw CancellationError() }
        // The others are fetched all the same: one that is broken there may stay so for ever.
        await job.log("\(repository.name):\(tag): \(error)")
        failures.append(error)
      }
    }
    guard let first = failures.first else { return count }
    throw JobError(
      .remoteFailed, "some tags could not be fetched",
      metadata: ["failed": "\(failures.count)", "fetched": "\(count)"], cause: first)
  }

  /// Fetches a tag; false when it is here already.
  private func fetch(
    _ tag: Tag, _ policy: Policy, _ repository: Repository, _ remote: RemoteRegistry,
    _ copy: ImageCopy
  ) async throws -> Bool {
    let name = tag.description
    var known: Digest?
    do {
      known = try await runner.registry.tag(repository, tag).digest
    } catch let error as RegistryError where error.code == .tagUnknown {
      // It is new here.
    }
    if let known, try await remote.digest(of: name) == known { return false }
    await copy.log("fetching \(repository.name):\(tag)")
    let fetched = try await copy.pull(
      name, from: remote, to: repository, as: .tag(tag), facts: ["policy": policy.id])
    var event = runner.registry.event(.mirror, .tag, repository, by: .system)
    event.tag = tag
    event.digest = fetched
    event.facts = [
      "direction": "poll", "policy": policy.id, "remoteHost": policy.remote?.host ?? "",
      "remoteRepository": policy.remote?.repository ?? "", "remoteTag": name,
    ]
    try await runner.registry.record(event)
    return true
  }
}
