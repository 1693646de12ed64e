/// Where a registry is reached: `scheme://host[:port]`.
struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
  static let standard = "http://localhost:5000"

  let description: String

  /// Reads `host[:port]` or a URL. Plain HTTP is spoken with this machine only, unless it is asked
  /// for by `http://` and `isInsecure` holds. Throws ``ClientError``.
  init(_ text: String, isInsecure: Bool) throws {
    var rest = text[...]
    var scheme: Substring?
    if let separator = rest.firstRange(of: "://") {
      scheme = rest[..<separator.lowerBound]
      rest = rest[separator.upperBound...]
    }
    while rest.hasSuffix("/") { rest.removeLast() }
    let allowed = rest.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || ".-_:[]".utf8.contains(byte)
    }
    guard !rest.isEmpty, allowed, scheme.map({ $0 == "http" || $0 == "https" }) ?? true else {
      throw ClientError.usage("\(text) is no registry: it must be HOST[:PORT] or a URL of one")
    }
    let isLocal = Self.isLoopback(rest)
    if scheme == "http", !isLocal, !isInsecure {
      throw ClientError.usage(
        "passwords would go to \(rest) in the clear: use https://, or allow it by --insecure")
    }
    description = "\(scheme ?? (isLocal ? "http" : "https"))://\(rest)"
  }

  private static func isLoopback(_ authority: Substring) -> Bool {
    if authority.hasPrefix("[") { return authority.hasPrefix("[::1]") }
    let host = authority.prefix { $0 != ":" }
    if host.lowercased() == "localhost" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
