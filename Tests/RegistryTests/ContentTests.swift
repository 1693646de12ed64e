import BlobStorage
import Identity
import NIOCore
import OCI
import StateStore
import Testing

@testable import Registry

@Suite struct ContentTests {
  @Test func pushedImageCanBePulled() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let layer = try await fixture.push([1, 2, 3], to: repository)
    let digest = try await fixture.pushImage(repository, "v1", layers: [layer])
    let byTag = try await fixture.registry.resolveManifest(repository, Reference("v1"))
    #expect(byTag.digest == digest)
    #expect(byTag.mediaType == MediaType.ociManifest)
    let byDigest = try await fixture.registry.resolveManifest(repository, .digest(digest))
    #expect(byDigest == byTag)
    let blob = try await fixture.registry.blob(repository, layer)
    #expect(blob.size == 3)
    let body = try await fixture.registry.readBlob(blob, range: 1..<3)
    #expect(try await BlobReader.bytes(body) == ByteBuffer(bytes: [2, 3]))
  }

  @Test func missingContentIsNamed() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let missing = Digest.sha256(of: [9])
    do {
      try await fixture.pushImage(repository, "v1", layers: [missing])
      Issue.record("the manifest was taken")
    } catch let error as RegistryError {
      #expect(error.code == .manifestBlobUnknown)
      #expect(error.metadata["digest"] == missing.description)
    }
    #expect(
      await refusal { try await fixture.put(repository, "i", fixture.index([missing])) }
        == .manifestBlobUnknown)
  }

  @Test func manifestsOfManyLayersAreTaken() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    var layers: [Digest] = []
    for number in 0..<300 {
      layers.append(
        try await fixture.push(Array("layer \(number)".utf8), to: repository))
    }
    try await fixture.pushImage(repository, "v1", layers: layers)
    fixture.advance(.seconds(100 * 86_400))
    let report = try await fixture.registry.collectGarbage()
    #expect(report.linksRemoved == 0)
    #expect(report.blobsRemoved == 0)
  }

  @Test func digestsMustFit() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let session = try await fixture.registry.beginUpload(repository, by: .system)
    try await session.append(ByteBuffer(bytes: [1]))
    #expect(
      await refusal { try await session.finish(.sha256(of: [2]), by: .system) } == .digestInvalid)
    #expect(
      await refusal { try await fixture.registry.uploadSession(repository, id: session.id) }
        == .uploadUnknown)
    let config = try await fixture.push(Array("{}".utf8), to: repository)
    #expect(
      await refusal {
        try await fixture.put(
          repository, Digest.sha256(of: [1]).description,
          fixture.manifest(config: config, layers: []))
      } == .digestInvalid)
  }

  @Test func sha512IsADigestToo() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    var hasher = DigestHasher(.sha512)
    [UInt8(1), 2].withUnsafeBytes { hasher.update($0) }
    let digest = hasher.finalize()
    let session = try await fixture.registry.beginUpload(repository, by: .system)
    try await session.append(ByteBuffer(bytes: [1, 2]))
    _ = try await session.finish(digest, by: .system)
    #expect(try await fixture.registry.blob(repository, digest).size == 2)
  }

  @Test func uploadsAreTakenUpListedAndExpire() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let session = try await fixture.registry.beginUpload(repository, by: .system)
    try await session.append(ByteBuffer(bytes: [1, 2]))
    #expect(
      await refusal { try await fixture.registry.uploadSession(repository, id: session.id) }
        == .uploadBusy)
    try await session.suspend()
    #expect(try await fixture.registry.uploadSize(repository, id: session.id) == 2)
    #expect(try await fixture.registry.uploads(repository).map(\.id) == [session.id])
    let again = try await fixture.registry.uploadSession(repository, id: session.id)
    try await again.append(ByteBuffer(bytes: [3]))
    let digest = Digest.sha256(of: [1, 2, 3])
    _ = try await again.finish(digest, by: .system)
    #expect(try await fixture.registry.uploads(repository).isEmpty)
    #expect(try await fixture.registry.blob(repository, digest).size == 3)

    let resting = try await fixture.registry.beginUpload(repository, by: .system)
    try await resting.suspend()
    fixture.advance(.seconds(30 * 86_400))
    #expect(try await fixture.registry.purgeUploads() == 1)
    #expect(
      await refusal { try await fixture.registry.uploadSize(repository, id: resting.id) }
        == .uploadUnknown)
    let other = try await fixture.repository("a/c")
    let foreign = try await fixture.registry.beginUpload(repository, by: .system)
    try await foreign.suspend()
    #expect(
      await refusal { try await fixture.registry.uploadSize(other, id: foreign.id) }
        == .uploadUnknown)
  }

  @Test(arguments: [RegistrySettings.UploadPurging.counts, .keeps, .drops])
  func collectionsDropRestingUploadsOnlyWhereTheyMay(
    purging: RegistrySettings.UploadPurging
  ) async throws {
    var settings = RegistrySettings()
    settings.uploadPurging = purging
    let fixture = try Fixture(settings: settings)
    let repository = try await fixture.repository("a/b")
    let resting = try await fixture.registry.beginUpload(repository, by: .system)
    try await resting.suspend()
    fixture.advance(.seconds(30 * 86_400))
    let report = try await fixture.registry.collectGarbage()
    #expect(report.uploadsRemoved == (purging == .drops ? 1 : 0))
    #expect(
      try await fixture.registry.uploads(repository).map(\.id)
        == (purging == .drops ? [] : [resting.id]))
  }

  @Test func equalContentIsKeptOnce() async throws {
    let fixture = try Fixture()
    let one = try await fixture.repository("a/b")
    let two = try await fixture.repository("a/c")
    let digest = try await fixture.push([1, 2, 3], to: one)
    try await fixture.push([1, 2, 3], to: two)
    let first = try await fixture.registry.blob(one, digest)
    let second = try await fixture.registry.blob(two, digest)
    #expect(first.key == second.key)
    var files = 0
    for try await _ in fixture.storage.keys() { files += 1 }
    #expect(files == 1)
  }

  @Test func mountNeedsTheBlobAndTheRight() async throws {
    let fixture = try Fixture()
    let source = try await fixture.repository("a/b")
    let target = try await fixture.repository("a/c")
    let digest = try await fixture.push([1, 2, 3], to: source)
    let registry = fixture.registry
    #expect(
      try await registry.mount(target, .sha256(of: [7]), from: source.name, by: .system) == false)
    #expect(
      try await registry.mount(target, digest, from: RepositoryName("x/y"), by: .system) == false)
    var changes = RepositoryChanges()
    changes.visibility = .private
    _ = try await registry.updateRepository(source.name, changes, by: .system)
    #expect(
      try await registry.mount(target, digest, from: source.name, by: .anonymous()) == false)
    #expect(try await registry.mount(target, digest, from: nil, by: .anonymous()) == false)
    #expect(try await registry.mount(target, digest, from: nil, by: .system))
    #expect(try await registry.blob(target, digest).size == 3)
  }

  @Test func tagsAreListedInByteOrder() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    for tag in ["b", "B", "a-1", "a.1", "_"] {
      try await fixture.pushImage(repository, tag, layers: [])
    }
    let all = try await fixture.registry.tags(repository, after: nil, limit: nil)
    #expect(all.items == ["B", "_", "a-1", "a.1", "b"])
    #expect(!all.more)
    let page = try await fixture.registry.tags(repository, after: "C", limit: 2)
    #expect(page.items == ["_", "a-1"])
    #expect(page.more)
    #expect(try await fixture.registry.tags(repository, after: nil, limit: 0).items.isEmpty)
  }

  @Test func manyTagsAreListedInPages() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let digest = try await fixture.pushImage(repository, "v0", layers: [])
    let record = try StoredTag(digest: digest, author: "", created: 0, updated: 0).encoded()
    let names = (0..<10_000).map { "t\($0)" }
    for start in stride(from: 0, to: names.count, by: 100) {
      _ = try await fixture.registry.commit(
        when: [],
        do: names[start..<start + 100].map { .put(Keys.tag(repository.id, $0), record) })
    }
    var listed: [String] = []
    var page = Page<String>(items: [], more: true)
    while page.more {
      page = try await fixture.registry.tags(repository, after: listed.last, limit: 999)
      listed += page.items
    }
    #expect(listed == (names + ["v0"]).sorted())
    let whole = try await fixture.registry.tags(repository, after: nil, limit: nil)
    #expect(whole.items == listed)
  }

  @Test func catalogueShowsWhatMayBeSeen() async throws {
    let fixture = try Fixture()
    for name in ["b/x", "a/y", "a-b/z"] { _ = try await fixture.repository(name) }
    var changes = RepositoryChanges()
    changes.visibility = .private
    _ = try await fixture.registry.updateRepository(RepositoryName("a/y"), changes, by: .system)
    let all = try await fixture.registry.catalog(.system, after: nil, limit: 2)
    #expect(all.items.map(\.description) == ["a-b/z", "a/y"])
    #expect(all.more)
    let rest = try await fixture.registry.catalog(.system, after: "a/y", limit: 2)
    #expect(rest.items.map(\.description) == ["b/x"])
    let open = try await fixture.registry.catalog(.anonymous(), after: nil, limit: 10)
    #expect(open.items.map(\.description) == ["a-b/z", "b/x"])
  }

  @Test func deletingAManifestTakesItsTags() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    var digest = Digest.sha256(of: [])
    for number in 0..<100 {
      digest = try await fixture.pushImage(repository, "v\(number)", layers: [])
    }
    try await fixture.pushImage(repository, "other", layers: [], extra: #","annotations":{}"#)
    try await fixture.registry.deleteManifest(repository, digest, by: .system)
    let left = try await fixture.registry.tags(repository, after: nil, limit: nil).items
    #expect(left == ["other"])
    #expect(
      await refusal {
        try await fixture.registry.deleteManifest(repository, digest, by: .system)
      } == .manifestUnknown)
    let tag = try #require(Tag("other"))
    try await fixture.registry.deleteTag(repository, tag, by: .system)
    #expect(
      await refusal { try await fixture.registry.deleteTag(repository, tag, by: .system) }
        == .tagUnknown)
  }

  @Test func referrersAreListedFilteredAndForgotten() async throws {
    let fixture = try Fixture()
    let repository = try await fixture.repository("a/b")
    let subject = Digest.sha256(of: Array("not there yet".utf8))
    let extra =
      #","artifactType":"text/a","annotations":{"k":"v"},"subject":{"mediaType":"#
      + #""\#(MediaType.ociManifest)","digest":"\#(subject)","size":3}"#
    let one = try await fixture.pushImage(repository, nil, layers: [], extra: extra)
    let plain = try await fixture.pushImage(
      repository, nil, layers: [],
      extra: #","subject":{"mediaType":"x","digest":"\#(subject)","size":3}"#)
    let fallback = try await fixture.pushImage(repository, nil, layers: [])
    try await fixture.put(
      repository, RegistryService.fallbackTag(subject), fixture.index([fallback]))
    let registry = fixture.registry
    let all = try await registry.referrers(repository, of: subject, artifactType: nil)
    #expect(Set(all.manifests.map(\.digest)) == [one, plain, fallback])
    #expect(!all.isFiltered)
    let filtered = try await registry.referrers(repository, of: subject, artifactType: "text/a")
    #expect(filtered.manifests.map(\.digest) == [one])
    #expect(filtered.manifests.first?.annotations == ["k": "v"])
    #expect(filtered.isFiltered)
    #expect(
      all.manifests.first { $0.digest == plain }?.artifactType == "application/vnd.test.config")
    try await registry.deleteManifest(repository, one, by: .system)
    let left = try await registry.referrers(repository, of: subject, artifactType: "text/a")
    #expect(left.manifests.isEmpty)
    let none = try await registry.referrers(
      repository, of: .sha256(of: [5]), artifactType: nil)
    #expect(none.manifests.isEmpty)
  }
}
