/// Where a server listens.
package enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// A unix socket's absolute path.
  case unix(path: String)
  /// A host name or address, and a port; 0 lets the kernel choose one.
  case tcp(host: String, port: Int)

  /// Reads what `-H` takes: `unix://PATH`, `tcp://[HOST][:PORT]`, `HOST:PORT`, a path. Ports left out
  /// are 2375, or 2376 with TLS. Throws `badConfiguration`.
  package init(_ text: String, tls: Bool = false, defaultSocket: String = "/run/docker.sock") throws
  {
    if text.hasPrefix("unix://") {
      let path = String(text.dropFirst(7))
      self = .unix(path: path.isEmpty ? defaultSocket : path)
    } else if text.hasPrefix("tcp://") {
      self = try Self.tcp(text.dropFirst(6), in: text, tls: tls)
    } else if text.hasPrefix("/") {
      self = .unix(path: text)
    } else if text.contains("://") || text.isEmpty {
      throw Self.invalid(text)
    } else {
      self = try Self.tcp(text[...], in: text, tls: tls)
    }
  }

  private static func tcp(_ part: Substring, in text: String, tls: Bool) throws -> ListenAddress {
    var rest = part.hasSuffix("/") ? part.dropLast() : part
    var host = Substring("localhost")
    if rest.hasPrefix("[") {
      guard let end = rest.firstIndex(of: "]") else { throw invalid(text) }
      host = rest[rest.index(after: rest.startIndex)..<end]
      rest = rest[rest.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { throw invalid(text) }
    } else if let colon = rest.firstIndex(of: ":") {
      if colon > rest.startIndex { host = rest[..<colon] }
      rest = rest[colon...]
    } else {
      if !rest.isEmpty { host = rest }
      rest = ""
    }
    guard !host.isEmpty, !host.contains("/"), !host.contains(" ") else { throw invalid(text) }
    if rest.isEmpty { return .tcp(host: String(host), port: tls ? 2376 : 2375) }
    guard let port = UInt16(rest.dropFirst()) else { throw invalid(text) }
    return .tcp(host: String(host), port: Int(port))
  }

  private static func invalid(_ text: String) -> TransportError {
    TransportError(
      code: .badConfiguration, message: "invalid listen address", metadata: ["address": text])
  }

  package var description: String {
    switch self {
    case .unix(let path): "unix://\(path)"
    case .tcp(let host, let port):
      host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
    }
  }
}
