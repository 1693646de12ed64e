import FoundationEssentials
import Identity
import Logging
import NIOCore
import NIOHTTP1
import Registry
import RegistryJobs
package import Transport

/// The REST API of the registry: `/api/v0`, and the account service's `/enzi/v0`.
package struct RESTDoor: RegistryRoutes {
  /// Every operation there is.
  static let table = RESTOperationTable(
    RepositoryOperations.all + TagOperations.all + AccessOperations.all + PolicyOperations.all
      + JobOperations.all + EventOperations.all + AccountOperations.all + TokenOperations.all
      + MetaOperations.all)

  private let services: RESTServices
  private let authenticator: Authenticator
  private let sessions: Sessions
  private let description: ByteBuffer

  /// A door to these services. `isEncrypted` says whether clients reach it by TLS.
  package init(
    services: RESTServices, authentication: RegistryAuthentication, isEncrypted: Bool
  ) throws {
    self.services = services
    authenticator = Authenticator(
      identity: services.identity, authentication: authentication)
    sessions = Sessions(identity: services.identity, isEncrypted: isEncrypted)
    description = try OpenAPIDocument(Self.table.operations, version: services.version).bytes()
  }

  /// Answers a request to one of the API's paths; false when it is none.
  package func handle(_ exchange: Exchange, _ target: RequestTarget) async throws -> Bool {
    switch target.path {
    case "/api/v0/openapi.json", "/api/v0/docs.json":
      try await answering(exchange) { try await describe(exchange) }
      return true
    case "/login_submit", "/login":
      guard exchange.request.method == .POST else { return false }
      try await answering(exchange) { try await login(exchange) }
      return true
    case "/logout":
      try await answering(exchange) { try await logout(exchange) }
      return true
    default: break
    }
    guard
      target.path.hasPrefix("/api/v0/") || target.path.hasPrefix("/enzi/v0/")
        || target.path == "/v1/search"
    else { return false }
    try await answering(exchange) { try await serve(exchange, target) }
    return true
  }

  private func serve(_ exchange: Exchange, _ target: RequestTarget) async throws {
    var path: [String] = []
    for segment in target.path.split(separator: "/") {
      guard let text = PercentCoding.decode(segment), !text.utf8.contains(0) else {
        throw RESTError.invalidParameters("the path has a malformed escape")
      }
      path.append(text)
    }
    let operation: RESTOperation
    let captures: [String: String]
    switch Self.table.match(exchange.request.method, path) {
    case .operation(let found, let holes): (operation, captures) = (found, holes)
    case .otherMethods(let methods):
      guard !methods.isEmpty else {
        throw RESTError(.notFound, "NOT_FOUND", "there is nothing at this path")
      }
      throw RESTError(
        .methodNotAllowed, "NOT_ALLOWED", "the path takes other methods",
        detail: ["methods": methods.sorted().joined(separator: ", ")])
    }
    let caller = try await caller(exchange, target.query)
    let request = RESTRequest(
      exchange: exchange, caller: caller, services: services, captures: captures,
      query: target.query)
    switch operation.facts.access {
    case .anyone: break
    case .user: if caller.isAnonymous { throw RESTError.notAuthenticated }
    case .administrator: try request.requireAdministrator()
    }
    try await operation.run(request)
  }

  /// Who asks: by the `Authorization` header, an access token in the query, or a session's cookie.
  private func caller(_ exchange: Exchange, _ query: QueryParameters) async throws -> Caller {
    if exchange.request.headers.contains(name: "Authorization") {
      var caller = try await authenticator.caller(of: exchange)
      guard caller.credential == .bearer else { return caller }
      // A token that was asked for without a scope stands for its user; one with scopes is for those
      // repositories only.
      guard caller.grants?.isEmpty ?? true else { throw RESTError.notAuthorized }
      caller.grants = nil
      return caller
    }
    if let token = query["refresh_token"], !token.isEmpty {
      return try await sessions.caller(refreshToken: token, address: exchange.peer.address)
    }
    if let caller = try await sessions.caller(of: exchange) { return caller }
    return try await authenticator.caller(of: exchange)
  }

  private func describe(_ exchange: Exchange) async throws {
    try await exchange.respond(
      .ok, headers: ["Content-Type": "application/json"], body: description)
  }

  private func login(_ exchange: Exchange) async throws {
    let body = try await exchange.collectBody(upTo: 16 << 10)
    let form = QueryParameters(String(decoding: body.readableBytesView, as: UTF8.self))
    guard let name = form["username"], let secret = form["password"] else {
      throw RESTError.invalidParameters("username and password are needed")
    }
    let caller = try await authenticator.login(
      name: name, secret: secret, address: exchange.peer.address)
    guard let account = caller.account else { throw RESTError.notAuthenticated }
    let headers = try await sessions.begin(account)
    try await RESTRequest.respond(exchange, .ok, AccountWire(account), headers)
  }

  private func logout(_ exchange: Exchange) async throws {
    let headers = try await sessions.end(exchange)
    try await exchange.respond(.noContent, headers: headers)
  }

  /// Turns errors into answers.
  private func answering(_ exchange: Exchange, _ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch {
      guard !exchange.hasBegun, let refusal = RESTError(error) else { throw error }
      if refusal.status.code >= 500 {
        exchange.logger.error("a request failed", metadata: ["error": "\(error)"])
      }
      try await Self.fail(exchange, refusal)
    }
  }

  private static func fail(_ exchange: Exchange, _ error: RESTError) async throws {
    var headers: HTTPHeaders = ["Content-Type": "application/json", "Cache-Control": "no-store"]
    if error.status == .unauthorized {
      headers.add(name: "WWW-Authenticate", value: "Basic realm=\"martlet\", charset=\"UTF-8\"")
    }
    if let seconds = error.retryAfter {
      headers.add(name: "Retry-After", value: "\(seconds)")
    }
    let document = Errors(
      errors: [
        .init(
          code: error.code, message: error.message,
          detail: error.detail.isEmpty ? nil : error.detail)
      ])
    try await exchange.respond(
      error.status, headers: headers, body: try RESTRequest.json(document))
  }
}

extension RESTRequest {
  /// Sends a document that no operation of the table answers with.
  static func respond(
    _ exchange: Exchange, _ status: HTTPResponseStatus, _ value: some Encodable,
    _ headers: HTTPHeaders
  ) async throws {
    var headers = headers
    headers.add(name: "Content-Type", value: "application/json")
    headers.add(name: "Cache-Control", value: "no-store")
    try await exchange.respond(status, headers: headers, body: try json(value))
  }
}
