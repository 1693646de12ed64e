import FoundationEssentials
import Host
import NIOCore
import OCI

/// An upload into a bucket: bytes are gathered into parts, and one part is sent while the next one
/// fills. What fits into one part is stored by one request, when it is committed.
actor S3Upload: BlobUpload {
  /// What a process knows of an upload that it has hashed: the hash, and the tags of all parts that
  /// it covers. The one is worth nothing without the other: a part might have been written over
  /// since, by a request that was late, and only its tag tells.
  struct Hashed: Sendable {
    var hasher: DigestHasher
    var parts: [S3Part]
  }

  /// The most parts that S3 takes.
  static let mostParts = 10_000
  /// The most parts whose tags are kept in memory while an upload rests.
  private static let mostResting = 1000
  /// From how many bytes on a buffer is made as large as it may have to be.
  private static let smallBuffer = 1 << 20

  nonisolated let id: UploadID
  private let storage: S3Storage
  private var objects: S3Objects { storage.objects }
  /// Bytes of each part but the last. All are alike: there are services that want it so.
  private let chunk: Int
  private var multipart: String?
  /// Parts from before this upload was taken up, whose tags are not known; then there is no hash.
  private let earlierParts: Int
  /// The parts after those.
  private var parts: [S3Part]
  /// Bytes in parts, those of a part under way among them.
  private var stored: Int64
  private var gathered = ByteBuffer()
  /// What the bucket has of this upload, while nothing was added to it; its tail is not read before
  /// it is needed.
  private var suspended: SuspendedUpload?
  private var isSpooled: Bool
  /// Nil when what was there before has not been hashed.
  private var hasher: DigestHasher?
  private var isEnded = false
  /// Why a part failed: what came after it would lie behind a hole, so nothing more is taken.
  private var failure: (any Error)?
  private var sending: Task<(upload: String, part: S3Part), any Error>?

  /// An upload that was suspended so, or a new one; `hashed` is of the suspended content.
  init(_ id: UploadID, _ storage: S3Storage, suspended: SuspendedUpload?, hashed: Hashed?) {
    self.id = id
    self.storage = storage
    self.suspended = suspended
    let count = suspended?.parts ?? 0
    hasher = hashed?.hasher ?? ((suspended?.size ?? 0) == 0 ? DigestHasher() : nil)
    parts = hashed?.parts ?? []
    earlierParts = count - parts.count
    isSpooled = suspended != nil
    multipart = suspended?.multipart
    stored = suspended?.stored ?? 0
    chunk =
      count > 0 ? Int(stored) / count : max(storage.settings.chunkSize, suspended?.tail ?? 0)
  }

  var size: Int64 { stored + Int64(suspended?.tail ?? gathered.readableBytes) }

  func append(_ bytes: ByteBuffer) async throws {
    try checkOpen()
    guard bytes.readableBytes > 0 else { return }
    try await loadTail()
    var rest = bytes
    while rest.readableBytes > 0 {
      if gathered.readableBytes >= chunk { try await sendPart() }
      let count = min(chunk - gathered.readableBytes, rest.readableBytes)
      guard count > 0, var piece = rest.readSlice(length: count) else { return }
      // A piece is small: this takes some microseconds.
      piece.withUnsafeReadableBytes { hasher?.update($0) }
      if gathered.readableBytes < Self.smallBuffer,
        gathered.readableBytes + count >= Self.smallBuffer
      {
        gathered.reserveCapacity(chunk)
      }
      gathered.writeBuffer(&piece)
    }
  }

  func suspend() async throws {
    try checkOpen()
    try await settle()
    var mark = suspended?.mark
    if mark == nil {
      let state = SuspendedUpload(
        multipart: multipart, parts: earlierParts + parts.count, stored: stored,
        mark: Identifier.hexadecimal(bytes: 16), tail: gathered.readableBytes)
      try await objects.put(storage.spool(id), gathered, headers: state.headers)
      mark = state.mark
    }
    if let hasher, let mark, parts.count <= Self.mostResting {
      storage.restingHashes.keep(Hashed(hasher: hasher, parts: parts), of: id, mark)
    }
    end()
  }

  func commit(_ expected: Digest) async throws -> StoredFile {
    try checkOpen()
    try await settle()
    let size = size
    let isChecked = try await check(expected)
    if stored == 0 {
      try await storeWhole()
    } else if try await !storeParts(size) || !isChecked {
      try await checkStored(expected, size: size)
    }
    end()
    let storedAt = S3Client.currentTime().milliseconds
    if isSpooled {
      // The file is stored, whatever comes of this: what stays is found with abandoned uploads.
      try? await objects.delete(storage.spool(id))
    }
    storage.restingHashes.forget(id)
    return StoredFile(
      key: StorageKey(unchecked: id.description), size: size, storedAt: storedAt)
  }

  func cancel() async throws {
    end()
    sending?.cancel()
    await settled()
    sending = nil
    try await storage.cancelUpload(id)
  }

  // MARK: - State

  private func end() {
    isEnded = true
    gathered = ByteBuffer()
  }

  private func checkOpen() throws {
    guard !isEnded else {
      throw BlobStorageError(
        .uploadEnded, "the upload was ended already", metadata: ["upload": "\(id)"])
    }
    if let failure { throw failure }
  }

  /// Reads what the bucket keeps of the part that is not full.
  private func loadTail() async throws {
    guard let state = suspended else { return }
    let tail =
      state.tail == 0
      ? ByteBuffer() : try await objects.bytes(storage.spool(id), size: state.tail, tag: state.tag)
    gathered = tail
    suspended = nil
    if stored == 0, hasher == nil {
      var hasher = DigestHasher()
      tail.withUnsafeReadableBytes { hasher.update($0) }
      self.hasher = hasher
    }
  }

  // MARK: - Parts

  /// Sends what was gathered as the next part; one is under way at a time.
  private func sendPart() async throws {
    try await settle()
    let number = earlierParts + parts.count + 1
    guard number <= Self.mostParts else {
      let error = BlobStorageError(
        .storageFull, "the upload has more parts than S3 takes: a larger chunk size is needed",
        metadata: ["chunksize": String(chunk)])
      failure = error
      throw error
    }
    let (body, objects, target, known) = (gathered, objects, storage.target(id), multipart)
    gathered = ByteBuffer()
    stored += Int64(body.readableBytes)
    sending = Task {
      var upload = known
      if upload == nil { upload = try await objects.beginParts(target) }
      guard let upload else { throw CancellationError() }
      let part = try await objects.putPart(target, upload: upload, number: number, body)
      return (upload, part)
    }
  }

  /// Waits until nothing is under way, however it ended.
  func settled() async { _ = try? await sending?.value }

  /// Waits for the part under way.
  private func settle() async throws {
    guard let task = sending else { return }
    sending = nil
    do {
      let (upload, part) = try await task.value
      multipart = upload
      parts.append(part)
    } catch {
      failure = error
      throw error
    }
  }

  // MARK: - Commit

  /// Compares the digest with what was hashed on the way; false when that is not known.
  private func check(_ expected: Digest) async throws -> Bool {
    if expected.algorithm == .sha256, let hasher {
      try require(hasher.finalize(), expected)
      return true
    }
    guard stored == 0 else { return false }
    try await loadTail()
    var hasher = DigestHasher(expected.algorithm)
    gathered.withUnsafeReadableBytes { hasher.update($0) }
    try require(hasher.finalize(), expected)
    return true
  }

  private func require(_ found: Digest, _ expected: Digest) throws {
    guard found != expected else { return }
    let error = BlobStorageError(
      .digestMismatch, "the content does not have the digest",
      metadata: ["expected": "\(expected)", "found": "\(found)"])
    failure = error
    throw error
  }

  private func storeWhole() async throws {
    if let state = suspended, state.tail > 0 {
      // Its bytes are there already, and are those that were hashed.
      do {
        return try await objects.copy(
          storage.spool(id), tag: state.tag, to: storage.target(id))
      } catch let error as BlobStorageError where error.refusalCode == "NotImplemented" {
        try await loadTail()
      }
    }
    try await objects.put(storage.target(id), gathered, headers: objects.storageClass)
  }

  /// Makes the object of its parts; false when that was done before, in a try that was cut off.
  private func storeParts(_ size: Int64) async throws -> Bool {
    let target = storage.target(id)
    do {
      try await loadTail()
      if gathered.readableBytes > 0 {
        try await sendPart()
        try await settle()
      }
      guard let multipart else { throw BlobStorageError.unexpected("no upload id") }
      let all = try await earlier(target, multipart) + parts
      try await objects.complete(target, upload: multipart, all)
      return true
    } catch let error as BlobStorageError where error.code == .notFound {
      let there = try? await objects.size(target)
      guard there == size else { throw error }
      failure = nil
      return false
    }
  }

  /// The parts from before, as the service lists them.
  private func earlier(_ target: String, _ multipart: String) async throws -> [S3Part] {
    guard earlierParts > 0 else { return [] }
    // What came after the last suspension was never acknowledged.
    let found = try await objects.parts(target, upload: multipart)
      .filter { $0.number <= earlierParts }.sorted { $0.number < $1.number }
    guard found.map(\.number) == Array(1...earlierParts),
      found.reduce(0, { $0 + $1.size }) == Int64(earlierParts) * Int64(chunk)
    else { throw BlobStorageError.unexpected("parts are missing") }
    return found
  }

  /// Reads the object and compares its digest. Nobody knows its name yet; it goes if it is wrong.
  private func checkStored(_ expected: Digest, size: Int64) async throws {
    let key = StorageKey(unchecked: id.description)
    guard case .stream(let length, let pieces) = try await storage.read(key, range: nil),
      length == size
    else { throw BlobStorageError.unexpected("another length") }
    var hasher = DigestHasher(expected.algorithm)
    for try await piece in pieces {
      piece.withUnsafeReadableBytes { hasher.update($0) }
    }
    do {
      try require(hasher.finalize(), expected)
    } catch {
      try await storage.delete(key)
      throw error
    }
  }
}
