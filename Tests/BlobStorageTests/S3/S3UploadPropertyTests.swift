import Glibc
import Logging
import NIOCore
import OCI
import Synchronization
import Testing

@testable import BlobStorage

/// Uploads in small parts into a bucket in memory, in all orders of things that can happen.
@Suite(.timeLimit(.minutes(5))) struct S3UploadPropertyTests {
  private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  private static let chunk = 10

  private func storage(_ settings: S3Settings) throws -> S3Storage {
    var settings = settings
    settings.chunkSize = Self.chunk
    settings.retryPause = .milliseconds(1)
    return try S3Storage(unchecked: settings, logger: Self.silent)
  }

  private func bytes(_ count: Int, _ noise: inout Noise) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &noise) }
  }

  private func content(_ key: StorageKey, _ storage: S3Storage) async throws -> [UInt8] {
    try await StorageConformance.collect(storage.read(key, range: nil))
  }

  private func keys(_ storage: S3Storage) async throws -> Set<StorageKey> {
    var found: Set<StorageKey> = []
    for try await file in storage.keys() {
      #expect(found.insert(file.key).inserted, "each is listed once")
    }
    return found
  }

  /// What is suspended stays, whatever becomes of the process, and only what has its digest is kept.
  @Test(arguments: [0, 10]) func uploadsAreWhatWasAppended(trouble: Int) async throws {
    let seed = getenv("MARTLET_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_261_128
    print("uploads: seed \(seed), \(trouble) of 100 requests in trouble")
    var noise = Noise(seed: seed)
    let bucket = MemoryS3(seed: seed)
    bucket.state.withLock { $0.trouble = trouble }
    try await FakeS3.run(bucket.script) { _, settings in
      var kept: [StorageKey: [UInt8]] = [:]
      for round in 0..<60 {
        let id = UploadID.random()
        if let (key, content) = try await upload(id, settings, &noise, "seed \(seed), \(round)") {
          kept[key] = content
        } else {
          try await storage(settings).cancelUpload(id)
        }
      }
      let last = try storage(settings)
      #expect(try await keys(last) == Set(kept.keys))
      for (key, bytes) in kept { #expect(try await content(key, last) == bytes) }
      for left in try await last.uploads() { try await last.cancelUpload(left.id) }
      let (names, uploads) = bucket.state.withLock { (Set($0.objects.keys), $0.uploads.count) }
      #expect(names.allSatisfy { $0.hasPrefix("blobs/") } && uploads == 0, "nothing is left over")
    }
  }

  /// One upload; nil when it was cancelled, or refused for its digest.
  private func upload(
    _ id: UploadID, _ settings: S3Settings, _ noise: inout Noise, _ place: Comment
  ) async throws -> (StorageKey, [UInt8])? {
    var process = try storage(settings)
    var upload = try await process.beginUpload(id)
    var (durable, current): ([UInt8], [UInt8]) = ([], [])
    try await upload.suspend()
    upload = try await process.resumeUpload(id)
    for _ in 0..<Int.random(in: 0...12, using: &noise) {
      switch Int.random(in: 0..<6, using: &noise) {
      case 0, 1, 2:
        let more = bytes(Int.random(in: 0...25, using: &noise), &noise)
        try await upload.append(ByteBuffer(bytes: more))
        current += more
      case 3:
        // A request ends, and the next comes to this process or to another.
        try await upload.suspend()
        durable = current
        if Bool.random(using: &noise) { process = try storage(settings) }
        upload = try await process.resumeUpload(id)
      case 4:
        // The process ends in the middle of a request, after what it has sent has arrived.
        await (upload as? S3Upload)?.settled()
        process = try storage(settings)
        upload = try await process.resumeUpload(id)
        current = durable
      default:
        #expect(await upload.size == Int64(current.count), place)
        #expect(try await process.uploadSize(id) == Int64(durable.count), place)
      }
    }
    switch Int.random(in: 0..<8, using: &noise) {
    case 0:
      try await upload.cancel()
      return nil
    case 1:
      let wrong = Digest.sha256(of: current + [1])
      do {
        _ = try await upload.commit(wrong)
        Issue.record(place)
      } catch {
        #expect((error as? BlobStorageError)?.code == .digestMismatch, "\(place): \(error)")
      }
      return nil
    default:
      let digest =
        Bool.random(using: &noise)
        ? Digest.sha256(of: current) : StorageConformance.sha512(current)
      let file = try await upload.commit(digest)
      #expect(file.size == Int64(current.count), place)
      #expect(try await content(file.key, process) == current, place)
      return (file.key, current)
    }
  }

  /// A late request of an upload that was given up must not slip content under a checked digest.
  @Test(arguments: [false, true]) func partsThatAreWrittenOverAreNoticed(rests: Bool) async throws {
    let bucket = MemoryS3(seed: 1)
    try await FakeS3.run(bucket.script) { _, settings in
      let storage = try storage(settings)
      let id = UploadID.random()
      let good = try await storage.beginUpload(id)
      try await good.append(ByteBuffer(repeating: 1, count: 35))
      try await good.suspend()
      var upload = try await storage.resumeUpload(id)
      if !rests {
        try await upload.append(ByteBuffer(repeating: 1, count: 1))
      }
      // Whatever was late: the second part is another's.
      bucket.state.withLock { state in
        for key in state.uploads.keys {
          state.uploads[key]?.parts[2] = ByteBuffer(repeating: 2, count: 10)
        }
      }
      let digest = Digest.sha256(of: [UInt8](repeating: 1, count: rests ? 35 : 36))
      await #expect(throws: BlobStorageError.self) { _ = try await upload.commit(digest) }
      // Another process knows no tags: it reads what there is.
      if rests {
        upload = try await self.storage(settings).resumeUpload(id)
        await #expect(throws: BlobStorageError.self) { _ = try await upload.commit(digest) }
      }
      #expect(try await keys(storage).isEmpty)
    }
  }
}
