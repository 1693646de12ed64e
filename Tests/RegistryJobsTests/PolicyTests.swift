import Identity
import OCI
import Registry
import StateStore
import Testing

@testable import RegistryJobs

@Suite(.timeLimit(.minutes(5))) struct PolicyTests {
  // MARK: Promotion

  /// Waits until nothing is left to be done.
  private func rest(_ fixture: JobsFixture) async throws {
    try await fixture.settle()
    try await until("no job is left") {
      try await fixture.jobs().allSatisfy { $0.status.isFinal || $0.action == "webhook" }
    }
  }

  @Test func pushedTagsArePromoted() async throws {
    let fixture = try JobsFixture()
    let rule = Rule(field: "tag", operator: "matches", values: [#"^v\d+$"#])
    let policy = try await fixture.promotion("ns/a", "prod/b", rules: [rule], template: "%n-ok")
    try await fixture.running { _ in
      let digest = try await fixture.push("ns/a", "v1", layer: "some content")
      try await fixture.push("ns/a", "latest", layer: "other content")
      try await until("the promotion") { try await fixture.tags("prod/b")["v1-ok"] == digest }
      try await rest(fixture)
      #expect(try await fixture.tags("prod/b") == ["v1-ok": digest])
      let target = try await fixture.repository("prod/b")
      _ = try await fixture.registry.blob(target, .sha256(of: Array("some content".utf8)))
      let after = try await fixture.policies.policy(policy.id, .promotion)
      #expect(after.lastStatus?.code == "SUCCESS" && after.lastRunAt != nil)
      var filter = EventFilter()
      filter.kinds = [.promotion]
      let events = try await fixture.registry.events(filter, limit: 10).items
      #expect(Set(events.compactMap { $0.repository?.description }) == ["ns/a", "prod/b"])
      #expect(events.allSatisfy { $0.facts?["targetTag"] == "v1-ok" && $0.digest == digest })
    }
  }

  @Test func referrersArePromotedWithTheirSubject() async throws {
    let fixture = try JobsFixture()
    let digest = try await fixture.push("ns/a", "v1")
    let referrer = try await fixture.push("ns/a", nil, layer: "signature", subject: digest)
    let (source, target) = (
      try await fixture.repository("ns/a"), try await fixture.repository("ns/b")
    )
    let tag = try await fixture.registry.tag(source, try #require(Tag("v1")))
    try await fixture.automation().promote(source, tag, to: target, as: tag.name)
    #expect(try await fixture.tags("ns/b") == ["v1": digest])
    let found = try await fixture.registry.referrers(target, of: digest, artifactType: nil)
    #expect(found.manifests.map(\.digest) == [referrer])
  }

  @Test func chainsGoToTheirEnd() async throws {
    let fixture = try JobsFixture()
    for (source, target) in [("ns/a", "ns/b"), ("ns/b", "ns/c"), ("ns/c", "ns/d")] {
      try await fixture.promotion(source, target)
    }
    try await fixture.running { _ in
      let digest = try await fixture.push("ns/a", "v1")
      try await until("the end of the chain") { try await fixture.tags("ns/d")["v1"] == digest }
    }
  }

  @Test func circlesComeToRest() async throws {
    let fixture = try JobsFixture()
    try await fixture.promotion("ns/a", "ns/b")
    try await fixture.promotion("ns/b", "ns/a")
    // This one makes a new tag each time.
    try await fixture.promotion("ns/c", "ns/d")
    try await fixture.promotion("ns/d", "ns/c", template: "x%n")
    try await fixture.running { _ in
      let digest = try await fixture.push("ns/a", "v1")
      try await fixture.push("ns/c", "v1")
      try await until("the last promotion") { try await fixture.tags("ns/c").count == 5 }
      // What the last ones asked for is done as well.
      for _ in 0..<2 { try await rest(fixture) }
      #expect(try await fixture.tags("ns/b") == ["v1": digest])
      #expect(Set(try await fixture.tags("ns/c").keys) == ["v1", "xv1", "xxv1", "xxxv1", "xxxxv1"])
      #expect(Set(try await fixture.tags("ns/d").keys) == ["v1", "xv1", "xxv1", "xxxv1"])
    }
  }

  @Test func policiesAreCarriedOutForWhatIsThere() async throws {
    let fixture = try JobsFixture()
    for tag in ["a1", "a2", "b1"] { try await fixture.push("ns/a", tag) }
    let rule = Rule(field: "tag", operator: "sw", values: ["a"])
    let policy = try await fixture.promotion("ns/a", "ns/b", rules: [rule])
    try await fixture.running { automation in
      let job = try await automation.evaluate(policy)
      let done = try await eventually("the job") {
        let job = try await fixture.queue.job(job.id)
        return job.status.isFinal ? job : nil
      }
      #expect(done.status == .done && done.result == "2 tags promoted")
      #expect(Set(try await fixture.tags("ns/b").keys) == ["a1", "a2"])
    }
  }

  @Test func promotionsThatCannotBeSayWhy() async throws {
    let fixture = try JobsFixture()
    let policy = try await fixture.promotion("ns/a", "ns/b", template: "%n%n")
    let long = String(repeating: "l", count: 100)
    try await fixture.push("ns/a", long)
    try await fixture.running { automation in
      _ = try await automation.evaluate(policy)
      let status = try await eventually("how it fared") {
        try await fixture.policies.policy(policy.id, .promotion).lastStatus
      }
      #expect(status.code == "INVALID_REQUEST" && status.detail.contains("template"))
      var filter = EventFilter()
      filter.kinds = [.failure]
      try await until("its event") {
        try await !fixture.registry.events(filter, limit: 1).items.isEmpty
      }
    }
  }

  // MARK: Pruning

  @Test func tagsArePruned() async throws {
    let fixture = try JobsFixture()
    for tag in ["old-1", "old-2", "new-1"] { try await fixture.push("ns/a", tag) }
    try await fixture.push("ns/b", "old-1")
    let rules = [
      Rule(field: "tag", operator: "sw", values: ["old"]),
      Rule(field: "updated_at_duration", operator: "af", values: ["1h"]),
    ]
    let policy = try await fixture.policy(.pruning, "ns/a") { $0.rules = rules }
    let off = try await fixture.policy(.pruning, "ns/b") { draft in
      draft.rules = rules
      draft.isEnabled = false
    }
    let repository = try await fixture.repository("ns/a")
    try await fixture.running { automation in
      let found = try await automation.matchingTags(rules, repository)
      #expect(found.map(\.name.description) == ["old-1", "old-2"])
      for policy in [policy, off] {
        let job = try await automation.evaluate(policy)
        try await until("the job") { try await fixture.queue.job(job.id).status == .done }
      }
      #expect(Array(try await fixture.tags("ns/a").keys) == ["new-1"])
      #expect(Array(try await fixture.tags("ns/b").keys) == ["old-1"])
      #expect(
        try await fixture.policies.policy(policy.id, .pruning).lastStatus?.code == "SUCCESS")
      // All policies at once, as its schedule does it.
      try await fixture.push("ns/a", "old-3")
      let job = try await automation.queue.submit(JobDraft("tag_pruning"))
      try await until("the job") { try await fixture.queue.job(job.id).status == .done }
      #expect(Array(try await fixture.tags("ns/a").keys) == ["new-1"])
    }
  }

  // MARK: Making them

  private func refused(
    _ kind: PolicyKind, _ change: (inout PolicyDraft) throws -> Void
  ) async throws -> Bool {
    let fixture = try JobsFixture()
    var draft = PolicyDraft()
    try change(&draft)
    let repository = try await fixture.repository("ns/a")
    return await refusal {
      try await fixture.policies.create(kind, of: repository, draft, by: .system)
    } == .invalidRequest
  }

  @Test func policiesThatMakeNoSenseAreRefused() async throws {
    let rule = Rule(field: "tag", operator: "eq", values: ["a"])
    #expect(try await refused(.promotion) { _ in })
    #expect(try await refused(.promotion) { $0.target = try RepositoryName("ns/a") })
    #expect(
      try await refused(.promotion) { draft in
        draft.target = try RepositoryName("ns/b")
        draft.tagTemplate = "%q"
      })
    #expect(
      try await refused(.promotion) { draft in
        draft.target = try RepositoryName("ns/b")
        draft.rules = Array(repeating: rule, count: 65)
      })
    #expect(try await refused(.pruning) { _ in })
    #expect(try await refused(.pruning) { $0.rules = [] })
    #expect(
      try await refused(.pruning) {
        $0.rules = [Rule(field: "tag", operator: "matches", values: ["("])]
      })
    for host in [
      "", "http://", "ftp://a", "a/b", "a b", "a@b", "user:pw@host", "a?b", "a#b", "é",
      String(repeating: "a", count: 256),
    ] {
      for kind in [PolicyKind.pushMirroring, .pollMirroring] {
        #expect(
          try await refused(kind) { draft in
            draft.remoteHost = host
            draft.remoteRepository = "x/y"
          }, "\(host)")
      }
    }
    for change: @Sendable (inout PolicyDraft) -> Void in [
      { $0.remoteRepository = "X/../y" }, { $0.username = "a:b" },
      { $0.remoteCertificateAuthority = "no certificate" },
    ] {
      #expect(
        try await refused(.pollMirroring) { draft in
          draft.remoteHost = "a"
          draft.remoteRepository = "x/y"
          change(&draft)
        })
    }
  }

  @Test func credentialsStayWithTheHostTheyWereGivenFor() async throws {
    let fixture = try JobsFixture()
    let policy = try await fixture.policy(.pollMirroring, "ns/a") { draft in
      draft.remoteHost = "one.test"
      draft.remoteRepository = "x/y"
      draft.username = "ann"
      draft.password = "a password nobody sees"
    }
    for item in try await fixture.store.range(RangeRequest(.prefix("/"))).items {
      #expect(!String(decoding: item.value, as: UTF8.self).contains("nobody sees"))
    }
    func update(_ change: (inout PolicyDraft) -> Void) async throws -> RemoteSecret {
      var draft = PolicyDraft()
      change(&draft)
      _ = try await fixture.policies.update(policy.id, .pollMirroring, draft)
      return try await fixture.policies.secret(of: policy.id)
    }
    #expect(try await update { $0.username = "bob" }.password == "a password nobody sees")
    #expect(try await update { $0.token = "t" }.token == "t")
    #expect(try await update { $0.remoteHost = "two.test" } == RemoteSecret())
    #expect(try await update { $0.password = "new" }.password == "new")
    let changed = try await fixture.policies.policy(policy.id, .pollMirroring)
    #expect(changed.remote?.host == "two.test" && changed.remote?.username == "bob")
    #expect(
      await refusal { try await fixture.policies.policy(policy.id, .pruning) } == .noSuchPolicy)
    #expect(await refusal { try await fixture.policies.delete("x", .pruning) } == .noSuchPolicy)
  }

  @Test func aRepositoryHasSoManyPolicies() async throws {
    let fixture = try JobsFixture()
    let rule = Rule(field: "tag", operator: "eq", values: ["a"])
    for _ in 0..<100 { try await fixture.policy(.pruning, "ns/a") { $0.rules = [rule] } }
    #expect(
      await refusal { try await fixture.policy(.pruning, "ns/a") { $0.rules = [rule] } }
        == .invalidRequest)
    let all = try await fixture.policies.policies(.pruning)
    #expect(all.count == 100)
    try await fixture.policies.delete(all[0].id, .pruning)
    try await fixture.policy(.pruning, "ns/a") { $0.rules = [rule] }
  }
}
