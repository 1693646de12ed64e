import Glibc
import Host
import OCI

/// Content by its digest, as received: `blobs/sha256/<hex>`, and beside it the beginnings of what
/// is still being received, `partial/<digest>`. All of it blocks.
struct BlobDirectory: Sendable {
  private let root: String

  init(_ root: String) { self.root = root }

  /// Makes the folders.
  func prepare() throws {
    for algorithm in Digest.Algorithm.allCases {
      try Paths.makeDirectories("\(root)/blobs/\(algorithm.rawValue)", mode: 0o700)
    }
    try Paths.makeDirectories(root + "/partial", mode: 0o700)
    try Paths.makeDirectories(root + "/incoming", mode: 0o700)
  }

  /// Where a blob lies, or will.
  func path(_ digest: Digest) -> String {
    "\(root)/blobs/\(digest.algorithm.rawValue)/\(digest.hex)"
  }

  /// Where the beginning of a blob lies.
  func partialPath(_ digest: Digest) -> String {
    "\(root)/partial/\(digest.algorithm.rawValue)-\(digest.hex)"
  }

  /// A new name for something that comes in and whose digest is not known yet.
  func incomingPath() -> String { "\(root)/incoming/\(Identifier.hexadecimal(bytes: 12))" }

  /// Bytes of a blob; nil if it is not there.
  func size(_ digest: Digest) -> Int64? {
    var information = stat()
    guard lstat(path(digest), &information) == 0 else { return nil }
    return Int64(information.st_size)
  }

  /// Whether a blob is there.
  func contains(_ digest: Digest) -> Bool { size(digest) != nil }

  /// Opens a blob for reading. Throws ``ImageStoreError`` (`notFound`) or `SystemError`.
  func open(_ digest: Digest) throws -> Descriptor {
    do {
      return try Descriptor.open(path(digest), O_RDONLY)
    } catch let error as SystemError where error.errno == ENOENT {
      throw ImageStoreError(
        .notFound, "content is missing from the store", metadata: ["digest": "\(digest)"])
    }
  }

  /// The whole of a small blob, checked against its digest.
  func read(_ digest: Digest, limit: Int) throws -> [UInt8] {
    let file = try open(digest)
    var bytes: [UInt8] = []
    while true {
      let piece = try file.read(upTo: 1 << 20)
      if piece.isEmpty { break }
      bytes += piece
      guard bytes.count <= limit else {
        throw ImageStoreError(
          .invalidContent, "content is larger than is allowed", metadata: ["digest": "\(digest)"])
      }
    }
    var hasher = DigestHasher(digest.algorithm)
    bytes.withUnsafeBytes { hasher.update($0) }
    guard hasher.finalize() == digest else {
      throw ImageStoreError(
        .invalidContent, "content in the store is damaged", metadata: ["digest": "\(digest)"])
    }
    return bytes
  }

  /// Keeps a small document under its own digest, durably; a beginning of it goes.
  func write(_ bytes: [UInt8], as digest: Digest) throws {
    guard !contains(digest) else { return }
    try DurableFile.publish(bytes, to: path(digest), mode: 0o600)
    unlink(partialPath(digest))
  }

  /// Makes a finished file the blob of this digest; a beginning of the same content is needed no
  /// more and goes. The caller sees to it that the file is on the disk.
  func adopt(_ file: String, as digest: Digest) throws {
    if rename(file, path(digest)) != 0 {
      let error = SystemError.last("rename", path(digest))
      // The content came from elsewhere while this was its beginning.
      guard error.errno == ENOENT, contains(digest) else { throw error }
      return
    }
    unlink(partialPath(digest))
  }

  /// Removes a blob.
  func remove(_ digest: Digest) {
    unlink(path(digest))
  }

  /// Puts a blob that nothing needs back among the partial ones, for the next try. A file that a
  /// registry shares is let go instead: what is partial may be written to.
  func setBack(_ digest: Digest) {
    var information = stat()
    if lstat(path(digest), &information) == 0, information.st_nlink > 1 {
      unlink(path(digest))
    } else {
      rename(path(digest), partialPath(digest))
    }
  }

  /// All blobs with their sizes.
  func all() throws -> [(digest: Digest, size: Int64)] {
    var found: [(Digest, Int64)] = []
    for algorithm in Digest.Algorithm.allCases {
      for name in try Paths.entries(of: "\(root)/blobs/\(algorithm.rawValue)") {
        guard let digest = Digest("\(algorithm.rawValue):\(name)"), let size = size(digest) else {
          continue
        }
        found.append((digest, size))
      }
    }
    return found
  }

  /// Removes what was coming in when the process ended.
  func clearIncoming() throws -> [String] {
    let names = try Paths.entries(of: root + "/incoming")
    for name in names { try TreeRemoval.remove("\(root)/incoming/\(name)") }
    return names.map { "incoming/" + $0 }
  }

  /// Removes beginnings of blobs that nobody came back for in this many days.
  func removePartials(olderThanDays days: Int) throws {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    for name in try Paths.entries(of: root + "/partial") {
      var information = stat()
      let path = "\(root)/partial/\(name)"
      guard lstat(path, &information) == 0 else { continue }
      if now.tv_sec - information.st_mtim.tv_sec > days * 86_400 { unlink(path) }
    }
  }

  /// Removes beginnings of blobs that `isInUse` does not claim; returns the bytes freed.
  func removePartials(except isInUse: (Digest) -> Bool) throws -> Int64 {
    var freed: Int64 = 0
    for name in try Paths.entries(of: root + "/partial") {
      let text = name.split(separator: "-", maxSplits: 1).joined(separator: ":")
      if let digest = Digest(text), isInUse(digest) { continue }
      var information = stat()
      let path = "\(root)/partial/\(name)"
      if lstat(path, &information) == 0, unlink(path) == 0 {
        freed += Int64(information.st_size)
      }
    }
    return freed
  }

  /// Waits until everything on the file systems of the blobs and of `other` is on the disk.
  func synchronize(with other: String) throws {
    let mine = try Descriptor.open(root, O_RDONLY | O_DIRECTORY)
    let theirs = try Descriptor.open(other, O_RDONLY | O_DIRECTORY)
    var first = stat()
    var second = stat()
    try checked("stat", root, fstat(mine.rawValue, &first))
    try checked("stat", other, fstat(theirs.rawValue, &second))
    try FileSystemCalls.synchronize(theirs)
    if first.st_dev != second.st_dev { try FileSystemCalls.synchronize(mine) }
  }
}
