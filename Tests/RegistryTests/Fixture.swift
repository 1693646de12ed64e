import BlobStorage
import FoundationEssentials
import Identity
import Logging
import NIOCore
import OCI
import StateStore
import Synchronization
import Testing

@testable import Registry

/// A registry over memory and a folder of its own, with a clock that stands until it is moved.
final class Fixture: Sendable {
  let store = InMemoryStateStore()
  let root: String
  let storage: FilesystemStorage
  let registry: RegistryService
  let identity: IdentityService
  private let time: TestClock

  init(settings: RegistrySettings = RegistrySettings()) throws {
    root = FileManager.default.temporaryDirectory.path + "/martlet-registry-\(UUID().uuidString)"
    storage = try FilesystemStorage(root: root)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let time = TestClock()
    self.time = time
    identity = IdentityService(store: store, logger: logger)
    registry = RegistryService(
      store: store, storage: storage, identity: identity, settings: settings, logger: logger,
      clock: { time.now })
  }

  deinit {
    // A folder that stays does no harm to other tests.
    try? FileManager.default.removeItem(atPath: root)
  }

  func advance(_ duration: Duration) { time.advance(duration) }

  func repository(_ name: String) async throws -> Repository {
    try await registry.authorizePush(.system, to: RepositoryName(name))
  }

  @discardableResult
  func push(_ bytes: [UInt8], to repository: Repository) async throws -> Digest {
    let digest = Digest.sha256(of: bytes)
    let session = try await registry.beginUpload(repository, by: .system)
    try await session.append(ByteBuffer(bytes: bytes))
    _ = try await session.finish(digest, by: .system)
    return digest
  }

  /// Pushes a manifest of an empty configuration and these layers, which must be there.
  @discardableResult
  func pushImage(
    _ repository: Repository, _ reference: String?, layers: [Digest], extra: String = ""
  ) async throws -> Digest {
    let config = try await push(Array("{}".utf8), to: repository)
    let text = manifest(config: config, layers: layers, extra: extra)
    return try await put(repository, reference, text)
  }

  @discardableResult
  func put(
    _ repository: Repository, _ reference: String?, _ text: String, mediaType: String? = nil
  ) async throws -> Digest {
    let digest = Digest.sha256(of: Array(text.utf8))
    return try await registry.putManifest(
      repository, Reference(reference ?? digest.description), mediaType: mediaType,
      content: ByteBuffer(string: text), by: .system
    ).digest
  }

  func manifest(config: Digest, layers: [Digest], extra: String = "") -> String {
    let layers = layers.map {
      #"{"mediaType":"\#(MediaType.ociLayer)","digest":"\#($0)","size":3}"#
    }.joined(separator: ",")
    return #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)","config":{"mediaType":"#
      + #""application/vnd.test.config","digest":"\#(config)","size":2},"layers":[\#(layers)]\#(extra)}"#
  }

  func index(_ manifests: [Digest], extra: String = "") -> String {
    let manifests = manifests.map {
      #"{"mediaType":"\#(MediaType.ociManifest)","digest":"\#($0)","size":3}"#
    }.joined(separator: ",")
    return #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[\#(manifests)]"#
      + extra + "}"
  }
}

/// A clock that is moved by hand.
final class TestClock: Sendable {
  private let milliseconds = Mutex<Int64>(1_700_000_000_000)

  var now: Timestamp { Timestamp(milliseconds: milliseconds.withLock { $0 }) }

  func advance(_ duration: Duration) {
    milliseconds.withLock { $0 += duration.milliseconds }
  }
}

/// The code of the error that `body` throws.
func refusal<Value>(_ body: () async throws -> Value) async -> RegistryError.Code? {
  do {
    _ = try await body()
    return nil
  } catch let error as RegistryError {
    return error.code
  } catch {
    Issue.record("unexpected error: \(error)")
    return nil
  }
}

/// A generator of numbers that are the same each time.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
