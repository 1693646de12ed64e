import NIOCore
import NIOHTTP1

/// A part of a multipart upload that the service has.
struct S3Part: Sendable, Equatable {
  var number: Int
  var tag: String
  var size: Int64
}

/// The calls of S3 that the storage uses, by the names of objects.
struct S3Objects: Sendable {
  let client: S3Client
  /// Sent with whatever makes an object: how it is encrypted.
  let encryption: [(name: String, value: String)]
  /// Sent with what makes a stored file.
  let storageClass: [(name: String, value: String)]

  init(_ client: S3Client, _ settings: S3Settings) {
    self.client = client
    if !settings.encrypt {
      encryption = []
    } else if let key = settings.keyID {
      encryption = [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", key),
      ]
    } else {
      encryption = [("x-amz-server-side-encryption", "AES256")]
    }
    storageClass =
      ["STANDARD", "NONE", ""].contains(settings.storageClass)
      ? [] : [("x-amz-storage-class", settings.storageClass)]
  }

  // MARK: - Objects

  func put(
    _ object: String, _ bytes: ByteBuffer, headers: [(name: String, value: String)]
  ) async throws {
    var request = S3Request(.PUT, object)
    request.headers = encryption + headers
    request.body = bytes
    _ = try await client.perform(request)
  }

  /// The headers of an object, `content-length` among them.
  func head(_ object: String) async throws -> HTTPHeaders {
    try await client.perform(S3Request(.HEAD, object)).headers
  }

  /// Bytes of an object. Throws `notFound`.
  func size(_ object: String) async throws -> Int64 { try Self.size(await head(object)) }

  static func size(_ headers: HTTPHeaders) throws -> Int64 {
    guard let size = headers.first(name: "content-length").flatMap({ Int64($0) }), size >= 0 else {
      throw BlobStorageError.unexpected("no length")
    }
    return size
  }

  /// All bytes of an object that has so many, and this tag.
  func bytes(_ object: String, size: Int, tag: String? = nil) async throws -> ByteBuffer {
    var request = S3Request(.GET, object)
    if let tag { request.headers = [("if-match", tag)] }
    let body = try await client.perform(request, limit: size).body
    guard body.readableBytes == size else { throw BlobStorageError.unexpected("another length") }
    return body
  }

  func delete(_ object: String) async throws {
    do {
      _ = try await client.perform(S3Request(.DELETE, object))
    } catch let error as BlobStorageError where error.code == .notFound {
      // Gone is gone.
    }
  }

  /// Makes a stored file of another object, which has this tag.
  func copy(_ source: String, tag: String?, to object: String) async throws {
    var request = S3Request(.PUT, object)
    let path = RequestSigner.encoded(
      "/\(client.bucket)/\(source)", keepsSlashes: true)
    request.headers =
      encryption + storageClass + [
        ("x-amz-copy-source", path), ("x-amz-metadata-directive", "REPLACE"),
      ]
    if let tag { request.headers.append(("x-amz-copy-source-if-match", tag)) }
    _ = try await client.perform(request)
  }

  /// One page of the objects whose names begin so, and where the next begins.
  func list(
    prefix: String, after token: String?, limit: Int = 1000
  ) async throws -> (files: [(name: String, size: Int64, changedAt: Int64)], next: String?) {
    var request = S3Request(.GET)
    request.query = [("list-type", "2"), ("prefix", prefix), ("max-keys", String(limit))]
    if let token { request.query.append(("continuation-token", token)) }
    let document = try await client.perform(request).document()
    let files = document.all("Contents").compactMap { entry in
      entry.text(of: "Key").map { name in
        (
          name: name, size: entry.text(of: "Size").flatMap { Int64($0) } ?? 0,
          changedAt: entry.text(of: "LastModified").flatMap { S3Time(iso8601: $0) }?.milliseconds
            ?? 0
        )
      }
    }
    let next = try Self.next(document, "NextContinuationToken")
    guard next == nil || next != token else {
      throw BlobStorageError.unexpected("a listing does not get on")
    }
    return (files, next)
  }

  /// Where the next page begins; nil on the last one.
  private static func next(_ document: XMLNode, _ name: String) throws -> String? {
    guard document.text(of: "IsTruncated") == "true" else { return nil }
    guard let next = document.text(of: name), !next.isEmpty else {
      throw BlobStorageError.unexpected("a listing has no next page")
    }
    return next
  }

