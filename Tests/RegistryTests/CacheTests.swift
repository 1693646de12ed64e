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
