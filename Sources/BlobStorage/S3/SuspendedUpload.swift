import NIOHTTP1
import OCI
import Synchronization

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

/// What this process has hashed of uploads that it has suspended, the latest of them: they need not
/// be read again when they are taken up here.
final class HashMemory: Sendable {
  private struct State {
    var hashes: [UploadID: (mark: String, hasher: DigestHasher)] = [:]
    var order: [UploadID] = []
  }

  private static let most = 2048
  private let state = Mutex(State())

  func keep(_ hasher: DigestHasher, of id: UploadID, mark: String) {
    state.withLock { state in
      if state.hashes.updateValue((mark, hasher), forKey: id) == nil { state.order.append(id) }
      guard state.order.count > Self.most else { return }
      // Half at once, so that making room is rare.
      for old in state.order.prefix(Self.most / 2) { state.hashes[old] = nil }
      state.order.removeFirst(Self.most / 2)
    }
  }

  /// The hash of the upload's bytes, if they are those that were suspended with this mark.
  func hasher(of id: UploadID, mark: String) -> DigestHasher? {
    state.withLock { state in
      state.hashes[id].flatMap { $0.mark == mark ? $0.hasher : nil }
    }
  }

  func forget(_ id: UploadID) {
    state.withLock { state in
      guard state.hashes.removeValue(forKey: id) != nil else { return }
      state.order.removeAll { $0 == id }
    }
  }
}
