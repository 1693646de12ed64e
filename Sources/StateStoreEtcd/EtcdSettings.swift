/// How to reach an etcd cluster, and which part of it is ours.
package struct EtcdSettings: Hashable, Sendable {
  /// What a connection is secured with. Files are in PEM.
  package struct TLS: Hashable, Sendable {
    /// The file with the certificates that the servers' must lead to; nil for the machine's.
    package var authorityFile: String?
    /// The file with the client's certificate and what leads to it; nil for none.
    package var certificateFile: String?
    /// The file with the key of the client's certificate.
    package var keyFile: String?
    /// The name that the servers' certificates must have; nil for the endpoint's host.
    package var serverName: String?

    /// Security of these parts.
    package init(
      authorityFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil,
      serverName: String? = nil
    ) {
      self.authorityFile = authorityFile
      self.certificateFile = certificateFile
      self.keyFile = keyFile
      self.serverName = serverName
    }
  }

  /// The key prefix of those who name none.
  package static let defaultPrefix = "/martlet/"

  /// The members of one cluster, each `HOST:PORT`, `http://HOST:PORT` or `https://HOST:PORT`; the
  /// port is 2379 when none is named. `https` is secured even without `tls`.
  package var endpoints: [String]
  /// What every key of ours begins with in etcd, so that several users share a cluster; a slash is
  /// added where it does not end with one. Empty when all keys are ours.
  package var prefix: String
  /// What connections are secured with; nil leaves those of endpoints without `https` in the open.
  package var tls: TLS?
  /// The user to be; nil when the cluster asks for none.
  package var username: String?
  /// The user's password.
  package var password: String?
  /// How long opening the store may take.
  package var dialTimeout: Duration
  /// How long one request may take, with everything that is tried for it.
  package var requestTimeout: Duration

  /// Settings of these parts.
  package init(
    endpoints: [String], prefix: String = EtcdSettings.defaultPrefix, tls: TLS? = nil,
    username: String? = nil, password: String? = nil, dialTimeout: Duration = .seconds(5),
    requestTimeout: Duration = .seconds(10)
  ) {
    self.endpoints = endpoints
    self.prefix = prefix
    self.tls = tls
    self.username = username
    self.password = password
    self.dialTimeout = dialTimeout
    self.requestTimeout = requestTimeout
  }
}

/// One member of a cluster.
struct EtcdEndpoint: Hashable, Sendable, CustomStringConvertible {
  /// A name, or an address without brackets.
  var host: String
  var port: Int
  var isSecure: Bool

  var description: String {
    let host = self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]" : self.host
    return "\(isSecure ? "https" : "http")://\(host):\(port)"
  }

  /// The member that `text` names; nil when it names none.
  init?(_ text: String, secureByDefault: Bool) {
    var rest = Substring(text)
    isSecure = secureByDefault
    if rest.hasPrefix("https://") {
      isSecure = true
      rest = rest.dropFirst(8)
    } else if rest.hasPrefix("http://") {
      isSecure = false
      rest = rest.dropFirst(7)
    }
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    guard let (host, port) = EtcdEndpoint.split(rest) else { return nil }
    let allowed = host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/?#@[]".utf8.contains($0) }
    guard !host.isEmpty, host.utf8.count <= 255, allowed else { return nil }
    self.host = String(host)
    self.port = port
  }

  private static func split(_ text: Substring) -> (Substring, Int)? {
    var host = text
    var port: Substring?
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else { return nil }
      host = text[text.index(after: text.startIndex)..<close]
      let rest = text[text.index(after: close)...]
      guard rest.isEmpty || rest.first == ":" else { return nil }
      port = rest.isEmpty ? nil : rest.dropFirst()
    } else if let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      port = text[text.index(after: colon)...]
      guard !host.contains(":") else { return nil }
    }
    guard let port else { return (host, 2379) }
    guard let number = Int(port), (1...65_535).contains(number), port.allSatisfy(\.isNumber) else {
      return nil
    }
    return (host, number)
  }
}
