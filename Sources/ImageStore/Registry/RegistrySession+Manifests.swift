import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import OCI

/// A manifest as a registry handed it out.
struct FetchedManifest: Sendable {
  var bytes: [UInt8]
  var descriptor: ContentDescriptor
  var document: ManifestDocument
}

extension RegistrySession {
  /// Gets a manifest by tag or digest; what comes for a digest must have it.
  func manifest(_ reference: ImageReference) async throws -> FetchedManifest {
    let name = reference.digest?.description ?? reference.tag ?? "latest"
    var headers = HTTPHeaders()
    for type in MediaType.acceptedManifests + [MediaType.dockerSchema1Signed] {
      headers.add(name: "Accept", value: type)
    }
    let response = try await send(.GET, "manifests/\(name)", headers: headers)
    guard response.status == .ok else {
      throw await failure(response, "manifest for \(reference.familiar)")
    }
    let bytes = try await Self.collect(response, limit: ManifestDocument.maximumBytes)
    let digest: Digest
    if let wanted = reference.digest {
      digest = Self.digest(of: bytes, wanted.algorithm)
      guard digest == wanted else {
        throw ImageStoreError(
          .invalidContent, "manifest verification failed for digest \(wanted)",
          metadata: ["found": "\(digest)"])
      }
    } else {
      digest = Digest.sha256(of: bytes)
    }
    do {
      let (document, mediaType) = try ManifestDocument.parse(
        bytes, declared: response.headers.first(name: "Content-Type"))
      return FetchedManifest(
        bytes: bytes,
        descriptor: ContentDescriptor(
          mediaType: mediaType, digest: digest, size: Int64(bytes.count)),
        document: document)
    } catch let error as OCIError {
      throw ImageStoreError(
        error.code == .unsupportedDocument ? .unsupported : .invalidContent, error.description)
    }
  }

  /// The manifest of one image for the platform, and the index it was chosen from, if any.
  func image(
    _ reference: ImageReference, platform: Platform
  ) async throws -> (manifest: Manifest, fetched: FetchedManifest, top: FetchedManifest) {
    let top = try await manifest(reference)
    var current = top
    for _ in 0..<4 {
      switch current.document {
      case .image(let manifest): return (manifest, current, top)
      case .index(let index):
        guard let chosen = index.manifest(for: platform) else {
          throw ImageStoreError(
            .notFound,
            "no matching manifest for \(platform) in the manifest list entries")
        }
        current = try await manifest(reference.with(digest: chosen.digest))
      }
    }
    throw ImageStoreError(.invalidContent, "the image's indexes are nested too deeply")
  }

  static func digest(of bytes: [UInt8], _ algorithm: Digest.Algorithm) -> Digest {
    var hasher = DigestHasher(algorithm)
    bytes.withUnsafeBytes { hasher.update($0) }
    return hasher.finalize()
  }

  /// Gets a small blob whole and checks it.
  func blob(_ descriptor: ContentDescriptor, limit: Int) async throws -> [UInt8] {
    let response = try await send(.GET, "blobs/\(descriptor.digest)")
    guard response.status == .ok else {
      throw await failure(response, "blob \(descriptor.digest)")
    }
    let bytes = try await Self.collect(response, limit: limit)
    guard Self.digest(of: bytes, descriptor.digest.algorithm) == descriptor.digest else {
      throw ImageStoreError(
        .invalidContent, "image config verification failed for digest \(descriptor.digest)")
    }
    return bytes
  }

  private struct TagList: Decodable {
    var tags: [String]?
  }

  /// All tags of the repository, page by page.
  package func tags() async throws -> [String] {
    var tags: [String] = []
    var next: String? = "tags/list"
    while let path = next {
      let response = try await send(.GET, path)
      guard response.status == .ok else { throw await failure(response, "repository") }
      let body = try await Self.collect(response, limit: 16 << 20)
      let page = try BoundedJSON.decode(
        TagList.self, from: body, kind: "tag list", maximumBytes: 16 << 20)
      tags += page.tags ?? []
      next = nil
      if let link = response.headers.first(name: "Link"), let start = link.firstIndex(of: "<"),
        let end = link.firstIndex(of: ">"), start < end, tags.count < 100_000
      {
        next = try Self.absolute(
          String(link[link.index(after: start)..<end]),
          against: "\(endpoint.base)/v2/\(repository)/tags/list")
      }
    }
    return tags
  }
}
