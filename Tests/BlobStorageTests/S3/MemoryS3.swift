import NIOCore
import NIOHTTP1
import Synchronization

@testable import BlobStorage

/// A bucket in memory that speaks as much of S3 as the driver does, in pages of a few entries.
final class MemoryS3: Sendable {
  struct Stored: Sendable {
    var bytes: ByteBuffer
    var headers: [(String, String)]
    var tag: String { "\"\(RequestSigner.hash(bytes.readableBytesView).prefix(32))\"" }
  }

  struct State: Sendable {
    var objects: [String: Stored] = [:]
    var uploads: [String: (object: String, parts: [Int: ByteBuffer])] = [:]
    var made = 0
    /// Of a hundred requests, how many go wrong.
    var trouble = 0
    var noise: Noise
  }

  let state: Mutex<State>

  init(seed: UInt64) { state = Mutex(State(noise: Noise(seed: seed))) }

  /// The script of a server that has this bucket.
  var script: FakeS3.Script {
    FakeS3.Script { request in
      self.state.withLock { state in
        guard Int.random(in: 0..<100, using: &state.noise) < state.trouble else {
          return Self.reply(request, &state)
        }
        // With the work done or not, and a bad answer or none.
        if Bool.random(using: &state.noise) { _ = Self.reply(request, &state) }
        return Bool.random(using: &state.noise) ? .hangUp : .error(.internalServerError, "")
      }
    }
  }

  private static func reply(_ request: FakeS3.Request, _ state: inout State) -> FakeS3.Reply {
    let parts = request.uri.split(separator: "?", maxSplits: 1)
    let object = String(parts[0].dropFirst("/bucket/".count))
    var query: [String: String] = [:]
    for pair in parts.dropFirst().joined().split(separator: "&") {
      let sides = pair.split(separator: "=", omittingEmptySubsequences: false)
      query[String(sides[0])] = String(sides[1]).replacing("%2F", with: "/")
    }
    if query["uploads"] != nil || query["uploadId"] != nil {
      return multipart(request, object, query, &state)
    }
    switch request.method {
    case .GET where object.isEmpty: return list(query, state)
    case .PUT: return put(request, object, &state)
    case .DELETE:
      state.objects[object] = nil
      return .text(.noContent)
    default: break
    }
    guard let stored = state.objects[object] else {
      return request.method == .HEAD ? .text(.notFound) : .error(.notFound, "NoSuchKey")
    }
    if let wanted = request.headers.first(name: "if-match"), wanted != stored.tag {
      return .error(.preconditionFailed, "PreconditionFailed")
    }
    let headers = stored.headers + [("ETag", stored.tag)]
    let size = stored.bytes.readableBytes
    if request.method == .HEAD { return FakeS3.Reply(headers: headers, length: size) }
    guard let range = request.headers.first(name: "range")?.dropFirst(6).split(separator: "-"),
      let first = Int(range[0]), let last = Int(range[1])
    else { return FakeS3.Reply(headers: headers, body: stored.bytes) }
    guard first < size else { return .error(.rangeNotSatisfiable, "InvalidRange") }
    let end = min(last, size - 1)
    return FakeS3.Reply(
      status: .partialContent,
      headers: headers + [("Content-Range", "bytes \(first)-\(end)/\(size)")],
      body: stored.bytes.getSlice(at: first, length: end + 1 - first) ?? ByteBuffer())
  }

  private static func put(
    _ request: FakeS3.Request, _ object: String, _ state: inout State
  ) -> FakeS3.Reply {
    let kept = request.headers.filter { $0.name.lowercased().hasPrefix("x-amz-meta-") }
    var stored = Stored(bytes: request.body, headers: kept.map { ($0.name, $0.value) })
    if let source = request.headers.first(name: "x-amz-copy-source") {
      guard let other = state.objects[String(source.dropFirst("/bucket/".count))] else {
        return .error(.notFound, "NoSuchKey")
      }
      guard request.headers.first(name: "x-amz-copy-source-if-match") == other.tag else {
        return .error(.preconditionFailed, "PreconditionFailed")
      }
      stored.bytes = other.bytes
    }
    state.objects[object] = stored
    return FakeS3.Reply(headers: [("ETag", stored.tag)])
  }

