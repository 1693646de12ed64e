import BlobStorage
package import Identity
package import NIOCore
import OCI
import StateStore

extension RegistryService {
  /// The manifest, if it is known without waiting and sure to be the one of now. Who may have it is
  /// another question.
  package func cachedManifest(_ repositoryName: String, _ reference: String) -> StoredManifest? {
    cache.manifest(repositoryName, reference)
  }

  /// The manifest of a tag or digest. Throws `manifestUnknown`.
  package func resolveManifest(
    _ repository: Repository, _ reference: Reference
  ) async throws -> StoredManifest {
    if let known = cache.manifest(repository.name.description, reference.description) {
      return known
    }
    var revision: Revision?
    let digest: Digest
    switch reference {
    case .digest(let named): digest = named
    case .tag(let tag):
      let found = try await fetch(Keys.tag(repository.id, tag.description), as: StoredTag.self)
      guard let found else { throw Self.unknown(reference, repository) }
      digest = found.record.digest
      revision = found.readAt
    }
    let found = try await fetch(Keys.manifest(repository.id, digest), as: ManifestRecord.self)
    guard let found else { throw Self.unknown(reference, repository) }
    let blob = try await fetch(Keys.blob(digest), as: BlobRecord.self)
    guard let blob else {
      throw RegistryError(
        .corrupt, "the manifest's content has no record", metadata: ["digest": "\(digest)"])
    }
    let content = try await readAll(blob.record.key, limit: settings.maximumManifestBytes)
    let manifest = StoredManifest(
      digest: digest, mediaType: found.record.type, content: content)
    cache.remember(
      manifest, as: reference.description, in: repository, readAt: revision ?? found.readAt)
    return manifest
  }

  /// Takes in a manifest, under a tag or its digest. Everything it refers to must be in the
  /// repository, but for its subject and foreign layers.
  ///
  /// Throws `manifestInvalid`, `manifestTooLarge`, `manifestBlobUnknown` (`metadata["digest"]` is
  /// the first that is missing, `metadata["missing"]` has more), `digestInvalid`, `tagImmutable`,
  /// `unsupported` (indexes, where the repository takes none), `quotaExceeded`, `readOnly`. The event
  /// carries `facts`. What a cache of another registry takes in may refer to what comes later.
  package func putManifest(
    _ repository: Repository, _ reference: Reference, mediaType: String?, content: ByteBuffer,
    by caller: Caller, facts: [String: String]? = nil, requiresReferences: Bool = true
  ) async throws -> PushedManifest {
    try await requireWritable()
    let bytes = Array(content.readableBytesView)
    let parsed = try ParsedManifest(
      bytes, declared: mediaType, maximumBytes: settings.maximumManifestBytes)
    let digest = try Self.digest(of: bytes, reference)
    guard !parsed.isIndex || repository.enableManifestLists else {
      throw RegistryError(.unsupported, "the repository takes no manifest lists")
    }
    let push = ManifestPush(
      repository: repository, tag: reference.tag, digest: digest, bytes: bytes, parsed: parsed,
      caller: caller, facts: facts, requiresReferences: requiresReferences)
    try await requireReferenceCount(parsed)
    try await requireRoom(repository.name.namespace, for: Int64(bytes.count))
    let image = try await imageFacts(repository, parsed)
    var stored: StorageKey?
    do {
      let usesStored = try await retrying { try await self.attempt(push, image, &stored) }
      if let stored, !usesStored { await discard(stored) }
    } catch {
      if let stored { await discardUnlessRecorded(stored, digest) }
      throw error
    }
    pulls.addPush(repository: repository.id)
    if reference.tag != nil { try await enforceTagLimit(repository, by: caller) }
    return PushedManifest(digest: digest, subject: parsed.subject?.digest)
  }

  /// Tries once to write a manifest down. Returns whether the file in `stored` is the one the
  /// records name, nil when others changed something meanwhile.
  private func attempt(
    _ push: ManifestPush, _ image: ImageFacts, _ stored: inout StorageKey?
  ) async throws -> Bool? {
    let id = push.repository.id
    let removals = try await read(RangeRequest(.key(Keys.removal(id)))).items.first
    guard let removals else { throw Self.unknown(push.repository.name) }
    if push.requiresReferences { try await requireReferences(push.parsed, in: id) }
    var compares: [Compare] = [.modifyRevision(of: removals.key, is: removals.modifyRevision)]
    var operations: [Operation] = [
      .put(Keys.addition(id), []), .put(Keys.manifestUse(id, push.digest), []),
    ]
    let blobKey = Keys.blob(push.digest)
    let isThere = try await read(RangeRequest(.key(blobKey), keysOnly: true)).items.first != nil
    if isThere {
      compares.append(.exists(blobKey))
    } else {
      let file: StorageKey
      if let stored {
        file = stored
      } else {
        file = try await store(push.bytes)
        stored = file
      }
      let record = BlobRecord(
        key: file, size: Int64(push.bytes.count), used: clock().milliseconds)
      compares.append(.missing(blobKey))
      operations.append(.put(blobKey, try record.encoded()))
    }
    try await addManifest(push, image, &compares, &operations)
    try await addTag(push, &compares, &operations)
    return try await commit(when: compares, do: operations) ? !isThere : nil
  }