  // MARK: - Multipart uploads

  /// Begins the upload of a stored file in parts.
  func beginParts(_ object: String) async throws -> String {
    var request = S3Request(.POST, object)
    request.query = [("uploads", "")]
    request.headers = encryption + storageClass
    let document = try await client.perform(request).document()
    guard let id = document.text(of: "UploadId"), (1...2048).contains(id.utf8.count) else {
      throw BlobStorageError.unexpected("no upload id")
    }
    return id
  }

  func putPart(
    _ object: String, upload: String, number: Int, _ bytes: ByteBuffer
  ) async throws -> S3Part {
    var request = S3Request(.PUT, object)
    request.query = [("partNumber", String(number)), ("uploadId", upload)]
    request.body = bytes
    guard let tag = try await client.perform(request).headers.first(name: "etag") else {
      throw BlobStorageError.unexpected("no tag of a part")
    }
    return S3Part(number: number, tag: tag, size: Int64(bytes.readableBytes))
  }

  /// The parts that an upload has, by number. Throws `notFound`.
  func parts(_ object: String, upload: String) async throws -> [S3Part] {
    var parts: [S3Part] = []
    var marker = "0"
    while true {
      var request = S3Request(.GET, object)
      request.query = [("uploadId", upload), ("part-number-marker", marker)]
      let document = try await client.perform(request).document()
      for node in document.all("Part") {
        guard let number = node.text(of: "PartNumber").flatMap({ Int($0) }),
          let tag = node.text(of: "ETag"), let size = node.text(of: "Size").flatMap({ Int64($0) })
        else { throw BlobStorageError.unexpected("a part without its facts") }
        parts.append(S3Part(number: number, tag: tag, size: size))
      }
      guard let next = try Self.next(document, "NextPartNumberMarker") else { return parts }
      // Numbers end at 10,000, and each page has to bring some.
      guard let place = Int(next), place > Int(marker) ?? 0 else {
        throw BlobStorageError.unexpected("a listing does not get on")
      }
      marker = next
    }
  }

  /// Makes the object of its parts.
  func complete(_ object: String, upload: String, _ parts: [S3Part]) async throws {
    var request = S3Request(.POST, object)
    request.query = [("uploadId", upload)]
    var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    for part in parts {
      text += "<Part><PartNumber>\(part.number)</PartNumber>"
      text += "<ETag>\(Self.escaped(part.tag))</ETag></Part>"
    }
    request.body = ByteBuffer(string: text + "</CompleteMultipartUpload>")
    _ = try await client.perform(request)
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      default: result.append(character)
      }
    }
    return result
  }

  func abort(_ object: String, upload: String) async throws {
    var request = S3Request(.DELETE, object)
    request.query = [("uploadId", upload)]
    do {
      _ = try await client.perform(request)
    } catch let error as BlobStorageError where error.code == .notFound {
      // Gone is gone.
    }
  }

  /// The uploads under way of objects whose names begin so.
  func uploads(
    prefix: String
  ) async throws -> [(object: String, upload: String, begunAt: Int64)] {
    var found: [(object: String, upload: String, begunAt: Int64)] = []
    var (key, upload) = ("", "")
    while true {
      var request = S3Request(.GET)
      request.query = [("uploads", ""), ("prefix", prefix)]
      if !key.isEmpty { request.query += [("key-marker", key), ("upload-id-marker", upload)] }
      let document = try await client.perform(request).document()
      for node in document.all("Upload") {
        guard let object = node.text(of: "Key"), let id = node.text(of: "UploadId") else {
          continue
        }
        let begun = node.text(of: "Initiated").flatMap { S3Time(iso8601: $0) }?.milliseconds ?? 0
        found.append((object, id, begun))
      }
      guard let next = try Self.next(document, "NextKeyMarker") else { return found }
      let nextUpload = document.text(of: "NextUploadIdMarker") ?? ""
      guard (next, nextUpload) != (key, upload) else {
        throw BlobStorageError.unexpected("a listing does not get on")
      }
      (key, upload) = (next, nextUpload)
    }
  }
}
