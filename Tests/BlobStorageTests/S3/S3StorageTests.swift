import AsyncHTTPClient
import FoundationEssentials
import Glibc
import Host
import Logging
import NIOCore
import NIOHTTP1
import OCI
import Testing

@testable import BlobStorage

/// Against the server that scripts/with-s3 starts.
@Suite(
  .enabled(
    if: getenv("MARTLET_TEST_S3_ENDPOINT") != nil, "takes an S3 server: run by scripts/with-s3"))
struct S3StorageTests {
  private static func variable(_ name: String) throws -> String {
    try String(cString: #require(getenv("MARTLET_TEST_S3_" + name)))
  }

  /// Settings for a part of the bucket that is the test's own.
  private func settings() throws -> S3Settings {
    var settings = S3Settings(bucket: try Self.variable("BUCKET"), region: "us-east-1")
    settings.regionEndpoint = try Self.variable("ENDPOINT")
    settings.accessKey = try Self.variable("ACCESS_KEY")
    settings.secretKey = try Self.variable("SECRET_KEY")
    settings.rootDirectory = "unit tests/\(Identifier.hexadecimal(bytes: 8))"
    settings.chunkSize = S3Settings.smallestChunk
    return settings
  }

  private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func storage(_ settings: S3Settings) throws -> S3Storage {
    try S3Storage(settings: settings, logger: Self.silent)
  }

  /// So many bytes that are quickly made.
  private func content(_ count: Int, _ first: UInt8 = 1) -> ByteBuffer {
    var buffer = ByteBuffer()
    var byte = first
    while buffer.readableBytes < count {
      buffer.writeRepeatingByte(byte, count: min(100_003, count - buffer.readableBytes))
      byte &+= 1
    }
    return buffer
  }

  private func digest(_ bytes: ByteBuffer) -> Digest { Digest.sha256(of: bytes.readableBytesView) }

  private func append(_ bytes: ByteBuffer, to upload: any BlobUpload) async throws {
    var rest = bytes
    while let piece = rest.readSlice(length: min(300_000, rest.readableBytes)),
      piece.readableBytes > 0
    {
      try await upload.append(piece)
    }
  }

  private func read(_ key: StorageKey, _ storage: S3Storage) async throws -> ByteBuffer {
    var whole = ByteBuffer()
    guard case .stream(_, let pieces) = try await storage.read(key, range: nil) else {
      return whole
    }
    for try await var piece in pieces { whole.writeBuffer(&piece) }
    return whole
  }

  private func keys(_ storage: S3Storage) async throws -> [StorageKey] {
    var found: [StorageKey] = []
    for try await file in storage.keys() { found.append(file.key) }
    return found
  }

  @Test func conformance() async throws {
    try await StorageConformance(storage: storage(settings())).runAll()
  }

  @Test func itWorksOverTLS() async throws {
    var settings = try settings()
    settings.regionEndpoint = try Self.variable("TLS_ENDPOINT")
    do {
      try await storage(settings).check()
      Issue.record("a certificate that nobody has signed is believed")
    } catch {
      #expect((error as? BlobStorageError)?.code == .unavailable, "\(error)")
    }
    settings.skipVerify = true
    let storage = try storage(settings)
    let conformance = StorageConformance(storage: storage)
    try await conformance.ranges()
    try await conformance.resumes()
    try await conformance.lists()
    let bytes = content(11 << 20)
    let upload = try await storage.beginUpload(.random())
    try await append(bytes, to: upload)
    let file = try await upload.commit(digest(bytes))
    #expect(try await read(file.key, storage) == bytes)
  }

  @Test func largeContentGoesInParts() async throws {
    let storage = try storage(settings())
    for count in [5 << 20, (5 << 20) + 1, 17 << 20] {
      let bytes = content(count)
      let upload = try await storage.beginUpload(.random())
      try await append(bytes, to: upload)
      #expect(await upload.size == Int64(count))
      let file = try await upload.commit(digest(bytes))
      #expect(file.size == Int64(count))
      #expect(try await read(file.key, storage) == bytes)
    }
    #expect(try await storage.uploads().isEmpty)
    #expect(try await keys(storage).count == 3)
  }

  /// Another process takes the upload up: all that it knows is in the bucket.
  @Test func uploadsGoOnInAnotherProcess() async throws {
    let settings = try settings()
    let bytes = content(16 << 20)
    for (expected, isRight) in [
      (digest(bytes), true), (StorageConformance.sha512(Array(bytes.readableBytesView)), true),
      (digest(content(5)), false),
    ] {
      let id = UploadID.random()
      var position = 0
      for count in [6 << 20, 0, 1, 7 << 20, (3 << 20) - 1] {
        let process = try storage(settings)
        let upload =
          position == 0
          ? try await process.beginUpload(id) : try await process.resumeUpload(id)
        let piece = try #require(bytes.getSlice(at: position, length: count))
        try await append(piece, to: upload)
        position += count
        try await upload.suspend()
        #expect(try await process.uploadSize(id) == Int64(position))
        #expect(
          try await process.uploads().map { [$0.id.description, String($0.size)] } == [
            [id.description, String(position)]
          ])
      }
      let last = try storage(settings)
      let upload = try await last.resumeUpload(id)
      if isRight {
        let file = try await upload.commit(expected)
        #expect(try await read(file.key, last) == bytes)
        try await last.delete(file.key)
      } else {
        await #expect(throws: BlobStorageError.self) { _ = try await upload.commit(expected) }
        #expect(try await keys(last).isEmpty, "what is wrong is not kept")
        try await upload.cancel()
      }
      #expect(try await last.uploads().isEmpty)
    }
  }

