import Identity
import OCI
import Registry

/// Gives a tag, or every matching tag, to the repository a policy promotes to. Parameters: `policy`,
/// and `tag` with `digest` for one tag; `depth` counts promotions that led to this one.
struct PromotionJob: JobKind {
  /// How many promotions one push may lead to, one after another.
  static let depthLimit = 8

  let action = "tag_promotion"
  let concurrency = 4
  let retries = 2
  let runner: PolicyRunner

  func run(_ job: RunningJob) async throws -> String? {
    let policy: Policy
    do {
      policy = try await runner.policies.policy(try job.required("policy"), .promotion)
    } catch let error as JobError where error.code == .noSuchPolicy {
      return "the policy is gone"
    }
    guard policy.isEnabled else { return "the policy is switched off" }
    do {
      let count = try await run(policy, job)
      try await runner.report(policy, failure: nil)
      return "\(count) tags promoted"
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      await job.log("\(error)")
      try await runner.report(policy, failure: error)
      throw error
    }
  }

  private func run(_ policy: Policy, _ job: RunningJob) async throws -> Int {
    let source = try await runner.repository(of: policy)
    guard let name = policy.target, let target = try await runner.registry.repository(name) else {
      throw JobError(.failed, "the target repository is gone")
    }
    let template = try TagTemplate(policy.tagTemplate)
    let now = Timestamp.now()
    var pending: [(tag: Tag, digest: Digest)] = []
    if let name = job.parameters["tag"], let tag = Tag(name),
      let digest = job.parameters["digest"].flatMap({ Digest($0) })
    {
      pending = [(tag, digest)]
    } else {
      pending = try await runner.matchingTags(policy.rules, source, now: now).map {
        ($0.name, $0.digest)
      }
    }
    let depth = job.parameters["depth"].flatMap { Int($0) } ?? 0
    var count = 0
    for item in pending {
      guard let tag = template.tag(for: item.tag.description, at: now) else {
        throw JobError.invalid("tagTemplate", "the template makes no tag of \(item.tag)")
      }
      let promotion = Promotion(
        source: source, sourceTag: item.tag, digest: item.digest, target: target, targetTag: tag,
        policy: policy.id, depth: depth + 1)
      if try await promotion.run(runner.registry, log: { await job.log($0) }) { count += 1 }
    }
    return count
  }
}

/// One tag that is given to another repository.
struct Promotion: Sendable {
  let source: Repository
  let sourceTag: Tag
  let digest: Digest
  let target: Repository
  let targetTag: Tag
  /// The policy's id; empty when it is done by hand.
  let policy: String
  let depth: Int

  /// Promotes the tag; false when the target has it already.
  func run(
    _ registry: RegistryService, log: @escaping @Sendable (String) async -> Void
  ) async throws -> Bool {
    let facts = [
      "policy": policy, "sourceRepository": source.name.description,
      "sourceTag": sourceTag.description, "targetRepository": target.name.description,
      "targetTag": targetTag.description, "promotionDepth": "\(depth)",
    ]
    do {
      guard try await registry.tag(target, targetTag).digest != digest else { return false }
    } catch let error as RegistryError where error.code == .tagUnknown {
      // It is new there.
    }
    await log("promoting \(source.name):\(sourceTag) to \(target.name):\(targetTag)")
    try await ImageCopy(registry: registry, log: log)
      .promote(digest, from: source, to: target, as: targetTag, facts: facts)
    for (repository, tag) in [(source, sourceTag), (target, targetTag)] {
      var event = registry.event(.promotion, .tag, repository, by: .system)
      event.tag = tag
      event.digest = digest
      event.facts = facts
      try await registry.record(event)
      if source.id == target.id { break }
    }
    return true
  }
}

/// Deletes the tags that pruning policies are for. Parameter: `policy` for one of them.
struct PruningJob: JobKind {
  let action = "tag_pruning"
  let defaultSchedule: String? = "0 */15 * * * *"
  let runner: PolicyRunner

  func run(_ job: RunningJob) async throws -> String? {
    var pending: [Policy]
    if let id = job.parameters["policy"] {
      pending = [try await runner.policies.policy(id, .pruning)]
    } else {
      pending = try await runner.policies.policies(.pruning)
    }
    pending = pending.filter(\.isEnabled)
    var count = 0
    for policy in pending {
      do {
        count += try await run(policy, job)
        try await runner.report(policy, failure: nil)
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        await job.log("\(policy.repository): \(error)")
        try await runner.report(policy, failure: error)
      }
    }
    return "\(count) tags deleted by \(pending.count) policies"
  }

  private func run(_ policy: Policy, _ job: RunningJob) async throws -> Int {
    let repository = try await runner.repository(of: policy)
    var count = 0
    for tag in try await runner.matchingTags(policy.rules, repository, now: .now()) {
      do {
        try await runner.registry.deleteTag(repository, tag.name, by: .system)
        await job.log("deleted \(repository.name):\(tag.name)")
        count += 1
      } catch let error as RegistryError where error.code == .tagUnknown {
        continue
      }
    }
    return count
  }
}
