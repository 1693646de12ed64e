package import NIOCore
package import OCI

/// Keeps bytes under keys of its own. Knows nothing of registries.
///
/// A key is made anew for each stored file and never used again, so deleting a file can never hit
/// a newer upload of the same content. Every method throws ``BlobStorageError``, or
/// `CancellationError`.
package protocol BlobStorage: Sendable {
  /// The driver's name in configuration files: `filesystem`, `s3`.
  var name: String { get }

  /// Begins an upload; nothing is promised before its ``BlobUpload/suspend()``.
  func beginUpload(_ id: UploadID) async throws -> any BlobUpload
  /// Takes up an upload where it was suspended last. Throws `notFound`.
  func resumeUpload(_ id: UploadID) async throws -> any BlobUpload
  /// Bytes that an upload has. Throws `notFound`.
  func uploadSize(_ id: UploadID) async throws -> Int64
  /// Every upload that is not finished.
  func uploads() async throws -> [UploadInfo]
  /// Removes an upload and what it has; one that is not there is no error.
  func cancelUpload(_ id: UploadID) async throws

  /// Keeps small content durably.
  func store(_ bytes: ByteBuffer) async throws -> StorageKey
  /// Bytes of a stored file. Throws `notFound`.
  func size(of key: StorageKey) async throws -> Int64
  /// A file's bytes, or those of a range that lies within it. Throws `notFound`.
  func read(_ key: StorageKey, range: Range<Int64>?) async throws -> BlobBody
  /// Removes a file; one that is not there is no error.
  func delete(_ key: StorageKey) async throws
  /// Every stored file with its age, in no order: for finding those that nothing refers to.
  func keys() -> AsyncThrowingStream<StoredFile, any Error>
  /// A URL that a client may read the file from for a while, where the storage has such and the
  /// operator wants them used.
  func redirect(to key: StorageKey) async throws -> String?
  /// The file's path on this machine, for engines that link it; nil when there is none.
  func localPath(of key: StorageKey) -> String?
  /// Throws when the storage cannot be used now.
  func check() async throws
}

/// The name of a stored file: 32 hexadecimal digits, made at random.
package struct StorageKey: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The digits.
  package let description: String

  /// A key from its text; nil when it is not well formed.
  package init?(_ text: String) {
    guard text.utf8.count == 32,
      text.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
    else { return nil }
    description = text
  }

  /// A new key.
  package static func random() -> StorageKey { StorageKey(unchecked: randomDigits()) }

  init(unchecked text: String) { description = text }

  package init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let key = StorageKey(text) else {
      throw BlobStorageError(.invalidKey, "a storage key is malformed", metadata: ["key": text])
    }
    self = key
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// The name of an upload: 32 hexadecimal digits.
package struct UploadID: Hashable, Sendable, CustomStringConvertible {
  /// The digits.
  package let description: String

  /// An id from its text, dashes left out; nil when it is not well formed.
  package init?(_ text: String) {
    guard let key = StorageKey(text) else { return nil }
    description = key.description
  }

  /// A new id.
  package static func random() -> UploadID { UploadID(unchecked: randomDigits()) }

  private init(unchecked text: String) { description = text }
}

/// An upload that is not finished.
package struct UploadInfo: Sendable, Hashable {
  package var id: UploadID
  /// Bytes that have arrived.
  package var size: Int64
  /// When it last changed, milliseconds since 1970.
  package var changedAt: Int64
}

/// A stored file.
package struct StoredFile: Sendable, Hashable {
  package var key: StorageKey
  package var size: Int64
  /// When it was stored, milliseconds since 1970.
  package var storedAt: Int64
}

/// One upload, used by one task at a time. Ends with ``commit(_:)``, ``cancel()`` or
/// ``suspend()``.
package protocol BlobUpload: Sendable {
  var id: UploadID { get }
  /// Bytes that have arrived.
  var size: Int64 { get async }
  /// Adds bytes at the end; returns when there is room for more.
  func append(_ bytes: ByteBuffer) async throws
  /// Makes what has arrived durable, for a later ``BlobStorage/resumeUpload(_:)``.
  func suspend() async throws
  /// Checks the content against its digest and keeps it durably. Throws `digestMismatch`, after
  /// which the upload can only be cancelled.
  func commit(_ expected: Digest) async throws -> StoredFile
  /// Removes the upload.
  func cancel() async throws
}

private func randomDigits() -> String {
  var generator = SystemRandomNumberGenerator()
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  text.reserveCapacity(32)
  for _ in 0..<4 {
    var word = UInt32.random(in: .min ... .max, using: &generator)
    for _ in 0..<8 {
      text.append(digits[Int(word & 15)])
      word >>= 4
    }
  }
  return String(decoding: text, as: UTF8.self)
}
