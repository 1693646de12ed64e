import Identity
import OCI
import Registry
import StateStore
import Testing

@testable import RegistryJobs

@Suite(.timeLimit(.minutes(5))) struct EventDispatcherTests {
  @Test func eachTypeOfWebhookHearsOfItsEvents() async throws {
    let fixture = try JobsFixture()
    let registry = fixture.registry
    let repository = try await fixture.repository("ns/a")
    try await fixture.begin()
    var types: [String: WebhookType] = [:]
    for type in WebhookType.allCases {
      let key = type.scope == .repository ? "ns/a" : type.scope == .namespace ? "ns" : ""
      types[try await fixture.webhook(type, key).id] = type
    }
    let everywhere = try await fixture.webhook(.tagPush, "").id

    let tagged = try await fixture.push("ns/a", "v1")
    let untagged = try await fixture.push("ns/a", nil, layer: "other")
    registry.recordPull(repository, .tag(try #require(Tag("v1"))), digest: tagged, by: .system)
    registry.recordPull(repository, .digest(untagged), digest: untagged, by: .system)
    await registry.flushPulls()
    try await registry.deleteManifest(repository, untagged, by: .system)
    try await registry.deleteTag(repository, try #require(Tag("v1")), by: .system)
    var changes = RepositoryChanges()
    changes.shortDescription = "changed"
    _ = try await registry.updateRepository(repository.name, changes, by: .system)
    for (kind, direction) in [
      (RegistryEvent.Kind.promotion, nil), (.mirror, "push"), (.mirror, "poll"), (.scan, nil),
    ] {
      var event = registry.event(kind, .tag, repository, by: .system)
      event.facts = direction.map { ["direction": $0] }
      try await registry.record(event)
    }
    // Others' repositories are none of their business.
    try await fixture.push("other/a", "v1")
    _ = try await fixture.repository("ns/new")
    try await registry.deleteRepository(RepositoryName("ns/new"), by: .system)

    try await fixture.dispatching { try await fixture.settle() }
    var counts: [WebhookType: Int] = [:]
    var elsewhere = 0
    for job in try await fixture.jobs("webhook") {
      let id = job.parameters["webhook"] ?? ""
      if id == everywhere { elsewhere += 1 }
      guard let type = types[id] else { continue }
      #expect(job.parameters["type"] == type.rawValue)
      counts[type, default: 0] += 1
    }
    #expect(
      counts == [
        .tagPush: 1, .manifestPush: 2, .tagPull: 1, .manifestPull: 2, .tagDelete: 1,
        .manifestDelete: 1, .promotion: 1, .pushMirroring: 1, .pollMirroring: 1,
        .scanCompleted: 1, .repositoryEvent: 3, .repositoryCreated: 1, .repositoryUpdated: 1,
        .repositoryDeleted: 1,
      ])
    // Of every push there is, the sentinel's as well.
    #expect(elsewhere == 3)
  }

  @Test func policiesHearOfTagsThatTheirRulesFit() async throws {
    let fixture = try JobsFixture()
    let rule = Rule(field: "tag", operator: "sw", values: ["v"])
    let promotion = try await fixture.promotion("ns/a", "ns/b", rules: [rule])
    let off = try await fixture.promotion("ns/a", "ns/c")
    var draft = PolicyDraft()
    draft.isEnabled = false
    _ = try await fixture.policies.update(off.id, .promotion, draft)
    try await fixture.policy(.pruning, "ns/a") { $0.rules = [rule] }
    let mirror = try await fixture.policy(.pushMirroring, "ns/a") { draft in
      draft.remoteHost = "remote.test"
      draft.remoteRepository = "x/y"
    }
    try await fixture.begin()
    try await fixture.push("ns/a", "v1")
    try await fixture.push("ns/a", "latest")
    try await fixture.push("ns/a", nil, layer: "by digest")
    try await fixture.push("ns/other", "v1")
    // A signature's tag, and what promotions led to too often.
    let hex = String(repeating: "a", count: 64)
    try await fixture.push("ns/a", "sha256-\(hex).sig")
    try await fixture.push("ns/a", "v2", facts: ["promotionDepth": "8"])
    try await fixture.dispatching { try await fixture.settle() }
    #expect(
      try await fixture.made() == [
        "tag_promotion \(promotion.id) v1": 1, "push_mirror_tag \(mirror.id) v1": 1,
        "push_mirror_tag \(mirror.id) latest": 1, "push_mirror_tag \(mirror.id) v2": 1,
      ])
    let job = try #require(try await fixture.jobs("tag_promotion").first)
    #expect(job.parameters["depth"] == "0")
    #expect(job.parameters["digest"] == (try await fixture.tags("ns/a")["v1"]?.description))
  }

  @Test func aWebhookHearsOfWhatHappensRightAfterItWasMade() async throws {
    let fixture = try JobsFixture()
    try await fixture.begin()
    try await fixture.dispatching {
      for round in 0..<30 {
        let hook = try await fixture.webhook(.tagPush, "ns/a")
        try await fixture.push("ns/a", "t\(round)")
        try await until("its job") {
          try await fixture.jobs().contains { $0.parameters["webhook"] == hook.id }
        }
        try await fixture.webhooks.delete(hook.id)
      }
    }
  }

  // MARK: Once and once only

  /// Pushes tags while dispatchers come and go; answers what should be made.
  private func pushes(
    _ fixture: JobsFixture, _ count: Int
  ) async throws -> [String: Int] {
    let promotion = try await fixture.promotion("ns/a", "ns/b")
    let hooks = [
      try await fixture.webhook(.tagPush, "ns/a"), try await fixture.webhook(.manifestPush, "ns/a"),
    ]
    try await fixture.begin()
    var expected: [String: Int] = [:]
    for number in 0..<count {
      expected["tag_promotion \(promotion.id) t\(number)"] = 1
      expected["\(hooks[0].id) t\(number)"] = 1
    }
    // A manifest's message names no tag.
    expected["\(hooks[1].id) -"] = count
    return expected
  }

  @Test func restartsLoseAndRepeatNothing() async throws {
    let fixture = try JobsFixture()
    let expected = try await pushes(fixture, 60)
    let pushing = Task {
      for number in 0..<60 { try await fixture.push("ns/a", "t\(number)") }
    }
    for round in 1...6 {
      try await fixture.dispatching {
        try await until("some more jobs") { try await fixture.jobs().count > round * 15 }
      }
    }
    try await pushing.value
    try await fixture.dispatching { try await fixture.settle() }
    #expect(try await fixture.made() == expected)
  }

  @Test func severalDispatchersMakeEachJobOnce() async throws {
    let fixture = try JobsFixture()
    let expected = try await pushes(fixture, 40)
    try await fixture.dispatching(3) {
      for number in 0..<40 { try await fixture.push("ns/a", "t\(number)") }
      try await fixture.settle()
    }
    #expect(try await fixture.made() == expected)
  }

  /// More jobs than a transaction takes.
  @Test func manyJobsOfOneEventAreMadeOnceAsWell() async throws {
    let fixture = try JobsFixture()
    try await fixture.begin()
    var expected: [String: Int] = [:]
    for _ in 0..<80 {
      let hook = try await fixture.webhook(.tagPush, "ns/a")
      for tag in ["a", "b", "c"] { expected["\(hook.id) \(tag)"] = 1 }
    }
    for tag in ["a", "b", "c"] { try await fixture.push("ns/a", tag) }
    for round in 1...3 {
      try await fixture.dispatching {
        try await until("some more jobs") { try await fixture.jobs().count >= round * 32 }
      }
    }
    try await fixture.dispatching(2) { try await fixture.settle() }
    #expect(try await fixture.made() == expected)
  }

  @Test func whatWasCompactedAwayIsCaughtUpWith() async throws {
    let fixture = try JobsFixture()
    let hook = try await fixture.webhook(.tagPush, "ns/a").id
    try await fixture.begin()
    try await fixture.push("ns/a", "t0")
    try await fixture.dispatching { try await fixture.settle() }
    for number in 1...40 { try await fixture.push("ns/a", "t\(number)") }
    let now = try await fixture.store.range(RangeRequest(.key("/x"))).revision
    try await fixture.store.compact(to: now)
    // Some of them before a restart, which finds the same history gone.
    try await fixture.dispatching {
      try await until("some jobs") { try await fixture.jobs().count > 10 }
    }
    try await fixture.push("ns/a", "late")
    try await fixture.dispatching(2) { try await fixture.settle() }
    var expected = ["\(hook) late": 1]
    for number in 0...40 { expected["\(hook) t\(number)"] = 1 }
    #expect(try await fixture.made() == expected)
  }

  // MARK: Deletion

  @Test func policiesAndWebhooksGoWithTheirRepository() async throws {
    let fixture = try JobsFixture()
    let into = try await fixture.promotion("ns/b", "ns/a")
    let out = try await fixture.promotion("ns/a", "ns/b")
    let kept = try await fixture.promotion("ns/b", "ns/c")
    let hook = try await fixture.webhook(.tagPush, "ns/a")
    let others = try await fixture.webhook(.tagPush, "ns/b")
    let space = try await fixture.webhook(.repositoryDeleted, "ns")
    try await fixture.begin()
    try await fixture.registry.deleteRepository(RepositoryName("ns/a"), by: .system)
    // Made before the deletion was heard of, for the new one of that name.
    let new = try await fixture.promotion("ns/c", "ns/a")
    try await fixture.dispatching(2) { try await fixture.settle() }
    #expect(Set(try await fixture.policies.policies(nil).map(\.id)) == [kept.id, new.id])
    #expect(Set(try await fixture.webhooks.webhooks().map(\.id)) == [others.id, space.id])
    #expect(try await fixture.made() == ["\(space.id) -": 1])
    for gone in [into, out] {
      #expect(await refusal { try await fixture.policies.policy(gone.id, .promotion) } != nil)
    }
    #expect(await refusal { try await fixture.webhooks.webhook(hook.id) } == .noSuchWebhook)
  }
}
