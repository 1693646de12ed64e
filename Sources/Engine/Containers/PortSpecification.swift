import DockerModel

/// A container's port as the API writes it, `80/tcp`.
struct PortSpecification: Hashable, Sendable {
  /// The port.
  var port: UInt16
  /// `tcp`, `udp` or `sctp`.
  var proto: String

  /// Reads `80`, `80/tcp`.
  /// - Throws: `invalidParameter`.
  init(_ text: String) throws {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard let first = parts.first, let port = UInt16(first), port > 0, parts.count <= 2 else {
      throw APIError.invalidParameter("invalid port specification: \"\(text)\"")
    }
    let proto = parts.count == 2 ? parts[1].lowercased() : "tcp"
    guard ["tcp", "udp", "sctp"].contains(proto) else {
      throw APIError.invalidParameter("invalid proto: \(proto)")
    }
    self.port = port
    self.proto = proto
  }

  /// All ports of `8000-8010/tcp`.
  /// - Throws: `invalidParameter`.
  static func range(_ text: String) throws -> [PortSpecification] {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let bounds = (parts.first ?? "").split(separator: "-", omittingEmptySubsequences: false)
    guard bounds.count == 2, let low = UInt16(bounds[0]), let high = UInt16(bounds[1]), low <= high
    else { return [try PortSpecification(text)] }
    let suffix = parts.count == 2 ? "/" + parts[1] : ""
    return try (low...high).map { try PortSpecification("\($0)\(suffix)") }
  }

  /// The host ports of a binding: `8080`, `8000-8010`, or nil for any.
  /// - Throws: `invalidParameter`.
  static func hostPorts(_ text: String) throws -> ClosedRange<UInt16>? {
    if text.isEmpty || text == "0" { return nil }
    let bounds = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
    guard let low = bounds.first ?? nil, let high = bounds.last ?? nil, bounds.count <= 2,
      low <= high, low > 0
    else { throw APIError.invalidParameter("invalid port specification: \"\(text)\"") }
    return low...high
  }

  /// As the API writes it.
  var text: String { "\(port)/\(proto)" }
}
