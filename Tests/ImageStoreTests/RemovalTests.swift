import Glibc
import Host
import OCI
import StateStore
import Testing

@testable import ImageStore

/// Docker's rules for `rmi` and `image prune`.
@Suite struct RemovalTests {
  private func loaded(_ tags: [String] = ["app:1"]) async throws -> (StoreFixture, Digest) {
    let fixture = try await StoreFixture()
    try await fixture.store.load(
      stream(try dockerArchive(layers: try sampleLayers(), tags: tags))
    ) { _ in }
    return (fixture, try await fixture.store.resolve(tags[0]).id)
  }

  private func remove(
    _ fixture: StoreFixture, _ reference: String, force: Bool = false, prune: Bool = true,
    users: [ImageUse] = []
  ) async throws -> [ImageRemoval] {
    try await fixture.store.remove(reference, force: force, prune: prune, users: { _ in users })
  }

  @Test func lastTagRemovesTheImageAndAllThatIsItsOwn() async throws {
    let (fixture, id) = try await loaded()
    let removals = try await remove(fixture, "app:1")
    #expect(removals.prefix(2) == [.untagged("app:1"), .deleted(id.description)])
    #expect(removals.count == 4)
    #expect(fixture.store.list().isEmpty)
    #expect(try fixture.layerFolders() == [])
    #expect(try Paths.entries(of: fixture.images + "/blobs/sha256") == [])
    await expectError(.notFound) { _ = try await remove(fixture, "app:1") }
    do {
      _ = try await fixture.store.resolve("app")
    } catch let error as ImageStoreError {
      #expect(error.description == "No such image: app:latest")
    }
  }

  @Test func oneOfSeveralTagsIsOnlyUntagged() async throws {
    let (fixture, id) = try await loaded(["app:1", "app:2"])
    #expect(try await remove(fixture, "app:1") == [.untagged("app:1")])
    #expect(try await fixture.store.resolve(id.description).repoTags == ["app:2"])
  }

