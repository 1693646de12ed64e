import Identity
import Logging
import NIOCore
import NIOHTTP1
import OCI
import Registry
import Transport

extension DistributionDoor {
  // MARK: - Beginning

  /// `POST …/blobs/uploads/`: a mount, a whole blob in one request, or the beginning of an upload.
  func beginUpload(_ request: Request, _ name: DistributionName) async throws {
    let repository = try await repository(request, name, .push)
    if let text = request.query["mount"], let digest = Digest(text) {
      // A source that is none, or may not be seen, only means that there is nothing to mount.
      let source = request.query["from"].flatMap { try? RepositoryName($0) }
      let isAnywhere = request.query["from"] == nil
      if source != nil || isAnywhere,
        try await registry.mount(repository, digest, from: source, by: request.caller)
      {
        return try await answerStored(request, name, digest)
      }
    }
    let expected = try request.query["digest"].map(Self.digest)
    let session = try await registry.beginUpload(repository, by: request.caller)
    guard let expected else {
      try await session.suspend()
      return try await answerUpload(request, name, session.id, .accepted, size: 0)
    }
    do {
      try await receive(request, into: session, limit: nil)
      _ = try await session.finish(expected, by: request.caller)
    } catch {
      await abandon(session)
      throw error
    }
    try await answerStored(request, name, expected)
  }

  private static func digest(_ text: String) throws -> Digest {
    guard let digest = Digest(text) else {
      throw RegistryError(
        .digestInvalid, "invalid digest", metadata: ["digest": String(text.prefix(200))])
    }
    return digest
  }

  // MARK: - Going on

  /// `GET …/blobs/uploads/ID`: how much has arrived.
  func lookAtUpload(_ request: Request, _ name: DistributionName, _ id: String) async throws {
    let repository = try await repository(request, name, .push)
    let size = try await registry.uploadSize(repository, id: id)
    try await answerUpload(request, name, id, .noContent, size: size)
  }

  /// `PATCH …/blobs/uploads/ID`: the next piece.
  func appendToUpload(_ request: Request, _ name: DistributionName, _ id: String) async throws {
    let repository = try await repository(request, name, .push)
    let session = try await registry.uploadSession(repository, id: id)
    let size: Int64
    do {
      let limit = try await checkRange(request, at: session.size)
      try await receive(request, into: session, limit: limit)
      size = await session.size
    } catch {
      await suspendQuietly(session, request)
      throw error
    }
    try await session.suspend()
    try await answerUpload(request, name, id, .accepted, size: size)
  }

  /// `PUT …/blobs/uploads/ID?digest=DIGEST`: the last piece, if there is one, and the end.
  func finishUpload(_ request: Request, _ name: DistributionName, _ id: String) async throws {
    let repository = try await repository(request, name, .push)
    guard let text = request.query["digest"] else {
      // Looked for first, so that an unknown upload is told as such.
      _ = try await registry.uploadSize(repository, id: id)
      throw RegistryError(.digestInvalid, "the digest is missing")
    }
    let session = try await registry.uploadSession(repository, id: id)
    let stored: StoredBlob
    do {
      let expected = try Self.digest(text)
      let limit = try await checkRange(request, at: session.size)
      try await receive(request, into: session, limit: limit)
      stored = try await session.finish(expected, by: request.caller)
    } catch let error as RegistryError where error.code == .digestInvalid {
      await abandon(session)
      throw error
    } catch {
      await suspendQuietly(session, request)
      throw error
    }
    try await answerStored(request, name, stored.digest)
  }

  /// `DELETE …/blobs/uploads/ID`
  func cancelUpload(_ request: Request, _ name: DistributionName, _ id: String) async throws {
    let repository = try await repository(request, name, .push)
    try await registry.uploadSession(repository, id: id).cancel()
    try await request.exchange.respond(.noContent, headers: Self.headers([:]))
  }

  /// Checks that the piece begins where the last one ended; gives how long it may be, nil when the
  /// client did not say. Throws `rangeInvalid`.
  private func checkRange(_ request: Request, at size: Int64) throws -> Int64? {
    guard let text = request.header("Content-Range") else { return nil }
    let range = text.hasPrefix("bytes ") ? text.dropFirst(6) : text[...]
    let ends = (range.split(separator: "/", maxSplits: 1).first ?? "").split(separator: "-")
    guard ends.count == 2, let first = Int64(ends[0]), let last = Int64(ends[1]), first >= 0,
      last >= first
    else { throw RegistryError(.uploadInvalid, "invalid Content-Range") }
    guard first == size else {
      throw RegistryError(
        .rangeInvalid, "the piece does not begin where the upload ends",
        metadata: ["range": String(text.prefix(100)), "size": "\(size)"])
    }
    let length = last - first + 1
    if let declared = request.exchange.body.declaredLength, declared != length {
      throw RegistryError(.sizeInvalid, "Content-Range and Content-Length do not agree")
    }
    return length
  }

  private func receive(
    _ request: Request, into session: UploadSession, limit: Int64?
  ) async throws {
    var received: Int64 = 0
    for try await piece in request.exchange.body {
      received += Int64(piece.readableBytes)
      if let limit, received > limit {
        throw RegistryError(.sizeInvalid, "more arrived than was announced")
      }
      try await session.append(piece)
    }
    if let limit, received < limit {
      throw RegistryError(.sizeInvalid, "less arrived than was announced")
    }
  }

  /// Keeps what has arrived for the client's next try. The first error is what is told.
  private func suspendQuietly(_ session: UploadSession, _ request: Request) async {
    do {
      // The request's task may be cancelled already; what arrived is kept all the same.
      try await Task { try await session.suspend() }.value
    } catch {
      request.exchange.logger.debug(
        "an upload that broke off could not be kept",
        metadata: ["upload": "\(session.id)", "error": "\(error)"])
    }
  }

  /// Gives up an upload whose content is not what was announced.
  private func abandon(_ session: UploadSession) async {
    // An upload that cannot be removed now expires later.
    _ = try? await Task { try await session.cancel() }.value
  }

  // MARK: - Answers

  private func answerStored(
    _ request: Request, _ name: DistributionName, _ digest: Digest
  ) async throws {
    try await request.exchange.respond(
      .created,
      headers: Self.headers([
        "Location": "\(request.base)/v2/\(name.text)/blobs/\(digest)",
        "Docker-Content-Digest": digest.description,
      ]))
  }

  private func answerUpload(
    _ request: Request, _ name: DistributionName, _ id: String, _ status: HTTPResponseStatus,
    size: Int64
  ) async throws {
    var headers = Self.headers([
      "Location": "\(request.base)/v2/\(name.text)/blobs/uploads/\(id)",
      "Docker-Upload-UUID": id, "Range": "0-\(max(size - 1, 0))",
    ])
    if status == .accepted { headers.add(name: "Content-Length", value: "0") }
    try await request.exchange.respond(status, headers: headers)
  }
}
