import FoundationEssentials
package import Identity
import NIOHTTP1
import Registry
package import Transport

/// How callers are recognised.
package enum RegistryAuthentication: Sendable {
  /// Everybody may do everything.
  case none
  /// By tokens of our own token service, and by name and password or access token.
  case tokens(TokenAuthority, service: String)
}

/// Finds out who asks.
package struct Authenticator: Sendable {
  let identity: IdentityService
  let authentication: RegistryAuthentication

  /// An authenticator over these accounts.
  package init(identity: IdentityService, authentication: RegistryAuthentication) {
    self.identity = identity
    self.authentication = authentication
  }

  /// The caller of a request by its `Authorization` header; anonymous without one. Throws
  /// `RegistryError` (`unauthorized`, `denied`, `tooManyRequests`).
  package func caller(of exchange: Exchange) async throws -> Caller {
    guard case .tokens(let authority, let service) = authentication else {
      return .system
    }
    let address = exchange.peer.address
    switch Credentials(exchange.request.headers.first(name: "Authorization")) {
    case .none: return .anonymous(address: address)
    case .malformed: throw Self.unauthorized(reason: "malformed")
    case .basic(let name, let secret):
      return try await login(name: name, secret: secret, address: address)
    case .bearer(let token):
      return try await translating {
        let claims = try await authority.verify(token, audience: service)
        guard let caller = try await identity.caller(for: claims, address: address) else {
          throw Self.unauthorized(reason: "invalid_token")
        }
        return caller
      }
    }
  }

  /// The caller with this name and password or access token.
  func login(name: String, secret: String, address: String?) async throws -> Caller {
    try await translating {
      try await identity.authenticate(name: name, secret: secret, address: address)
    }
  }

  private func translating(_ body: () async throws -> Caller) async throws -> Caller {
    do {
      return try await body()
    } catch let error as IdentityError {
      throw Self.error(error)
    }
  }

  /// What an error of Identity means to a client of the registry.
  static func error(_ error: IdentityError) -> RegistryError {
    switch error.code {
    case .unauthenticated, .invalidToken, .noSuchToken, .noSuchAccount:
      return unauthorized(reason: error.code == .invalidToken ? "invalid_token" : "credentials")
    case .inactive: return RegistryError(.denied, "the account is not active")
    case .throttled:
      let seconds = error.retryAfter.map { max(1, $0.components.seconds) } ?? 1
      return RegistryError(
        .tooManyRequests, "too many failed logins", metadata: ["retryAfter": "\(seconds)"])
    case .invalidRequest, .invalidPassword:
      return RegistryError(.invalidParameters, error.message, metadata: error.metadata)
    default: return RegistryError(.unavailable, "accounts cannot be read", cause: error)
    }
  }

  static func unauthorized(reason: String) -> RegistryError {
    RegistryError(.unauthorized, "authentication required", metadata: ["reason": reason])
  }
}

/// What an `Authorization` header holds.
enum Credentials: Hashable, Sendable {
  case none
  case malformed
  case basic(name: String, secret: String)
  case bearer(String)

  /// The longest header that is looked at.
  private static let limit = 16 * 1024

  init(_ header: String?) {
    guard let header, !header.isEmpty else {
      self = .none
      return
    }
    self = .malformed
    guard header.utf8.count <= Self.limit, let space = header.firstIndex(of: " ") else { return }
    let value = header[header.index(after: space)...].drop { $0 == " " }
    switch header[..<space].lowercased() {
    case "basic":
      guard let data = Data(base64Encoded: String(value)),
        let text = String(validating: data, as: UTF8.self), let colon = text.firstIndex(of: ":")
      else { return }
      self = .basic(
        name: String(text[..<colon]), secret: String(text[text.index(after: colon)...]))
    case "bearer": self = value.isEmpty ? .malformed : .bearer(String(value))
    default: return
    }
  }
}
