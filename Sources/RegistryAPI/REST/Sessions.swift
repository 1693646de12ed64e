import Crypto
import FoundationEssentials
import Identity
import NIOHTTP1
import Transport

/// Sessions of browsers: a cookie that only the registry reads, which ends with the password, and
/// one that scripts read and send back with every change, so that no other site can make changes.
struct Sessions: Sendable {
  private static let service = "registry-session"
  private static let sessionCookie = "root_session"
  private static let csrfCookie = "csrftoken"

  let identity: IdentityService
  let isEncrypted: Bool

  /// Begins a session; answers the headers that set its cookies.
  func begin(_ account: Account) async throws -> HTTPHeaders {
    let token = try await identity.issueRefreshToken(
      for: account.id, service: Self.service, clientID: "browser")
    let rest = "; Path=/; SameSite=Lax" + (isEncrypted ? "; Secure" : "")
    var headers = HTTPHeaders()
    headers.add(name: "Set-Cookie", value: "\(Self.sessionCookie)=\(token); HttpOnly\(rest)")
    headers.add(name: "Set-Cookie", value: "\(Self.csrfCookie)=\(Self.csrf(token))\(rest)")
    return headers
  }

  /// Ends the request's session, if it has one; answers the headers that take its cookies away.
  func end(_ exchange: Exchange) async throws -> HTTPHeaders {
    if let token = Self.cookie(Self.sessionCookie, exchange) {
      do {
        try await identity.revokeRefreshToken(token)
      } catch let error as IdentityError where error.code == .noSuchToken {
        // It has ended already.
      }
    }
    var headers = HTTPHeaders()
    for name in [Self.sessionCookie, Self.csrfCookie] {
      headers.add(name: "Set-Cookie", value: "\(name)=; Path=/; Max-Age=0")
    }
    return headers
  }

  /// Who a request's session belongs to; nil without one. Throws ``RESTError`` for a change without
  /// the second cookie's value in its header.
  func caller(of exchange: Exchange) async throws -> Caller? {
    guard let token = Self.cookie(Self.sessionCookie, exchange) else { return nil }
    let caller = try await caller(
      token, service: Self.service, credential: .session, exchange.peer.address)
    if ![.GET, .HEAD, .OPTIONS].contains(exchange.request.method) {
      let sent = exchange.request.headers.first(name: "X-Csrf-Token") ?? ""
      guard Self.isEqual(sent, Self.csrf(token)) else {
        throw RESTError(
          .forbidden, "NOT_AUTHORIZED", "the X-Csrf-Token header does not fit the session")
      }
    }
    return caller
  }

  /// Whoever an access token in a query stands for: tokens of older tools.
  func caller(refreshToken token: String, address: String?) async throws -> Caller {
    // A personal access token does not say whose it is; a refresh token of docker does.
    try await caller(
      token, service: "martlet-registry", credential: .accessToken, address)
  }

  private func caller(
    _ token: String, service: String, credential: Caller.Credential, _ address: String?
  ) async throws -> Caller {
    do {
      let grant = try await identity.redeemRefreshToken(token, service: service)
      guard
        let caller = try await identity.caller(
          for: grant.account.id, address: address, credential: credential)
      else { throw RESTError.notAuthenticated }
      return caller
    } catch let error as IdentityError where error.code == .noSuchToken {
      throw RESTError.notAuthenticated
    }
  }

  private static func csrf(_ token: String) -> String {
    let digits = Array("0123456789abcdef".utf8)
    let bytes = SHA256.hash(data: Array("csrf:\(token)".utf8))
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private static func isEqual(_ left: String, _ right: String) -> Bool {
    let (a, b) = (Array(left.utf8), Array(right.utf8))
    guard a.count == b.count else { return false }
    return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private static func cookie(_ name: String, _ exchange: Exchange) -> String? {
    for header in exchange.request.headers[canonicalForm: "Cookie"] {
      for part in header.split(separator: ";") {
        let pair = part.split(separator: "=", maxSplits: 1)
        guard pair.count == 2 else { continue }
        if pair[0].trimmingPrefix(while: { $0 == " " }) == name { return String(pair[1]) }
      }
    }
    return nil
  }
}
