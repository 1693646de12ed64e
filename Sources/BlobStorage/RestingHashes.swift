import Glibc
import Host
import OCI
import Synchronization

/// How far the content of uploads that rest is hashed, so that whoever goes on with one need not
/// read it again: most clients send a blob in one request and end the upload in the next.
///
/// A stamp tells whether the content is what was hashed: other processes may go on with an upload.
final class RestingHashes<Stamp: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Entry {
    let value: Value
    let stamp: Stamp
  }

  /// A hash's state is some hundred bytes.
  private let limit: Int
  private let entries = Mutex<[UploadID: Entry]>([:])

  init(limit: Int = 2_000) { self.limit = limit }

  /// How many are kept.
  var count: Int { entries.withLock(\.count) }

  func keep(_ value: Value, of id: UploadID, _ stamp: Stamp) {
    entries.withLock { entries in
      // Whichever goes, its content is only read once more.
      if entries.count >= limit, entries[id] == nil, let other = entries.keys.first {
        entries[other] = nil
      }
      entries[id] = Entry(value: value, stamp: stamp)
    }
  }

  /// Hands out the hash of an upload, once; nil when it is not kept, or not of this content.
  func take(_ id: UploadID, _ stamp: Stamp) -> Value? {
    entries.withLock { $0.removeValue(forKey: id) }.flatMap { $0.stamp == stamp ? $0.value : nil }
  }

  func forget(_ id: UploadID) {
    entries.withLock { $0[id] = nil }
  }
}

/// What a file looked like when it was hashed.
struct FileStamp: Hashable {
  let size: Int64
  private let seconds: Int
  private let nanoseconds: Int

  /// The file as it is now. Throws `SystemError`.
  init(_ file: Descriptor) throws {
    var information = stat()
    try checked("stat", nil, fstat(file.rawValue, &information))
    size = Int64(information.st_size)
    seconds = information.st_mtim.tv_sec
    nanoseconds = information.st_mtim.tv_nsec
  }
}
