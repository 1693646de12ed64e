import DockerModel
import NIOCore
import NIOHTTP1
import Transport

/// A request on its way through a route.
struct APIRequest: Sendable {
  /// Bodies that are read as a whole.
  static let bodyLimit = 16 << 20

  let exchange: Exchange
  let version: APIVersion
  let query: Query
  /// What the path gives for the holes of the route's pattern, in order.
  let captures: [String]
  let backends: Backends
  /// The headers of every answer.
  let headers: HTTPHeaders

  /// The first thing named by the path: a container, an image, a network, …
  var name: String { captures.first ?? "" }

  func header(_ name: String) -> String? { exchange.request.headers.first(name: name) }

  /// The credentials sent along. Throws `invalidParameter`.
  func registryAuthentication() throws -> AuthConfig? {
    try AuthConfig(header: header("x-registry-auth"))
  }

  // MARK: The body

  private var hasBody: Bool { exchange.body.declaredLength != 0 }

  /// Throws `invalidParameter` when a body comes as something other than JSON.
  func checkContentType() throws {
    let value = header("content-type") ?? ""
    if value.isEmpty, !hasBody { return }
    let media = value.split(separator: ";", maxSplits: 1).first.map(String.init) ?? ""
    let trimmed = media.split(separator: " ").joined().lowercased()
    guard trimmed == "application/json" else {
      throw APIError.invalidParameter(
        "Content-Type specified (\(value)) must be 'application/json'")
    }
  }

  /// Decodes the body. Throws `invalidParameter`.
  func json<Value: Decodable>(_ type: Value.Type) async throws -> Value {
    try checkContentType()
    return try JSON.decode(type, from: try await exchange.collectBody(upTo: Self.bodyLimit))
  }

  /// Decodes the body; nil when there is none. Throws `invalidParameter`.
  func jsonIfPresent<Value: Decodable>(_ type: Value.Type) async throws -> Value? {
    guard hasBody else { return nil }
    try checkContentType()
    let bytes = try await exchange.collectBody(upTo: Self.bodyLimit)
    if bytes.readableBytes == 0 { return nil }
    return try JSON.decode(type, from: bytes)
  }

  // MARK: The answer

  func headers(contentType: String) -> HTTPHeaders {
    var all = headers
    all.add(name: "Content-Type", value: contentType)
    return all
  }

  /// Answers without a body.
  func respond(_ status: HTTPResponseStatus) async throws {
    try await exchange.respond(status, headers: headers)
  }

  /// Answers with JSON.
  func respond(_ status: HTTPResponseStatus = .ok, json value: some Encodable) async throws {
    try await respond(status, bytes: try JSON.encode(value))
  }

  /// Answers with JSON that is encoded already.
  func respond(_ status: HTTPResponseStatus = .ok, bytes: ByteBuffer) async throws {
    try await exchange.respond(
      status, headers: headers(contentType: "application/json"), body: bytes)
  }

  /// Answers with an error.
  func respond(_ error: APIError) async throws {
    let status = error.code.status
    guard status.mayHaveResponseBody else { return try await respond(status) }
    try await respond(status, bytes: Envelope.body(error.message))
  }
}

extension APIError.Code {
  /// The one table from kinds of failure to HTTP.
  var status: HTTPResponseStatus {
    switch self {
    case .invalidParameter: .badRequest
    case .notFound: .notFound
    case .conflict: .conflict
    case .unauthorized: .unauthorized
    case .forbidden: .forbidden
    case .notModified: .notModified
    case .unavailable: .serviceUnavailable
    case .notImplemented: .notImplemented
    case .system: .internalServerError
    }
  }
}
