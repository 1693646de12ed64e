import BlobStorage
import Glibc
import Host
import NIOCore
import OCI
import Testing

/// What every storage promises; each storage's tests run all of it.
struct StorageConformance {
  let storage: any BlobStorage

  func runAll() async throws {
    try await storesAndReads()
    try await ranges()
    try await refusesWrongDigests()
    try await resumes()
    try await cancels()
    try await deletes()
    try await lists()
    try await sameContentAtOnce()
  }

  static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state)
    }
  }

  static func sha512(_ bytes: [UInt8]) -> Digest {
    var hasher = DigestHasher(.sha512)
    bytes.withUnsafeBytes { hasher.update($0) }
    return hasher.finalize()
  }

  static func collect(_ body: BlobBody) async throws -> [UInt8] {
    switch body {
    case .file(let file, let offset, let length):
      return try await BlockingPool.shared.run {
        var bytes = [UInt8](repeating: 0, count: Int(length))
        var done = 0
        while done < bytes.count {
          let count = bytes.withUnsafeMutableBytes { memory in
            pread(
              file.rawValue, memory.baseAddress.map { $0 + done }, memory.count - done,
              Int(offset) + done)
          }
          guard count > 0 else { throw SystemError.last("read") }
          done += count
        }
        return bytes
      }
    case .stream(_, let pieces):
      var bytes: [UInt8] = []
      for try await piece in pieces { bytes += piece.readableBytesView }
      return bytes
    }
  }

  func upload(_ bytes: [UInt8], in piece: Int = 70_000) async throws -> StoredFile {
    let upload = try await storage.beginUpload(.random())
    try await append(bytes, to: upload, piece)
    return try await upload.commit(Digest.sha256(of: bytes))
  }

  private func append(_ bytes: [UInt8], to upload: any BlobUpload, _ piece: Int) async throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      try await upload.append(ByteBuffer(bytes: rest.prefix(piece)))
      rest = rest.dropFirst(piece)
    }
  }

  private func expect(
    _ code: BlobStorageError.Code, _ body: () async throws -> Void,
    at location: SourceLocation = #_sourceLocation
  ) async {
    do {
      try await body()
      Issue.record("nothing was thrown", sourceLocation: location)
    } catch let error as BlobStorageError {
      #expect(error.code == code, "\(error)", sourceLocation: location)
    } catch {
      Issue.record("\(error)", sourceLocation: location)
    }
  }

  func storesAndReads() async throws {
    for count in [0, 1, 70_000, 3_000_000] {
      let bytes = Self.noise(count, seed: UInt64(count))
      let stored = try await upload(bytes)
      #expect(stored.size == Int64(count))
      #expect(try await storage.size(of: stored.key) == Int64(count))
      #expect(try await Self.collect(storage.read(stored.key, range: nil)) == bytes)
    }
    let small = Self.noise(500, seed: 9)
    let key = try await storage.store(ByteBuffer(bytes: small))
    #expect(try await Self.collect(storage.read(key, range: nil)) == small)
    let upload = try await storage.beginUpload(.random())
    try await append(small, to: upload, 100)
    let long = try await upload.commit(Self.sha512(small))
    #expect(try await storage.size(of: long.key) == 500)
    await expect(.uploadEnded) { try await upload.append(ByteBuffer(bytes: [1])) }
  }

  func ranges() async throws {
    let bytes = Self.noise(200_000, seed: 3)
    let stored = try await upload(bytes)
    for range in [0..<1, 0..<200_000, 199_999..<200_000, 70_000..<150_001, 5..<5] {
      let body = try await storage.read(
        stored.key, range: Int64(range.lowerBound)..<Int64(range.upperBound))
      #expect(body.length == Int64(range.count))
      #expect(try await Self.collect(body) == Array(bytes[range]))
    }
    await expect(.invalidRange) { _ = try await storage.read(stored.key, range: 0..<200_001) }
  }

  func refusesWrongDigests() async throws {
    let upload = try await storage.beginUpload(.random())
    try await upload.append(ByteBuffer(string: "content"))
    await expect(.digestMismatch) {
      _ = try await upload.commit(Digest.sha256(of: Array("other".utf8)))
    }
    try await upload.cancel()
    #expect(try await !storage.uploads().contains { $0.id == upload.id })
  }

  func resumes() async throws {
    let bytes = Self.noise(1_500_000, seed: 4)
    for digest in [Digest.sha256(of: bytes), Self.sha512(bytes)] {
      let id = UploadID.random()
      let first = try await storage.beginUpload(id)
      try await append(Array(bytes[..<400_000]), to: first, 65_536)
      try await first.suspend()
      #expect(try await storage.uploadSize(id) == 400_000)
      let second = try await storage.resumeUpload(id)
      #expect(await second.size == 400_000)
      try await append(Array(bytes[400_000..<400_001]), to: second, 65_536)
      try await second.suspend()
      let third = try await storage.resumeUpload(id)
      try await append(Array(bytes[400_001...]), to: third, 1_000_000)
      let stored = try await third.commit(digest)
      #expect(try await Self.collect(storage.read(stored.key, range: nil)) == bytes)
      await expect(.notFound) { _ = try await storage.uploadSize(id) }
      await expect(.notFound) { _ = try await storage.resumeUpload(id) }
    }
  }

  func cancels() async throws {
    let upload = try await storage.beginUpload(.random())
    try await append(Self.noise(900_000, seed: 5), to: upload, 65_536)
    try await upload.cancel()
    await expect(.notFound) { _ = try await storage.uploadSize(upload.id) }
    try await storage.cancelUpload(upload.id)
  }

  func deletes() async throws {
    let stored = try await upload(Self.noise(10_000, seed: 6))
    let body = try await storage.read(stored.key, range: nil)
    try await storage.delete(stored.key)
    try await storage.delete(stored.key)
    await expect(.notFound) { _ = try await storage.size(of: stored.key) }
    await expect(.notFound) { _ = try await storage.read(stored.key, range: nil) }
    if case .file = body {
      #expect(try await Self.collect(body).count == 10_000, "an open file stays readable")
    }
  }

  func lists() async throws {
    var expected: Set<StorageKey> = []
    for number in 0..<20 {
      expected.insert(try await upload(Self.noise(number, seed: 7)).key)
    }
    let suspended = try await storage.beginUpload(.random())
    try await suspended.suspend()
    var found: [StorageKey] = []
    for try await file in storage.keys() { found.append(file.key) }
    #expect(Set(found).isSuperset(of: expected))
    #expect(Set(found).count == found.count)
    #expect(try await storage.uploads().contains { $0.id == suspended.id })
    try await storage.cancelUpload(suspended.id)
    try await storage.check()
  }

  func sameContentAtOnce() async throws {
    let bytes = Self.noise(300_000, seed: 8)
    let keys = try await withThrowingTaskGroup(of: StorageKey.self) { group in
      for _ in 0..<8 { group.addTask { try await upload(bytes).key } }
      return try await group.reduce(into: Set<StorageKey>()) { $0.insert($1) }
    }
    #expect(keys.count == 8, "each stored file has a key of its own")
    try await storage.delete(#require(keys.first))
    for key in keys.dropFirst() {
      #expect(try await Self.collect(storage.read(key, range: nil)) == bytes)
    }
  }
}
