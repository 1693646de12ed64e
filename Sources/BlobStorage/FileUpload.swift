import Glibc
import Host
import NIOCore
import OCI

/// An upload into a file. Pieces are gathered and written, and hashed, on the blocking pool, while
/// the next ones arrive.
actor FileUpload: BlobUpload {
  /// What is gathered before it is written.
  private static let pieceSize = 512 * 1024
  /// The disk is told to begin on what was written whenever so much has come together; otherwise all
  /// of a large blob would be left to the `fsync` at its end.
  private static let writebackSize: Int64 = 8 << 20

  nonisolated let id: UploadID
  private let storage: FilesystemStorage
  private let file: Descriptor
  private var written: Int64
  private var gathered: [ByteBuffer] = []
  private var gatheredBytes = 0
  /// Nil when what was there before has not been hashed.
  private var hasher: DigestHasher?
  private var isEnded = false
  /// Why a write failed: what came after it would lie behind a hole, so nothing more is taken.
  private var failure: (any Error)?
  private var writing: Task<DigestHasher?, any Error>?

  init(
    id: UploadID, storage: FilesystemStorage, file: Descriptor, size: Int64, hasher: DigestHasher?
  ) {
    self.id = id
    self.storage = storage
    self.file = file
    written = size
    self.hasher = hasher
  }

  var size: Int64 { written + Int64(gatheredBytes) }

  func append(_ bytes: ByteBuffer) async throws {
    try checkOpen()
    guard bytes.readableBytes > 0 else { return }
    gathered.append(bytes)
    gatheredBytes += bytes.readableBytes
    if gatheredBytes >= Self.pieceSize { try await write() }
  }

  func suspend() async throws {
    try checkOpen()
    try await write()
    try await settle()
    let file = file
    let folder = storage.root + "/uploads"
    let stamp = try await storage.blocking {
      try checked("fdatasync", nil, retryingInterrupts { fdatasync(file.rawValue) })
      // The upload's name must outlive a crash too.
      try DurableFile.syncDirectory(folder)
      return try FileStamp(file)
    }
    isEnded = true
    file.close()
    if let hasher { storage.restingHashes.keep(hasher, of: id, stamp) }
  }

  func commit(_ expected: Digest) async throws -> StoredFile {
    try checkOpen()
    try await write()
    try await settle()
    let found = try await digest(like: expected)
    guard found == expected else {
      throw BlobStorageError(
        .digestMismatch, "the content does not have the digest",
        metadata: ["expected": "\(expected)", "found": "\(found)"])
    }
    isEnded = true
    let key = StorageKey.random()
    let (file, size) = (file, written)
    let (from, to) = (storage.uploadPath(id), storage.path(key))
    let storedAt = try await storage.blocking {
      try checked("fsync", nil, retryingInterrupts { fsync(file.rawValue) })
      file.close()
      try checked("rename", to, rename(from, to))
      try DurableFile.syncDirectory(Paths.parent(of: to))
      return FilesystemStorage.facts(to)?.changedAt ?? 0
    }
    return StoredFile(key: key, size: size, storedAt: storedAt)
  }

  func cancel() async throws {
    isEnded = true
    _ = try? await writing?.value  // it only has to have ended
    file.close()
    try await storage.cancelUpload(id)
  }

  // MARK: - Writing

  private func checkOpen() throws {
    guard !isEnded else {
      throw BlobStorageError(
        .uploadEnded, "the upload was ended already", metadata: ["upload": "\(id)"])
    }
    if let failure { throw failure }
  }

  /// Waits for the write under way.
  private func settle() async throws {
    guard let task = writing else { return }
    writing = nil
    do {
      hasher = try await task.value
    } catch {
      failure = error
      throw error
    }
  }

  /// Hands what was gathered to the pool; one write is under way at a time.
  private func write() async throws {
    guard gatheredBytes > 0 else { return }
    try await settle()
    let (pieces, start, file, storage, hasher) = (gathered, written, file, storage, hasher)
    written += Int64(gatheredBytes)
    (gathered, gatheredBytes) = ([], 0)
    writing = Task {
      try await storage.blocking {
        var hasher = hasher
        var offset = start
        for piece in pieces {
          try piece.withUnsafeReadableBytes { bytes in
            hasher?.update(bytes)
            try Self.write(bytes, to: file, at: offset)
            offset += Int64(bytes.count)
          }
        }
        let (begun, due) = (start / Self.writebackSize, offset / Self.writebackSize)
        if due > begun {
          DurableFile.beginWriteback(
            file, offset: begun * Self.writebackSize,
            length: (due - begun) * Self.writebackSize)
        }
        return hasher
      }
    }
  }

  private static func write(
    _ bytes: UnsafeRawBufferPointer, to file: Descriptor, at offset: Int64
  ) throws {
    var done = 0
    while done < bytes.count {
      let count = retryingInterrupts {
        pwrite(
          file.rawValue, bytes.baseAddress.map { $0 + done }, bytes.count - done,
          Int(offset) + done)
      }
      guard count >= 0 else { throw SystemError.last("write") }
      done += count
    }
  }

  private func digest(like expected: Digest) async throws -> Digest {
    if expected.algorithm == .sha256, let hasher { return hasher.finalize() }
    let file = file
    return try await storage.blocking {
      var hasher = DigestHasher(expected.algorithm)
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
      defer { memory.deallocate() }
      var offset = 0
      while true {
        let count = retryingInterrupts {
          pread(file.rawValue, memory.baseAddress, memory.count, offset)
        }
        guard count >= 0 else { throw SystemError.last("read") }
        if count == 0 { return hasher.finalize() }
        hasher.update(UnsafeRawBufferPointer(rebasing: memory[..<count]))
        offset += count
      }
    }
  }
}
