package import Identity
import Logging
import NIOCore
package import NIOHTTP1
import OCI
package import Registry
package import RegistryJobs
package import Transport

/// What an operator decides about the distribution API.
package struct DistributionSettings: Sendable {
  /// Whether `Location` headers hold only a path. The reference registry's `http.relativeurls`.
  package var hasRelativeURLs = false
  /// The scheme, host and port clients see, without a slash at the end; nil takes them from each
  /// request. The reference registry's `http.host`.
  package var publicURL: String?
  /// The URL of the token service in challenges; nil for the one of this registry, as the client
  /// reaches it.
  package var tokenRealm: String?
  /// How many entries a page has at most when a client asks for more.
  package var longestPage = 10_000
  /// The scheme that the listener speaks.
  package var scheme = "http"

  /// The usual settings.
  package init() {}
}

/// The OCI distribution API 1.1 over a registry: reads requests, asks whether the caller may, and
/// puts what the registry says into headers and statuses.
package struct DistributionDoor: Sendable {
  let registry: RegistryService
  let settings: DistributionSettings
  /// The other registry whose images are handed on, if any.
  let upstream: PullThroughCache?

  /// An API over this registry.
  package init(
    registry: RegistryService, settings: DistributionSettings, upstream: PullThroughCache? = nil
  ) {
    self.registry = registry
    self.settings = settings
    self.upstream = upstream
  }

  /// One request under way.
  struct Request {
    let exchange: Exchange
    let caller: Caller
    let query: QueryParameters
    /// What links in answers begin with; empty for relative ones.
    let base: String

    var method: HTTPMethod { exchange.request.method }
    func header(_ name: String) -> String? { exchange.request.headers.first(name: name) }
  }

  /// Serves one request of a caller that has been recognised. Throws `RegistryError`, which the
  /// caller answers by ``fail(_:with:)``, and what `Exchange` throws.
  package func handle(
    _ exchange: Exchange, route: DistributionRoute, query: QueryParameters, caller: Caller
  ) async throws {
    let request = Request(
      exchange: exchange, caller: caller, query: query, base: base(of: exchange))
    switch (route, exchange.request.method) {
    case (.base, .GET), (.base, .HEAD): try await answerBase(request)
    case (.catalog, .GET), (.catalog, .HEAD): try await listRepositories(request)
    case (.tags(let name), .GET), (.tags(let name), .HEAD): try await listTags(request, name)
    case (.manifest(let name, let reference), .GET), (.manifest(let name, let reference), .HEAD):
      try await getManifest(request, name, reference)
    case (.manifest(let name, let reference), .PUT):
      try await putManifest(request, name, reference)
    case (.manifest(let name, let reference), .DELETE):
      try await deleteManifest(request, name, reference)
    case (.blob(let name, let digest), .GET), (.blob(let name, let digest), .HEAD):
      try await getBlob(request, name, digest)
    case (.blob(let name, let digest), .DELETE): try await deleteBlob(request, name, digest)
    case (.uploads(let name), .POST): try await beginUpload(request, name)
    case (.upload(let name, let id), .GET), (.upload(let name, let id), .HEAD):
      try await lookAtUpload(request, name, id)
    case (.upload(let name, let id), .PATCH): try await appendToUpload(request, name, id)
    case (.upload(let name, let id), .PUT): try await finishUpload(request, name, id)
    case (.upload(let name, let id), .DELETE): try await cancelUpload(request, name, id)
    case (.referrers(let name, let digest), .GET), (.referrers(let name, let digest), .HEAD):
      try await listReferrers(request, name, digest)
    default: throw RegistryError(.unsupported, "the operation is unsupported")
    }
  }

  /// The repository, if the caller may do this with it. Throws `RegistryError`.
  func repository(
    _ request: Request, _ name: DistributionName, _ action: RepositoryAction
  ) async throws -> Repository {
    if action == .push {
      guard upstream == nil else {
        throw RegistryError(
          .unsupported, "this registry hands on the images of another and takes none")
      }
      return try await registry.authorizePush(request.caller, to: name.repository)
    }
    return try await registry.authorize(request.caller, action, on: name.repository)
  }

  private func answerBase(_ request: Request) async throws {
    try await request.exchange.respond(
      .ok, headers: Self.headers(["Content-Type": "application/json"]),
      body: ByteBuffer(string: "{}"))
  }

  /// Headers of an answer with what every answer has.
  static func headers(_ pairs: [(String, String)]) -> HTTPHeaders {
    var headers = HTTPHeaders()
    headers.reserveCapacity(pairs.count + 2)
    headers.add(name: "Docker-Distribution-Api-Version", value: "registry/2.0")
    for (name, value) in pairs { headers.add(name: name, value: value) }
    return headers
  }

  static func headers(_ pairs: KeyValuePairs<String, String>) -> HTTPHeaders {
    headers(pairs.map { ($0.key, $0.value) })
  }

  private func base(of exchange: Exchange) -> String {
    settings.hasRelativeURLs ? "" : absoluteBase(of: exchange)
  }

  /// The scheme and host that the client reached us by.
  func absoluteBase(of exchange: Exchange) -> String {
    if let url = settings.publicURL { return url }
    let headers = exchange.request.headers
    guard let host = headers.first(name: "X-Forwarded-Host") ?? headers.first(name: "Host"),
      !host.isEmpty
    else { return "" }
    switch headers.first(name: "X-Forwarded-Proto") {
    case "https": return "https://" + host
    case "http": return "http://" + host
    default: return settings.scheme + "://" + host
    }
  }

  /// Answers an error in the API's form.
  package static func fail(
    _ exchange: Exchange, with error: RegistryError, headers extra: HTTPHeaders = [:]
  ) async throws {
    let (status, code) = DistributionError.answer(to: error.code)
    var headers = headers(["Content-Type": "application/json"])
    headers.add(contentsOf: extra)
    if let seconds = error.metadata["retryAfter"] {
      headers.add(name: "Retry-After", value: seconds)
    }
    if status.code >= 500 {
      exchange.logger.error(
        "request failed", metadata: ["request": "\(exchange.id)", "error": "\(error)"])
    }
    try await exchange.respond(
      status, headers: headers,
      body: DistributionError.body(code: code, message: error.message, detail: error.metadata))
  }
}
