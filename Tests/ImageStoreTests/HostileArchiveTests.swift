import Glibc
import Host
import ImageStore
import NIOCore
import OCI
import Testing

/// Archives that try to do harm. Whatever happens, nothing may be left outside of the layer's
/// folder, nor that folder itself, and the error must be one that a user can understand.
@Suite struct HostileArchiveTests {
  /// Loads an image with this layer and expects it to be refused.
  private func refuse(
    _ layer: [UInt8], _ codes: Set<ImageStoreError.Code> = [.hostileArchive, .invalidContent],
    limits: UnpackingLimits = UnpackingLimits(),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let fixture = try await StoreFixture { $0.limits = limits }
    let before = try tree(fixture.scratch.path, except: fixture.root)
    do {
      try await fixture.store.load(
        stream(try dockerArchive(layers: [layer], tags: ["evil"]))
      ) { _ in }
      Issue.record("the archive was taken", sourceLocation: sourceLocation)
    } catch let error as ImageStoreError {
      #expect(codes.contains(error.code), "\(error)", sourceLocation: sourceLocation)
      #expect(error.description.count < 2000, sourceLocation: sourceLocation)
    }
    #expect(fixture.store.list().isEmpty, sourceLocation: sourceLocation)
    #expect(try fixture.layerFolders().isEmpty, sourceLocation: sourceLocation)
    #expect(
      try Paths.entries(of: fixture.images + "/incoming").isEmpty, sourceLocation: sourceLocation)
    #expect(
      try Paths.entries(of: fixture.images + "/blobs/sha256").isEmpty,
      sourceLocation: sourceLocation)
    #expect(
      try tree(fixture.scratch.path, except: fixture.root) == before,
      sourceLocation: sourceLocation)
  }

  private func tree(_ path: String, except: String) throws -> [String] {
    try Paths.entries(of: path).sorted().filter { path + "/" + $0 != except }
  }

  @Test func absoluteNames() async throws {
    try await refuse(try TarBuilder.make { try $0.file("/tmp/martlet-escaped", "x") })
    #expect(!Paths.exists("/tmp/martlet-escaped"))
  }

  @Test(arguments: ["../escaped", "a/../../escaped", "..", "a/..", "./../x"])
  func dots(_ name: String) async throws {
    try await refuse(try TarBuilder.make { try $0.file(name, "x") })
  }

  @Test func linksDoNotLeadOut() async throws {
    let fixture = try await StoreFixture()
    let outside = fixture.scratch.path + "/outside"
    try Paths.makeDirectories(outside)
    let layer = try TarBuilder.make { tar in
      try tar.link("door", to: outside)
      try tar.file("door/escaped", "x")
      try tar.link("up", to: "../../../../../../../../../../../..")
      try tar.file("up/martlet-escaped", "x")
    }
    // The links count from the layer's own root: the files come to lie inside.
    do {
      try await fixture.store.load(
        stream(try dockerArchive(layers: [layer], tags: ["evil"]))
      ) { _ in }
    } catch is ImageStoreError {
      #expect(try fixture.layerFolders().isEmpty)
    }
    #expect(try Paths.entries(of: outside).isEmpty)
    #expect(!Paths.exists("/martlet-escaped"))
  }

  @Test func hardLinksToOutside() async throws {
    try await refuse(
      try TarBuilder.make { tar in
        try tar.link("root", to: "/")
        try tar.link("stolen", to: "root/etc/passwd", hard: true)
      })
    try await refuse(
      try TarBuilder.make { try $0.link("stolen", to: "../../../etc/passwd", hard: true) })
    try await refuse(try TarBuilder.make { try $0.link("stolen", to: "/etc/shadow", hard: true) })
  }

  @Test func replacedFoldersAreNotFollowed() async throws {
    // A folder that was open is replaced by a link; what follows must not go to the old place.
    let fixture = try await StoreFixture()
    let outside = fixture.scratch.path + "/outside"
    try Paths.makeDirectories(outside)
    let layer = try TarBuilder.make { tar in
      try tar.folder("a/")
      try tar.file("a/one", "1")
      try tar.link("a", to: outside)
      try tar.file("a/two", "2")
    }
    _ = try? await fixture.store.load(  // refused or not, nothing may come out
      stream(try dockerArchive(layers: [layer], tags: ["evil"]))
    ) { _ in }
    #expect(try Paths.entries(of: outside).isEmpty)
  }

  @Test func overlayNotesAreNotTaken() async throws {
    let fixture = try await StoreFixture()
    var entry = TarEntry(path: Array("folder/".utf8), kind: .directory, mode: 0o755)
    entry.attributes = [
      "trusted.overlay.redirect": Array("/etc".utf8), "trusted.overlay.opaque": [0x79],
      "user.kept": [1, 2, 3],
    ]
    let layer = try TarBuilder.make { try $0.add(entry) }
    try await fixture.store.load(stream(try dockerArchive(layers: [layer], tags: ["x"]))) { _ in }
    let folder = try #require(
      try fixture.layerFolders().first { Paths.exists("\(fixture.overlay)/\($0)/diff/folder") })
    let path = "\(fixture.overlay)/\(folder)/diff/folder"
    #expect(FileSystemCalls.attribute("trusted.overlay.redirect", of: path) == nil)
    #expect(FileSystemCalls.attribute("trusted.overlay.opaque", of: path) == nil)
    #expect(FileSystemCalls.attribute("user.kept", of: path) == [1, 2, 3])

    var device = TarEntry(path: Array("whiteout".utf8), kind: .characterDevice, mode: 0o600)
    device.deviceMajor = 0
    try await refuse(try TarBuilder.make { try $0.add(device) })
  }

  @Test func bombs() async throws {
    var limits = UnpackingLimits()
    limits.maximumBytes = 1 << 20
    let large = try TarBuilder.make {
      try $0.add(TarEntry(path: Array("big".utf8), kind: .file, mode: 0o600), noise(2 << 20))
    }
    try await refuse(large, limits: limits)
    var ratio = UnpackingLimits()
    ratio.maximumRatio = 100
    ratio.ratioFloor = 1 << 20
    let zeros = try TarBuilder.make {
      try $0.add(
        TarEntry(path: Array("zeros".utf8), kind: .file, mode: 0o600),
        [UInt8](repeating: 0, count: 16 << 20))
    }
    let fixture = try await StoreFixture { $0.limits = ratio }
    await expectError(.hostileArchive) {
      try await fixture.store.load(
        stream(try gzipped(try dockerArchive(layers: [zeros], tags: ["evil"])))
      ) { _ in }
    }
    #expect(try fixture.layerFolders().isEmpty)
    var entries = UnpackingLimits()
    entries.maximumEntries = 10
    try await refuse(
      try TarBuilder.make { tar in for number in 0..<11 { try tar.file("f\(number)", "") } },
      limits: entries)
  }

  @Test func hugeSparseFiles() async throws {
    var limits = UnpackingLimits()
    limits.maximumBytes = 1 << 30
    try await refuse(
      sparse(["GNU.sparse.size=1000000000000", "GNU.sparse.map=0,1"], data: [1]), limits: limits)
  }

  /// A member with pax records.
  private func sparse(_ records: [String], data: [UInt8], name: String = "s") -> [UInt8] {
    var body: [UInt8] = []
    for record in records {
      var length = record.utf8.count + 3
      while "\(length) \(record)\n".utf8.count != length {
        length = "\(length) \(record)\n".utf8.count
      }
      body += Array("\(length) \(record)\n".utf8)
    }
    return raw("x", Array("pax".utf8), body) + raw("0", Array(name.utf8), data)
      + [UInt8](repeating: 0, count: 1024)
  }

  /// A member as raw bytes, with a claimed size of one's own choice.
  private func raw(
    _ type: Character, _ name: [UInt8], _ data: [UInt8], size: String? = nil,
    checksum: Int? = nil, link: [UInt8] = []
  ) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: 512)
    func put(_ bytes: some Sequence<UInt8>, _ at: Int) {
      for (index, byte) in bytes.enumerated() { block[at + index] = byte }
    }
    put(name.prefix(100), 0)
    put("0000644\0".utf8, 100)
    put("0000000\0".utf8, 108)
    put("0000000\0".utf8, 116)
    let octal = String(data.count, radix: 8)
    put((size ?? String(repeating: "0", count: 11 - octal.count) + octal).utf8, 124)
    put("00000000000\0".utf8, 136)
    block[156] = type.asciiValue ?? 0
    put(link.prefix(100), 157)
    put("ustar\u{0}00".utf8, 257)
    put("        ".utf8, 148)
    let sum = String(checksum ?? block.reduce(0) { $0 + Int($1) }, radix: 8)
    put((String(repeating: "0", count: 6 - sum.count) + sum + "\0 ").utf8, 148)
    let padding = (512 - data.count % 512) % 512
    return block + data + [UInt8](repeating: 0, count: padding)
  }

  @Test func damagedHeaders() async throws {
    let name = Array("x".utf8)
    let end = [UInt8](repeating: 0, count: 1024)
    try await refuse(raw("0", name, [1, 2, 3], checksum: 7) + end)
    try await refuse(raw("0", name, [1, 2, 3], size: "00077777777") + end)
    try await refuse(raw("0", name, [1], size: "xyz") + end)
    try await refuse(raw("Z", name, []) + end, [.unsupported])
    try await refuse(raw("x", name, Array("999 path=x\n".utf8)) + raw("0", name, []) + end)
    try await refuse(raw("x", name, Array("11 path=\0\0\n".utf8)) + raw("0", name, []) + end)
    try await refuse(
      raw("x", name, Array("20 size=-0000000001\n".utf8)) + raw("0", name, [1]) + end)
    let long = Array(repeating: UInt8(ascii: "a"), count: 300)
    try await refuse(raw("L", Array("././@LongLink".utf8), long + [0]) + raw("0", name, []) + end)
    let endless = Array(String(repeating: "a/", count: 3000).utf8)
    try await refuse(
      raw("L", Array("././@LongLink".utf8), endless + [0]) + raw("0", name, []) + end)
    try await refuse(raw("2", name, []) + end)
    try await refuse(
      sparse(["GNU.sparse.size=100", "GNU.sparse.map=50,10,0,10"], data: noise(20)))
    try await refuse(sparse(["GNU.sparse.size=10", "GNU.sparse.map=0,20"], data: noise(20)))
    try await refuse(
      sparse(["GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=9"], data: [1]))
  }

  @Test func cutShort() async throws {
    let whole = try TarBuilder.make { tar in
      try tar.file("a", "some text")
      try tar.add(TarEntry(path: Array("b".utf8), kind: .file, mode: 0o600), noise(5000))
    }
    for length in [100, 512 + 3, 1024 + 512 + 100, 1024 + 512 + 4096] {
      try await refuse(Array(whole.prefix(length)))
    }
    var zipped = try gzipped(whole)
    zipped.removeLast(9)
    let fixture = try await StoreFixture()
    await expectError(.invalidContent) {
      try await fixture.store.load(stream(zipped)) { _ in }
    }
  }

  @Test func wrongDigests() async throws {
    let fixture = try await StoreFixture()
    var archive = try dockerArchive(
      layers: [try TarBuilder.make { try $0.file("file", "content") }], tags: ["x"])
    let at = try #require(archive.firstRange(of: Array("content".utf8))?.lowerBound)
    archive[at] = UInt8(ascii: "C")
    await expectError(.invalidContent) { try await fixture.store.load(stream(archive)) { _ in } }
    #expect(try fixture.layerFolders().isEmpty)
  }

  @Test func archivesThatAreNone() async throws {
    let fixture = try await StoreFixture()
    for bytes in [[], [1, 2, 3], noise(10_000), Array("not a tar".utf8)] {
      await expectError(.invalidContent) { try await fixture.store.load(stream(bytes)) { _ in } }
    }
    let deep = try TarBuilder.make {
      try $0.file("manifest.json", String(repeating: "[", count: 100_000))
    }
    await expectError(.invalidContent) { try await fixture.store.load(stream(deep)) { _ in } }
    let escape = try TarBuilder.make {
      try $0.file(
        "manifest.json", #"[{"Config":"../../../../etc/passwd","RepoTags":null,"Layers":[]}]"#)
    }
    await expectError(.invalidContent) { try await fixture.store.load(stream(escape)) { _ in } }
  }

  @Test func foldersNestedWithoutEnd() async throws {
    let deep = String(repeating: "d/", count: 700)
    try await refuse(try TarBuilder.make { try $0.file(deep + "f", "x") })
    // Each link leads to the end of the chain so far, so that no name is long.
    try await refuse(
      try TarBuilder.make { tar in
        for number in 0..<40 {
          let start = number == 0 ? "" : "l\(number - 1)/"
          let chain = String(repeating: "d/", count: 50)
          try tar.file(start + chain + "f", "x")
          try tar.link("l\(number)", to: start + chain.dropLast())
        }
      })
  }

  @Test func deepTreesCanBeRemoved() async throws {
    let scratch = try Scratch()
    let folder = scratch.path + "/deep"
    try Paths.makeDirectories(folder)
    var current = try Descriptor.open(folder, O_RDONLY | O_DIRECTORY)
    for _ in 0..<3000 {
      try checked("mkdir", nil, mkdirat(current.rawValue, "d", 0o755))
      let next = openat(current.rawValue, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      current = Descriptor(owning: try checked("open", nil, next))
    }
    try TreeRemoval.remove(folder)
    #expect(!Paths.exists(folder))
    try TreeRemoval.remove(folder)
  }

  /// Archives with random damage are refused or taken, but never crash and never escape.
  @Test func randomDamage() async throws {
    let fixture = try await StoreFixture()
    let whole = try sampleLayers()[0]
    var generator = SeededGenerator(7)
    for _ in 0..<150 {
      var damaged = whole
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(
          in: .min ... .max, using: &generator)
      }
      let archive = try dockerArchive(layers: [damaged], tags: ["fuzz"])
      do {
        try await fixture.store.load(stream(archive)) { _ in }
      } catch is ImageStoreError {
        continue
      }
    }
    for image in fixture.store.list() {
      _ = try await fixture.store.remove(
        image.id.description, force: true, prune: true, users: { _ in [] })
    }
    #expect(try fixture.layerFolders() == [])
    #expect(fixture.store.list().isEmpty)
  }
}

/// Random numbers that are the same in every run.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
