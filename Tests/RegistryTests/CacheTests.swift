import Identity
import NIOCore
import OCI
import StateStore
import Testing

@testable import Registry

@Suite struct CacheTests {
  private func cached(_ fixture: Fixture, _ tag: String) -> Digest? {
    fixture.registry.cachedManifest("a/b", tag)?.digest
  }

  /// Waits until the condition holds, for half a minute at most.
  private func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      if try await condition() { return true }
      try await Task.sleep(for: .milliseconds(5))
    }
    return false
  }

  @Test func cacheFollowsOwnAndForeignWrites() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let one = try await fixture.pushImage(repository, "v1", layers: [])
    let registry = fixture.registry
    _ = try await registry.resolveManifest(repository, Reference("v1"))
    #expect(cached(fixture, "v1") == nil, "nothing is kept while no watch is in place")
    let running = Task { await registry.run() }
    defer { running.cancel() }
    #expect(try await eventually { registry.cache.isHealthy })
    _ = try await registry.resolveManifest(repository, Reference("v1"))
    #expect(cached(fixture, "v1") == one)

    let layer = try await fixture.push([1], to: repository)
    let two = try await fixture.pushImage(repository, "v1", layers: [layer])
    #expect(cached(fixture, "v1") == nil)
    #expect(try await registry.resolveManifest(repository, Reference("v1")).digest == two)
    #expect(cached(fixture, "v1") == two)

    // As another process would.
    try await fixture.store.delete(Keys.tag(repository.id, "v1"))
    #expect(try await eventually { self.cached(fixture, "v1") == nil })
    #expect(
      await refusal { try await registry.resolveManifest(repository, Reference("v1")) }
        == .manifestUnknown)
    _ = try await registry.resolveManifest(repository, .digest(two))
    #expect(cached(fixture, two.description) == two)
    try await registry.deleteRepository(repository.name, by: .system)
    #expect(cached(fixture, two.description) == nil)
    #expect(try await registry.repository(repository.name) == nil)
  }

  @Test func slowReaderCannotPutBackWhatWasReplaced() throws {
    let cache = RegistryCache(byteLimit: 1 << 20)
    cache.begin(at: 5)
    let repository = try RepositoryRecord(
      id: "id", RepositoryDraft(), created: .init(milliseconds: 0)
    ).repository(RepositoryName("a/b"), revision: 1)
    let manifest = StoredManifest(
      digest: .sha256(of: [1]), mediaType: "x", content: ByteBuffer(bytes: [1]))
    cache.remember(manifest, as: "v1", in: repository, readAt: 4)
    #expect(cache.manifest("a/b", "v1") == nil)
    cache.changed(Keys.tag("id", "v1"), at: 9)
    cache.remember(manifest, as: "v1", in: repository, readAt: 8)
    #expect(cache.manifest("a/b", "v1") == nil)
    cache.remember(manifest, as: "v1", in: repository, readAt: 9)
    #expect(cache.manifest("a/b", "v1") == manifest)
    cache.end()
    #expect(cache.manifest("a/b", "v1") == nil)
  }

  @Test func memoryIsBounded() throws {
    let cache = RegistryCache(byteLimit: 100_000)
    cache.begin(at: 1)
    let repository = try RepositoryRecord(
      id: "id", RepositoryDraft(), created: .init(milliseconds: 0)
    ).repository(RepositoryName("a/b"), revision: 1)
    let manifest = StoredManifest(
      digest: .sha256(of: [1]), mediaType: "x",
      content: ByteBuffer(repeating: 1, count: 10_000))
    for number in 0..<50 {
      cache.remember(manifest, as: "v\(number)", in: repository, readAt: 2)
      _ = cache.manifest("a/b", "v0")
    }
    let kept = (0..<50).filter { cache.manifest("a/b", "v\($0)") != nil }
    #expect(kept.count < 10)
    #expect(kept.first == 0, "what is used stays")
    #expect(kept.last == 49)
  }

  @Test func listOfTagsIsKeptUntilOneChanges() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let registry = fixture.registry
    try await fixture.pushImage(repository, "v1", layers: [])
    #expect(try await registry.tagList(repository).names == ["v1"])
    #expect(registry.cache.tagList(repository.id) == nil, "not while no watch is in place")
    let running = Task { await registry.run() }
    defer { running.cancel() }
    #expect(try await eventually { registry.cache.isHealthy })
    let list = try await registry.tagList(repository)
    #expect(try await registry.tagList(repository) === list)

    try await fixture.pushImage(repository, "v2", layers: [])
    #expect(try await registry.tagList(repository).names == ["v1", "v2"])
    #expect(try await registry.tags(repository, after: "v1", limit: nil).items == ["v2"])
    try await registry.deleteTag(repository, #require(Tag("v1")), by: .system)
    #expect(try await registry.tagList(repository).names == ["v2"])
    // As another process would.
    try await fixture.store.delete(Keys.tag(repository.id, "v2"))
    #expect(try await eventually { try await registry.tagList(repository).names.isEmpty })
    try await fixture.pushImage(repository, "v3", layers: [])
    #expect(try await registry.tagList(repository).names == ["v3"])
    try await registry.deleteRepository(repository.name, by: .system)
    // Nobody can ask for it any more, so that there is time until the watch tells.
    #expect(try await eventually { registry.cache.tagList(repository.id) == nil })
  }

  @Test func listsOfTagsAreEncodedOnceAndBounded() throws {
    let cache = RegistryCache(byteLimit: 40_000)
    cache.begin(at: 5)
    func repository(_ id: String) throws -> Repository {
      try RepositoryRecord(id: id, RepositoryDraft(), created: .init(milliseconds: 0))
        .repository(RepositoryName("a/\(id)"), revision: 1)
    }
    let list = TagList((0..<100).map { "v\($0)" })
    var encodings = 0
    for _ in 0..<3 {
      let bytes = list.encoding { names in
        encodings += 1
        return ByteBuffer(string: names.joined(separator: ","))
      }
      #expect(bytes.readableBytes == list.names.joined(separator: ",").utf8.count)
    }
    #expect(encodings == 1)
    cache.remember(list, of: try repository("old"), readAt: 4)
    #expect(cache.tagList("old") == nil, "what is older than the watch is not taken in")
    for number in 0..<20 {
      cache.remember(list, of: try repository("r\(number)"), readAt: 6)
      #expect(cache.tagList("r\(number)") != nil)
    }
    #expect((0..<20).filter { cache.tagList("r\($0)") != nil }.count < 5)
    cache.remember(
      TagList((0..<1000).map { "v\($0)" }), of: try repository("big"), readAt: 6)
    #expect(cache.tagList("big") == nil)
    cache.changed(Keys.tag("slow", "v1"), at: 9)
    cache.remember(list, of: try repository("slow"), readAt: 8)
    #expect(cache.tagList("slow") == nil, "a slow reader does not put back what was replaced")
    cache.end()
    #expect(cache.tagList("r19") == nil)
  }

  @Test func pagesOfAKnownListAreThoseOfTheStore() throws {
    let names = ["A", "B", "a", "a.b", "a1", "b"]
    let list = TagList(names)
    for after in [nil, "", "A", "Aa", "C", "a", "a.", "a.b", "b", "é", "zz", "\0"] {
      for limit in [nil, 1, 2, 6, 100] {
        let rest = names.filter { name in
          after.map { Array($0.utf8).lexicographicallyPrecedes(Array(name.utf8)) } ?? true
        }
        let page = list.page(after: after, limit: limit)
        #expect(page.items == Array(rest.prefix(limit ?? 100)))
        #expect(page.more == (page.items.count < rest.count))
      }
    }
  }

  @Test func watchedRangeHoldsWhatTheCacheKnows() {
    for key in [Keys.manifests, Keys.repositories, Keys.tags, Keys.settings, Keys.names] {
      #expect(RegistryCache.watchedKeys.contains(key.appending("x")))
    }
    #expect(!RegistryCache.watchedKeys.contains(Keys.events.appending("x")))
    #expect(!RegistryCache.watchedKeys.contains(Keys.links.appending("x")))
  }

  @Test func pullsAreCountedAndTold() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let digest = try await fixture.pushImage(repository, "v1", layers: [])
    for _ in 0..<3 {
      fixture.registry.recordPull(
        repository, try Reference("v1"), digest: digest, by: .anonymous())
    }
    await fixture.registry.flushPulls()
    let counters = try await fixture.registry.counters(of: repository)
    #expect(counters.pulls == 3)
    #expect(counters.pushes == 1)
    var filter = EventFilter()
    filter.kinds = [.pull]
    #expect(try await fixture.registry.events(filter, limit: 10).items.count == 3)
  }

  @Test func eventsAreTold() async throws {
    let fixture = try Fixture()
    let told = try await fixture.registry.watchEvents(from: nil)
    let repository = try await fixture.repository("a/b")
    try await fixture.pushImage(repository, "v1", layers: [])
    var kinds: [RegistryEvent.Kind] = []
    for try await (_, event) in told {
      kinds.append(event.kind)
      if event.kind == .push { break }
    }
    #expect(kinds == [.create, .push])
  }
}
