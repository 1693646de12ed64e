import Logging
import NIOCore
import NIOHTTP1
import OCI
import Synchronization
import Testing

@testable import BlobStorage

/// An S3 service that fails, stalls and lies.
@Suite(.timeLimit(.minutes(5))) struct S3BadDaysTests {
  private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func storage(
    _ settings: S3Settings, timeout: Duration = .seconds(20), patience: Duration = .seconds(20)
  ) throws -> S3Storage {
    var settings = settings
    settings.requestTimeout = timeout
    settings.retryPatience = patience
    return try S3Storage(settings: settings, logger: Self.silent)
  }

  private func expect(
    _ code: BlobStorageError.Code, _ body: () async throws -> Void,
    at location: SourceLocation = #_sourceLocation
  ) async {
    do {
      try await body()
      Issue.record("nothing was thrown", sourceLocation: location)
    } catch {
      #expect(
        (error as? BlobStorageError)?.code == code, "\(error)", sourceLocation: location)
    }
  }

  private func collect(_ body: BlobBody) async throws -> ByteBuffer {
    guard case .stream(_, let pieces) = body else { return ByteBuffer() }
    var whole = ByteBuffer()
    for try await var piece in pieces { whole.writeBuffer(&piece) }
    return whole
  }

  /// Waits until something is so.
  private func until(
    _ what: Comment, _ condition: () async -> Bool, at location: SourceLocation = #_sourceLocation
  ) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while await !condition() {
      guard ContinuousClock.now < end else {
        Issue.record(what, sourceLocation: location)
        return
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  @Test func whatMayPassIsTriedAgain() async throws {
    let replies: [FakeS3.Reply] = [
      .error(.internalServerError, "InternalError"), .hangUp,
      .error(.serviceUnavailable, "SlowDown"),
    ]
    let script = FakeS3.Script { request in
      request.number < replies.count ? replies[request.number] : .text(.ok)
    }
    try await FakeS3.run(script) { server, settings in
      let key = try await storage(settings).store(ByteBuffer(string: "content"))
      let requests = server.requests
      #expect(requests.count == 4)
      #expect(requests.allSatisfy { $0.body == ByteBuffer(string: "content") && $0.method == .PUT })
      #expect(Set(requests.map(\.uri)) == ["/bucket/blobs/\(key.description.prefix(2))/\(key)"])
    }
  }

  @Test func whatWillNotPassIsToldAtOnce() async throws {
    let cases: [(FakeS3.Reply, BlobStorageError.Code)] = [
      (.error(.forbidden, "AccessDenied"), .unavailable),
      (.error(.notFound, "NoSuchKey"), .notFound),
      (.error(.notFound, "NoSuchBucket"), .unavailable),
      (.error(.rangeNotSatisfiable, "InvalidRange"), .invalidRange),
      (.error(.insufficientStorage, ""), .storageFull),
      (.error(.forbidden, "QuotaExceeded"), .storageFull),
      (.error(.movedPermanently, "PermanentRedirect"), .unavailable),
      (.text(.badRequest, "<<<"), .unavailable),
    ]
    for (reply, code) in cases {
      try await FakeS3.run(.always(reply)) { server, settings in
        let storage = try storage(settings)
        await expect(code) { _ = try await storage.read(.random(), range: 0..<5) }
        #expect(server.requests.count == 1)
      }
    }
  }

  @Test func aServiceThatStallsIsGivenUp() async throws {
    try await FakeS3.run(.always(.silence)) { server, settings in
      let storage = try storage(
        settings, timeout: .milliseconds(150), patience: .milliseconds(200))
      // A busy machine may take longer than that to be asked at all.
      try await until("the service is asked") {
        await expect(.unavailable) { _ = try await storage.store(ByteBuffer(string: "x")) }
        return !server.requests.isEmpty
      }
      await expect(.unavailable) { _ = try await storage.size(of: .random()) }
      await expect(.unavailable) { try await storage.check() }
      let upload = try await storage.beginUpload(.random())
      await expect(.unavailable) {
        for _ in 0..<32 { try await upload.append(ByteBuffer(repeating: 1, count: 1 << 20)) }
      }
      await expect(.unavailable) { try await upload.append(ByteBuffer(string: "y")) }
      await expect(.unavailable) { try await upload.suspend() }
      await expect(.unavailable) { try await upload.cancel() }
    }
  }

  @Test func aServiceThatIsNotThereIsGivenUp() async throws {
    var endpoint: S3Settings?
    try await FakeS3.run(.always(.silence)) { _, settings in endpoint = settings }
    let storage = try storage(#require(endpoint), patience: .milliseconds(300))
    await expect(.unavailable) { try await storage.check() }
  }

  @Test func aTaskThatIsCancelledWaitsNoLonger() async throws {
    try await FakeS3.run(.always(.silence)) { server, settings in
      let storage = try storage(settings, timeout: .seconds(600))
      let task = Task { try await storage.store(ByteBuffer(string: "x")) }
      try await until("the request comes") { !server.requests.isEmpty }
      task.cancel()
      await #expect(throws: CancellationError.self) { _ = try await task.value }
    }
  }

  @Test func aBodyThatBreaksOffIsReadOn() async throws {
    let content = ByteBuffer(bytes: (0..<60_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
    // Twenty thousand bytes each, then the connection ends.
    let script = FakeS3.Script { request in
      let range = request.headers.first(name: "range")?.dropFirst(6)
      let start = range.flatMap { Int($0.split(separator: "-")[0]) } ?? 0
      let piece = content.getSlice(at: start, length: 20_000) ?? ByteBuffer()
      return FakeS3.Reply(
        status: start == 0 ? .ok : .partialContent,
        headers: [("ETag", "\"tag\""), ("Content-Range", "bytes \(start)-59999/60000")],
        body: piece, length: 60_000 - start,
        ending: start == 40_000 ? .whole : .close)
    }
    try await FakeS3.run(script) { server, settings in
      let body = try await storage(settings).read(.random(), range: nil)
      #expect(body.length == 60_000)
      #expect(try await collect(body) == content)
      #expect(
        server.requests.map { $0.headers.first(name: "range") } == [
          nil, "bytes=20000-59999", "bytes=40000-59999",
        ])
      #expect(server.requests.last?.headers.first(name: "if-match") == "\"tag\"")
    }
  }

  @Test func bodiesThatAreNotAsAnnouncedAreNotBelieved() async throws {
    let short = FakeS3.Reply(
      headers: [("Content-Range", "bytes 0-99/100")], body: ByteBuffer(string: "short"),
      length: 100, ending: .close)
    try await FakeS3.run(.always(short)) { _, settings in
      let storage = try storage(settings, patience: .milliseconds(100))
      let body = try await storage.read(.random(), range: nil)
      await expect(.unavailable) { _ = try await collect(body) }
    }
    let wrong: [FakeS3.Reply] = [
      .init(status: .partialContent, body: ByteBuffer(string: "12345")),
      .init(
        status: .partialContent, headers: [("Content-Range", "bytes 1-5/9")],
        body: ByteBuffer(string: "12345")),
      .init(
        status: .partialContent, headers: [("Content-Range", "bytes 0-9223372036854775807/9")],
        body: ByteBuffer(string: "12345")),
      .init(
        status: .partialContent, headers: [("Content-Range", "bytes 9-/-1")],
        body: ByteBuffer(string: "12345")),
      .init(status: .ok, body: ByteBuffer(string: "1234567")),
    ]
    for reply in wrong {
      try await FakeS3.run(.always(reply)) { _, settings in
        let storage = try storage(settings)
        await expect(.unavailable) { _ = try await storage.read(.random(), range: 0..<5) }
      }
    }
    let cut = FakeS3.Reply(
      status: .partialContent, headers: [("Content-Range", "bytes 0-3/4")],
      body: ByteBuffer(string: "1234"))
    try await FakeS3.run(.always(cut)) { _, settings in
      let storage = try storage(settings)
      await expect(.invalidRange) { _ = try await storage.read(.random(), range: 0..<5) }
    }
  }

  @Test func aReaderThatStopsTakesNoMore() async throws {
    let size = 96 << 20
    try await FakeS3.run(.always(.init(filling: size))) { server, settings in
      let storage = try storage(settings)
      do {
        guard case .stream(let length, let pieces) = try await storage.read(.random(), range: nil)
        else { return }
        #expect(length == Int64(size))
        var iterator = pieces.makeAsyncIterator()
        _ = try await iterator.next()
        try await until("the server has to wait") { server.state.withLock { $0.isBlocked } }
        #expect(server.state.withLock { $0.filled } < size, "only some is on its way")
        #expect(server.state.withLock { $0.closed } == 0)
      }
      // Nobody will read the rest.
      try await until("the connection ends") { server.state.withLock { $0.closed } > 0 }
      #expect(server.state.withLock { $0.filled } < size)
    }
  }

  @Test func listingsThatMakeNoSenseEnd() async throws {
    func list(_ reply: FakeS3.Reply) async throws {
      try await FakeS3.run(.always(reply)) { server, settings in
        let storage = try storage(settings)
        await expect(.unavailable) { for try await _ in storage.keys() {} }
        await expect(.unavailable) { _ = try await storage.uploads() }
        #expect(server.requests.count <= 6)
      }
    }
    try await list(.text(.ok, "no XML"))
    try await list(.text(.ok, "<a><IsTruncated>true</IsTruncated></a>"))
    try await list(
      .text(
        .ok,
        "<a><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><NextKeyMarker>k</NextKeyMarker></a>"
      ))
    try await list(FakeS3.Reply(filling: 9 << 20))
  }

  @Test func whatIsNotOursIsNotListed() async throws {
    let key = StorageKey.random()
    let name = "blobs/\(key.description.prefix(2))/\(key)"
    let names = [
      name, "other/\(name)", "blobs/zz/\(key)", "blobs/\(key)", "", "\(name)x",
      "blobs/\(key.description.prefix(2))/" + String(repeating: "é", count: 32),
    ]
    let entries = names.map {
      "<Contents><Key>\($0)</Key><Size>5</Size><LastModified>1970-01-01T00:00:01Z</LastModified></Contents>"
    }
    try await FakeS3.run(.always(.text(.ok, "<a>\(entries.joined())</a>"))) { _, settings in
      var found: [StoredFile] = []
      for try await file in try storage(settings).keys() { found.append(file) }
      #expect(found == [StoredFile(key: key, size: 5, storedAt: 1000)])
    }
  }

  /// A multipart upload whose joining is answered, and then fails.
  @Test func failuresHiddenInAnswersAreSeen() async throws {
    let script = FakeS3.Script { request in
      if request.uri.hasSuffix("?uploads=") {
        return .text(.ok, "<a><UploadId>one</UploadId></a>")
      }
      if request.method == .PUT { return FakeS3.Reply(headers: [("ETag", "\"t\"")]) }
      return .error(.ok, "MalformedXML")
    }
    try await FakeS3.run(script) { server, settings in
      let upload = try await storage(settings).beginUpload(.random())
      let bytes = ByteBuffer(repeating: 3, count: 6 << 20)
      try await upload.append(bytes)
      await expect(.unavailable) {
        _ = try await upload.commit(Digest.sha256(of: bytes.readableBytesView))
      }
      let parts = server.requests.filter { $0.method == .PUT }
      #expect(parts.map(\.body.readableBytes) == [5 << 20, 1 << 20])
      #expect(
        server.requests.last?.body.getString(at: 0, length: 25) == "<CompleteMultipartUpload ")
    }
  }

  /// The answer to the joining of the parts is lost: the file is found, read and believed.
  @Test func aLostAnswerIsMadeGood() async throws {
    let script = FakeS3.Script { request in
      switch request.method {
      case .POST where request.uri.hasSuffix("?uploads="):
        .text(.ok, "<a><UploadId>one</UploadId></a>")
      case .POST: .error(.notFound, "NoSuchUpload")
      case .HEAD: FakeS3.Reply(length: 6 << 20)
      case .GET: FakeS3.Reply(filling: 6 << 20)
      default: FakeS3.Reply(headers: [("ETag", "\"t\"")])
      }
    }
    try await FakeS3.run(script) { _, settings in
      let bytes = ByteBuffer(repeating: 7, count: 6 << 20)
      let storage = try storage(settings)
      let upload = try await storage.beginUpload(.random())
      try await upload.append(bytes)
      let file = try await upload.commit(Digest.sha256(of: bytes.readableBytesView))
      #expect(file.size == 6 << 20)
      let other = try await storage.beginUpload(.random())
      try await other.append(ByteBuffer(repeating: 8, count: 6 << 20))
      await expect(.digestMismatch) {
        _ = try await other.commit(
          Digest.sha256(of: [UInt8](repeating: 8, count: 6 << 20)))
      }
    }
  }

  @Test func whatTheSettingsAskForIsAskedFor() async throws {
    try await FakeS3.run(.always(.text(.ok))) { server, settings in
      var settings = settings
      settings.encrypt = true
      settings.storageClass = "STANDARD_IA"
      _ = try await storage(settings).store(ByteBuffer(string: "a"))
      settings.keyID = "key"
      settings.storageClass = "NONE"
      _ = try await storage(settings).store(ByteBuffer())
      let headers = server.requests.map(\.headers)
      #expect(headers[0].first(name: "x-amz-server-side-encryption") == "AES256")
      #expect(headers[0].first(name: "x-amz-storage-class") == "STANDARD_IA")
      #expect(headers[1].first(name: "x-amz-server-side-encryption") == "aws:kms")
      #expect(headers[1].first(name: "x-amz-server-side-encryption-aws-kms-key-id") == "key")
      #expect(headers[1].first(name: "x-amz-storage-class") == nil)
      #expect(headers[1].first(name: "content-length") == "0")
    }
  }
}
