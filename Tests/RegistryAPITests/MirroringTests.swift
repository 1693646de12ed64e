import AsyncHTTPClient
import FoundationEssentials
import Identity
import Logging
import NIOHTTP1
import OCI
import Registry
import RegistryJobs
import StateStore
import Testing

@testable import RegistryAPI

/// Two registries, each behind a listener, that mirror to and from each other.
@Suite(.timeLimit(.minutes(5))) struct MirroringTests {
  /// Lives as long as the process; follows no redirects, as the registry's own.
  private static let http: HTTPClient = {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  /// A registry with its automation.
  private struct Side: Sendable {
    let door: DoorFixture
    let automation: RegistryAutomation

    init(_ door: DoorFixture) throws {
      self.door = door
      automation = RegistryAutomation(
        registry: door.registry, store: door.store,
        secrets: try SecretBox(key: Array(repeating: 7, count: 32)), http: MirroringTests.http,
        settings: .init(worker: .init(id: "w1"), host: "reg.test"),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func repository(_ name: String) async throws -> Repository {
      try await door.registry.authorizePush(.system, to: RepositoryName(name))
    }

    func digest(_ name: String, _ tag: String) async throws -> String? {
      do {
        let tag = try #require(Tag(tag))
        return try await door.registry.tag(repository(name), tag).digest.description
      } catch let error as RegistryError where error.code == .tagUnknown {
        return nil
      }
    }

    func policy(
      _ kind: PolicyKind, _ name: String, with other: DoorFixture, _ remote: String,
      password: String = DoorFixture.password
    ) async throws -> Policy {
      var draft = PolicyDraft()
      draft.remoteHost = other.base
      draft.remoteRepository = remote
      draft.username = "ann"
      draft.password = password
      return try await automation.policies.create(
        kind, of: repository(name), draft, by: .system)
    }

    /// Carries a policy out and answers its job when that has ended.
    func carryOut(_ policy: Policy) async throws -> Job {
      let id = try await automation.evaluate(policy).id
      return try await MirroringTests.eventually("the job of \(policy.kind)") {
        let job = try await automation.queue.job(id)
        return job.status.isFinal ? job : nil
      }
    }

    func count(_ kind: RegistryEvent.Kind, _ name: String) async throws -> Int {
      var filter = EventFilter()
      filter.kinds = [kind]
      filter.object = .tag
      filter.repository = try RepositoryName(name)
      return try await door.registry.events(filter, limit: 100).items.count
    }
  }

  private struct NeverCame: Error, CustomStringConvertible {
    var description: String
  }

  private static func eventually<Value>(
    _ what: String, _ look: () async throws -> Value?
  ) async throws -> Value {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      if let found = try await look() { return found }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw NeverCame(description: "never came: \(what)")
  }

  /// Runs two registries for the length of `body`, both listening to their events.
  private func run(_ body: (Side, Side) async throws -> Void) async throws {
    try await DoorFixture.run(withTokens: true) { one in
      try await DoorFixture.run(withTokens: true) { other in
        let sides = [try Side(one), try Side(other)]
        let running = sides.map { side in Task { await side.automation.run() } }
        var result = Result<Void, any Error>.success(())
        do {
          for side in sides {
            _ = try await Self.eventually("the dispatcher's place") {
              let range = RangeRequest(.key("/jobs/dispatcher"))
              return try await side.door.store.range(range).items.first
            }
          }
          try await body(sides[0], sides[1])
        } catch {
          result = .failure(error)
        }
        for task in running { task.cancel() }
        for task in running { await task.value }
        try result.get()
      }
    }
  }

  private func push(_ side: Side, _ name: String, _ tag: String) async throws -> String {
    try await side.door.pushImage(name, tag, try await headers(side, name))
  }

  private func headers(_ side: Side, _ name: String) async throws -> HTTPHeaders {
    struct Token: Decodable { var token: String }
    let answer = try await side.door.request(
      .GET, "/auth/token?service=test-registry&scope=repository:\(name):pull,push",
      ["Authorization": "Basic " + Data("ann:\(DoorFixture.password)".utf8).base64EncodedString()])
    #expect(answer.status == 200, "\(answer.text)")
    return ["Authorization": "Bearer \(try answer.decoded(Token.self).token)"]
  }

  @Test func pushedTagsAreSentAndCirclesComeToRest() async throws {
    try await run { one, other in
      _ = try await one.policy(.pushMirroring, "ann/a", with: other.door, "ann/b")
      _ = try await other.policy(.pushMirroring, "ann/b", with: one.door, "ann/a")
      let digest = try await push(one, "ann/a", "v1")
      _ = try await Self.eventually("the tag elsewhere") {
        try await other.digest("ann/b", "v1") == digest ? true : nil
      }
      // The other has sent it back.
      _ = try await Self.eventually("the answer") {
        try await other.count(.mirror, "ann/b") > 0 ? true : nil
      }
      let second = try await push(one, "ann/a", "v2")
      _ = try await Self.eventually("the second tag's answer") {
        try await other.count(.mirror, "ann/b") > 1 ? true : nil
      }
      #expect(try await other.digest("ann/b", "v2") == second)
      #expect(try await one.count(.push, "ann/a") == 2)
      #expect(try await other.count(.push, "ann/b") == 2)
      #expect(try await one.count(.mirror, "ann/a") == 2)
      #expect(try await other.count(.mirror, "ann/b") == 2)
    }
  }

  @Test func tagsArePolled() async throws {
    try await run { one, other in
      let digest = try await push(other, "ann/b", "v1")
      _ = try await push(other, "ann/b", "v2")
      let policy = try await one.policy(.pollMirroring, "ann/a", with: other.door, "ann/b")
      let first = try await one.carryOut(policy)
      #expect(first.result == "2 tags fetched from 1 repositories", "\(first)")
      #expect(try await one.digest("ann/a", "v1") == digest)
      #expect(try await one.digest("ann/a", "v2") == digest)
      let second = try await one.carryOut(policy)
      #expect(second.result == "0 tags fetched from 1 repositories", "\(second)")
      #expect(try await one.count(.mirror, "ann/a") == 2)
      let after = try await one.automation.policies.policy(policy.id, .pollMirroring)
      #expect(after.lastStatus?.code == "SUCCESS")
    }
  }

  @Test func whatTheOtherRefusesIsSaid() async throws {
    try await run { one, other in
      _ = try await push(other, "ann/b", "v1")
      let policy = try await one.policy(
        .pollMirroring, "ann/a", with: other.door, "ann/b", password: "wrong")
      let job = try await one.carryOut(policy)
      #expect(job.status == .error)
      let after = try await one.automation.policies.policy(policy.id, .pollMirroring)
      #expect(after.lastStatus?.code == "REMOTE_FAILED")
      #expect(!(after.lastStatus?.detail.contains("wrong") ?? true))
      let remote = try #require(policy.remote)
      let good = try await one.automation.checkRemote(
        remote, password: DoorFixture.password, token: "")
      #expect(good.read && good.write)
      var others = remote
      others.repository = "bob/b"
      let foreign = try await one.automation.checkRemote(
        others, password: DoorFixture.password, token: "")
      #expect(!foreign.write)
    }
  }
}
