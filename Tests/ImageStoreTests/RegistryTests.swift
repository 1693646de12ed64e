import Glibc
import Host
import ImageStore
import OCI
import Testing

@Suite(.serialized) struct RegistryTests {
  /// Loads the sample image under a name.
  private func load(_ fixture: StoreFixture, _ name: String, noiseBytes: Int = 0) async throws {
    var layers = try sampleLayers()
    if noiseBytes > 0 {
      layers.append(
        try TarBuilder.make { tar in
          try tar.add(
            TarEntry(path: Array("noise".utf8), kind: .file, mode: 0o600), noise(noiseBytes))
        })
    }
    try await fixture.store.load(stream(try dockerArchive(layers: layers, tags: [name]))) { _ in }
  }

  @Test func pushAndPullThroughARealRegistry() async throws {
    let scratch = try Scratch()
    let registry = try await ServerProcess.registry(scratch)
    let name = "\(registry.host)/team/app:1.0"
    let source = try await StoreFixture()
    try await load(source, name, noiseBytes: 3 << 20)
    let pushSteps = Steps()
    try await source.store.push(name, progress: pushSteps.handler)
    #expect(pushSteps.statuses.contains("Pushed"))
    let pushed = try #require(pushSteps.pushed.first)
    #expect(pushed.tag == "1.0")
    #expect(
      pushSteps.statuses.contains("1.0: digest: \(pushed.digest) size: \(pushed.size)"))

    let again = Steps()
    try await source.store.push(name, progress: again.handler)
    #expect(again.statuses.filter { $0 == "Layer already exists" }.count == 3)
    #expect(again.pushed.first?.digest == pushed.digest)

