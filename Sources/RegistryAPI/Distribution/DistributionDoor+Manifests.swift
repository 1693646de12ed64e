import Identity
import NIOCore
import NIOHTTP1
import OCI
import Registry
import RegistryJobs
import Transport

extension DistributionDoor {
  func getManifest(
    _ request: Request, _ name: DistributionName, _ reference: Reference
  ) async throws {
    try await upstream?.ensureManifest(name.text, name.repository, reference)
    let repository = try await repository(request, name, .pull)
    let manifest = try await registry.resolveManifest(repository, reference)
    let headers = Self.manifestHeaders(manifest)
    if Self.matches(request.header("If-None-Match"), manifest.digest) {
      return try await request.exchange.respond(.notModified, headers: headers)
    }
    if request.method == .GET {
      registry.recordPull(repository, reference, digest: manifest.digest, by: request.caller)
    }
    try await request.exchange.respond(.ok, headers: headers, body: manifest.content)
  }

  /// The headers of a manifest's answer.
  static func manifestHeaders(_ manifest: StoredManifest) -> HTTPHeaders {
    let digest = manifest.digest.description
    return headers([
      "Content-Type": manifest.mediaType, "Content-Length": String(manifest.size),
      "Docker-Content-Digest": digest, "ETag": "\"\(digest)\"",
      "X-Content-Type-Options": "nosniff",
    ])
  }

  /// Whether an `If-None-Match` header names the digest (RFC 9110, 13.1.2).
  static func matches(_ header: String?, _ digest: Digest) -> Bool {
    guard let header else { return false }
    let text = digest.description
    return header.split(separator: ",").contains { entry in
      var tag = entry.drop { $0 == " " }
      while tag.last == " " { tag = tag.dropLast() }
      if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
      return tag == "*" || tag == "\"\(text)\"" || tag == text
    }
  }

  func putManifest(
    _ request: Request, _ name: DistributionName, _ reference: Reference
  ) async throws {
    let repository = try await repository(request, name, .push)
    let limit = registry.settings.maximumManifestBytes
    let content: ByteBuffer
    do {
      content = try await request.exchange.collectBody(upTo: limit)
    } catch let error as TransportError where error.code == .bodyTooLarge {
      throw RegistryError(
        .manifestTooLarge, "the manifest is too large", metadata: ["limit": "\(limit)"])
    }
    let mediaType = request.header("Content-Type").map(Self.withoutParameters)
    let pushed = try await registry.putManifest(
      repository, reference, mediaType: mediaType, content: content, by: request.caller)
    let digest = pushed.digest.description
    var headers = Self.headers([
      "Location": "\(request.base)/v2/\(name.text)/manifests/\(digest)",
      "Docker-Content-Digest": digest,
    ])
    if let subject = pushed.subject {
      headers.add(name: "OCI-Subject", value: subject.description)
    }
    try await request.exchange.respond(.created, headers: headers)
  }

  private static func withoutParameters(_ mediaType: String) -> String {
    let end = mediaType.firstIndex(of: ";") ?? mediaType.endIndex
    return String(mediaType[..<end].filter { $0 != " " && $0 != "\t" })
  }

  func deleteManifest(
    _ request: Request, _ name: DistributionName, _ reference: Reference
  ) async throws {
    let repository = try await repository(request, name, .deleteTag)
    switch reference {
    case .tag(let tag): try await registry.deleteTag(repository, tag, by: request.caller)
    case .digest(let digest):
      try await registry.deleteManifest(repository, digest, by: request.caller)
    }
    try await request.exchange.respond(.accepted, headers: Self.headers([:]))
  }
}