  private func addManifest(
    _ push: ManifestPush, _ image: ImageFacts, _ compares: inout [Compare],
    _ operations: inout [Operation]
  ) async throws {
    let id = push.repository.id
    let key = Keys.manifest(id, push.digest)
    let before = try await fetch(key, as: ManifestRecord.self)
    let now = clock().milliseconds
    let record = push.record(
      image, author: before?.record.author ?? push.caller.name,
      created: before?.record.created ?? now, touched: now)
    compares.append(.modifyRevision(of: key, is: before?.revision ?? 0))
    operations.append(.put(key, try record.encoded()))
    if let subject = push.parsed.subject?.digest {
      operations.append(
        .put(Keys.referrer(id, subject, push.digest), try push.referrer.encoded()))
    }
  }

  private func addTag(
    _ push: ManifestPush, _ compares: inout [Compare], _ operations: inout [Operation]
  ) async throws {
    var event = event(
      .push, push.tag == nil ? .manifest : .tag, push.repository, by: push.caller)
    event.digest = push.digest
    event.tag = push.tag
    event.mediaType = push.parsed.mediaType
    event.facts = push.facts
    operations.append(try operation(event))
    guard let tag = push.tag else { return }
    let key = Keys.tag(push.repository.id, tag.description)
    let before = try await fetch(key, as: StoredTag.self)
    let moves = before.map { $0.record.digest != push.digest } ?? false
    guard !moves || !push.repository.immutableTags else {
      throw RegistryError(
        .tagImmutable, "the tag cannot be overwritten: the repository is immutable",
        metadata: ["tag": tag.description, "name": push.repository.name.description])
    }
    let now = clock().milliseconds
    let record = StoredTag(
      digest: push.digest, author: push.caller.name, created: before?.record.created ?? now,
      updated: now)
    compares.append(.modifyRevision(of: key, is: before?.revision ?? 0))
    operations.append(.put(key, try record.encoded()))
  }

  private func requireReferenceCount(_ parsed: ParsedManifest) async throws {
    let count = parsed.layers.count + parsed.manifests.count
    guard count <= settings.maximumReferences else {
      throw RegistryError(
        .manifestInvalid, "the manifest refers to too much",
        metadata: ["count": "\(count)", "limit": "\(settings.maximumReferences)"])
    }
  }

  private func requireReferences(_ parsed: ParsedManifest, in repository: String) async throws {
    let blobs = parsed.requiredBlobs
    let manifests = parsed.requiredManifests
    let keys =
      blobs.map { Keys.link(repository, $0) } + manifests.map { Keys.manifest(repository, $0) }
    let present = try await existing(keys)
    let missing = zip(blobs + manifests, keys).filter { !present.contains($0.1) }.map(\.0)
    guard let first = missing.first else { return }
    throw RegistryError(
      .manifestBlobUnknown, "the manifest refers to content the repository does not have",
      metadata: [
        "digest": "\(first)",
        "missing": missing.prefix(32).map(\.description).joined(separator: ","),
      ])
  }

  private static func digest(of bytes: [UInt8], _ reference: Reference) throws -> Digest {
    guard case .digest(let named) = reference else { return .sha256(of: bytes) }
    var hasher = DigestHasher(named.algorithm)
    bytes.withUnsafeBytes { hasher.update($0) }
    guard hasher.finalize() == named else {
      throw RegistryError(
        .digestInvalid, "the digest is not that of the manifest", metadata: ["digest": "\(named)"])
    }
    return named
  }

  static func unknown(_ reference: Reference, _ repository: Repository) -> RegistryError {
    RegistryError(
      .manifestUnknown, "manifest unknown",
      metadata: ["reference": reference.description, "name": repository.name.description])
  }
}

extension Reference {
  /// The tag, if it is one.
  package var tag: Tag? {
    guard case .tag(let tag) = self else { return nil }
    return tag
  }
}

/// A manifest that is being pushed.
struct ManifestPush: Sendable {
  var repository: Repository
  var tag: Tag?
  var digest: Digest
  var bytes: [UInt8]
  var parsed: ParsedManifest
  var caller: Caller
  /// What else the event says.
  var facts: [String: String]?
  /// Whether everything it refers to must be there.
  var requiresReferences = true

  func record(
    _ image: ImageFacts, author: String, created: Int64, touched: Int64
  ) -> ManifestRecord {
    let blobs = parsed.requiredBlobs
    let children = parsed.requiredManifests
    let isSmall = blobs.count + children.count <= ManifestRecord.referencesKept
    return ManifestRecord(
      type: parsed.mediaType, size: Int64(bytes.count), total: parsed.contentSize,
      config: parsed.config?.digest, configType: parsed.config?.mediaType,
      artifact: parsed.artifactType, subject: parsed.subject?.digest, os: image.os,
      osVersion: image.osVersion, arch: image.architecture, author: author, created: created,
      touched: touched, blobs: isSmall ? blobs : nil, children: isSmall ? children : nil)
  }

  var referrer: ReferrerRecord {
    ReferrerRecord(
      entry: ReferrersList.Referrer(
        mediaType: parsed.mediaType, digest: digest, size: Int64(bytes.count),
        artifactType: parsed.effectiveArtifactType, annotations: parsed.annotations))
  }
}

/// What an image's configuration says of where it runs.
struct ImageFacts: Sendable {
  var os: String?
  var osVersion: String?
  var architecture: String?
}
