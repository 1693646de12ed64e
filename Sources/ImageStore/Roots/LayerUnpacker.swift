import Glibc
import Host
import OCI
import Synchronization

/// Unpacks the archives of layers into folders of their own under the overlay folder.
struct LayerUnpacker: Sendable {
  let overlayPath: String
  let limits: UnpackingLimits

  /// An unpacked layer that is not recorded yet.
  struct Unpacked: Sendable {
    var directory: String
    var size: Int64
    var diffID: Digest
  }

  /// Unpacks a layer; the folder is gone again if this throws. Blocks.
  /// - Parameter expected: the digest that the uncompressed archive must have; nil to accept any.
  /// - Parameter progress: is told the compressed bytes that were taken so far; may throw to stop.
  func unpack(
    _ source: any ByteSource, expected: Digest?,
    progress: @escaping (Int64) throws -> Void = { _ in }
  ) throws -> Unpacked {
    let directory = Self.newDirectoryName()
    let path = "\(overlayPath)/\(directory)"
    do {
      try Paths.makeDirectories(path, mode: 0o710)
      try Paths.makeDirectories(path + "/diff", mode: 0o755)
      try checked("chmod", path, chmod(path + "/diff", 0o755))
      let (size, diffID) = try unpack(source, into: path + "/diff", expected, progress)
      return Unpacked(directory: directory, size: size, diffID: diffID)
    } catch {
      try? TreeRemoval.remove(path)  // the first error counts; recovery sweeps what is left
      throw ImageStoreError.unpacking(error)
    }
  }

  private func unpack(
    _ source: any ByteSource, into path: String, _ expected: Digest?,
    _ progress: @escaping (Int64) throws -> Void
  ) throws -> (size: Int64, diffID: Digest) {
    let counted = CountingSource(source, progress)
    let expansion = ExpansionLimit(
      maximumBytes: limits.maximumBytes, maximumRatio: limits.maximumRatio,
      floor: limits.ratioFloor)
    let plain = try Compression.decompressing(counted, limit: expansion).source
    let hash = HashBox(expected?.algorithm ?? .sha256)
    let reader = BufferedReader(plain) { hash.hasher.update($0) }
    var bounds = Extractor.Limits()
    bounds.maximumBytes = limits.maximumBytes
    bounds.maximumEntries = limits.maximumEntries
    let archive = TarReader(reader)
    let extractor = Extractor(root: try RootedDirectory(path), purpose: .layer, limits: bounds)
    let summary = try extractor.extract(archive)
    try archive.drain()
    let diffID = hash.hasher.finalize()
    if let expected, diffID != expected {
      throw ImageStoreError(
        .invalidContent, "the layer's content does not have the digest that the image names",
        metadata: ["expected": "\(expected)", "found": "\(diffID)"])
    }
    return (summary.bytes, diffID)
  }

  /// A name for a folder in the overlay folder: short, since 127 of them must fit into the options
  /// of one mount, and random, since nobody may choose it.
  static func newDirectoryName() -> String { Identifier.hexadecimal(bytes: 5) }

  /// Whether a name in the overlay folder is that of a layer.
  static func isDirectoryName(_ name: String) -> Bool {
    name.utf8.count == 10
      && name.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }

  private final class HashBox {
    var hasher: DigestHasher
    init(_ algorithm: Digest.Algorithm) { hasher = DigestHasher(algorithm) }
  }
}

/// Counts what is read from another source.
final class CountingSource: ByteSource {
  private let source: any ByteSource
  private let report: (Int64) throws -> Void
  private var total: Int64 = 0

  init(_ source: any ByteSource, _ report: @escaping (Int64) throws -> Void) {
    self.source = source
    self.report = report
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try source.read(into: buffer)
    total += Int64(count)
    try report(total)
    return count
  }
}

/// Makes unpacked layers durable: whoever comes while a synchronisation runs shares the next one.
actor DurabilityBarrier {
  private let synchronize: @Sendable () throws -> Void
  private var running: Task<Void, any Error>?
  private var next: Task<Void, any Error>?

  init(_ synchronize: @escaping @Sendable () throws -> Void) { self.synchronize = synchronize }

  /// Returns once all that was written before the call is on the disk.
  func pass() async throws {
    if let next {
      try await next.value
      return
    }
    let earlier = running
    let task = Task {
      // A synchronisation that runs already may have passed over what was written last.
      if let earlier { _ = await earlier.result }
      self.begin()
      try await BlockingPool.shared.run(self.synchronize)
    }
    next = task
    try await task.value
  }

  private func begin() {
    running = next
    next = nil
  }
}

extension ImageStoreError {
  /// What went wrong below, in this module's words.
  static func unpacking(_ error: any Error) -> any Error {
    switch error {
    case is ImageStoreError, is CancellationError: return error
    case let error as ArchiveError:
      let code: Code =
        switch error.code {
        case .hostile: .hostileArchive
        case .unsupported: .unsupported
        case .malformed, .typeConflict: .invalidContent
        case .abandoned: .system
        }
      return ImageStoreError(code, "the archive cannot be unpacked", cause: error)
    case let error as SystemError:
      return ImageStoreError(.system, "the archive cannot be unpacked", cause: error)
    case let error as OCIError: return ImageStoreError(.invalidContent, error.description)
    default: return ImageStoreError(.system, "the archive cannot be unpacked", cause: error)
    }
  }
}
