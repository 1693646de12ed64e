import BlobStorage
import Identity
import NIOCore
import NIOHTTP1
import OCI
import Registry
import RegistryJobs
import Transport

extension DistributionDoor {
  func getBlob(_ request: Request, _ name: DistributionName, _ digest: Digest) async throws {
    try await upstream?.ensureBlob(name.text, name.repository, digest)
    let repository = try await repository(request, name, .pull)
    let blob = try await registry.blob(repository, digest)
    var headers = Self.headers([
      "Content-Type": "application/octet-stream", "Docker-Content-Digest": digest.description,
      "ETag": "\"\(digest)\"", "Accept-Ranges": "bytes",
      "Cache-Control": "max-age=31536000, immutable", "X-Content-Type-Options": "nosniff",
    ])
    if Self.matches(request.header("If-None-Match"), digest) {
      return try await request.exchange.respond(.notModified, headers: headers)
    }
    let range = ByteRange(request.header("Range"), size: blob.size)
    switch range {
    case .unsatisfiable:
      headers.add(name: "Content-Range", value: "bytes */\(blob.size)")
      return try await request.exchange.respond(.rangeNotSatisfiable, headers: headers)
    case .part(let part):
      headers.add(
        name: "Content-Range",
        value: "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(blob.size)")
      headers.add(name: "Content-Length", value: String(part.count))
      try await send(request, blob, .partialContent, headers, part)
    case .whole:
      if request.method == .GET, let url = try await registry.redirect(to: blob) {
        headers.add(name: "Location", value: url)
        // The URL is good for minutes only.
        headers.replaceOrAdd(name: "Cache-Control", value: "no-store")
        headers.add(name: "Content-Length", value: "0")
        return try await request.exchange.respond(.temporaryRedirect, headers: headers)
      }
      headers.add(name: "Content-Length", value: String(blob.size))
      try await send(request, blob, .ok, headers, nil)
    }
  }

  private func send(
    _ request: Request, _ blob: StoredBlob, _ status: HTTPResponseStatus, _ headers: HTTPHeaders,
    _ range: Range<Int64>?
  ) async throws {
    if request.method == .HEAD {
      var headers = headers
      if request.header("Martlet-Accept-Path") != nil, request.exchange.peer.isThisMachine,
        let path = registry.localPath(of: blob)
      {
        headers.add(name: "Martlet-Blob-Path", value: path)
      }
      return try await request.exchange.respond(status, headers: headers)
    }
    let body = try await registry.readBlob(blob, range: range)
    try await BlobResponse.send(body, status, headers, through: request.exchange)
  }

  func deleteBlob(_ request: Request, _ name: DistributionName, _ digest: Digest) async throws {
    let repository = try await repository(request, name, .deleteTag)
    try await registry.deleteBlob(repository, digest, by: request.caller)
    try await request.exchange.respond(.accepted, headers: Self.headers([:]))
  }
}

/// What a `Range` header asks of some content (RFC 9110, 14.2). Several ranges, other units and
/// malformed ones are ignored, as the standard allows.
enum ByteRange: Hashable, Sendable {
  case whole
  case part(Range<Int64>)
  case unsatisfiable

  init(_ header: String?, size: Int64) {
    self = .whole
    guard let header, header.hasPrefix("bytes=") else { return }
    let ends = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2 else { return }
    if ends[0].isEmpty {
      guard let count = Self.number(ends[1]) else { return }
      self = count == 0 || size == 0 ? .unsatisfiable : .part(max(0, size - count)..<size)
      return
    }
    guard let first = Self.number(ends[0]) else { return }
    var last = size - 1
    if !ends[1].isEmpty {
      guard let end = Self.number(ends[1]), end >= first else { return }
      last = min(end, last)
    }
    self = first >= size ? .unsatisfiable : .part(first..<(last + 1))
  }

  private static func number(_ text: Substring) -> Int64? {
    guard let first = text.utf8.first, (48...57).contains(first) else { return nil }
    return Int64(text)
  }
}