  @Test func byIDSeveralTagsWantForce() async throws {
    let (fixture, id) = try await loaded(["app:1", "other:1"])
    await expectError(.conflict) { _ = try await remove(fixture, id.short) }
    let removals = try await remove(fixture, id.short, force: true)
    #expect(
      removals.prefix(3) == [
        .untagged("app:1"), .untagged("other:1"), .deleted(id.description),
      ])
  }

  @Test func imagesInUse() async throws {
    let (fixture, id) = try await loaded()
    let stopped = [ImageUse(containerID: String(repeating: "a", count: 64), isRunning: false)]
    let running = [ImageUse(containerID: String(repeating: "b", count: 64), isRunning: true)]
    for reference in ["app:1", id.short] {
      await expectError(.conflict) { _ = try await remove(fixture, reference, users: stopped) }
      await expectError(.conflict) { _ = try await remove(fixture, reference, users: running) }
    }
    await expectError(.conflict) {
      _ = try await remove(fixture, id.short, force: true, users: running)
    }
    // By name and force the name goes, and the image stays with its container.
    #expect(
      try await remove(fixture, "app:1", force: true, users: running) == [.untagged("app:1")])
    #expect(fixture.store.list().map(\.isDangling) == [true])
  }

  @Test func forcedRemovalLeavesLayersToContainers() async throws {
    let (fixture, id) = try await loaded()
    let container = fixture.container()
    _ = try await fixture.store.prepareRootFilesystem(containerID: container, imageID: id)
    let users = [ImageUse(containerID: container, isRunning: false)]
    _ = try await remove(fixture, "app:1", force: true, users: users)
    #expect(fixture.store.list().isEmpty)
    let root = try await fixture.store.mount(containerID: container)
    #expect(try Paths.readText(root + "/etc/new") == "new")
    try await fixture.store.removeRootFilesystem(containerID: container)
    #expect(try fixture.layerFolders() == [])
  }

  @Test func parentsAndChildren() async throws {
    let (fixture, parent) = try await loaded()
    let container = fixture.container()
    _ = try await fixture.store.prepareRootFilesystem(containerID: container, imageID: parent)
    let root = try await fixture.store.mount(containerID: container)
    try Descriptor.open(root + "/x", O_WRONLY | O_CREAT, mode: 0o600).write([1])
    let child = try await fixture.store.commit(
      containerID: container,
      CommitRequest(
        createdBy: "x", config: ExecutionConfiguration(), parentImage: parent.description),
      tag: "child")
    try await fixture.store.removeRootFilesystem(containerID: container)
    await expectError(.conflict) { _ = try await remove(fixture, parent.description) }
    #expect(try await remove(fixture, "app:1") == [.untagged("app:1")])
    let removals = try await remove(fixture, "child")
    #expect(removals.contains(.deleted(child.description)))
    #expect(removals.contains(.deleted(parent.description)))
    #expect(try fixture.layerFolders() == [])
  }

  @Test func manyAtOnce() async throws {
    let fixture = try await StoreFixture()
    let layer = try TarBuilder.make { try $0.file("f", "x") }
    for number in 0..<130 {
      try await fixture.store.load(
        stream(
          try dockerArchive(layers: [layer], tags: ["many:latest"], command: "/\(number)"))
      ) { _ in }
    }
    #expect(fixture.store.list().count == 130)
    let pruned = try await fixture.store.prune(where: { _ in true }, users: { _ in [] })
    #expect(pruned.removed.filter { $0 != .untagged("many:latest") }.count == 131)
    #expect(fixture.store.list().isEmpty)
    #expect(try fixture.layerFolders() == [])
    #expect(try await fixture.state.list(prefix: "/images/").items.map(\.key.string) == [])
  }

  @Test func prefixes() async throws {
    let (fixture, id) = try await loaded()
    #expect(try await fixture.store.resolve(String(id.hex.prefix(6))).id == id)
    #expect(try await fixture.store.resolve("sha256:" + id.hex.prefix(6)).id == id)
    #expect(try await fixture.store.resolve(id.hex).id == id)
    await expectError(.notFound) { _ = try await fixture.store.resolve("ffffffffffff0") }
    await expectError(.invalidArgument) { _ = try await fixture.store.resolve("UPPER CASE") }
    await expectError(.invalidArgument) {
      _ = try await fixture.store.tag("app:1", as: "Bad:tag")
    }
  }

  @Test func pruning() async throws {
    let (fixture, id) = try await loaded(["app:1"])
    try await fixture.store.load(
      stream(
        try dockerArchive(
          layers: [try TarBuilder.make { try $0.file("other", "x") }], tags: ["app:1"]))
    ) { _ in }
    let dangling = try await fixture.store.resolve(id.description)
    #expect(dangling.isDangling)
    let none = try await fixture.store.prune(
      where: { $0.isDangling }, users: { _ in [ImageUse(containerID: "c", isRunning: false)] })
    #expect(none.removed.isEmpty)
    let pruned = try await fixture.store.prune(where: { $0.isDangling }, users: { _ in [] })
    #expect(pruned.removed.first == .deleted(id.description))
    #expect(pruned.reclaimedBytes > 0)
    #expect(fixture.store.list().count == 1)
    let usage = try await fixture.store.usage()
    #expect(usage.layersSize == 1)
  }

  @Test func beginningsOfContentThatCameWholeAreNotKept() async throws {
    let fixture = try await StoreFixture()
    let archive = try dockerArchive(layers: try sampleLayers(), tags: ["app:1"])
    try await fixture.store.load(stream(archive)) { _ in }
    let blobs = fixture.images + "/blobs/sha256"
    let partials = fixture.images + "/partial"
    for name in try Paths.entries(of: blobs) {
      try DurableFile.publish([1, 2, 3], to: "\(partials)/sha256-\(name)")
    }
    let count = try Paths.entries(of: partials).count
    _ = try await remove(fixture, "app:1")
    #expect(try Paths.entries(of: partials).count == count)
    try await fixture.store.load(stream(archive)) { _ in }
    #expect(try Paths.entries(of: blobs).count == count)
    let left = try Paths.entries(of: partials)
    #expect(left == [])
  }

  @Test func aBeginningThatIsGoneIsNoHarmWhenTheContentIsThere() async throws {
    let (fixture, id) = try await loaded()
    let blobs = BlobDirectory(fixture.images)
    try blobs.adopt(blobs.partialPath(id), as: id)
    #expect(throws: SystemError.self) {
      try blobs.adopt(blobs.partialPath(id), as: Digest.sha256(of: [9]))
    }
  }
}
