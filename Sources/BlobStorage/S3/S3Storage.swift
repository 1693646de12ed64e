import AsyncHTTPClient
import FoundationEssentials
import Glibc
package import Logging
package import NIOCore
import NIOHTTP1
import OCI

/// Stores blobs as objects of a bucket: `blobs/ab/KEY`, and suspended uploads as `uploads/ID`.
///
/// A stored file has the name of its upload, so that what an upload has in the bucket can be found
/// by its name alone: the multipart upload of its object.
package final class S3Storage: BlobStorage {
  package let name = "s3"
  let settings: S3Settings
  let objects: S3Objects
  /// By the marks of suspended uploads.
  let restingHashes = RestingHashes<String, S3Upload.Hashed>()
  private let client: S3Client
  /// What all names begin with: empty, or a path with a slash behind.
  private let prefix: String

  /// A storage in a bucket, which is not asked yet. Throws ``BlobStorageError``
  /// (`badConfiguration`).
  package convenience init(settings: S3Settings, logger: Logger) throws {
    try Self.check(settings)
    try self.init(unchecked: settings, logger: logger)
  }

  /// A storage for tests, whose parts may be smaller than S3 takes.
  init(unchecked settings: S3Settings, logger: Logger) throws {
    self.settings = settings
    let client = S3Client(
      settings, signer: try Self.signer(settings), endpoint: try S3Endpoint(settings),
      logger: logger)
    self.client = client
    objects = S3Objects(client, settings)
    let root = settings.rootDirectory.split(separator: "/").joined(separator: "/")
    prefix = root.isEmpty ? "" : root + "/"
  }

  private static func check(_ settings: S3Settings) throws {
    let chunks = S3Settings.smallestChunk...S3Settings.largestChunk
    let problem: (String, String)? =
      if settings.bucket.isEmpty {
        ("bucket", "")
      } else if settings.region.isEmpty {
        ("region", "")
      } else if !chunks.contains(settings.chunkSize) {
        ("chunksize", String(settings.chunkSize))
      } else if !(1...604_800).contains(settings.presignLifetime) {
        ("presign lifetime", String(settings.presignLifetime))
      } else if settings.requestTimeout <= .zero || settings.connections < 1 {
        ("timeout or connections", "\(settings.requestTimeout) \(settings.connections)")
      } else {
        nil
      }
    if let (setting, value) = problem {
      throw BlobStorageError(
        .badConfiguration, "a setting of the S3 storage cannot be used",
        metadata: ["setting": setting, "value": value])
    }
  }

  private static func signer(_ settings: S3Settings) throws -> RequestSigner {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    let isSet = settings.accessKey != nil
    guard let access = settings.accessKey ?? variable("AWS_ACCESS_KEY_ID"),
      let secret = isSet ? settings.secretKey : variable("AWS_SECRET_ACCESS_KEY"),
      !access.isEmpty, !secret.isEmpty
    else {
      throw BlobStorageError(
        .badConfiguration,
        "the S3 storage has no keys, neither in its settings nor in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
      )
    }
    return RequestSigner(
      accessKey: access, secretKey: secret,
      sessionToken: isSet ? settings.sessionToken : variable("AWS_SESSION_TOKEN"),
      region: settings.region)
  }

  // MARK: - Names

  /// The object of a stored file.
  func object(_ key: StorageKey) -> String {
    "\(prefix)blobs/\(key.description.prefix(2))/\(key)"
  }

  /// The object that an upload becomes.
  func target(_ id: UploadID) -> String { object(StorageKey(unchecked: id.description)) }

  /// The object of a suspended upload.
  func spool(_ id: UploadID) -> String { "\(prefix)uploads/\(id)" }

  /// The key of a stored file by its object; nil for what is not ours.
  fileprivate func key(_ object: String) -> StorageKey? {
    guard let key = StorageKey(String(object.suffix(32))), self.object(key) == object else {
      return nil
    }
    return key
  }

  // MARK: - Uploads

  package func beginUpload(_ id: UploadID) async throws -> any BlobUpload {
    S3Upload(id, self, suspended: nil, hashed: nil)
  }

  package func resumeUpload(_ id: UploadID) async throws -> any BlobUpload {
    let suspended = try await suspended(id)
    return S3Upload(
      id, self, suspended: suspended, hashed: restingHashes.take(id, suspended.mark))
  }

  package func uploadSize(_ id: UploadID) async throws -> Int64 { try await suspended(id).size }

  private func suspended(_ id: UploadID) async throws -> SuspendedUpload {
    try SuspendedUpload(await objects.head(spool(id)))
  }

  package func uploads() async throws -> [UploadInfo] {
    var found: [UploadID: UploadInfo] = [:]
    for upload in try await objects.uploads(prefix: prefix + "blobs/") {
      guard let key = key(upload.object), let id = UploadID(key.description) else { continue }
      found[id] = UploadInfo(id: id, size: 0, changedAt: upload.begunAt)
    }
    var token: String?
    repeat {
      let page = try await objects.list(prefix: prefix + "uploads/", after: token)
      for file in page.files {
        guard let id = UploadID(String(file.name.suffix(32))), spool(id) == file.name else {
          continue
        }
        var size = file.size
        // Only what has parts has more than its object; what is finished meanwhile is none.
        if found[id] != nil {
          guard let whole = try await sizeIfThere(id) else { continue }
          size = whole
        }
        found[id] = UploadInfo(id: id, size: size, changedAt: file.changedAt)
      }
      token = page.next
    } while token != nil
    return Array(found.values)
  }

  private func sizeIfThere(_ id: UploadID) async throws -> Int64? {
    do {
      return try await uploadSize(id)
    } catch let error as BlobStorageError where error.code == .notFound {
      return nil
    }
  }

  package func cancelUpload(_ id: UploadID) async throws {
    restingHashes.forget(id)
    let target = target(id)
    for upload in try await objects.uploads(prefix: target) where upload.object == target {
      try await objects.abort(target, upload: upload.upload)
    }
    // Last, so that what fails before it can be done again.
    try await objects.delete(spool(id))
  }

  // MARK: - Files

  package func store(_ bytes: ByteBuffer) async throws -> StorageKey {
    let key = StorageKey.random()
    try await objects.put(object(key), bytes, headers: objects.storageClass)
    return key
  }

  package func size(of key: StorageKey) async throws -> Int64 {
    try await objects.size(object(key))
  }

  package func read(_ key: StorageKey, range: Range<Int64>?) async throws -> BlobBody {
    let object = object(key)
    guard let range else { return try await body(object, nil) }
    guard range.lowerBound >= 0 else { throw Self.invalidRange(range) }
    guard !range.isEmpty else {
      // S3 has no way to ask for nothing.
      guard range.upperBound <= (try await objects.size(object)) else {
        throw Self.invalidRange(range)
      }
      return .stream(length: 0, AsyncThrowingStream { nil })
    }
    return try await body(object, range)
  }

  private func body(_ object: String, _ range: Range<Int64>?) async throws -> BlobBody {
    var request = S3Request(.GET, object)
    if let range {
      request.headers = [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
    }
    let answer = try await client.open(request)
    let given = try answer.rangeRead(range)
    if let range, given != range {
      // A range that reaches too far is cut off.
      guard given.upperBound < range.upperBound else {
        throw BlobStorageError.unexpected("another range than was asked for")
      }
      throw Self.invalidRange(range)
    }
    let reader = S3Reader(client, object, range: given, answer: answer)
    return .stream(
      length: given.upperBound - given.lowerBound,
      AsyncThrowingStream { try await reader.next() })
  }

  private static func invalidRange(_ range: Range<Int64>) -> BlobStorageError {
    BlobStorageError(
      .invalidRange, "the range reaches beyond the file", metadata: ["range": "\(range)"])
  }

  package func delete(_ key: StorageKey) async throws { try await objects.delete(object(key)) }

  package func keys() -> AsyncThrowingStream<StoredFile, any Error> {
    let position = ListingPosition(self, prefix: prefix + "blobs/")
    return AsyncThrowingStream { try await position.next() }
  }

  package func redirect(to key: StorageKey) async throws -> String? {
    settings.redirects ? client.presignedURL(object(key)) : nil
  }

  package func localPath(of key: StorageKey) -> String? { nil }

  package func check() async throws {
    do {
      _ = try await objects.list(prefix: prefix + "blobs/", after: nil, limit: 1)
    } catch let error as BlobStorageError where error.code == .notFound {
      throw BlobStorageError(
        .unavailable, "there is no such bucket", metadata: ["bucket": settings.bucket],
        cause: error)
    }
  }
}

/// Lists one page after the other, as the reader asks for more.
private actor ListingPosition {
  private let storage: S3Storage
  private let prefix: String
  private var files: ArraySlice<StoredFile> = []
  private var token: String?
  private var isAtEnd = false

  init(_ storage: S3Storage, prefix: String) {
    self.storage = storage
    self.prefix = prefix
  }

  func next() async throws -> StoredFile? {
    while files.isEmpty {
      guard !isAtEnd else { return nil }
      let page = try await storage.objects.list(prefix: prefix, after: token)
      token = page.next
      isAtEnd = page.next == nil
      files =
        page.files.compactMap { file in
          storage.key(file.name).map {
            StoredFile(key: $0, size: file.size, storedAt: file.changedAt)
          }
        }[...]
    }
    return files.popFirst()
  }
}
