import FoundationEssentials
import Glibc
import Host
import ImageStore
import NIOCore
import OCI
import StateStore
import Testing

@Suite struct ArchiveTests {
  @Test func loadMountAndLookInside() async throws {
    let fixture = try await StoreFixture()
    let archive = try dockerArchive(layers: try sampleLayers(), tags: ["sample:1", "sample:2"])
    let steps = Steps()
    let loaded = try await fixture.store.load(stream(archive), progress: steps.handler)
    #expect(loaded == ["sample:1", "sample:2"])
    #expect(steps.all.compactMap(\.stream).contains("Loaded image: sample:1\n"))
    let record = try await fixture.store.resolve("sample:1")
    #expect(record.repoTags == ["sample:1", "sample:2"])
    #expect(record.created?.timeIntervalSince1970 == 1_706_933_106.789)
    #expect(record.size > 0)
    #expect(fixture.store.list().count == 1)

    let container = fixture.container()
    _ = try await fixture.store.prepareRootFilesystem(containerID: container, imageID: record.id)
    let root = try await fixture.store.mount(containerID: container)
    #expect(try await fixture.store.mount(containerID: container) == root)
    #expect(try Paths.readText(root + "/etc/passwd") == "root:x:0:0")
    #expect(try Paths.readText(root + "/bin/alias") == "#!tool")
    #expect(try Paths.readText(root + "/bin/twin") == "#!tool")
    #expect(!Paths.exists(root + "/etc/gone"))
    #expect(!Paths.exists(root + "/var/cache/old"))
    #expect(Paths.exists(root + "/var/cache/fresh"))
    for made in ["/proc", "/sys", "/dev/pts", "/etc/hosts", "/.dockerenv"] {
      #expect(Paths.exists(root + made), "\(made)")
    }
    var status = stat()
    #expect(stat(root + "/bin/tool", &status) == 0)
    #expect(status.st_mode & 0o7777 == 0o4755)
    #expect(status.st_nlink == 2)

    #expect(try await fixture.store.changes(containerID: container).isEmpty)
    try write("x", root + "/etc/passwd")
    try write("y", root + "/added")
    try checked("unlink", nil, unlink(root + "/etc/new"))
    let changes = try await fixture.store.changes(containerID: container)
    #expect(
      changes == [
        .init(path: "/added", kind: .added), .init(path: "/etc", kind: .modified),
        .init(path: "/etc/new", kind: .deleted), .init(path: "/etc/passwd", kind: .modified),
      ])
    let size = try await fixture.store.size(containerID: container)
    #expect(size.writable == 2)
    #expect(size.total == record.size + 2)

    let id = try await fixture.store.commit(
      containerID: container,
      CommitRequest(
        createdBy: "sh", config: ExecutionConfiguration(), parentImage: record.id.description),
      tag: "committed")
    let second = fixture.container()
    _ = try await fixture.store.prepareRootFilesystem(containerID: second, imageID: id)
    let committed = try await fixture.store.mount(containerID: second)
    #expect(try Paths.readText(committed + "/etc/passwd") == "x")
    #expect(!Paths.exists(committed + "/etc/new"))
    #expect(try await fixture.store.history("committed").count == 3)

    let export = try await collect(
      try await fixture.store.exportRootFilesystem(containerID: container))
    let names = try list(export)
    #expect(names.contains("added") && names.contains("bin/tool") && !names.contains("etc/new"))

