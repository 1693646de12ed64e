import Host
import NIOHTTP1
import NIOSSL
import RegistryAPI
import RegistryConfiguration
import Transport

extension RegistryConfiguration {
  /// Where clients are served. What a client sends there is checked by the door behind it, so plain
  /// TCP is for the operator to choose.
  var listener: ListenerConfiguration {
    let settings = http.tls.map { tls in
      TLSSettings(
        certificatePath: tls.certificate, keyPath: tls.key,
        clientAuthorityPaths: tls.clientAuthorities,
        minimumVersion: tls.minimumVersion == .tls13 ? .tlsv13 : .tlsv12)
    }
    let address: ListenAddress =
      switch http.address {
      case .tcp(let host, let port): .tcp(host: host.isEmpty ? "0.0.0.0" : host, port: port)
      case .unix(let path): .unix(path: path)
      }
    return ListenerConfiguration(address, tls: settings, allowsPlainTCP: true)
  }

  /// What connections and requests may take.
  var serverLimits: HTTPServerLimits {
    var result = HTTPServerLimits()
    result.connections = limits.connections
    result.headTimeout = limits.headTimeout
    result.bodyIdleTimeout = limits.bodyIdleTimeout
    result.shutdownTimeout = http.drainTimeout
    return result
  }

  /// The headers of every answer.
  var commonHeaders: HTTPHeaders {
    var result = HTTPHeaders()
    for (name, values) in http.headers.sorted(by: { $0.key < $1.key }) {
      for value in values { result.add(name: name, value: value) }
    }
    return result
  }

  /// How the distribution API answers.
  var distributionSettings: DistributionSettings {
    var result = DistributionSettings()
    result.scheme = http.tls == nil ? "http" : "https"
    result.publicURL = http.publicURL
    result.hasRelativeURLs = http.hasRelativeURLs
    result.longestPage = limits.pageEntries
    if case .tokens(let service) = authentication { result.tokenRealm = service.realm }
    return result
  }

  /// The certificates that clients may trust this registry by, as PEM text; nil without TLS. Of a
  /// file that holds a key as well only the certificates are given. Throws `SystemError`.
  func certificates() throws -> String? {
    guard let path = http.tls?.certificate else { return nil }
    let text = String(decoding: try Paths.read(path), as: UTF8.self)
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
    var rest = text[...]
    var found = ""
    while let start = rest.firstRange(of: begin), let stop = rest.firstRange(of: end),
      start.lowerBound < stop.lowerBound
    {
      found += rest[start.lowerBound..<stop.upperBound] + "\n"
      rest = rest[stop.upperBound...]
    }
    return found.isEmpty ? nil : found
  }
}
