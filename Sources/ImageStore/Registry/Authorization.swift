import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// What to send as `Authorization`, worked out from a registry's challenge and remembered per scope.
actor Authorization {
  /// Makes a request for a token; the session's own way to the network.
  typealias Exchange = @Sendable (HTTPClientRequest) async throws -> (status: UInt, body: [UInt8])

  private let credentials: RegistryCredentials?
  private let exchange: Exchange
  private let wantsRefreshToken: Bool
  private var challenge: Challenge?
  private var tokens: [String: (value: String, expires: ContinuousClock.Instant)] = [:]
  private var pending: [String: Task<String, any Error>] = [:]
  /// A refresh token that the token service gave, if it was asked for one.
  private(set) var refreshToken: String?

  init(
    credentials: RegistryCredentials?, wantsRefreshToken: Bool = false,
    exchange: @escaping Exchange
  ) {
    self.credentials = (credentials?.isEmpty ?? true) ? nil : credentials
    self.wantsRefreshToken = wantsRefreshToken
    self.exchange = exchange
  }

  /// The header's value for what is known so far; nil before the first challenge.
  func header(scopes: [String]) async throws -> String? {
    if let token = credentials?.registryToken, !token.isEmpty { return "Bearer " + token }
    switch challenge {
    case nil: return nil
    case .basic: return basic()
    case .bearer(let realm, let service, let scope):
      let wanted = scopes.isEmpty ? scope.map { [$0] } ?? [] : scopes
      return "Bearer " + (try await token(realm, service, wanted))
    }
  }

  /// Takes in the challenge to a request that carried `sent` as its header; whether another try
  /// makes sense. Several requests may be under way, all challenged alike.
  func meet(_ challenge: Challenge, scopes: [String], sent: String?) -> Bool {
    if credentials?.registryToken?.isEmpty == false { return false }
    self.challenge = challenge
    if challenge == .basic { return sent == nil && basic() != nil }
    // A token may have expired or may not have been enough.
    let key = scopes.joined(separator: " ")
    if let sent, let token = tokens[key], sent == "Bearer " + token.value { tokens[key] = nil }
    return true
  }

  private func basic() -> String? {
    guard let credentials, !credentials.username.isEmpty else { return nil }
    let pair = credentials.username + ":" + credentials.password
    return "Basic " + TextEncoding.base64(Array(pair.utf8))
  }

  private func token(_ realm: String, _ service: String?, _ scopes: [String]) async throws -> String
  {
    let key = scopes.joined(separator: " ")
    if let known = tokens[key], known.expires > .now { return known.value }
    if let running = pending[key] { return try await running.value }
    let task = Task { try await self.fetch(realm, service, scopes, key) }
    pending[key] = task
    defer { pending[key] = nil }
    return try await task.value
  }

  private struct Answer: Decodable {
    var token: String?
    var accessToken: String?
    var expiresIn: Int?
    var refreshToken: String?

    enum CodingKeys: String, CodingKey {
      case token
      case accessToken = "access_token"
      case expiresIn = "expires_in"
      case refreshToken = "refresh_token"
    }
  }

  private func fetch(
    _ realm: String, _ service: String?, _ scopes: [String], _ key: String
  ) async throws -> String {
    let (status, body) = try await exchange(request(realm, service, scopes))
    switch status {
    case 200..<300: break
    case 401, 403:
      throw ImageStoreError(
        .unauthorized,
        credentials == nil
          ? "unauthorized: authentication required"
          : "unauthorized: incorrect username or password",
        metadata: RegistrySession.details(body))
    default:
      throw ImageStoreError(
        .registryUnavailable, "the token service answered with an error",
        metadata: ["status": "\(status)", "realm": realm])
    }
    let answer: Answer
    do {
      answer = try JSONDecoder().decode(Answer.self, from: Data(body))
    } catch {
      throw ImageStoreError(
        .registryUnavailable, "the token service's answer cannot be read",
        metadata: ["realm": realm], cause: error)
    }
    guard let token = answer.token ?? answer.accessToken, !token.isEmpty else {
      throw ImageStoreError(
        .registryUnavailable, "authorization server did not include a token in the response",
        metadata: ["realm": realm])
    }
    refreshToken = answer.refreshToken ?? refreshToken
    // A little early, so that it does not expire on the way.
    let life = max(10, min(answer.expiresIn ?? 60, 3600) - 10)
    tokens[key] = (token, .now + .seconds(life))
    return token
  }

  private func request(
    _ realm: String, _ service: String?, _ scopes: [String]
  ) -> HTTPClientRequest {
    var pairs: [(String, String)] = service.map { [("service", $0)] } ?? []
    if let identity = credentials?.identityToken, !identity.isEmpty {
      pairs += [("grant_type", "refresh_token"), ("refresh_token", identity)]
      pairs += [("client_id", "docker"), ("scope", scopes.joined(separator: " "))]
      var request = HTTPClientRequest(url: realm)
      request.method = .POST
      request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
      request.body = .bytes(ByteBuffer(string: TextEncoding.form(pairs)))
      return request
    }
    pairs += scopes.map { ("scope", $0) }
    if wantsRefreshToken { pairs += [("offline_token", "true"), ("client_id", "docker")] }
    if let credentials, !credentials.username.isEmpty {
      pairs.append(("account", credentials.username))
    }
    let separator = realm.contains("?") ? "&" : "?"
    var request = HTTPClientRequest(
      url: pairs.isEmpty ? realm : realm + separator + TextEncoding.form(pairs))
    if let basic = basic() { request.headers.add(name: "Authorization", value: basic) }
    return request
  }
}