  private static func list(_ query: [String: String], _ state: State) -> FakeS3.Reply {
    let names = state.objects.keys.sorted().filter {
      $0.hasPrefix(query["prefix"] ?? "") && $0 > query["continuation-token"] ?? ""
    }
    let page = names.prefix(3)
    let entries = page.map { name in
      "<Contents><Key>\(name)</Key><Size>\(state.objects[name]?.bytes.readableBytes ?? 0)</Size><LastModified>2026-11-28T10:00:00.000Z</LastModified></Contents>"
    }
    return .text(
      .ok,
      "<L>\(entries.joined())<IsTruncated>\(names.count > 3)</IsTruncated><NextContinuationToken>\(page.last ?? "")</NextContinuationToken></L>"
    )
  }

  private static func multipart(
    _ request: FakeS3.Request, _ object: String, _ query: [String: String], _ state: inout State
  ) -> FakeS3.Reply {
    guard let id = query["uploadId"] else {
      if request.method == .POST {
        state.made += 1
        state.uploads["upload\(state.made)"] = (object, [:])
        return .text(.ok, "<I><UploadId>upload\(state.made)</UploadId></I>")
      }
      let entries = state.uploads.filter { $0.value.object.hasPrefix(query["prefix"] ?? "") }.map {
        "<Upload><Key>\($0.value.object)</Key><UploadId>\($0.key)</UploadId></Upload>"
      }
      return .text(.ok, "<L>\(entries.joined())</L>")
    }
    guard let upload = state.uploads[id], upload.object == object else {
      return .error(.notFound, "NoSuchUpload")
    }
    switch request.method {
    case .PUT:
      let number = query["partNumber"].flatMap { Int($0) } ?? 0
      state.uploads[id]?.parts[number] = request.body
      return FakeS3.Reply(headers: [("ETag", Stored(bytes: request.body, headers: []).tag)])
    case .DELETE:
      state.uploads[id] = nil
      return .text(.noContent)
    case .GET:
      let after = query["part-number-marker"].flatMap { Int($0) } ?? 0
      let numbers = upload.parts.keys.sorted().filter { $0 > after }
      let entries = numbers.prefix(2).map { number in
        let stored = Stored(bytes: upload.parts[number] ?? ByteBuffer(), headers: [])
        return
          "<Part><PartNumber>\(number)</PartNumber><ETag>\(stored.tag)</ETag><Size>\(stored.bytes.readableBytes)</Size></Part>"
      }
      return .text(
        .ok,
        "<P>\(entries.joined())<IsTruncated>\(numbers.count > 2)</IsTruncated><NextPartNumberMarker>\(numbers.prefix(2).last ?? 0)</NextPartNumberMarker></P>"
      )
    default: return join(request, object, id, upload.parts, &state)
    }
  }

  private static func join(
    _ request: FakeS3.Request, _ object: String, _ id: String, _ parts: [Int: ByteBuffer],
    _ state: inout State
  ) -> FakeS3.Reply {
    guard let document = try? XMLNode(parsing: Array(request.body.readableBytesView)) else {
      return .error(.badRequest, "MalformedXML")
    }
    var whole = Stored(bytes: ByteBuffer(), headers: [])
    for part in document.all("Part") {
      guard let number = part.text(of: "PartNumber").flatMap({ Int($0) }),
        let bytes = parts[number],
        Stored(bytes: bytes, headers: []).tag == part.text(of: "ETag")
      else { return .error(.badRequest, "InvalidPart") }
      whole.bytes.writeImmutableBuffer(bytes)
    }
    state.objects[object] = whole
    state.uploads[id] = nil
    return .text(.ok, "<C><ETag>x</ETag></C>")
  }
}
