import Identity
import NIOHTTP1
import Transport

/// Personal access tokens.
enum TokenOperations {
  private static let root = "/api/v0/api_tokens"
  private static let username = RESTParameter.string(
    "username", "Whose tokens; the caller's own unless given. Others' are for administrators.")
  private static let missing: (HTTPResponseStatus, String) = (.notFound, "NO_SUCH_API_TOKEN")

  static let all: [RESTOperation] = [
    RESTOperation(
      .GET, root,
      .init(
        "listTokens", "tokens", "List a user's access tokens.",
        query: RESTParameter.page + [username], errors: [(.notFound, "NO_SUCH_USER")])
    ) { request in
      let owner = try await owner(request)
      let tokens = try await request.identity.accessTokens(of: owner.id)
      return .init(tokens.map { TokenWire($0) })
    },
    RESTOperation(
      .POST, root,
      .init(
        "createToken", "tokens", "Create an access token; it is shown this once.",
        query: [username], errors: [(.notFound, "NO_SUCH_USER")]), takes: TokenForm.self
    ) { request, form in
      let owner = try await owner(request)
      let made = try await request.identity.createAccessToken(
        for: owner.id, label: form.tokenLabel ?? "", expiresAt: form.expiresAt)
      return .init(
        TokenWire(
          made.token, secret: made.secret,
          userAgent: request.exchange.request.headers.first(name: "User-Agent") ?? ""))
    },
    RESTOperation(
      .DELETE, root,
      .init(
        "deleteTokens", "tokens", "Delete tokens that were not used for long.",
        query: [
          username, .string("usedbefore", "Only those last used before this time."),
          .string("generatedby", "Only those made by this; `auto` unless given."),
        ], errors: [(.notFound, "NO_SUCH_USER")])
    ) { try await deleteMany($0) },
    RESTOperation(
      .GET, root + "/{token}",
      .init(
        "getToken", "tokens", "Show an access token.", query: [username], errors: [missing])
    ) { request in
      let (owner, id) = try await token(request)
      return .init(TokenWire(try await request.identity.accessToken(id, of: owner.id)))
    },
    RESTOperation(
      .PATCH, root + "/{token}",
      .init(
        "updateToken", "tokens", "Rename an access token, or switch it off and on.",
        query: [username], errors: [missing]), takes: TokenChangeForm.self
    ) { request, form in
      let (owner, id) = try await token(request)
      return .init(
        TokenWire(
          try await request.identity.updateAccessToken(
            id, of: owner.id, label: form.tokenLabel, isActive: form.isActive)))
    },
    RESTOperation(
      .DELETE, root + "/{token}",
      .init(
        "deleteToken", "tokens", "Delete an access token.", query: [username], errors: [missing])
    ) { request in
      let (owner, id) = try await token(request)
      try await request.identity.deleteAccessToken(id, of: owner.id)
      return .init(Nothing())
    },
  ]

  private static func owner(_ request: RESTRequest) async throws -> Account {
    guard let name = request.query["username"], !name.isEmpty else { return try request.user() }
    let caller = request.caller
    guard caller.isAdmin || caller.account?.name.description == name else {
      throw RESTError.notAuthorized
    }
    do {
      return try await request.identity.account(nameOrID: name)
    } catch let error as IdentityError where error.code == .noSuchAccount {
      throw RESTError(.notFound, "NO_SUCH_USER", "there is no such user")
    }
  }

  private static func token(
    _ request: RESTRequest
  ) async throws -> (owner: Account, id: AccessTokenID) {
    guard let id = AccessTokenID(request.path("token")) else {
      throw RESTError(.notFound, "NO_SUCH_API_TOKEN", "there is no such token")
    }
    return (try await owner(request), id)
  }

  private static func deleteMany(_ request: RESTRequest) async throws -> RESTAnswer<Nothing> {
    let owner = try await owner(request)
    var bound: Timestamp?
    if let text = request.query["usedbefore"], !text.isEmpty {
      guard let time = Timestamp(text) else {
        throw RESTError.invalidParameters("usedbefore must be a time such as 2026-01-31T12:00:00Z")
      }
      bound = time
    }
    let maker = request.query["generatedby"] ?? "auto"
    for token in try await request.identity.accessTokens(of: owner.id)
    where token.generatedBy == maker
      && (bound.map { (token.lastUsedAt ?? token.createdAt) < $0 } ?? true)
    {
      try await request.identity.deleteAccessToken(token.id, of: owner.id)
    }
    return .init(Nothing())
  }
}
