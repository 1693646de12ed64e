package import BlobStorage
package import Identity
import Logging
import NIOCore
package import OCI
import StateStore

extension RegistryService {
  /// The blob, if the repository has it; being asked for keeps it from the collector for a while.
  /// Throws `blobUnknown`.
  package func blob(_ repository: Repository, _ digest: Digest) async throws -> StoredBlob {
    let link = try await fetch(Keys.link(repository.id, digest), as: LinkRecord.self)
    guard let link, let blob = try await fetch(Keys.blob(digest), as: BlobRecord.self) else {
      throw Self.unknown(digest, repository)
    }
    try await keep(link.record, link.revision, repository, digest)
    return StoredBlob(digest: digest, size: blob.record.size, key: blob.record.key)
  }

  /// Puts the time of now into a link, if what stands there is not recent enough to protect a push
  /// that begins now.
  private func keep(
    _ link: LinkRecord, _ revision: Revision, _ repository: Repository, _ digest: Digest
  ) async throws {
    let now = clock().milliseconds
    guard now - link.used > settings.grace.milliseconds / 2 else { return }
    let key = Keys.link(repository.id, digest)
    var link = link
    link.used = now
    // If it was changed meanwhile, it was by somebody who put the time there as well, or took the
    // link away, which the push finds out.
    _ = try await commit(
      when: [.modifyRevision(of: key, is: revision)], do: [.put(key, try link.encoded())])
  }

  /// The bytes of a blob, or of a range that lies within it.
  package func readBlob(_ blob: StoredBlob, range: Range<Int64>?) async throws -> BlobBody {
    do {
      return try await storage.read(blob.key, range: range)
    } catch let error as BlobStorageError {
      throw Self.translated(error)
    }
  }

  /// A URL of the storage itself that the blob can be read from for a while, where it has such.
  package func redirect(to blob: StoredBlob) async throws -> String? {
    do {
      return try await storage.redirect(to: blob.key)
    } catch let error as BlobStorageError {
      throw Self.translated(error)
    }
  }

  /// Takes a blob out of a repository. Throws `blobUnknown`, `unsupported`.
  package func deleteBlob(
    _ repository: Repository, _ digest: Digest, by caller: Caller
  ) async throws {
    try await requireWritable()
    try requireDeletion()
    let key = Keys.link(repository.id, digest)
    var event = event(.delete, .blob, repository, by: caller)
    event.digest = digest
    let done = try await commit(
      when: [.exists(key), .exists(Keys.removal(repository.id))],
      do: [
        .delete(key), .delete(Keys.blobUse(repository.id, digest)),
        .put(Keys.removal(repository.id), []), try operation(event),
      ])
    guard done else { throw Self.unknown(digest, repository) }
  }

  /// Gives a repository a blob that another has, if the caller may pull from that; without `from`,
  /// any that the caller may pull from. Returns whether the repository has the blob now.
  package func mount(
    _ repository: Repository, _ digest: Digest, from: RepositoryName?, by caller: Caller
  ) async throws -> Bool {
    try await requireWritable()
    guard try await mayMount(repository, digest, from, caller) else { return false }
    let blobKey = Keys.blob(digest)
    guard let blob = try await fetch(blobKey, as: BlobRecord.self) else { return false }
    if try await existing([Keys.link(repository.id, digest)]).isEmpty {
      try await requireRoom(repository.name.namespace, for: blob.record.size)
    }
    let link = LinkRecord(size: blob.record.size, used: clock().milliseconds)
    return try await commit(
      when: [.exists(blobKey), .exists(Keys.removal(repository.id))],
      do: linking(repository, digest, link))
  }

  /// The steps that give a repository a blob.
  func linking(
    _ repository: Repository, _ digest: Digest, _ link: LinkRecord
  ) throws -> [Operation] {
    [
      .put(Keys.link(repository.id, digest), try link.encoded()),
      .put(Keys.blobUse(repository.id, digest), []),
    ]
  }

  private func mayMount(
    _ target: Repository, _ digest: Digest, _ from: RepositoryName?, _ caller: Caller
  ) async throws -> Bool {
    if let from {
      guard let source = try await repository(from) else { return false }
      return try await isReadable(digest, in: source, by: caller)
    }
    if try await existing([Keys.link(target.id, digest)]).count == 1 { return true }
    let prefix = Keys.uses.appending("\(digest)/")
    let uses = try await read(RangeRequest(.prefix(prefix), limit: 64, keysOnly: true))
    for use in uses.items {
      guard let id = use.key.suffix(after: prefix)?.split(separator: "/").first,
        let name = try await read(RangeRequest(.key(Keys.name(String(id))))).items.first,
        let source = try await repository(
          RepositoryName(String(decoding: name.value, as: UTF8.self)))
      else { continue }
      if try await isReadable(digest, in: source, by: caller) { return true }
    }
    return false
  }

  private func isReadable(
    _ digest: Digest, in source: Repository, by caller: Caller
  ) async throws -> Bool {
    guard try await access(of: caller, to: source) > .none, hasScope(caller, "pull", source.name)
    else { return false }
    return try await existing([Keys.link(source.id, digest)]).count == 1
  }

  /// Small content, read wholly. Throws `corrupt` when it is larger than `limit` or gone.
  func readAll(_ key: StorageKey, limit: Int) async throws -> ByteBuffer {
    let body: BlobBody
    do {
      body = try await storage.read(key, range: nil)
    } catch let error as BlobStorageError {
      throw Self.translated(error)
    }
    guard body.length <= limit else {
      throw RegistryError(
        .corrupt, "stored content is larger than was taken", metadata: ["key": "\(key)"])
    }
    return try await BlobReader.bytes(body)
  }

  /// Keeps a manifest's bytes.
  func store(_ bytes: [UInt8]) async throws -> StorageKey {
    do {
      return try await storage.store(ByteBuffer(bytes: bytes))
    } catch let error as BlobStorageError {
      throw Self.translated(error)
    }
  }

  /// Deletes a file that no record names; if that fails, the collector finds it.
  func discard(_ key: StorageKey) async {
    do {
      try await storage.delete(key)
    } catch {
      logger.info(
        "a file was left for the collector", metadata: ["key": "\(key)", "error": "\(error)"])
    }
  }

  /// Deletes a file unless a record names it after all: a store that failed may have written.
  func discardUnlessRecorded(_ key: StorageKey, _ digest: Digest) async {
    do {
      let found = try await fetch(Keys.blob(digest), as: BlobRecord.self)
      if found?.record.key != key { await discard(key) }
    } catch {
      logger.info(
        "a file was left for the collector", metadata: ["key": "\(key)", "error": "\(error)"])
    }
  }

  static func translated(_ error: BlobStorageError) -> RegistryError {
    switch error.code {
    case .notFound: RegistryError(.blobUnknown, "the content is gone", cause: error)
    case .digestMismatch:
      RegistryError(
        .digestInvalid, "the digest is not that of the content", metadata: error.metadata,
        cause: error)
    case .invalidRange: RegistryError(.rangeInvalid, "the range does not fit", cause: error)
    case .uploadEnded: RegistryError(.uploadInvalid, "the upload has ended", cause: error)
    default: RegistryError(.unavailable, "the blob storage does not answer", cause: error)
    }
  }

  static func unknown(_ digest: Digest, _ repository: Repository) -> RegistryError {
    RegistryError(
      .blobUnknown, "blob unknown to registry",
      metadata: ["digest": "\(digest)", "name": repository.name.description])
  }
}

extension Duration {
  /// Whole milliseconds.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
  }
}
