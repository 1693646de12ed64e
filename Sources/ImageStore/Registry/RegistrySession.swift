package import AsyncHTTPClient
import FoundationEssentials
package import Logging
import NIOCore
package import NIOHTTP1
package import NIOSSL
import OCI

/// Speaks the distribution API with one repository of one registry.
package final class RegistrySession: Sendable {
  package let endpoint: RegistryEndpoint
  package let repository: String
  private let http: HTTPClient
  private let actions: String
  private let tls: TLSConfiguration
  private let userAgent: String
  private let logger: Logger
  private let authorization: Authorization

  private static let maximumRedirects = 6

  /// A session with `repository` for these token actions, as `pull,push`.
  package init(
    http: HTTPClient, endpoint: RegistryEndpoint, repository: String, actions: String,
    credentials: RegistryCredentials?, tls: TLSConfiguration, userAgent: String, logger: Logger,
    wantsRefreshToken: Bool = false
  ) {
    self.http = http
    self.endpoint = endpoint
    self.repository = repository
    self.actions = actions
    self.tls = tls
    self.userAgent = userAgent
    self.logger = logger
    authorization = Authorization(
      credentials: credentials, wantsRefreshToken: wantsRefreshToken
    ) { request in
      var request = request
      request.tlsConfiguration = tls
      request.headers.replaceOrAdd(name: "User-Agent", value: userAgent)
      let response = try await Self.perform(request, http, logger)
      let body = try await Self.collect(response, limit: 1 << 20)
      return (response.status.code, body)
    }
  }

  /// The same place, asking for a refresh token when it logs in.
  func forLogin(_ credentials: RegistryCredentials) -> RegistrySession {
    RegistrySession(
      http: http, endpoint: endpoint, repository: "", actions: "", credentials: credentials,
      tls: tls, userAgent: userAgent, logger: logger, wantsRefreshToken: true)
  }

  var refreshToken: String? {
    get async { await authorization.refreshToken }
  }

  // MARK: - Requests

  /// A request below `/v2/REPOSITORY/`, or to a whole URL. Follows redirects and meets challenges.
  /// Throws only if no answer comes; what the status means is the caller's affair.
  package func send(
    _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:],
    body: (@Sendable () throws -> HTTPClientRequest.Body)? = nil, extraScopes: [String] = []
  ) async throws -> HTTPClientResponse {
    let url = path.contains("://") ? path : "\(endpoint.base)/v2/\(repository)/\(path)"
    let scopes =
      (repository.isEmpty ? [] : ["repository:\(repository):\(actions)"]) + extraScopes
    for attempt in 0..<3 {
      let header = try await authorization.header(scopes: scopes)
      var request = HTTPClientRequest(url: url)
      request.method = method
      request.headers = headers
      request.headers.replaceOrAdd(name: "User-Agent", value: userAgent)
      if let header, isOurs(url) {
        request.headers.replaceOrAdd(name: "Authorization", value: header)
      }
      request.body = try body?()
      let response = try await follow(request, body: body)
      guard response.status == .unauthorized, attempt < 2,
        let challenge = Challenge.parse(response.headers["WWW-Authenticate"]),
        await authorization.meet(challenge, scopes: scopes, sent: header)
      else { return response }
      _ = try? await Self.collect(response, limit: 1 << 16)  // only to free the connection
    }
    throw ImageStoreError(.unauthorized, "unauthorized: authentication required")
  }

  /// Throws if no HTTP answer comes from the registry, whatever it would be.
  package func probe() async throws {
    var request = HTTPClientRequest(url: "\(endpoint.base)/v2/")
    request.tlsConfiguration = tls
    request.headers.add(name: "User-Agent", value: userAgent)
    let response = try await Self.perform(request, http, logger)
    _ = try? await Self.collect(response, limit: 1 << 16)  // only to free the connection
  }

  /// Whether the URL is of the registry itself; others must not see our credentials.
  private func isOurs(_ url: String) -> Bool {
    url.hasPrefix("\(endpoint.scheme)://\(endpoint.host)/")
  }

  private func follow(
    _ first: HTTPClientRequest, body: (@Sendable () throws -> HTTPClientRequest.Body)?
  ) async throws -> HTTPClientResponse {
    var request = first
    request.tlsConfiguration = tls
    for _ in 0...Self.maximumRedirects {
      let response = try await Self.perform(request, http, logger)
      guard [301, 302, 303, 307, 308].contains(response.status.code),
        request.method == .GET || request.method == .HEAD
          || [307, 308].contains(response.status.code),
        let location = response.headers.first(name: "Location")
      else { return response }
      _ = try? await Self.collect(response, limit: 1 << 16)  // only to free the connection
      let target = try Self.absolute(location, against: request.url)
      if !isOurs(target) { request.headers.remove(name: "Authorization") }
      // Certificates of certs.d are for this registry, not for where it stores its blobs; being
      // excused from TLS is not handed on either.
      request.tlsConfiguration =
        isOurs(target) || !endpoint.verifies ? tls : .makeClientConfiguration()
      request.url = target
      request.body = try body?()
    }
    throw ImageStoreError(
      .registryUnavailable, "the registry redirects too often", metadata: ["url": first.url])
  }

  /// A URL that a `Location` header means.
  package static func absolute(_ location: String, against url: String) throws -> String {
    if location.hasPrefix("http://") || location.hasPrefix("https://") { return location }
    guard let scheme = url.firstRange(of: "://") else {
      throw ImageStoreError(.registryUnavailable, "the registry redirects nowhere")
    }
    if location.hasPrefix("//") { return url[..<scheme.lowerBound] + ":" + location }
    let rest = url[scheme.upperBound...]
    let host = rest.firstIndex(of: "/") ?? rest.endIndex
    if location.hasPrefix("/") { return url[..<host] + location }
    let path = url[..<(url.firstIndex(of: "?") ?? url.endIndex)]
    let folder = path.lastIndex(of: "/") ?? path.endIndex
    return path[..<folder] + "/" + location
  }

  private static func perform(
    _ request: HTTPClientRequest, _ http: HTTPClient, _ logger: Logger
  ) async throws -> HTTPClientResponse {
    do {
      return try await http.execute(request, deadline: .distantFuture)
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      if Task.isCancelled { throw CancellationError() }
      throw ImageStoreError(
        .registryUnavailable, "\(request.method.rawValue) \"\(shown(request.url))\"",
        cause: UnreachableRegistry(error))
    }
  }

  /// A URL without its query, which may hold secrets.
  private static func shown(_ url: String) -> String {
    String(url[..<(url.firstIndex(of: "?") ?? url.endIndex)])
  }

  /// The whole body. Throws if it is larger than `limit`.
  package static func collect(_ response: HTTPClientResponse, limit: Int) async throws -> [UInt8] {
    do {
      var bytes: [UInt8] = []
      for try await piece in response.body {
        bytes.append(contentsOf: piece.readableBytesView)
        guard bytes.count <= limit else {
          throw ImageStoreError(
            .invalidContent, "the registry's answer is larger than is allowed",
            metadata: ["limit": "\(limit)"])
        }
      }
      return bytes
    } catch let error as ImageStoreError {
      throw error
    } catch {
      if Task.isCancelled { throw CancellationError() }
      throw ImageStoreError(
        .registryUnavailable, "the registry's answer broke off", cause: error)
    }
  }

  // MARK: - What errors mean

  private struct ErrorBody: Decodable {
    struct Item: Decodable {
      var code: String?
      var message: String?
    }
    var errors: [Item]?
    var details: String?
  }

  /// Code and message of a registry's error document.
  static func details(_ body: [UInt8]) -> [String: String] {
    let text = errorText(body)
    return text.isEmpty ? [:] : ["detail": text]
  }

  private static func errorText(_ body: [UInt8]) -> String {
    guard let document = try? JSONDecoder().decode(ErrorBody.self, from: Data(body)) else {
      return ""  // not every error has a document
    }
    let items = (document.errors ?? []).map { item in
      let code = (item.code ?? "").lowercased().replacing("_", with: " ")
      return item.message.map { "\(code): \($0)" } ?? code
    }
    return items.isEmpty ? document.details ?? "" : items.joined(separator: "; ")
  }

  /// The error that an answer means. `subject` names what was asked for.
  package func failure(_ response: HTTPClientResponse, _ subject: String) async -> ImageStoreError {
    let body = (try? await Self.collect(response, limit: 1 << 20)) ?? []  // the status says enough
    let detail = Self.errorText(body)
    let status = response.status.code
    switch status {
    case 401:
      return ImageStoreError(
        .unauthorized, detail.isEmpty ? "unauthorized: authentication required" : detail)
    case 403:
      return ImageStoreError(
        .denied, detail.isEmpty ? "denied: requested access to the resource is denied" : detail)
    case 404:
      return ImageStoreError(
        .notFound, "\(subject) not found" + (detail.isEmpty ? "" : ": \(detail)"))
    case 429:
      return ImageStoreError(
        .registryUnavailable, "toomanyrequests: " + (detail.isEmpty ? "slow down" : detail))
    default:
      return ImageStoreError(
        .registryUnavailable,
        "received unexpected HTTP status for \(subject): \(status) \(response.status.reasonPhrase)"
          + (detail.isEmpty ? "" : ": \(detail)"))
    }
  }
}
