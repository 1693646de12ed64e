import Glibc

/// One place where a repository can be reached.
package struct RegistryEndpoint: Sendable, Hashable {
  /// `https` or `http`.
  package var scheme: String
  /// `host[:port]`, also the name of its folder of certificates.
  package var host: String
  /// What comes before `/v2/`, for mirrors that live under a path; empty or beginning with a slash.
  package var prefix: String
  package var isMirror: Bool
  /// Whether its certificate must hold.
  package var verifies: Bool

  /// A place of these parts.
  package init(
    scheme: String, host: String, prefix: String = "", isMirror: Bool = false, verifies: Bool
  ) {
    self.scheme = scheme
    self.host = host
    self.prefix = prefix
    self.isMirror = isMirror
    self.verifies = verifies
  }

  /// The URL that API paths are appended to.
  package var base: String { "\(scheme)://\(host)\(prefix)" }
}

/// Decides where to look for a repository.
package struct RegistryPlaces: Sendable {
  let mirrors: [String]
  let insecure: [String]

  /// Places with these mirrors of docker.io and these hosts that are excused from TLS.
  package init(mirrors: [String], insecure: [String]) {
    self.mirrors = mirrors
    self.insecure = insecure
  }

  /// The places in the order to try them. Mirrors only ever serve docker.io, and nothing is pushed
  /// to them.
  func endpoints(domain: String, forPush: Bool) -> [RegistryEndpoint] {
    var found: [RegistryEndpoint] = []
    if domain == "docker.io" {
      if !forPush { found += mirrors.flatMap(mirror) }
      return found + [endpoint("https", "registry-1.docker.io", verifies: true)]
    }
    let isInsecure = isInsecure(domain)
    found.append(endpoint("https", domain, verifies: !isInsecure))
    if isInsecure { found.append(endpoint("http", domain, verifies: false)) }
    return found
  }

  private func endpoint(_ scheme: String, _ host: String, verifies: Bool) -> RegistryEndpoint {
    RegistryEndpoint(scheme: scheme, host: host, prefix: "", isMirror: false, verifies: verifies)
  }

  private func mirror(_ url: String) -> [RegistryEndpoint] {
    var rest = url[...]
    var schemes = ["https"]
    if let range = rest.firstRange(of: "://") {
      schemes = [String(rest[..<range.lowerBound])]
      rest = rest[range.upperBound...]
    }
    while rest.hasSuffix("/") { rest = rest.dropLast() }
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    let host = String(rest[..<slash])
    let isInsecure = isInsecure(host)
    return schemes.map { scheme in
      RegistryEndpoint(
        scheme: scheme, host: host, prefix: String(rest[slash...]), isMirror: true,
        verifies: !isInsecure)
    }
  }

  /// Whether an operator, or being on this very machine, excuses the registry from TLS.
  package func isInsecure(_ host: String) -> Bool {
    let name = Self.withoutPort(host)
    if name == "localhost" { return true }
    for entry in insecure + ["127.0.0.0/8", "::1/128"] {
      if entry == host || entry == name { return true }
      if let range = AddressRange(entry), range.contains(name) { return true }
    }
    return false
  }

  static func withoutPort(_ host: String) -> String {
    if host.hasPrefix("[") {
      let end = host.firstIndex(of: "]") ?? host.endIndex
      return String(host[..<end].dropFirst())
    }
    return String(host[..<(host.lastIndex(of: ":") ?? host.endIndex)])
  }
}

/// Addresses with a common beginning, as in `10.0.0.0/8`.
struct AddressRange {
  private let bytes: [UInt8]
  private let length: Int

  init?(_ text: String) {
    let parts = text.split(separator: "/")
    guard parts.count == 2, let length = Int(parts[1]), let bytes = Self.address(String(parts[0])),
      (0...(bytes.count * 8)).contains(length)
    else { return nil }
    self.bytes = bytes
    self.length = length
  }

  func contains(_ host: String) -> Bool {
    guard let address = Self.address(host), address.count == bytes.count else { return false }
    for bit in 0..<length {
      let mask = UInt8(0x80) >> UInt8(bit % 8)
      if address[bit / 8] & mask != bytes[bit / 8] & mask { return false }
    }
    return true
  }

  private static func address(_ text: String) -> [UInt8]? {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      return withUnsafeBytes(of: &four) { Array($0) }
    }
    var six = in6_addr()
    if inet_pton(AF_INET6, text, &six) == 1 {
      return withUnsafeBytes(of: &six) { Array($0) }
    }
    return nil
  }
}