    try await fixture.store.unmount(containerID: container)
    try await fixture.store.unmount(containerID: container)
    try await fixture.store.removeRootFilesystem(containerID: container)
    try await fixture.store.removeRootFilesystem(containerID: container)
    try await fixture.store.removeRootFilesystem(containerID: second)
    #expect(try await fixture.store.rootFilesystems().isEmpty)
  }

  private func write(_ text: String, _ path: String) throws {
    try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).write(Array(text.utf8))
  }

  private func list(_ archive: [UInt8]) throws -> Set<String> {
    let reader = TarReader(MemorySource(archive))
    var names: Set<String> = []
    while let entry = try reader.next() { names.insert(entry.name) }
    return names
  }

  @Test(arguments: [false, true])
  func savedArchivesComeBackTheSame(compressed: Bool) async throws {
    let fixture = try await StoreFixture()
    let archive = try dockerArchive(layers: try sampleLayers(), tags: ["sample:1"])
    try await fixture.store.load(stream(compressed ? try gzipped(archive) : archive)) { _ in }
    let id = try await fixture.store.resolve("sample:1").id
    try await fixture.store.tag("sample:1", as: "registry.test:5000/other/name:9")
    let saved = try await collect(
      try await fixture.store.save(["sample:1", "registry.test:5000/other/name:9"]))
    let target = try await StoreFixture()
    try await target.store.load(stream(saved)) { _ in }
    #expect(try await target.store.resolve("registry.test:5000/other/name:9").id == id)
    #expect(try await target.store.resolve("sample:1").id == id)
  }

  @Test func skopeoReadsSavedArchives() async throws {
    let scratch = try Scratch()
    let registry = try await ServerProcess.registry(scratch)
    let fixture = try await StoreFixture()
    let name = "\(registry.host)/app:1"
    try await fixture.store.load(
      stream(try dockerArchive(layers: try sampleLayers(), tags: [name]))
    ) { _ in }
    // Before the push the layers are plain and the manifest is ours, after it is Docker's.
    for round in 0..<2 {
      let saved = try await collect(try await fixture.store.save([name]))
      let path = "\(scratch.path)/saved-\(round).tar"
      try Descriptor.open(path, O_WRONLY | O_CREAT, mode: 0o600).write(saved)
      for transport in ["docker-archive", "oci-archive"] {
        let folder = "\(scratch.path)/\(transport)-\(round)"
        let result = try await Command(
          "/usr/bin/skopeo",
          ["--insecure-policy", "copy", "\(transport):\(path)", "dir:\(folder)"]
        ).run()
        #expect(
          result.status.isSuccess,
          "\(transport) \(round): \(String(decoding: result.errorOutput, as: UTF8.self))")
      }
      try await fixture.store.push(name) { _ in }
    }
  }

  @Test func archivesOfSkopeoLoad() async throws {
    let scratch = try Scratch()
    let registry = try await ServerProcess.registry(scratch)
    let source = try await StoreFixture()
    let name = "\(registry.host)/app:1"
    try await source.store.load(
      stream(try dockerArchive(layers: try sampleLayers(), tags: [name]))
    ) { _ in }
    try await source.store.push(name) { _ in }
    let id = try await source.store.resolve(name).id
    for (transport, suffix) in [("docker-archive", ":sample:7"), ("oci-archive", ":sample:7")] {
      let path = "\(scratch.path)/\(transport).tar"
      let result = try await Command(
        "/usr/bin/skopeo",
        [
          "--insecure-policy", "copy", "--src-tls-verify=false", "docker://\(name)",
          "\(transport):\(path)\(suffix)",
        ]
      ).run()
      try #require(
        result.status.isSuccess, "\(String(decoding: result.errorOutput, as: UTF8.self))")
      let target = try await StoreFixture()
      let loaded = try await target.store.load(
        stream(try Paths.read(path, limit: 64 << 20))
      ) { _ in }
      #expect(loaded == ["sample:7"] || transport == "oci-archive")
      #expect(target.store.list().map(\.id) == [id] || transport == "oci-archive")
    }
  }

  @Test func manyLayers() async throws {
    let fixture = try await StoreFixture()
    let layers = try (0..<127).map { number in
      try TarBuilder.make { tar in try tar.file("f\(number)", "\(number)") }
    }
    try await fixture.store.load(stream(try dockerArchive(layers: layers, tags: ["many"]))) { _ in }
    let record = try await fixture.store.resolve("many")
    let container = fixture.container()
    _ = try await fixture.store.prepareRootFilesystem(containerID: container, imageID: record.id)
    let root = try await fixture.store.mount(containerID: container)
    for number in [0, 63, 126] { #expect(try Paths.readText("\(root)/f\(number)") == "\(number)") }
    _ = try await collect(try await fixture.store.exportRootFilesystem(containerID: container))
    try await fixture.store.removeRootFilesystem(containerID: container)

    let registry = try await ServerProcess.fake()
    let name = "\(registry.host)/many:1"
    try await fixture.store.tag("many", as: name)
    try await fixture.store.push(name) { _ in }
    let target = try await StoreFixture()
    #expect(try await target.store.pull(name) { _ in }.id == record.id)
    let removed = try await target.store.remove(
      name, force: false, prune: true, users: { _ in [] })
    #expect(removed.count == 130)
    #expect(try target.layerFolders() == [])

    let tooMany = layers + [try TarBuilder.make { tar in try tar.file("last", "x") }]
    await expectError(.unsupported) {
      try await fixture.store.load(stream(try dockerArchive(layers: tooMany, tags: ["more"]))) {
        _ in
      }
    }
  }

  @Test func importedArchives() async throws {
    let fixture = try await StoreFixture()
    let tar = try TarBuilder.make { try $0.file("hello", "hi") }
    let id = try await fixture.store.importImage(
      stream(try gzipped(tar)), config: ExecutionConfiguration(), comment: "Imported",
      tag: "imported:1")
    #expect(try await fixture.store.resolve("imported:1").id == id)
  }

  @Test func recoveryKeepsWhatIsRecordedAndSweepsTheRest() async throws {
    let scratch = try Scratch()
    let state = InMemoryStateStore()
    let container = Identifier.random()
    var id: Digest?
    do {
      let fixture = try await StoreFixture(scratch, state: state)
      try await fixture.store.load(
        stream(try dockerArchive(layers: try sampleLayers(), tags: ["sample"]))
      ) { _ in }
      id = try await fixture.store.resolve("sample").id
      _ = try await fixture.store.prepareRootFilesystem(containerID: container, imageID: id)
      _ = try await fixture.store.mount(containerID: container)
      try Paths.makeDirectories(fixture.overlay + "/0123456789/diff")
      try Paths.makeDirectories(fixture.images + "/incoming/half")
    }
    let fixture = try await StoreFixture(scratch, state: state)
    #expect(try await fixture.store.resolve("sample").id == id)
    #expect(!Paths.exists(fixture.overlay + "/0123456789"))
    #expect(!Paths.exists(fixture.images + "/incoming/half"))
    let found = try await fixture.store.rootFilesystems()
    #expect(found.map(\.containerID) == [container])
    #expect(found.map(\.isMounted) == [true])
    let root = try await fixture.store.mount(containerID: container)
    #expect(try Paths.readText(root + "/etc/new") == "new")
    try await fixture.store.removeRootFilesystem(containerID: container)

    // A record that cannot be read is reported and costs nothing else.
    try await state.put(Key("/images/records/\(id?.hex ?? "")"), Array("nonsense".utf8))
    let damaged = try await StoreFixture(scratch, state: state)
    #expect(damaged.store.list().isEmpty)
    #expect(try damaged.layerFolders().count == 3)
  }

  @Test func disposableMountsCanBeMountedAgain() async throws {
    let fixture = try await StoreFixture()
    try await fixture.store.load(
      stream(try dockerArchive(layers: try sampleLayers(), tags: ["sample"]))
    ) { _ in }
    let id = try await fixture.store.resolve("sample").id
    let container = fixture.container()
    _ = try await fixture.store.prepareRootFilesystem(containerID: container, imageID: id)
    for _ in 0..<3 {
      let root = try await fixture.store.mount(containerID: container, isDisposable: true)
      try write("x", root + "/file")
      try await fixture.store.unmount(containerID: container)
    }
  }

  @Test func containersWithoutAnImage() async throws {
    let fixture = try await StoreFixture()
    let container = fixture.container()
    _ = try await fixture.store.prepareRootFilesystem(containerID: container, imageID: nil)
    let root = try await fixture.store.mount(containerID: container)
    try write("x", root + "/file")
    #expect(try await fixture.store.changes(containerID: container).map(\.path) == ["/file"])
    try await fixture.store.removeRootFilesystem(containerID: container)
  }
}
