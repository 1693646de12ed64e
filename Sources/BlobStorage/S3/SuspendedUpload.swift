import NIOHTTP1

/// An upload as it was suspended: an object of its own that has the bytes which do not fill a part
/// yet, and in its metadata what is said here. One request writes all of it, so it is never half
/// changed.
struct SuspendedUpload: Sendable, Equatable {
  /// S3's id of the multipart upload; nil when there is none yet.
  var multipart: String?
  /// Parts that belong to the upload; later ones came after it was suspended last.
  var parts = 0
  /// Bytes in those.
  var stored: Int64 = 0
  /// Made anew each time: tells whether the bytes are those that this process has hashed.
  var mark: String
  /// Bytes in the object.
  var tail = 0
  /// The object's tag.
  var tag: String?

  private static let prefix = "x-amz-meta-martlet-"
  /// More than any tail: parts are smaller.
  private static let largestTail = Int64(S3Settings.largestChunk)

  /// The headers that keep it.
  var headers: [(name: String, value: String)] {
    var headers = [
      (name: Self.prefix + "mark", value: mark),
      (name: Self.prefix + "parts", value: String(parts)),
      (name: Self.prefix + "stored", value: String(stored)),
    ]
    if let multipart { headers.append((Self.prefix + "multipart", multipart)) }
    return headers
  }

  init(multipart: String?, parts: Int, stored: Int64, mark: String, tail: Int) {
    self.multipart = multipart
    self.parts = parts
    self.stored = stored
    self.mark = mark
    self.tail = tail
  }

  /// Reads it from the object's headers. Throws `unavailable`.
  init(_ headers: HTTPHeaders) throws {
    let size = try S3Objects.size(headers)
    guard size <= Self.largestTail, let mark = headers.first(name: Self.prefix + "mark"),
      let parts = headers.first(name: Self.prefix + "parts").flatMap({ Int($0) }),
      let stored = headers.first(name: Self.prefix + "stored").flatMap({ Int64($0) }),
      (0...S3Upload.mostParts).contains(parts), stored >= Int64(parts),
      stored <= Int64(parts) * Self.largestTail
    else { throw BlobStorageError.unexpected("an upload without its facts") }
    multipart = headers.first(name: Self.prefix + "multipart")
    guard (multipart != nil) == (parts > 0), parts == 0 || stored % Int64(parts) == 0 else {
      throw BlobStorageError.unexpected("an upload without its facts")
    }
    self.mark = mark
    self.parts = parts
    self.stored = stored
    tail = Int(size)
    tag = headers.first(name: "etag")
  }

  /// Bytes that have arrived.
  var size: Int64 { stored + Int64(tail) }
}
