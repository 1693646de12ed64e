import AsyncHTTPClient
import BlobStorage
import Identity
import ImageStore
import NIOCore
import OCI
import Registry

/// Copies images whole: a manifest with everything it refers to and everything that refers to it.
struct ImageCopy: Sendable {
  /// How deep indexes of indexes and referrers of referrers are followed.
  private static let depthLimit = 8

  let registry: RegistryService
  let log: @Sendable (String) async -> Void

  // MARK: Within this registry

  /// Gives a manifest of one repository to another; its blobs are linked, not copied.
  func promote(
    _ digest: Digest, from source: Repository, to target: Repository, as tag: Tag,
    facts: [String: String]
  ) async throws {
    var done: Set<Digest> = []
    try await link(
      digest, source, target, as: .tag(tag), facts: facts, depth: 0, done: &done)
  }

  private func link(
    _ digest: Digest, _ source: Repository, _ target: Repository, as reference: Reference,
    facts: [String: String], depth: Int, done: inout Set<Digest>
  ) async throws {
    guard depth < Self.depthLimit, done.insert(digest).inserted else { return }
    let manifest = try await registry.resolveManifest(source, .digest(digest))
    let parsed = try parse(manifest.bytes, manifest.mediaType)
    for child in parsed.requiredManifests {
      try await link(
        child, source, target, as: .digest(child), facts: facts, depth: depth + 1, done: &done)
    }
    for blob in parsed.requiredBlobs {
      guard try await registry.mount(target, blob, from: source.name, by: .system) else {
        throw JobError(.failed, "a blob is gone", metadata: ["digest": "\(blob)"])
      }
    }
    _ = try await registry.putManifest(
      target, reference, mediaType: manifest.mediaType, content: manifest.content, by: .system,
      facts: facts)
    for referrer in try await registry.referrers(source, of: digest, artifactType: nil).manifests {
      try await link(
        referrer.digest, source, target, as: .digest(referrer.digest), facts: facts,
        depth: depth + 1, done: &done)
    }
  }

  private func parse(_ bytes: [UInt8], _ mediaType: String?) throws -> ParsedManifest {
    try ParsedManifest(
      bytes, declared: mediaType, maximumBytes: registry.settings.maximumManifestBytes)
  }

  // MARK: To another registry

  /// Sends a manifest to another registry, under `tag`.
  func push(
    _ digest: Digest, of source: Repository, to remote: RemoteRegistry, as tag: Tag
  ) async throws {
    var done: Set<Digest> = []
    try await send(
      digest, source, remote, as: tag.description, depth: 0, done: &done)
  }

  private func send(
    _ digest: Digest, _ source: Repository, _ remote: RemoteRegistry, as reference: String,
    depth: Int, done: inout Set<Digest>
  ) async throws {
    guard depth < Self.depthLimit, done.insert(digest).inserted else { return }
    try Task.checkCancellation()
    let manifest = try await registry.resolveManifest(source, .digest(digest))
    let parsed = try parse(manifest.bytes, manifest.mediaType)
    for child in parsed.requiredManifests {
      try await send(
        child, source, remote, as: child.description, depth: depth + 1, done: &done)
    }
    for digest in parsed.requiredBlobs where try await !remote.hasBlob(digest) {
      let blob = try await registry.blob(source, digest)
      let body = try await registry.readBlob(blob, range: nil)
      await log("sending \(digest), \(blob.size) bytes")
      try await remote.sendBlob(digest) { Self.body(body) }
    }
    // A tag that stands already is not pushed again: two registries that mirror to each other would
    // never come to rest.
    var standing: Digest?
    if Digest(reference) == nil { standing = try await remote.digest(of: reference) }
    if standing != digest {
      try await remote.putManifest(
        manifest.bytes, mediaType: manifest.mediaType, as: reference)
    }
    for referrer in try await registry.referrers(source, of: digest, artifactType: nil).manifests {
      try await send(
        referrer.digest, source, remote, as: referrer.digest.description, depth: depth + 1,
        done: &done)
    }
  }

  private static func body(_ body: BlobBody) -> HTTPClientRequest.Body {
    switch body {
    case .file(let file, _, let length):
      length == 0
        ? .bytes(ByteBuffer())
        : .stream(FileByteSequence(file: file, size: length), length: .known(length))
    case .stream(let length, let pieces): .stream(pieces, length: .known(length))
    }
  }

  // MARK: From another registry

  /// Fetches a manifest of another registry, by tag or digest; answers its digest.
  @discardableResult
  func pull(
    _ reference: String, from remote: RemoteRegistry, to target: Repository, as local: Reference?,
    facts: [String: String], withReferrers: Bool = true
  ) async throws -> Digest {
    var done: Set<Digest> = []
    return try await fetch(
      reference, remote, target, as: local, facts: facts, depth: 0, withReferrers: withReferrers,
      done: &done)
  }

  private func fetch(
    _ reference: String, _ remote: RemoteRegistry, _ target: Repository, as local: Reference?,
    facts: [String: String], depth: Int, withReferrers: Bool, done: inout Set<Digest>
  ) async throws -> Digest {
    try Task.checkCancellation()
    guard let found = try await remote.manifest(reference) else {
      throw JobError(
        .remoteFailed, "the remote registry has no such manifest",
        metadata: ["reference": reference])
    }
    guard depth < Self.depthLimit, done.insert(found.digest).inserted else { return found.digest }
    let parsed = try parse(found.bytes, found.mediaType)
    for child in parsed.requiredManifests {
      _ = try await fetch(
        child.description, remote, target, as: nil, facts: facts, depth: depth + 1,
        withReferrers: withReferrers, done: &done)
    }
    for blob in parsed.requiredBlobs { try await fetchBlob(blob, remote, target) }
    _ = try await registry.putManifest(
      target, local ?? .digest(found.digest), mediaType: parsed.mediaType,
      content: ByteBuffer(bytes: found.bytes), by: .system, facts: facts)
    guard withReferrers else { return found.digest }
    for referrer in try await remote.referrers(of: found.digest) {
      _ = try await fetch(
        referrer.description, remote, target, as: nil, facts: facts, depth: depth + 1,
        withReferrers: true, done: &done)
    }
    return found.digest
  }

  /// Fetches a blob unless this registry has it already.
  func fetchBlob(_ digest: Digest, _ remote: RemoteRegistry, _ target: Repository) async throws {
    if try await registry.mount(target, digest, from: nil, by: .system) { return }
    await log("fetching \(digest)")
    let upload = try await registry.beginUpload(target, by: .system)
    do {
      try await remote.readBlob(digest) { try await upload.append($0) }
    } catch {
      await Self.drop(upload)
      throw error
    }
    _ = try await upload.finish(digest, by: .system)
  }

  /// Drops an upload, also when the task is cancelled; what cannot be dropped expires.
  private static func drop(_ upload: UploadSession) async {
    await Task { try? await upload.cancel() }.value
  }
}
