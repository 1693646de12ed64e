import BlobStorage
package import Identity
package import NIOCore
package import OCI
import StateStore
import Synchronization

extension RegistryService {
  /// Begins an upload, which the caller holds until it is suspended, finished or cancelled.
  package func beginUpload(
    _ repository: Repository, by caller: Caller
  ) async throws -> UploadSession {
    try await requireWritable()
    let id = UploadID.random()
    let now = clock().milliseconds
    let record = UploadRecord(
      repository: repository.name, repositoryID: repository.id, account: caller.name, started: now,
      touched: now)
    try await hold(id.description)
    do {
      let upload = try await storage.beginUpload(id)
      let written = try await commit(
        when: [.exists(Keys.removal(repository.id))],
        do: [.put(Keys.upload(id.description), try record.encoded())])
      guard written else {
        try await upload.cancel()
        throw Self.unknown(repository.name)
      }
      return UploadSession(self, repository, record, upload)
    } catch {
      release(id.description)
      throw Self.asRegistryError(error)
    }
  }

  /// Takes up an upload. Throws `uploadUnknown`, `uploadBusy` while another request holds it.
  package func uploadSession(
    _ repository: Repository, id: String
  ) async throws -> UploadSession {
    try await requireWritable()
    let (upload, record) = try await uploadRecord(repository, id)
    try await hold(upload.description)
    do {
      return UploadSession(self, repository, record, try await storage.resumeUpload(upload))
    } catch {
      release(upload.description)
      throw Self.uploadError(error, id)
    }
  }

  /// The bytes an upload has. Throws `uploadUnknown`.
  package func uploadSize(_ repository: Repository, id: String) async throws -> Int64 {
    let (upload, _) = try await uploadRecord(repository, id)
    do {
      return try await storage.uploadSize(upload)
    } catch {
      throw Self.uploadError(error, id)
    }
  }

  /// The uploads under way, of one repository or of all.
  package func uploads(_ repository: Repository?) async throws -> [UploadDescription] {
    var found: [UploadDescription] = []
    try await scan(Keys.uploads) { item in
      let record = try UploadRecord(item)
      guard repository.map({ $0.id == record.repositoryID }) ?? true,
        let id = item.key.suffix(after: Keys.uploads)
      else { return }
      found.append(
        UploadDescription(
          id: id, repository: record.repository,
          startedAt: Timestamp(milliseconds: record.started), account: record.account))
    }
    return found
  }

  /// Drops uploads that have rested too long, and what the storage has of uploads without a record;
  /// returns how many. A dry run only counts.
  package func purgeUploads(dryRun: Bool = false) async throws -> Int {
    let bound = clock().milliseconds - settings.uploadLifetime.milliseconds
    var known: Set<String> = []
    var expired: [(id: UploadID, revision: Revision)] = []
    try await scan(Keys.uploads) { item in
      guard let text = item.key.suffix(after: Keys.uploads), let id = UploadID(text) else { return }
      known.insert(text)
      if try UploadRecord(item).touched < bound { expired.append((id, item.modifyRevision)) }
    }
    var count = 0
    do {
      if dryRun { count += expired.count }
      for (id, revision) in dryRun ? [] : expired {
        let key = Keys.upload(id.description)
        guard
          try await commit(when: [.modifyRevision(of: key, is: revision)], do: [.delete(key)])
        else { continue }
        try await storage.cancelUpload(id)
        count += 1
      }
      for upload in try await storage.uploads()
      where !known.contains(upload.id.description) && upload.changedAt < bound {
        if !dryRun { try await storage.cancelUpload(upload.id) }
        count += 1
      }
    } catch {
      throw Self.asRegistryError(error)
    }
    return count
  }

  private func uploadRecord(
    _ repository: Repository, _ id: String
  ) async throws -> (UploadID, UploadRecord) {
    guard let upload = UploadID(id),
      let found = try await fetch(Keys.upload(upload.description), as: UploadRecord.self),
      found.record.repositoryID == repository.id
    else { throw Self.unknownUpload(id) }
    return (upload, found.record)
  }

  /// Takes an upload for one request. A client whose connection broke comes back sooner than its old
  /// request is seen to have ended, so that a new one waits for it a while.
  private func hold(_ id: String) async throws {
    guard await activeUploads.acquire(id, within: Self.holdPatience) else {
      throw RegistryError(
        .uploadBusy, "another request is writing to the upload", metadata: ["upload": id])
    }
  }

  private static let holdPatience = Duration.seconds(5)

