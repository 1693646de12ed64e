import BlobStorage
import Identity
import NIOCore
import OCI
import Testing

@testable import Registry

@Suite struct GarbageTests {
  @Test func whatNothingRefersToGoesAfterTheGrace() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let kept = try await fixture.push([1, 2, 3], to: repository)
    let lost = try await fixture.push([4, 5, 6], to: repository)
    let digest = try await fixture.pushImage(repository, "v1", layers: [kept])
    let early = try await fixture.registry.collectGarbage()
    #expect(early.linksRemoved == 0)
    fixture.advance(.seconds(2 * 86_400))
    var look = GarbageOptions()
    look.dryRun = true
    #expect(try await fixture.registry.collectGarbage(look).linksRemoved == 1)
    #expect(try await fixture.registry.blob(repository, kept).size == 3)
    let report = try await fixture.registry.collectGarbage()
    #expect(report.linksRemoved == 1)
    #expect(report.blobsRemoved == 1)
    #expect(report.bytesFreed == 3)
    #expect(
      await refusal { try await fixture.registry.blob(repository, lost) } == .blobUnknown)
    #expect(
      try await fixture.registry.resolveManifest(repository, Reference("v1")).digest == digest)
  }

  @Test func askingForABlobKeepsIt() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let digest = try await fixture.push([1, 2, 3], to: repository)
    fixture.advance(.seconds(2 * 86_400))
    _ = try await fixture.registry.blob(repository, digest)
    #expect(try await fixture.registry.collectGarbage().linksRemoved == 0)
    #expect(try await fixture.registry.blob(repository, digest).size == 3)
  }

  @Test func untaggedManifestsGoWithWhatTheyAlonePin() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let layer = try await fixture.push([1], to: repository)
    let child = try await fixture.pushImage(repository, nil, layers: [layer])
    try await fixture.put(repository, "index", fixture.index([child]))
    let signature = try await fixture.pushImage(
      repository, nil, layers: [],
      extra: #","subject":{"mediaType":"x","digest":"\#(child)","size":3}"#)
    let other = try await fixture.push([2], to: repository)
    let untagged = try await fixture.pushImage(repository, nil, layers: [other])
    fixture.advance(.seconds(2 * 86_400))
    #expect(try await fixture.registry.collectGarbage().manifestsRemoved == 0)
    var options = GarbageOptions()
    options.removesUntaggedManifests = true
    #expect(try await fixture.registry.collectGarbage(options).manifestsRemoved == 1)
    for digest in [child, signature] {
      #expect(
        try await fixture.registry.resolveManifest(repository, .digest(digest)).digest == digest)
    }
    #expect(
      await refusal {
        try await fixture.registry.resolveManifest(repository, .digest(untagged))
      } == .manifestUnknown)
    #expect(
      await refusal { try await fixture.registry.blob(repository, other) } == .blobUnknown)
  }

  @Test func filesWithoutARecordGo() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let digest = try await fixture.push([1], to: repository)
    let orphan = try await fixture.storage.store(ByteBuffer(bytes: [9, 9]))
    try await fixture.pushImage(repository, "v1", layers: [digest])
    fixture.advance(.seconds(100 * 365 * 86_400))
    let report = try await fixture.registry.collectGarbage()
    #expect(report.orphansRemoved == 1)
    await #expect(throws: (any Error).self) { try await fixture.storage.size(of: orphan) }
    let blob = try await fixture.registry.blob(repository, digest)
    #expect(try await fixture.storage.size(of: blob.key) == 1)
  }

  /// Pushes, mounts and deletions at random while garbage is collected without any grace: a push
  /// may be refused for what is missing, but what was taken must stay whole.
  @Test func collectionNeverTakesWhatIsReferredTo() async throws {
    let fixture = try Fixture()
    var repositories: [Repository] = []
    for name in ["a/x", "a/y", "b/z"] {
      repositories.append(try await fixture.repository(name))
    }
    let all = repositories
    await withTaskGroup(of: Void.self) { group in
      for worker in 0..<4 {
        group.addTask {
          var generator = SeededGenerator(seed: UInt64(100 + worker))
          for _ in 0..<60 { await Self.step(fixture, all, &generator) }
        }
      }
      group.addTask {
        var options = GarbageOptions()
        options.grace = .seconds(-3_600)
        for round in 0..<25 {
          options.removesUntaggedManifests = round % 2 == 0
          #expect(await refusal { try await fixture.registry.collectGarbage(options) } == nil)
        }
      }
    }
    for repository in all { try await Self.expectWhole(fixture, repository) }
  }

  private static func step(
    _ fixture: Fixture, _ repositories: [Repository], _ generator: inout SeededGenerator
  ) async {
    let repository = repositories[Int.random(in: 0..<repositories.count, using: &generator)]
    let other = repositories[Int.random(in: 0..<repositories.count, using: &generator)]
    let content = [UInt8.random(in: 0..<12, using: &generator)]
    let tag = "t\(Int.random(in: 0..<5, using: &generator))"
    let choice = Int.random(in: 0..<10, using: &generator)
    let allowed: Set<RegistryError.Code> = [
      .manifestBlobUnknown, .tagUnknown, .manifestUnknown, .blobUnknown,
    ]
    let code = await refusal {
      switch choice {
      case 0:
        _ = try await fixture.registry.mount(
          repository, .sha256(of: content), from: other.name, by: .system)
        try await fixture.pushImage(repository, tag, layers: [.sha256(of: content)])
      case 1:
        try await fixture.registry.deleteTag(repository, #require(Tag(tag)), by: .system)
      case 2:
        let manifest = try await fixture.registry.tag(repository, #require(Tag(tag)))
        try await fixture.registry.deleteManifest(repository, manifest.digest, by: .system)
      default:
        let layer = try await fixture.push(content, to: repository)
        try await fixture.pushImage(repository, tag, layers: [layer])
      }
    }
    if let code { #expect(allowed.contains(code), "\(code)") }
  }

  private static func expectWhole(_ fixture: Fixture, _ repository: Repository) async throws {
    let registry = fixture.registry
    for tag in try await registry.tagDetails(repository, after: nil, limit: 100).items {
      let manifest = try await registry.resolveManifest(repository, .tag(tag.tag.name))
      let parsed = try ParsedManifest(
        manifest.bytes, declared: manifest.mediaType, maximumBytes: 4 << 20)
      for digest in parsed.requiredBlobs {
        let blob = try await registry.blob(repository, digest)
        let body = try await registry.readBlob(blob, range: nil)
        let bytes = try await BlobReader.bytes(body)
        #expect(Digest.sha256(of: Array(bytes.readableBytesView)) == digest)
      }
    }
  }
}
