import FoundationEssentials
import Identity
import NIOCore
import NIOHTTP1
import OCI
import Registry
import Transport

extension DistributionDoor {
  func listTags(_ request: Request, _ name: DistributionName) async throws {
    let repository = try await repository(request, name, .pull)
    let limit = try pageSize(request)
    var body = ByteBuffer()
    body.writeStaticString("{\"name\":")
    body.writeJSONString(name.text)
    body.writeStaticString(",\"tags\":[")
    guard limit != nil || request.query["last"] != nil else {
      let list = try await registry.tagList(repository)
      body.writeImmutableBuffer(list.encoding(Self.texts))
      body.writeStaticString("]}\n")
      return try await answer(request, body, nil)
    }
    let page = try await registry.tags(repository, after: request.query["last"], limit: limit)
    body.writeImmutableBuffer(Self.texts(page.items))
    body.writeStaticString("]}\n")
    let link = page.more ? next(request, "/v2/\(name.text)/tags/list", page.items.last, limit) : nil
    try await answer(request, body, link)
  }

  func listRepositories(_ request: Request) async throws {
    let limit = try pageSize(request)
    // The reference registry's page when a client asks for none.
    let page = try await registry.catalog(
      request.caller, after: request.query["last"], limit: limit ?? settings.longestPage)
    var body = ByteBuffer()
    body.writeStaticString("{\"repositories\":[")
    body.writeImmutableBuffer(Self.texts(page.items.map(\.description)))
    body.writeStaticString("]}\n")
    let size = limit ?? settings.longestPage
    let link = page.more ? next(request, "/v2/_catalog", page.items.last?.description, size) : nil
    try await answer(request, body, link)
  }

  /// How many entries the client wants; nil for all. Throws `invalidParameters`.
  private func pageSize(_ request: Request) throws -> Int? {
    guard let text = request.query["n"] else { return nil }
    guard let size = Int(text), size >= 0 else {
      throw RegistryError(.invalidPageSize, "invalid number of results requested")
    }
    return min(size, settings.longestPage)
  }

  private func next(_ request: Request, _ path: String, _ last: String?, _ limit: Int?) -> String? {
    guard let last, let limit else { return nil }
    return "<\(path)?last=\(PercentCoding.encode(last))&n=\(limit)>; rel=\"next\""
  }

  private func answer(_ request: Request, _ body: ByteBuffer, _ link: String?) async throws {
    var headers = Self.headers(["Content-Type": "application/json"])
    if let link { headers.add(name: "Link", value: link) }
    try await request.exchange.respond(.ok, headers: headers, body: body)
  }

  /// The elements of an array of strings.
  private static func texts(_ texts: [String]) -> ByteBuffer {
    var bytes = ByteBuffer()
    bytes.reserveCapacity(texts.reduce(0) { $0 + $1.utf8.count + 3 })
    for (index, text) in texts.enumerated() {
      if index > 0 { bytes.writeStaticString(",") }
      bytes.writeJSONString(text)
    }
    return bytes
  }

  /// The index that a list of referrers is answered as.
  private struct ReferrersIndex: Encodable {
    var schemaVersion = 2
    var mediaType = "application/vnd.oci.image.index.v1+json"
    var manifests: [ReferrersList.Referrer]
  }

  func listReferrers(
    _ request: Request, _ name: DistributionName, _ digest: Digest
  ) async throws {
    let repository = try await repository(request, name, .pull)
    // Media types have no spaces, but many have a plus that a person did not escape.
    let artifactType = request.query["artifactType"].map { type in
      String(type.map { $0 == " " ? "+" : $0 })
    }
    let list = try await registry.referrers(repository, of: digest, artifactType: artifactType)
    let index = ReferrersIndex(manifests: list.manifests)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    let body: Data
    do {
      body = try encoder.encode(index)
    } catch {
      throw RegistryError(.corrupt, "the list of referrers cannot be written", cause: error)
    }
    var headers = Self.headers(["Content-Type": index.mediaType])
    if list.isFiltered { headers.add(name: "OCI-Filters-Applied", value: "artifactType") }
    try await request.exchange.respond(.ok, headers: headers, body: ByteBuffer(bytes: body))
  }
}
