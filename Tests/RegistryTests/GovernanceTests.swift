import BlobStorage
import Identity
import NIOCore
import OCI
import StateStore
import Testing

@testable import Registry

@Suite struct GovernanceTests {
  private func user(_ name: String, admin: Bool = false) throws -> Account {
    Account(
      id: AccountID(unchecked: "id" + name), name: try #require(AccountName(name)), kind: .user,
      fullName: "", isActive: true, isAdmin: admin, createdAt: Timestamp(milliseconds: 0),
      revision: 1)
  }

  @Test func privateRepositoriesAreNotRevealed() async throws {
    let fixture = try Fixture()
    let registry = fixture.registry
    let repository = try await fixture.repository("alice/app")
    var changes = RepositoryChanges()
    changes.visibility = .private
    _ = try await registry.updateRepository(repository.name, changes, by: .system)
    let bob = Caller(subject: .user(try user("bob")))
    let alice = Caller(subject: .user(try user("alice")))
    let admin = Caller(subject: .user(try user("root", admin: true)))
    let missing = try RepositoryName("alice/none")
    for name in [repository.name, missing] {
      #expect(
        await refusal { try await registry.authorize(bob, .pull, on: name) }
          == .repositoryUnknown)
      #expect(
        await refusal { try await registry.authorize(.anonymous(), .pull, on: name) }
          == .unauthorized)
      #expect(await refusal { try await registry.authorizePush(bob, to: name) } == .denied)
      #expect(
        await refusal { try await registry.authorizePush(.anonymous(), to: name) }
          == .unauthorized)
    }
    #expect(
      await refusal { try await registry.authorize(alice, .deleteRepository, on: repository.name) }
        == nil)
    #expect(
      await refusal { try await registry.authorize(admin, .push, on: repository.name) } == nil)
  }

  @Test func publicRepositoriesArePulledAndNotPushed() async throws {
    let fixture = try Fixture()
    let registry = fixture.registry
    let name = try await fixture.repository("alice/app").name
    let bob = Caller(subject: .user(try user("bob")))
    #expect(await refusal { try await registry.authorize(bob, .pull, on: name) } == nil)
    #expect(await refusal { try await registry.authorize(bob, .push, on: name) } == .denied)
    #expect(
      await refusal { try await registry.authorize(.anonymous(), .pull, on: name) } == nil)
    #expect(
      try await registry.grantedActions(bob, on: name, asked: ["pull", "push", "pull"])
        == ["pull"])
    #expect(
      try await registry.grantedActions(.system, on: name, asked: ["pull", "push", "*"])
        == ["pull", "push", "*"])
  }

  @Test func tokensLimitWhatTheirBearerMay() async throws {
    let fixture = try Fixture()
    let registry = fixture.registry
    let name = try await fixture.repository("alice/app").name
    let grant = TokenGrant(type: "repository", name: "alice/app", actions: ["pull"])
    let limited = Caller(subject: .user(try user("alice")), grants: [grant])
    #expect(await refusal { try await registry.authorize(limited, .pull, on: name) } == nil)
    #expect(
      await refusal { try await registry.authorize(limited, .push, on: name) } == .unauthorized)
  }

  @Test func teamsAddUp() async throws {
    let fixture = try Fixture()
    let registry = fixture.registry
    let repository = try await fixture.repository("org/app")
    let first = TeamID(unchecked: "t1")
    let second = TeamID(unchecked: "t2")
    try await fixture.store.put(
      Keys.teamAccess.appending("\(repository.id)/t1"),
      AccessRecord(level: .readOnly).encoded())
    try await fixture.store.put(
      Keys.namespaceAccess.appending("org/t2"), AccessRecord(level: .readWrite).encoded())
    var member = Caller(subject: .user(try user("carol")), teams: [first])
    var changes = RepositoryChanges()
    changes.visibility = .private
    let hidden = try await registry.updateRepository(repository.name, changes, by: .system)
    #expect(try await registry.access(of: member, to: hidden) == .readOnly)
    member.teams.insert(second)
    #expect(try await registry.access(of: member, to: hidden) == .readWrite)
    member.teams = []
    #expect(try await registry.access(of: member, to: hidden) == .none)
  }

  @Test func immutableTagsStay() async throws {
    let fixture = try Fixture()
    _ = try await fixture.repository("a/b")
    var changes = RepositoryChanges()
    changes.immutableTags = true
    let repository = try await fixture.registry.updateRepository(
      RepositoryName("a/b"), changes, by: .system)
    try await fixture.pushImage(repository, "v1", layers: [])
    try await fixture.pushImage(repository, "v1", layers: [])
    let layer = try await fixture.push([1], to: repository)
    #expect(
      await refusal { try await fixture.pushImage(repository, "v1", layers: [layer]) }
        == .tagImmutable)
  }

  @Test func tagLimitKeepsTheNewest() async throws {
    let fixture = try Fixture()
    _ = try await fixture.repository("a/b")
    var changes = RepositoryChanges()
    changes.tagLimit = 2
    let repository = try await fixture.registry.updateRepository(
      RepositoryName("a/b"), changes, by: .system)
    for tag in ["c", "a", "b"] { try await fixture.pushImage(repository, tag, layers: []) }
    #expect(
      try await fixture.registry.tags(repository, after: nil, limit: nil).items == ["a", "b"])
  }

  @Test func quotaIsKept() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    try await fixture.registry.setQuota(
      NamespaceQuota(bytes: 5, repositories: 1), of: "a", by: .system)
    try await fixture.push([1, 2, 3], to: repository)
    #expect(
      await refusal { try await fixture.push([1, 2, 3, 4], to: repository) } == .quotaExceeded)
    #expect(await refusal { try await fixture.repository("a/c") } == .quotaExceeded)
    let usage = try await fixture.registry.usage(of: "a")
    #expect(usage == NamespaceUsage(bytes: 3, repositories: 1))
    try await fixture.registry.setQuota(nil, of: "a", by: .system)
    try await fixture.push([1, 2, 3, 4], to: repository)
  }

  @Test func readOnlyModeRefusesChanges() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    var settings = GovernanceSettings()
    settings.readOnly = true
    try await fixture.registry.setGovernance(settings, by: .system)
    #expect(
      await refusal { try await fixture.registry.beginUpload(repository, by: .system) }
        == .readOnly)
    settings.readOnly = false
    try await fixture.registry.setGovernance(settings, by: .system)
    try await fixture.push([1], to: repository)
  }

  @Test func deletedRepositoriesTakeEverythingAlong() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let layer = try await fixture.push([1], to: repository)
    try await fixture.pushImage(repository, "v1", layers: [layer])
    try await fixture.registry.deleteRepository(repository.name, by: .system)
    #expect(try await fixture.registry.repository(repository.name) == nil)
    #expect(
      await refusal { try await fixture.registry.beginUpload(repository, by: .system) }
        == .repositoryUnknown)
    let again = try await fixture.repository("a/b")
    #expect(again.id != repository.id)
    #expect(try await fixture.registry.tags(again, after: nil, limit: nil).items.isEmpty)
    fixture.advance(.seconds(100 * 86_400))
    let report = try await fixture.registry.collectGarbage()
    #expect(report.blobsRemoved == 3)
    var files = 0
    for try await _ in fixture.storage.keys() { files += 1 }
    #expect(files == 0)
  }

  @Test func namespacesGoWithEverythingInThem() async throws {
    let fixture = try Fixture()
    for name in ["a/b", "a/c", "a-b/c"] { _ = try await fixture.repository(name) }
    try await fixture.registry.setQuota(NamespaceQuota(bytes: 5), of: "a", by: .system)
    #expect(try await fixture.registry.deleteNamespace("a", by: .system) == 2)
    let left = try await fixture.registry.catalog(.system, after: nil, limit: 10)
    #expect(left.items.map(\.description) == ["a-b/c"])
    #expect(try await fixture.registry.quota(of: "a") == nil)
  }

  @Test func eventsArePagedAndFiltered() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    for number in 0..<5 {
      fixture.advance(.seconds(1))
      try await fixture.pushImage(repository, "v\(number)", layers: [])
    }
    let registry = fixture.registry
    var filter = EventFilter()
    filter.kinds = [.push]
    let first = try await registry.events(filter, limit: 2)
    #expect(first.items.map { $0.tag?.description } == ["v4", "v3"])
    filter.before = first.next
    let second = try await registry.events(filter, limit: 10)
    #expect(second.items.map { $0.tag?.description } == ["v2", "v1", "v0"])
    #expect(second.next == nil)
    var since = EventFilter()
    since.since = first.items[1].time
    #expect(try await registry.events(since, limit: 10).items.count == 2)
    #expect(try await registry.purgeEvents(before: nil, keeping: 2) == 4)
    #expect(try await registry.events(EventFilter(), limit: 10).items.count == 2)
    #expect(
      try await registry.purgeEvents(before: Timestamp(milliseconds: .max / 2), keeping: nil) == 2)
  }
}
