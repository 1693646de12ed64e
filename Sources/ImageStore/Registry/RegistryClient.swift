import AsyncHTTPClient
import Glibc
import Host
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import OCI
import Synchronization

/// Opens sessions with registries.
final class RegistryClient: Sendable {
  private let http: HTTPClient
  private let settings: Mutex<ImageStoreConfiguration>
  private let logger: Logger
  /// Insecure hosts that turned out to speak plain HTTP, so that they are not asked for TLS again.
  private let plainHosts = Mutex<Set<String>>([])

  init(configuration: ImageStoreConfiguration, logger: Logger) {
    settings = Mutex(configuration)
    self.logger = logger
    var options = HTTPClient.Configuration()
    options.redirectConfiguration = .disallow
    options.httpVersion = .http1Only
    options.timeout = .init(connect: .seconds(30), read: .seconds(120))
    // A refused connection is an answer; the callers decide what to try next.
    options.connectionPool.retryConnectionEstablishment = false
    options.connectionPool.idleTimeout = .seconds(20)
    http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: options)
  }

  deinit {
    let http = self.http
    // A client must be shut down before it goes; one that was already says so, which is no news.
    Task { try? await http.shutdown() }
  }

  func update(_ configuration: ImageStoreConfiguration) {
    settings.withLock { $0 = configuration }
  }

  func shutdown() async {
    do {
      try await http.shutdown()
    } catch {
      logger.debug("the registry client was shut down already")
    }
  }

  /// Runs `body` against each place of the repository until one works.
  ///
  /// Plain HTTP is tried only where TLS could not be spoken; a mirror is passed over whatever it
  /// answers. Throws the error that says most.
  func withSession<Value>(
    _ reference: ImageReference, actions: String, credentials: RegistryCredentials?,
    _ body: (RegistrySession) async throws -> Value
  ) async throws -> Value {
    let configuration = settings.withLock { $0 }
    let places = RegistryPlaces(
      mirrors: configuration.mirrors, insecure: configuration.insecureRegistries)
    var endpoints = places.endpoints(domain: reference.domain, forPush: actions != "pull")
    let plain = plainHosts.withLock { $0 }
    endpoints = endpoints.filter { $0.scheme == "http" || !plain.contains($0.host) || $0.verifies }
    var firstError: (any Error)?
    for endpoint in endpoints {
      do {
        let session = try await session(
          endpoint, repository: reference.path, actions: actions,
          credentials: endpoint.isMirror ? nil : credentials)
        // Uploads try again when the connection breaks; whether it can be made at all is found
        // out first.
        if actions != "pull" { try await session.probe() }
        return try await body(session)
      } catch is CancellationError {
        throw CancellationError()
      } catch let error as ImageStoreError {
        if endpoint.isMirror {
          logger.info(
            "a mirror could not serve an image",
            metadata: ["mirror": "\(endpoint.base)", "error": "\(error)"])
          continue
        }
        let unreachable = error.cause as? UnreachableRegistry
        guard let unreachable, endpoint.scheme == "https", !endpoint.verifies else { throw error }
        firstError = error
        if unreachable.isTLS {
          plainHosts.withLock { _ = $0.insert(endpoint.host) }
        }
      }
    }
    throw firstError
      ?? ImageStoreError(
        .registryUnavailable, "no registry could serve the image",
        metadata: ["reference": reference.familiar])
  }

  /// A session with one place.
  func session(
    _ endpoint: RegistryEndpoint, repository: String, actions: String,
    credentials: RegistryCredentials?
  ) async throws -> RegistrySession {
    let configuration = settings.withLock { $0 }
    let tls = try await BlockingPool.shared.run {
      try RegistryCertificates(configuration.certificateDirectories).configuration(for: endpoint)
    }
    return RegistrySession(
      http: http, endpoint: endpoint, repository: repository, actions: actions,
      credentials: credentials, tls: tls, userAgent: configuration.userAgent, logger: logger)
  }

  /// Places to check credentials with.
  func loginEndpoints(_ server: String) -> [RegistryEndpoint] {
    let configuration = settings.withLock { $0 }
    let places = RegistryPlaces(mirrors: [], insecure: configuration.insecureRegistries)
    var host = server
    if let range = host.firstRange(of: "://") { host = String(host[range.upperBound...]) }
    host = String(host[..<(host.firstIndex(of: "/") ?? host.endIndex)])
    let isDockerHub = ["", "index.docker.io", "docker.io", "registry-1.docker.io"].contains(host)
    return places.endpoints(domain: isDockerHub ? "docker.io" : host, forPush: true)
  }
}

/// Certificates of `certs.d`: `*.crt` are authorities, `NAME.cert` with `NAME.key` show who we are.
struct RegistryCertificates {
  private let directories: [String]

  init(_ directories: [String]) { self.directories = directories }

  /// The TLS settings for a place. Blocks. Throws ``ImageStoreError`` naming a file that is bad.
  func configuration(for endpoint: RegistryEndpoint) throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    if !endpoint.verifies { configuration.certificateVerification = .none }
    for directory in directories {
      let folder = "\(directory)/\(endpoint.host)"
      guard Paths.isDirectory(folder) else { continue }
      do {
        try apply(folder, to: &configuration)
      } catch let error as SystemError {
        throw ImageStoreError(.system, "a registry's certificates cannot be read", cause: error)
      }
    }
    return configuration
  }

  private func apply(_ folder: String, to configuration: inout TLSConfiguration) throws {
    let names = try Paths.entries(of: folder).sorted()
    var authorities: [NIOSSLCertificate] = []
    for name in names where name.hasSuffix(".crt") {
      authorities += try certificates("\(folder)/\(name)")
    }
    if !authorities.isEmpty {
      configuration.additionalTrustRoots.append(.certificates(authorities))
    }
    for name in names where name.hasSuffix(".cert") {
      let key = name.dropLast(5) + ".key"
      guard names.contains(String(key)) else {
        throw ImageStoreError(
          .invalidArgument, "missing key for client certificate",
          metadata: ["certificate": "\(folder)/\(name)", "key": "\(folder)/\(key)"])
      }
      configuration.certificateChain = try certificates("\(folder)/\(name)").map {
        .certificate($0)
      }
      do {
        let bytes = try Paths.read("\(folder)/\(key)")
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: bytes, format: .pem))
      } catch let error as NIOSSLError {
        throw ImageStoreError(
          .invalidArgument, "not a PEM key", metadata: ["file": "\(folder)/\(key)"], cause: error)
      }
    }
  }

  private func certificates(_ path: String) throws -> [NIOSSLCertificate] {
    do {
      return try NIOSSLCertificate.fromPEMBytes(try Paths.read(path))
    } catch let error as NIOSSLError {
      throw ImageStoreError(
        .invalidArgument, "not a PEM certificate", metadata: ["file": path], cause: error)
    }
  }
}