  @Test func whatWasNotSuspendedIsNotTakenUp() async throws {
    let settings = try settings()
    let id = UploadID.random()
    let first = try await storage(settings).beginUpload(id)
    let start = content(6 << 20)
    try await append(start, to: first)
    try await first.suspend()
    // This process ends in the middle of its work: a second part is there that nobody knows of.
    let lost = try await storage(settings).resumeUpload(id)
    try await append(content(11 << 20, 77), to: lost)
    let next = try storage(settings)
    let upload = try await next.resumeUpload(id)
    #expect(await upload.size == 6 << 20)
    let rest = content(2 << 20, 50)
    try await append(rest, to: upload)
    var whole = start
    whole.writeImmutableBuffer(rest)
    let file = try await upload.commit(digest(whole))
    #expect(try await read(file.key, next) == whole)
  }

  @Test func abandonedPartsAreListedAndRemoved() async throws {
    let storage = try storage(settings())
    let upload = try await storage.beginUpload(.random())
    try await append(content(11 << 20), to: upload)
    #expect(try await storage.uploads().map(\.id) == [upload.id])
    try await storage.cancelUpload(upload.id)
    #expect(try await storage.uploads().isEmpty)
    #expect(try await storage.objects.uploads(prefix: storage.target(upload.id)).isEmpty)
    await #expect(throws: BlobStorageError.self, "its parts have no place any more") {
      try await append(content(20 << 20), to: upload)
      _ = try await upload.commit(digest(content(31 << 20)))
    }
  }

  /// The parts were joined, and the process ended before that was known.
  @Test func aCommitThatWasCutOffIsDoneAgain() async throws {
    let settings = try settings()
    let storage = try storage(settings)
    let bytes = content(8 << 20)
    for (expected, isRight) in [(digest(bytes), true), (digest(content(9)), false)] {
      let upload = try await storage.beginUpload(.random())
      try await append(bytes, to: upload)
      try await upload.suspend()
      let target = storage.target(upload.id)
      let known = try #require(
        try await storage.objects.uploads(prefix: target).first { $0.object == target })
      var parts = try await storage.objects.parts(target, upload: known.upload)
      let tail = try await storage.objects.bytes(storage.spool(upload.id), size: 3 << 20)
      parts.append(
        try await storage.objects.putPart(target, upload: known.upload, number: 2, tail))
      try await storage.objects.complete(target, upload: known.upload, parts)
      let again = try await self.storage(settings).resumeUpload(upload.id)
      if isRight {
        let file = try await again.commit(expected)
        #expect(try await read(file.key, storage) == bytes)
      } else {
        await #expect(throws: BlobStorageError.self) { _ = try await again.commit(expected) }
        #expect(try await keys(storage).count == 1)
        try await again.cancel()
      }
      #expect(try await storage.uploads().isEmpty)
    }
  }

  @Test func listingsGoOverPages() async throws {
    let storage = try storage(settings())
    var stored: Set<String> = []
    for number in 0..<7 {
      stored.insert(storage.object(try await storage.store(ByteBuffer(string: "\(number)"))))
    }
    let prefix = String(try #require(stored.first).dropLast(35))
    var found: [String] = []
    var token: String?
    var pages = 0
    repeat {
      let page = try await storage.objects.list(prefix: prefix, after: token, limit: 2)
      #expect(page.files.count <= 2 && page.files.allSatisfy { $0.size == 1 })
      #expect(page.files.allSatisfy { $0.changedAt > 1_700_000_000_000 })
      found += page.files.map(\.name)
      token = page.next
      pages += 1
    } while token != nil && pages < 20
    #expect(found.count == 7 && Set(found) == stored)
  }

  @Test func storagesWithOtherRootsAreApart() async throws {
    let (one, other) = (try storage(settings()), try storage(settings()))
    let key = try await one.store(ByteBuffer(string: "mine"))
    let upload = try await one.beginUpload(.random())
    try await upload.suspend()
    #expect(try await keys(other).isEmpty)
    #expect(try await other.uploads().isEmpty)
    await #expect(throws: BlobStorageError.self) { _ = try await other.size(of: key) }
    try await other.delete(key)
    #expect(try await one.size(of: key) == 4)
    try await upload.cancel()
  }

  @Test func clientsReadByTheURLTheyAreSentTo() async throws {
    let storage = try storage(settings())
    let key = try await storage.store(ByteBuffer(string: "over there"))
    let url = try #require(try await storage.redirect(to: key))
    let answer = try await HTTPClient.shared.execute(
      HTTPClientRequest(url: url), timeout: .seconds(60))
    #expect(answer.status == .ok)
    #expect(try await answer.body.collect(upTo: 100) == ByteBuffer(string: "over there"))
    let changed = String(url.dropLast()) + (url.hasSuffix("0") ? "1" : "0")
    let refused = try await HTTPClient.shared.execute(
      HTTPClientRequest(url: changed), timeout: .seconds(60))
    #expect(refused.status == .forbidden)
    _ = try await refused.body.collect(upTo: 1 << 16)
  }

  @Test func wrongKeysAndBucketsAreTold() async throws {
    var wrong = try settings()
    wrong.secretKey = "wrong"
    var missing = try settings()
    missing.bucket = "no-such-bucket"
    for settings in [wrong, missing] {
      do {
        try await storage(settings).check()
        Issue.record("nothing was thrown for \(settings.bucket)")
      } catch {
        #expect((error as? BlobStorageError)?.code == .unavailable, "\(error)")
      }
    }
  }
}
