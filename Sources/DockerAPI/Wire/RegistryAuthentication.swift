import DockerModel
import FoundationEssentials

extension AuthConfig {
  /// Reads `X-Registry-Auth`: JSON in base64 of either alphabet, with or without padding. Nil when
  /// it is missing or holds no credentials. Throws `invalidParameter`.
  init?(header: String?) throws {
    guard let header, !header.isEmpty else { return nil }
    var text = header.replacing("-", with: "+").replacing("_", with: "/")
    while text.hasSuffix("=") { text.removeLast() }
    text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    guard let data = Data(base64Encoded: text) else {
      throw APIError.invalidParameter("invalid X-Registry-Auth header: not base64")
    }
    let decoded = try JSON.decode(
      AuthConfig?.self, from: String(decoding: data, as: UTF8.self), what: "X-Registry-Auth header")
    guard let decoded else { return nil }
    self = decoded
  }
}
