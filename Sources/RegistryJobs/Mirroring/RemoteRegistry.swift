import AsyncHTTPClient
import FoundationEssentials
import Host
import ImageStore
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import OCI
import Registry

/// A repository of another registry, as mirroring sees it. Every method throws ``JobError``
/// (`remoteFailed`), or `CancellationError`.
struct RemoteRegistry: Sendable {
  /// The most bytes of a manifest that is taken from elsewhere.
  private static let manifestLimit = 4 << 20
  private static let nameLimit = 255

  private let session: RegistrySession

  /// Throws ``JobError`` (`invalidRequest`) unless the place can be one.
  static func check(_ remote: RemoteRepository) throws {
    guard let endpoint = endpoint(remote) else {
      throw JobError.invalid(
        "remoteHost", "the host must be host[:port], http:// or https:// before")
    }
    guard endpoint.host.utf8.count <= nameLimit else {
      throw JobError.invalid("remoteHost", "the host's name is too long")
    }
    do {
      _ = try RepositoryName(remote.repository)
    } catch {
      throw JobError.invalid("remoteRepository", "the repository's name is not well formed")
    }
    guard remote.username.utf8.count <= nameLimit, !remote.username.contains(":") else {
      throw JobError.invalid("username", "the user's name cannot be used")
    }
    _ = try tls(remote)
  }

  private static func endpoint(_ remote: RemoteRepository) -> RegistryEndpoint? {
    var host = remote.host[...]
    var scheme = "https"
    for known in ["http", "https"] where host.hasPrefix(known + "://") {
      scheme = known
      host = host.dropFirst(known.count + 3)
    }
    if host.hasSuffix("/") { host = host.dropLast() }
    let allowed = host.utf8.allSatisfy {
      (48...57).contains($0) || (97...122).contains($0 | 32) || ".-:[]".utf8.contains($0)
    }
    guard !host.isEmpty, allowed else { return nil }
    return RegistryEndpoint(
      scheme: scheme, host: String(host), verifies: !remote.skipsTLSVerification)
  }