    let target = try await StoreFixture()
    let steps = Steps()
    let record = try await target.store.pull(name, progress: steps.handler)
    #expect(record.id == (try await source.store.resolve(name)).id)
    #expect(record.repoTags == [name])
    #expect(record.repoDigests == ["\(registry.host)/team/app@\(pushed.digest)"])
    #expect(record.manifest?.digest == pushed.digest)
    #expect(steps.statuses.first == "Pulling from team/app")
    for status in ["Pulling fs layer", "Download complete", "Pull complete"] {
      #expect(steps.statuses.filter { $0 == status }.count == 3, "\(status)")
    }
    #expect(
      steps.statuses.suffix(2) == [
        "Digest: \(pushed.digest)", "Status: Downloaded newer image for \(name)",
      ])

    let second = Steps()
    try await target.store.pull(name, progress: second.handler)
    #expect(second.statuses.filter { $0 == "Already exists" }.count == 3)
    #expect(second.statuses.last == "Status: Image is up to date for \(name)")

    // Pulled and pushed again elsewhere: the digest stays, blobs are mounted.
    let other = "\(registry.host)/other/app:2"
    try await target.store.tag(name, as: other)
    let mounted = Steps()
    try await target.store.push(other, progress: mounted.handler)
    #expect(mounted.statuses.contains("Mounted from team/app"))
    #expect(mounted.pushed.first?.digest == pushed.digest)

    let inspection = try await target.store.distribution(name)
    #expect(inspection.descriptor.digest == pushed.digest)
    #expect(inspection.platforms.first?.architecture == Platform.host.architecture)

    await #expect(throws: ImageStoreError.self) {
      try await target.store.pull("\(registry.host)/team/app:nope") { _ in }
    }
    let all = Steps()
    try await target.store.pull("\(registry.host)/team/app", allTags: true, progress: all.handler)
    #expect(all.statuses.contains("Pulling from team/app"))
    await source.store.shutdown()
    await target.store.shutdown()
  }

  @Test func basicAuthenticationAndLogin() async throws {
    let scratch = try Scratch()
    let registry = try await ServerProcess.registry(scratch, wantsPassword: true)
    let fixture = try await StoreFixture()
    let name = "\(registry.host)/app"
    try await load(fixture, name)
    let good = RegistryCredentials(username: "ann", password: "s3cret")
    let bad = RegistryCredentials(username: "ann", password: "wrong")
    _ = try await fixture.store.login(server: registry.host, credentials: good)
    await expectError(.unauthorized) {
      _ = try await fixture.store.login(server: registry.host, credentials: bad)
    }
    await expectError(.unauthorized) { try await fixture.store.push(name) { _ in } }
    await expectError(.unauthorized) {
      try await fixture.store.push(name, credentials: bad) { _ in }
    }
    try await fixture.store.push(name, credentials: good) { _ in }
    await expectError(.unauthorized) { try await fixture.store.pull(name) { _ in } }
    try await fixture.store.pull(name, credentials: good) { _ in }
    await fixture.store.shutdown()
  }

  @Test func bearerTokens() async throws {
    let registry = try await ServerProcess.fake(["--token", "bob:pw"])
    let fixture = try await StoreFixture()
    let name = "\(registry.host)/public/app"
    try await load(fixture, name)
    let good = RegistryCredentials(username: "bob", password: "pw")
    await expectError(.unauthorized) {
      try await fixture.store.push(
        name, credentials: RegistryCredentials(username: "bob", password: "no")
      ) { _ in }
    }
    try await fixture.store.push(name, credentials: good) { _ in }
    try await fixture.store.pull(name) { _ in }
    let login = try await fixture.store.login(server: registry.host, credentials: good)
    #expect(login.identityToken == "refresh-me")
    let identity = RegistryCredentials(username: "bob", identityToken: "refresh-me")
    let secret = "\(registry.host)/private/app"
    try await fixture.store.tag(name, as: secret)
    try await fixture.store.push(secret, credentials: identity) { _ in }
    await expectError(.unauthorized) { try await fixture.store.pull(secret) { _ in } }
    try await fixture.store.pull(secret, credentials: identity) { _ in }
    await fixture.store.shutdown()
  }

  @Test func ownAuthorities() async throws {
    let scratch = try Scratch()
    let registry = try await ServerProcess.registry(scratch, tls: true)
    let fixture = try await StoreFixture()
    let insecure = "\(registry.host)/app"
    try await load(fixture, insecure)
    try await fixture.store.push(insecure) { _ in }
    let folder = "\(fixture.scratch.path)/certs.d/\(registry.host)"
    try Paths.makeDirectories(folder)
    let certificate = try Paths.read("\(scratch.path)/registry-\(registry.port)/server.crt")
    try Descriptor.open(folder + "/ca.crt", O_WRONLY | O_CREAT, mode: 0o600).write(certificate)
    try await fixture.store.pull(insecure) { _ in }
    await fixture.store.shutdown()
  }

  @Test func brokenDownloadsAreTakenUpAgain() async throws {
    let registry = try await ServerProcess.fake(["--break-after", "1500000"])
    let source = try await StoreFixture()
    let name = "\(registry.host)/app"
    try await load(source, name, noiseBytes: 6 << 20)
    try await source.store.push(name) { _ in }
    let target = try await StoreFixture()
    let record = try await target.store.pull(name) { _ in }
    #expect(record.id == (try await source.store.resolve(name)).id)
    let requests = try await asked(registry)
    #expect(requests.contains { $0.contains("bytes=1") })
    await source.store.shutdown()
    await target.store.shutdown()
  }

  @Test func registriesWithoutRangesWork() async throws {
    let registry = try await ServerProcess.fake(["--break-after", "1500000", "--no-range"])
    let source = try await StoreFixture()
    let name = "\(registry.host)/app"
    try await load(source, name, noiseBytes: 4 << 20)
    try await source.store.push(name) { _ in }
    let target = try await StoreFixture()
    try await target.store.pull(name) { _ in }
    await source.store.shutdown()
    await target.store.shutdown()
  }

  @Test func corruptBlobsAreRefusedAndLeaveNothing() async throws {
    let registry = try await ServerProcess.fake(["--corrupt"])
    let source = try await StoreFixture()
    let name = "\(registry.host)/app"
    try await load(source, name, noiseBytes: 1 << 20)
    try await source.store.push(name) { _ in }
    let target = try await StoreFixture()
    await expectError(.invalidContent) { try await target.store.pull(name) { _ in } }
    #expect(try target.layerFolders().isEmpty)
    #expect(target.store.list().isEmpty)
    await source.store.shutdown()
    await target.store.shutdown()
  }

  @Test func cancelledPullsLeaveOnlyPartialsAndResume() async throws {
    let registry = try await ServerProcess.fake(["--stall"])
    let source = try await StoreFixture()
    let name = "\(registry.host)/app"
    try await load(source, name, noiseBytes: 8 << 20)
    try await source.store.push(name) { _ in }
    let target = try await StoreFixture()
    let steps = Steps()
    let pull = Task { try await target.store.pull(name, progress: steps.handler) }
    let deadline = ContinuousClock.now + .seconds(20)
    while !steps.all.contains(where: { ($0.current ?? 0) >= 2 << 20 }) {
      try #require(ContinuousClock.now < deadline)
      try await Task.sleep(for: .milliseconds(10))
    }
    pull.cancel()
    await #expect(throws: CancellationError.self) { try await pull.value }
    #expect(try target.layerFolders().isEmpty)
    #expect(try Paths.entries(of: target.images + "/blobs/sha256").isEmpty)
    #expect(try !Paths.entries(of: target.images + "/partial").isEmpty)
    await source.store.shutdown()
    await target.store.shutdown()
  }

  @Test func whatCameWholeBeforeACrashIsNotFetchedAgain() async throws {
    let registry = try await ServerProcess.fake()
    let source = try await StoreFixture()
    let name = "\(registry.host)/app"
    try await load(source, name, noiseBytes: 1 << 20)
    try await source.store.push(name) { _ in }
    let manifest = try await source.store.distribution(name)
    #expect(manifest.descriptor.size > 0)
    // As a crash leaves it: blobs, but nothing recorded.
    let scratch = try Scratch()
    try Paths.makeDirectories(scratch.path + "/data/images/blobs")
    var copy = Command("/bin/cp", ["-r", source.images + "/blobs/sha256", "sha256"])
    copy.workingDirectory = scratch.path + "/data/images/blobs"
    #expect(try await copy.run().status.isSuccess)
    let target = try await StoreFixture(scratch)
    #expect(try Paths.entries(of: target.images + "/blobs/sha256") == [])
    let before = try await asked(registry).count
    try await target.store.pull(name) { _ in }
    let requests = try await asked(registry).dropFirst(before)
    #expect(!requests.contains { $0.contains("/blobs/") && $0.contains("bytes") })
    #expect(requests.filter { $0.contains("/blobs/") }.count <= 1)
    await source.store.shutdown()
    await target.store.shutdown()
  }

  @Test func oneFetchServesTwoPulls() async throws {
    let registry = try await ServerProcess.fake()
    let source = try await StoreFixture()
    let names = ["\(registry.host)/app:1", "\(registry.host)/app:2"]
    try await load(source, names[0], noiseBytes: 5 << 20)
    try await source.store.tag(names[0], as: names[1])
    for name in names { try await source.store.push(name) { _ in } }
    let target = try await StoreFixture()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<2 {
        for name in names {
          group.addTask { _ = try await target.store.pull(name) { _ in } }
        }
      }
      try await group.waitForAll()
    }
    let asked = try await asked(registry).filter { $0.hasPrefix("GET") && $0.contains("/blobs/") }
    let layers = Set(try await source.store.resolve(names[0]).layers)
    #expect(layers.count == 3)
    let counts = Dictionary(grouping: asked) { $0 }.mapValues(\.count)
    let manifest = try #require(try await target.store.resolve(names[0]).manifest)
    #expect(manifest.size > 0)
    // The configuration may be asked for by each pull; the layers only once.
    #expect(counts.values.filter { $0 > 1 }.count <= 1)
    await source.store.shutdown()
    await target.store.shutdown()
  }

  @Test func schemaOneIsRefusedClearly() async throws {
    let registry = try await ServerProcess.fake(["--schema1"])
    let fixture = try await StoreFixture()
    do {
      try await fixture.store.pull("\(registry.host)/old") { _ in }
      Issue.record("the pull should fail")
    } catch let error as ImageStoreError {
      #expect(error.code == .unsupported)
      #expect(error.description.contains("schema 1"))
    }
    await fixture.store.shutdown()
  }

  @Test func mirrorsServeOnlyDockerHub() async throws {
    let registry = try await ServerProcess.fake()
    let source = try await StoreFixture()
    let name = "\(registry.host)/library/hello"
    try await load(source, name)
    try await source.store.push(name) { _ in }
    let target = try await StoreFixture { configuration in
      configuration.mirrors = ["http://\(registry.host)/"]
    }
    let steps = Steps()
    let record = try await target.store.pull("hello", progress: steps.handler)
    #expect(record.repoTags == ["hello:latest"])
    #expect(steps.statuses.contains("Pulling from library/hello"))
    await source.store.shutdown()
    await target.store.shutdown()
  }

  @Test func unreachableRegistriesAreNamed() async throws {
    let port = try ServerProcess.freePort()
    let fixture = try await StoreFixture()
    await expectError(.registryUnavailable) {
      try await fixture.store.pull("127.0.0.1:\(port)/x") { _ in }
    }
    await fixture.store.shutdown()
  }

  private func asked(_ registry: ServerProcess) async throws -> [String] {
    let script =
      "import urllib.request,json;"
      + "print('\\n'.join(json.load(urllib.request.urlopen('http://\(registry.host)/_requests'))))"
    let result = try await Command("/usr/bin/env", ["python3", "-c", script]).run()
    return String(decoding: result.output, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}

/// Expects an error of this module with the code.
func expectError(
  _ code: ImageStoreError.Code, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () async throws -> Void
) async {
  do {
    try await body()
    Issue.record("an error \(code) was expected", sourceLocation: sourceLocation)
  } catch let error as ImageStoreError {
    #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
  } catch {
    Issue.record("an error \(code) was expected, not \(error)", sourceLocation: sourceLocation)
  }
}