  func release(_ id: String) {
    activeUploads.release(id)
  }

  static func asRegistryError(_ error: any Error) -> any Error {
    (error as? BlobStorageError).map(translated) ?? error
  }

  static func uploadError(_ error: any Error, _ id: String) -> any Error {
    guard let error = error as? BlobStorageError else { return error }
    return error.code == .notFound ? unknownUpload(id) : translated(error)
  }

  private static func unknownUpload(_ id: String) -> RegistryError {
    RegistryError(
      .uploadUnknown, "blob upload unknown to registry",
      metadata: ["upload": String(id.prefix(64))])
  }
}

/// An upload, held by one request: end it with ``suspend()``, ``finish(_:by:)`` or ``cancel()``, or
/// nobody else can take it up before the process ends.
package final class UploadSession: Sendable {
  /// The name of the upload.
  package let id: String
  private let service: RegistryService
  private let repository: Repository
  private let record: UploadRecord
  private let upload: any BlobUpload

  init(
    _ service: RegistryService, _ repository: Repository, _ record: UploadRecord,
    _ upload: any BlobUpload
  ) {
    id = upload.id.description
    self.service = service
    self.repository = repository
    self.record = record
    self.upload = upload
  }

  /// Bytes that have arrived.
  package var size: Int64 { get async { await upload.size } }

  /// Adds bytes; returns when there is room for more.
  package func append(_ bytes: ByteBuffer) async throws {
    do {
      try await upload.append(bytes)
    } catch {
      throw RegistryService.uploadError(error, id)
    }
  }

  /// Makes what has arrived durable and lets go of the upload.
  package func suspend() async throws {
    defer { service.release(id) }
    do {
      try await upload.suspend()
    } catch {
      throw RegistryService.uploadError(error, id)
    }
    let now = service.clock().milliseconds
    // Once an hour is enough for something that lives for days.
    guard now - record.touched > 3_600_000 else { return }
    var record = record
    record.touched = now
    let key = Keys.upload(id)
    _ = try await service.commit(when: [.exists(key)], do: [.put(key, try record.encoded())])
  }

  /// Makes the upload a blob of the repository. Throws `digestInvalid`, after which the upload is
  /// gone, as it is after `quotaExceeded`.
  package func finish(_ expected: Digest, by caller: Caller) async throws -> StoredBlob {
    defer { service.release(id) }
    do {
      try await service.requireRoom(repository.name.namespace, for: await upload.size)
      let file = try await upload.commit(expected)
      return try await service.record(file, expected, repository, upload: id)
    } catch {
      let isFinal =
        (error as? BlobStorageError)?.code == .digestMismatch
        || (error as? RegistryError)?.code == .quotaExceeded
      if isFinal { try await drop() }
      throw RegistryService.uploadError(error, id)
    }
  }

  /// Drops the upload.
  package func cancel() async throws {
    defer { service.release(id) }
    do {
      try await drop()
    } catch {
      throw RegistryService.asRegistryError(error)
    }
  }

  private func drop() async throws {
    try await upload.cancel()
    _ = try await service.commit(when: [], do: [.delete(Keys.upload(id))])
  }
}

extension RegistryService {
  /// Writes down that a repository has the content of a stored file. If the content is there
  /// already, that file stays and this one goes.
  func record(
    _ file: StoredFile, _ digest: Digest, _ repository: Repository, upload: String?
  ) async throws -> StoredBlob {
    do {
      let blob = try await retrying { () -> StoredBlob? in
        let now = self.clock().milliseconds
        let key = Keys.blob(digest)
        let found = try await self.fetch(key, as: BlobRecord.self)
        var compares: [Compare] = [.exists(Keys.removal(repository.id))]
        var operations = try self.linking(
          repository, digest, LinkRecord(size: file.size, used: now))
        if let upload { operations.append(.delete(Keys.upload(upload))) }
        let record =
          found?.record ?? BlobRecord(key: file.key, size: file.size, used: now)
        if found == nil {
          compares.append(.missing(key))
          operations.append(.put(key, try record.encoded()))
        } else {
          compares.append(.exists(key))
        }
        guard try await self.commit(when: compares, do: operations) else {
          guard try await self.existing([Keys.removal(repository.id)]).count == 1 else {
            throw Self.unknown(repository.name)
          }
          return nil
        }
        return StoredBlob(digest: digest, size: record.size, key: record.key)
      }
      if blob.key != file.key { await discard(file.key) }
      return blob
    } catch {
      await discardUnlessRecorded(file.key, digest)
      throw error
    }
  }
}