  private static func tls(_ remote: RemoteRepository) throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    if remote.skipsTLSVerification { configuration.certificateVerification = .none }
    guard !remote.certificateAuthority.isEmpty else { return configuration }
    do {
      let authorities = try NIOSSLCertificate.fromPEMBytes(Array(remote.certificateAuthority.utf8))
      configuration.additionalTrustRoots.append(.certificates(authorities))
    } catch {
      throw JobError.invalid("remoteCA", "the certificates are not PEM")
    }
    return configuration
  }

  /// Finds the repository. A place on this machine, or one whose certificate need not hold, may
  /// speak plain HTTP.
  static func connect(
    _ remote: RemoteRepository, _ secret: RemoteSecret, http: HTTPClient, actions: String,
    logger: Logger
  ) async throws -> RemoteRegistry {
    guard let first = endpoint(remote) else { throw JobError.invalid("remoteHost", "no host") }
    var endpoints = [first]
    let isExplicit = remote.host.contains("://")
    if !isExplicit,
      remote.skipsTLSVerification
        || RegistryPlaces(mirrors: [], insecure: []).isInsecure(first.host)
    {
      var plain = first
      plain.scheme = "http"
      endpoints.append(plain)
    }
    var credentials: RegistryCredentials?
    if !remote.username.isEmpty || !secret.token.isEmpty {
      credentials = RegistryCredentials(
        username: remote.username, password: secret.password,
        identityToken: secret.token.isEmpty ? nil : secret.token)
    }
    let tls = try tls(remote)
    // Only Docker's own registry means `library/x` by `x`.
    let path =
      first.host.hasSuffix("docker.io")
      ? try RepositoryName(remote.repository).description : remote.repository
    var failure: (any Error)?
    for endpoint in endpoints {
      let session = RegistrySession(
        http: http, endpoint: endpoint, repository: path, actions: actions,
        credentials: credentials, tls: tls, userAgent: "martlet", logger: logger)
      do {
        try await session.probe()
        return RemoteRegistry(session: session)
      } catch let error as ImageStoreError {
        failure = failure ?? error
      }
    }
    throw JobError(
      .remoteFailed, "the remote registry cannot be reached",
      metadata: ["host": remote.host], cause: failure)
  }

  private func asking<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch let error as ImageStoreError {
      throw JobError(
        .remoteFailed, "the remote registry refuses or fails",
        metadata: ["repository": "\(session.endpoint.host)/\(session.repository)"], cause: error)
    }
  }

  // MARK: Reading

  /// Whether the repository can be read; one that does not exist yet counts when it may be pushed
  /// to.
  func canRead() async throws -> Bool {
    try await asking {
      let response = try await session.send(.GET, "tags/list?n=1")
      _ = try await RegistrySession.collect(response, limit: 1 << 20)
      return response.status == .ok
    }
  }

  /// Whether an upload may be begun; it is cancelled at once.
  func canWrite() async throws -> Bool {
    try await asking {
      let response = try await session.send(.POST, "blobs/uploads/")
      guard response.status == .accepted, let location = response.headers.first(name: "Location")
      else { return false }
      _ = try await session.send(.DELETE, try absolute(location))
      return true
    }
  }

  private func absolute(_ location: String) throws -> String {
    try RegistrySession.absolute(
      location,
      against: "\(session.endpoint.base)/v2/\(session.repository)/blobs/uploads/")
  }

  /// All tags.
  func tags() async throws -> [String] { try await asking { try await session.tags() } }

  private static let accepted: HTTPHeaders = {
    var headers = HTTPHeaders()
    for type in MediaType.acceptedManifests { headers.add(name: "Accept", value: type) }
    return headers
  }()

  /// The digest that a tag means, if there is one and the registry says it without sending all.
  func digest(of tag: String) async throws -> Digest? {
    try await asking {
      let response = try await session.send(.HEAD, "manifests/\(tag)", headers: Self.accepted)
      guard response.status == .ok else { return nil }
      return response.headers.first(name: "Docker-Content-Digest").flatMap { Digest($0) }
    }
  }

  /// A manifest by tag or digest, checked against its digest; nil when there is none.
  func manifest(
    _ reference: String
  ) async throws -> (bytes: [UInt8], mediaType: String?, digest: Digest)? {
    try await asking {
      let response = try await session.send(
        .GET, "manifests/\(reference)", headers: Self.accepted)
      if response.status == .notFound {
        _ = try await RegistrySession.collect(response, limit: 1 << 20)
        return nil
      }
      guard response.status == .ok else {
        throw await session.failure(response, "manifest \(reference)")
      }
      let bytes = try await RegistrySession.collect(response, limit: Self.manifestLimit)
      let wanted = Digest(reference)
      var hasher = DigestHasher(wanted?.algorithm ?? .sha256)
      bytes.withUnsafeBytes { hasher.update($0) }
      let digest = hasher.finalize()
      guard wanted == nil || digest == wanted else {
        throw ImageStoreError(
          .invalidContent, "the manifest does not have its digest",
          metadata: ["wanted": reference, "found": "\(digest)"])
      }
      return (bytes, response.headers.first(name: "Content-Type"), digest)
    }
  }

  /// The digests of the manifests that name one as their subject; none where the registry does not
  /// know such things.
  func referrers(of digest: Digest) async throws -> [Digest] {
    struct Index: Decodable {
      struct Entry: Decodable { var digest: String }
      var manifests: [Entry]?
    }
    return try await asking {
      let response = try await session.send(.GET, "referrers/\(digest)")
      let bytes = try await RegistrySession.collect(response, limit: Self.manifestLimit)
      guard response.status == .ok else { return [] }
      do {
        let index = try BoundedJSON.decode(
          Index.self, from: bytes, kind: "referrers", maximumBytes: Self.manifestLimit)
        return (index.manifests ?? []).compactMap { Digest($0.digest) }
      } catch is OCIError {
        return []
      }
    }
  }

  /// Gives a blob's bytes to `take`, piece by piece.
  func readBlob(_ digest: Digest, _ take: (ByteBuffer) async throws -> Void) async throws {
    let body = try await asking {
      let response = try await session.send(.GET, "blobs/\(digest)")
      guard response.status == .ok else {
        throw await session.failure(response, "blob \(digest)")
      }
      return response.body
    }
    var pieces = body.makeAsyncIterator()
    while true {
      let piece: ByteBuffer?
      do {
        piece = try await pieces.next()
      } catch {
        if Task.isCancelled { throw CancellationError() }
        throw JobError(.remoteFailed, "the remote registry's answer broke off", cause: error)
      }
      guard let piece else { return }
      try await take(piece)
    }
  }

  // MARK: Writing

  /// Whether the repository has a blob.
  func hasBlob(_ digest: Digest) async throws -> Bool {
    try await asking {
      let response = try await session.send(.HEAD, "blobs/\(digest)")
      if response.status == .notFound { return false }
      guard response.status == .ok else {
        throw await session.failure(response, "blob \(digest)")
      }
      return true
    }
  }

  /// Sends a blob.
  func sendBlob(
    _ digest: Digest, _ body: @escaping @Sendable () throws -> HTTPClientRequest.Body
  ) async throws {
    try await asking {
      let begun = try await session.send(.POST, "blobs/uploads/")
      guard begun.status == .accepted, let location = begun.headers.first(name: "Location") else {
        throw await session.failure(begun, "upload of \(digest)")
      }
      let base = try absolute(location)
      let response = try await session.send(
        .PUT, base + (base.contains("?") ? "&" : "?") + "digest=\(digest)",
        headers: ["Content-Type": "application/octet-stream"], body: body)
      guard response.status == .created || response.status == .noContent else {
        throw await session.failure(response, "upload of \(digest)")
      }
    }
  }

  /// Puts a manifest under a tag or its digest.
  func putManifest(_ bytes: [UInt8], mediaType: String, as reference: String) async throws {
    try await asking {
      let response = try await session.send(
        .PUT, "manifests/\(reference)", headers: ["Content-Type": mediaType]
      ) { .bytes(ByteBuffer(bytes: bytes)) }
      guard response.status == .created || response.status == .ok else {
        throw await session.failure(response, "manifest \(reference)")
      }
    }
  }
}
