import NIOCore
import NIOHTTP1
import Registry
import Transport

/// What machines ask about the registry itself: `/_ping`, `/health`, `/metrics`, `/nginx_status`,
/// `/ca`.
struct MetaEndpoint: Sendable {
  let registry: RegistryService
  let statistics: ServerStatistics?
  let authorityCertificate: String?

  /// Answers the request when it is one of these; false when not.
  func handle(_ exchange: Exchange, _ target: RequestTarget) async throws -> Bool {
    switch target.path {
    case "/_ping", "/health", "/metrics", "/nginx_status", "/ca": break
    default: return false
    }
    guard exchange.request.method == .GET || exchange.request.method == .HEAD else {
      throw RegistryError(.unsupported, "the operation is unsupported")
    }
    if let (type, text) = self.text(target.path) {
      try await exchange.respond(
        .ok, headers: ["Content-Type": type], body: ByteBuffer(string: text))
      return true
    }
    // what this server does not have is nothing to be healthy about
    guard target.path == "/_ping" || target.path == "/health" else { return false }
    let problems = target.path == "/health" ? await problems() : [:]
    var body = ByteBuffer()
    let isHealthy = problems.isEmpty
    body.writeString(isHealthy ? "{\"Error\":\"\",\"Healthy\":true}" : "{\"Error\":")
    if !isHealthy {
      body.writeJSONString(
        problems.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
          .joined(separator: "; "))
      body.writeStaticString(",\"Healthy\":false}")
    }
    body.writeStaticString("\n")
    try await exchange.respond(
      isHealthy ? .ok : .serviceUnavailable, headers: ["Content-Type": "application/json"],
      body: body)
    return true
  }

  /// The answers that are plain text, with their types.
  private func text(_ path: Substring) -> (type: String, text: String)? {
    switch path {
    case "/metrics":
      statistics.map { ("text/plain; version=0.0.4", MetricsText.prometheus($0.snapshot)) }
    case "/nginx_status": statistics.map { ("text/plain", MetricsText.stubStatus($0.snapshot)) }
    case "/ca": authorityCertificate.map { ("text/plain", $0) }
    default: nil
    }
  }

  /// What does not work, by part.
  private func problems() async -> [String: String] {
    var problems: [String: String] = [:]
    do { try await registry.checkStorage() } catch { problems["storage"] = "\(error)" }
    do { try await registry.checkStore() } catch { problems["metadata"] = "\(error)" }
    return problems
  }
}
