import DockerModel
package import Logging
import NIOCore
import NIOHTTP1
package import Transport

/// The Docker Engine API over HTTP: finds the route, checks what the client sent, asks the backends,
/// and words the answer as clients expect it.
package struct DockerDoor: HTTPHandler {
  private let backends: Backends
  private let routes: RouteTable
  private let headers: HTTPHeaders
  private let logger: Logger

  /// `server` is the `Server` header, as in `Martlet/0.1 (linux)`.
  package init(backends: Backends, server: String, logger: Logger) {
    self.backends = backends
    self.logger = logger
    headers = [
      "Api-Version": "\(APIVersion.maximum)", "Docker-Experimental": "false", "Ostype": "linux",
      "Server": server,
    ]
    var routes = RouteTable()
    ContainerRoutes.add(to: &routes)
    ContainerStreamRoutes.add(to: &routes)
    ExecRoutes.add(to: &routes)
    ImageRoutes.add(to: &routes)
    ImageStreamRoutes.add(to: &routes)
    NetworkRoutes.add(to: &routes)
    VolumeRoutes.add(to: &routes)
    SystemRoutes.add(to: &routes)
    AbsentRoutes.add(to: &routes)
    self.routes = routes
  }

  package func handle(_ exchange: Exchange) async throws {
    do {
      try await route(exchange)
    } catch {
      guard !exchange.hasBegun else { throw error }
      try await answer(error, to: exchange)
    }
  }

  private func route(_ exchange: Exchange) async throws {
    let target = Self.target(exchange.request.uri)
    guard let decoded = PercentCoding.decode(target.path) else {
      throw APIError.invalidParameter("invalid URL escape in path")
    }
    var path = decoded.split(separator: "/").map(String.init)
    var version = APIVersion.maximum
    if let first = path.first, first.hasPrefix("v"), let given = APIVersion(first.dropFirst()) {
      try Self.check(given, written: String(first.dropFirst()))
      version = given
      path.removeFirst()
    }
    if exchange.request.method == .OPTIONS {
      return try await exchange.respond(.ok, headers: headers)
    }
    guard let (handler, captures) = routes.resolve(exchange.request.method, path) else {
      throw APIError.notFound("page not found")
    }
    try await handler(
      APIRequest(
        exchange: exchange, version: version, query: try Query(target.query), captures: captures,
        backends: backends, headers: headers))
  }

  private static func check(_ version: APIVersion, written text: String) throws {
    if version > .maximum {
      throw APIError.invalidParameter(
        "client version \(text) is too new. Maximum supported API version is \(APIVersion.maximum)")
    }
    if version < .minimum {
      throw APIError.invalidParameter(
        "client version \(text) is too old. Minimum supported API version is "
          + "\(APIVersion.minimum), please upgrade your client to a newer version")
    }
  }

  /// The path and the query of a request's target, which proxies' clients send with scheme and host.
  private static func target(_ uri: String) -> (path: Substring, query: Substring) {
    var rest = uri[...]
    if !rest.hasPrefix("/"), let scheme = rest.firstRange(of: "://") {
      let authority = rest[scheme.upperBound...]
      rest = authority.firstIndex(of: "/").map { authority[$0...] } ?? "/"
    }
    if let fragment = rest.firstIndex(of: "#") { rest = rest[..<fragment] }
    guard let mark = rest.firstIndex(of: "?") else { return (rest, "") }
    return (rest[..<mark], rest[rest.index(after: mark)...])
  }

  private func answer(_ error: any Error, to exchange: Exchange) async throws {
    let failure: APIError
    switch error {
    case let error as APIError: failure = error
    case is TransportError, is CancellationError: throw error
    default: failure = APIError(.system, "\(error)", cause: error)
    }
    if failure.code == .system {
      logger.error(
        "request failed",
        metadata: [
          "request": "\(exchange.id)", "method": "\(exchange.request.method)",
          "uri": "\(exchange.request.uri)", "error": "\(failure)",
          "cause": "\(failure.cause.map { "\($0)" } ?? "none")",
        ])
    }
    let status = failure.code.status
    guard status.mayHaveResponseBody else {
      return try await exchange.respond(status, headers: headers)
    }
    var headers = headers
    headers.add(name: "Content-Type", value: "application/json")
    try await exchange.respond(status, headers: headers, body: Envelope.body(failure.message))
  }
}
