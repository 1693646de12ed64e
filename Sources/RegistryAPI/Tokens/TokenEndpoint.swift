// swift-format-ignore-file: AlwaysUseLowerCamelCase

import FoundationEssentials
import Identity
import NIOCore
import NIOHTTP1
import Registry
import Transport

/// The token service: signs what a caller may do, cut down to what was asked for (distribution
/// token authentication, and its OAuth2 form).
struct TokenEndpoint: Sendable {
  let registry: RegistryService
  let identity: IdentityService
  let authenticator: Authenticator
  let authority: TokenAuthority
  let service: String

  /// The JSON answer; `token` and `access_token` are the same, for older and newer clients.
  private struct Answer: Encodable {
    var token: String
    var access_token: String
    var expires_in: Int64
    var issued_at: String
    var refresh_token: String?
    var scope: String?
  }

  /// `GET` with the scope in the query, `POST` with a form.
  func handle(_ exchange: Exchange, query: QueryParameters) async throws {
    switch exchange.request.method {
    case .GET: try await answer(exchange, query, try await authenticator.caller(of: exchange))
    case .POST: try await grant(exchange)
    default: throw RegistryError(.unsupported, "the operation is unsupported")
    }
  }

  private func answer(
    _ exchange: Exchange, _ parameters: QueryParameters, _ caller: Caller, refresh: String? = nil
  ) async throws {
    // Whoever asks with a token gets no more than that token.
    let grants = try await granted(caller, TokenScope.parse(parameters.all("scope")))
    let audience = parameters["service"].flatMap { $0 == service ? $0 : nil } ?? service
    let account = caller.account
    let signed = try await identityErrors {
      try await authority.sign(
        subject: caller.name, accountID: account?.id, audience: audience, grants: grants)
    }
    var refresh = refresh
    let wantsRefresh =
      parameters["offline_token"] == "true" || parameters["access_type"] == "offline"
    if refresh == nil, wantsRefresh, let account, caller.credential == .password {
      refresh = try await identityErrors {
        try await identity.issueRefreshToken(
          for: account.id, service: service, clientID: parameters["client_id"] ?? "")
      }
    }
    let scope = grants.map { "\($0.type):\($0.name):\($0.actions.joined(separator: ","))" }
    let answer = Answer(
      token: signed.token, access_token: signed.token, expires_in: signed.lifetimeSeconds,
      issued_at: signed.issuedAt.description, refresh_token: refresh,
      scope: exchange.request.method == .POST ? scope.joined(separator: " ") : nil)
    let body: Data
    do {
      body = try JSONEncoder().encode(answer)
    } catch {
      throw RegistryError(.unavailable, "the token cannot be written", cause: error)
    }
    try await exchange.respond(
      .ok, headers: ["Content-Type": "application/json", "Cache-Control": "no-store"],
      body: ByteBuffer(bytes: body))
  }

  /// `POST`: an OAuth2 grant by password or by refresh token (RFC 6749, 4.3 and 6).
  private func grant(_ exchange: Exchange) async throws {
    let body = try await exchange.collectBody(upTo: 64 * 1024)
    let form = QueryParameters(String(decoding: body.readableBytesView, as: UTF8.self))
    switch form["grant_type"] {
    case "password":
      guard let name = form["username"], let secret = form["password"] else {
        throw Authenticator.unauthorized(reason: "credentials")
      }
      let caller = try await authenticator.login(
        name: name, secret: secret, address: exchange.peer.address)
      try await answer(exchange, form, caller)
    case "refresh_token":
      guard let token = form["refresh_token"] else {
        throw Authenticator.unauthorized(reason: "credentials")
      }
      let caller: Caller? = try await identityErrors {
        let grant = try await identity.redeemRefreshToken(token, service: service)
        return try await identity.caller(
          for: grant.account.id, address: exchange.peer.address, credential: .bearer)
      }
      guard let caller else { throw Authenticator.unauthorized(reason: "credentials") }
      try await answer(exchange, form, caller, refresh: token)
    default:
      throw RegistryError(.invalidParameters, "unknown grant_type")
    }
  }

  private func identityErrors<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch let error as IdentityError {
      throw Authenticator.error(error)
    }
  }

  /// What of the scopes the caller may have. Too little is no error: the registry answers it later.
  private func granted(_ caller: Caller, _ scopes: [TokenScope]) async throws -> [TokenGrant] {
    var grants: [TokenGrant] = []
    for scope in scopes {
      var actions: [String] = []
      switch scope.type {
      case "repository":
        // A name that is none is granted nothing.
        guard let name = try? RepositoryName(scope.name) else { continue }
        actions = try await registry.grantedActions(caller, on: name, asked: scope.actions)
      case "registry" where scope.name == "catalog":
        actions = caller.isAnonymous ? [] : scope.actions.filter { $0 == "*" }
      default: continue
      }
      guard !actions.isEmpty else { continue }
      grants.append(TokenGrant(type: scope.type, name: scope.name, actions: actions))
    }
    return grants
  }
}
