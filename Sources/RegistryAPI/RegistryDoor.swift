package import Identity
import NIOCore
import NIOHTTP1
import OCI
package import Registry
package import RegistryJobs
package import Transport

/// Serves what the registry's other doors do not: `/api/v0` and the like.
package protocol RegistryRoutes: Sendable {
  /// Answers a request, refusals in its own form too; false when the path is none of its own.
  func handle(_ exchange: Exchange, _ target: RequestTarget) async throws -> Bool
}

/// Everything that a registry answers on its port: the distribution API, tokens, and what operators
/// and machines ask.
package struct RegistryDoor: HTTPHandler {
  let registry: RegistryService
  let authenticator: Authenticator
  let distribution: DistributionDoor
  private let tokens: TokenEndpoint?
  private let meta: MetaEndpoint
  private let others: [any RegistryRoutes]

  /// A door to this registry. `statistics` are those of the server it serves on;
  /// `authorityCertificate` is the PEM text that clients may trust, for `/ca`; `upstream` is another
  /// registry whose images are handed on.
  package init(
    registry: RegistryService, identity: IdentityService, authentication: RegistryAuthentication,
    distribution settings: DistributionSettings, statistics: ServerStatistics? = nil,
    authorityCertificate: String? = nil, upstream: PullThroughCache? = nil,
    others: [any RegistryRoutes] = []
  ) {
    self.registry = registry
    authenticator = Authenticator(identity: identity, authentication: authentication)
    distribution = DistributionDoor(registry: registry, settings: settings, upstream: upstream)
    if case .tokens(let authority, let service) = authentication {
      tokens = TokenEndpoint(
        registry: registry, identity: identity, authenticator: authenticator,
        authority: authority, service: service)
    } else {
      tokens = nil
    }
    meta = MetaEndpoint(
      registry: registry, statistics: statistics, authorityCertificate: authorityCertificate)
    self.others = others
  }

  package func handle(_ exchange: Exchange) async throws {
    let target = RequestTarget(exchange.request.uri)
    var route: DistributionRoute?
    do {
      if let tokens, ["/auth/token", "/token", "/v2/token"].contains(target.path) {
        return try await tokens.handle(exchange, query: target.query)
      }
      if try await meta.handle(exchange, target) { return }
      route = try DistributionRoute(path: target.path)
      if let route { return try await serve(exchange, route, target.query) }
      for routes in others where try await routes.handle(exchange, target) { return }
      try await exchange.respond(
        .notFound, headers: ["Content-Type": "application/json"],
        body: DistributionError.body(code: "NOT_FOUND", message: "there is nothing at this path"))
    } catch let error as RegistryError where !exchange.hasBegun {
      try await fail(exchange, error, route)
    }
  }

  private func serve(
    _ exchange: Exchange, _ route: DistributionRoute, _ query: QueryParameters
  ) async throws {
    let caller = try await authenticator.caller(of: exchange)
    // The base path is how clients find out that they must log in.
    if caller.isAnonymous, route == .base || route == .catalog {
      throw Authenticator.unauthorized(reason: "credentials")
    }
    try await distribution.handle(exchange, route: route, query: query, caller: caller)
  }

  private func fail(
    _ exchange: Exchange, _ error: RegistryError, _ route: DistributionRoute?
  ) async throws {
    var headers = HTTPHeaders()
    if error.code == .unauthorized, let tokens {
      headers.add(name: "WWW-Authenticate", value: challenge(exchange, error, route, tokens))
    }
    var error = error
    // Reasons are for the challenge; they are nothing a client's user would understand.
    error.metadata["reason"] = nil
    try await DistributionDoor.fail(exchange, with: error, headers: headers)
  }

  /// Where to get a token, and for what (RFC 6750, 3).
  private func challenge(
    _ exchange: Exchange, _ error: RegistryError, _ route: DistributionRoute?,
    _ tokens: TokenEndpoint
  ) -> String {
    let realm =
      distribution.settings.tokenRealm ?? distribution.absoluteBase(of: exchange) + "/auth/token"
    var text = "Bearer realm=\"\(realm)\",service=\"\(tokens.service)\""
    if let route, let scope = scope(route, exchange.request.method) {
      text += ",scope=\"\(scope)\""
    }
    switch error.metadata["reason"] {
    case "scope": text += ",error=\"insufficient_scope\""
    case "invalid_token": text += ",error=\"invalid_token\""
    default: break
    }
    return text
  }

  private func scope(_ route: DistributionRoute, _ method: HTTPMethod) -> String? {
    if route == .catalog { return "registry:catalog:*" }
    guard let name = route.name else { return nil }
    let actions =
      switch method {
      case .GET, .HEAD: "pull"
      case .DELETE: "delete"
      default: "pull,push"
      }
    // An upload's state is part of pushing.
    if case .upload = route { return "repository:\(name.text):pull,push" }
    return "repository:\(name.text):\(actions)"
  }
}
