import Crypto
import FoundationEssentials
import Glibc
import Host
import ImageStore
import Logging
import NIOCore
import OCI
import StateStore
import Synchronization
import Testing

/// A folder of a test's own, with everything mounted in it unmounted and removed at the end.
final class Scratch: Sendable {
  let path: String

  init() throws {
    path = "/tmp/martlet-images-\(Identifier.hexadecimal(bytes: 6))"
    try Paths.makeDirectories(path)
  }

  deinit {
    let mounts = (try? Mount.table()) ?? []  // nothing to unmount if it cannot be read
    for mount in mounts.reversed() where mount.target.hasPrefix(path + "/") {
      try? Mount.unmount(mount.target, lazily: true)  // the folder's removal would fail and show
    }
    try? TreeRemoval.remove(path)  // a leftover in /tmp harms nobody
  }
}

/// An image store over a scratch folder.
struct StoreFixture {
  let scratch: Scratch
  let state: any StateStore
  let store: ImageStore
  var root: String { scratch.path + "/data" }
  var overlay: String { root + "/overlay" }
  var images: String { root + "/images" }

  init(
    _ scratch: Scratch? = nil, state: (any StateStore)? = nil,
    _ change: (inout ImageStoreConfiguration) -> Void = { _ in }
  ) async throws {
    self.scratch = try scratch ?? Scratch()
    self.state = state ?? InMemoryStateStore()
    let root = self.scratch.path + "/data"
    var configuration = ImageStoreConfiguration(
      imagesPath: root + "/images", overlayPath: root + "/overlay")
    configuration.certificateDirectories = [self.scratch.path + "/certs.d"]
    change(&configuration)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    store = ImageStore(configuration: configuration, state: self.state, logger: logger)
    try await store.recover()
  }

  func container() -> String { Identifier.random() }

  /// Names of folders in the overlay folder that belong to layers.
  func layerFolders() throws -> [String] {
    try Paths.entries(of: overlay).filter { $0.utf8.count == 10 }
  }
}

/// Collects the steps of a transfer.
final class Steps: Sendable {
  private let steps = Mutex<[TransferProgress]>([])
  var handler: ProgressHandler { { step in self.steps.withLock { $0.append(step) } } }
  var all: [TransferProgress] { steps.withLock { $0 } }
  var statuses: [String] { all.map(\.status) }
  var pushed: [TransferProgress.Pushed] { all.compactMap(\.pushed) }
}

/// Bytes as the stream that the store takes.
func stream(_ bytes: [UInt8], piece: Int = 60_000) -> ByteStream {
  AsyncThrowingStream<ByteBuffer, any Error> { continuation in
    var rest = bytes[...]
    while !rest.isEmpty {
      continuation.yield(ByteBuffer(bytes: rest.prefix(piece)))
      rest = rest.dropFirst(piece)
    }
    continuation.finish()
  }
}

/// All bytes of a stream.
func collect(_ stream: ByteStream) async throws -> [UInt8] {
  var bytes: [UInt8] = []
  for try await piece in stream { bytes.append(contentsOf: piece.readableBytesView) }
  return bytes
}

/// Makes tar archives of a few members.
struct TarBuilder {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ entry: TarEntry, _ data: [UInt8] = []) throws {
    var entry = entry
    entry.size = Int64(data.count)
    var made: [UInt8] = []
    let writer = TarWriter { made.append(contentsOf: $0) }
    try writer.header(entry)
    try data.withUnsafeBytes { try writer.data($0) }
    if entry.kind == .file { try writer.endData(of: entry) }
    bytes += made
  }

  mutating func file(_ path: String, _ text: String, mode: UInt32 = 0o644) throws {
    try add(TarEntry(path: Array(path.utf8), kind: .file, mode: mode), Array(text.utf8))
  }

  mutating func folder(_ path: String, mode: UInt32 = 0o755) throws {
    try add(TarEntry(path: Array(path.utf8), kind: .directory, mode: mode))
  }

  mutating func link(_ path: String, to target: String, hard: Bool = false) throws {
    var entry = TarEntry(
      path: Array(path.utf8), kind: hard ? .hardLink : .symbolicLink, mode: 0o777)
    entry.linkPath = Array(target.utf8)
    try add(entry)
  }

  var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

  static func make(_ build: (inout TarBuilder) throws -> Void) rethrows -> [UInt8] {
    var builder = TarBuilder()
    try build(&builder)
    return builder.finished
  }
}

func gzipped(_ bytes: [UInt8]) throws -> [UInt8] {
  var made: [UInt8] = []
  let writer = try GzipWriter { made.append(contentsOf: $0) }
  try bytes.withUnsafeBytes { try writer.write($0) }
  try writer.finish()
  return made
}

/// An image as a Docker archive with plain layers.
func dockerArchive(layers: [[UInt8]], tags: [String], command: String = "/x") throws -> [UInt8] {
  var configuration = ImageConfiguration(
    platform: .host, diffIDs: layers.map { Digest.sha256(of: $0) })
  configuration.created = "2024-02-03T04:05:06.789Z"
  configuration.config = ExecutionConfiguration()
  configuration.config?.cmd = [command]
  configuration.history = layers.indices.map {
    .init(created: "2024-02-03T04:05:06Z", createdBy: "step \($0)")
  }
  let bytes = Array(try JSONEncoder().encode(configuration))
  let name = Digest.sha256(of: bytes).hex + ".json"
  struct Item: Encodable {
    var config: String
    var repoTags: [String]
    var layers: [String]

    enum CodingKeys: String, CodingKey {
      case config = "Config"
      case repoTags = "RepoTags"
      case layers = "Layers"
    }
  }
  let item = Item(
    config: name, repoTags: tags, layers: layers.indices.map { "layer\($0)/layer.tar" })
  return try TarBuilder.make { tar in
    for (index, layer) in layers.enumerated() {
      try tar.add(
        TarEntry(path: Array("layer\(index)/layer.tar".utf8), kind: .file, mode: 0o644), layer)
    }
    try tar.file(name, String(decoding: bytes, as: UTF8.self))
    try tar.file(
      "manifest.json", String(decoding: try JSONEncoder().encode([item]), as: UTF8.self))
  }
}

/// Bytes that do not compress, the same for the same seed.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count + 8)
  while bytes.count < count {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    withUnsafeBytes(of: state) { bytes.append(contentsOf: $0) }
  }
  return Array(bytes.prefix(count))
}

/// A small image of two layers with a bit of everything.
func sampleLayers() throws -> [[UInt8]] {
  [
    try TarBuilder.make { tar in
      try tar.folder("bin/")
      try tar.file("bin/tool", "#!tool", mode: 0o4755)
      try tar.folder("etc/")
      try tar.file("etc/passwd", "root:x:0:0")
      try tar.file("etc/gone", "old")
      try tar.folder("var/")
      try tar.folder("var/cache/")
      try tar.file("var/cache/old", "old")
      try tar.link("bin/alias", to: "tool")
      try tar.link("bin/twin", to: "bin/tool", hard: true)
    },
    try TarBuilder.make { tar in
      try tar.folder("etc/")
      try tar.file("etc/.wh.gone", "")
      try tar.file("etc/new", "new")
      try tar.folder("var/")
      try tar.folder("var/cache/")
      try tar.file("var/cache/.wh..wh..opq", "")
      try tar.file("var/cache/fresh", "fresh")
    },
  ]
}
