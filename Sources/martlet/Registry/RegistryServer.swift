import BlobStorage
import DaemonConfiguration
import Glibc
import Host
import Identity
import Logging
import Registry
import RegistryAPI
import ServiceLifecycle
import StateStoreSQLite
import Transport
import UnixSignals

/// The registry as a process: builds the parts, joins them, runs them, and takes them down in order.
struct RegistryServer {
  private let command: RegistryServeCommand
  private let log: DaemonLog
  private let logger: Logger

  init(command: RegistryServeCommand) {
    self.command = command
    let level = Logger.Level(rawValue: command.logLevel.rawValue) ?? .info
    log = DaemonLog(format: .text, level: level)
    logger = log.logger(label: "martlet.registry")
  }

  /// What the registry is made of.
  private struct Parts {
    let store: SQLiteStateStore
    let storage: FilesystemStorage
    let identity: IdentityService
    let registry: RegistryService
    let authentication: RegistryAuthentication
  }

  /// Runs until the process is told to end. Throws `CommandFailure`.
  func run() async throws {
    let listener = try command.listener()
    let parts: Parts
    do {
      parts = try await makeParts()
    } catch {
      throw CommandFailure("the registry cannot start: \(error)")
    }
    do {
      try await serve(parts, listener)
    } catch {
      await parts.store.close()
      throw CommandFailure("the registry ended: \(error)")
    }
    await parts.store.close()
    logger.info("registry ended")
  }

  private func makeParts() async throws -> Parts {
    try Paths.makeDirectories(command.dataRoot, mode: 0o700)
    let store = try await SQLiteStateStore.open(path: command.dataRoot + "/registry.db")
    let storage = try FilesystemStorage(root: command.storageRoot ?? command.dataRoot + "/storage")
    let identity = IdentityService(store: store, logger: log.logger(label: "martlet.identity"))
    var settings = RegistrySettings()
    settings.grace = .seconds(command.grace)
    let registry = RegistryService(
      store: store, storage: storage, identity: identity, settings: settings, logger: logger)
    var authentication = RegistryAuthentication.none
    if command.auth == .token {
      let authority = TokenAuthority(
        store: store, secretBox: try secretBox(), settings: TokenSettings(issuer: "martlet"),
        logger: logger)
      authentication = .tokens(authority, service: "martlet-registry")
      try await makeAdministrator(identity)
    }
    return Parts(
      store: store, storage: storage, identity: identity, registry: registry,
      authentication: authentication)
  }

  /// The box of the key that secrets in the store are sealed with, which is made at the first start.
  private func secretBox() throws -> SecretBox {
    let path = command.dataRoot + "/secret.key"
    if !Paths.exists(path) {
      var generator = SystemRandomNumberGenerator()
      let key = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
      try DurableFile.publish(key, to: path, mode: 0o600)
    }
    return try SecretBox(key: try Paths.read(path, limit: 4096))
  }

  private func makeAdministrator(_ identity: IdentityService) async throws {
    guard let name = AccountName(command.administrator) else { return }
    let configured = getenv("MARTLET_REGISTRY_ADMIN_PASSWORD").map { String(cString: $0) }
    guard let password = try await identity.ensureAdministrator(name, password: configured) else {
      return
    }
    if configured == nil {
      print("The administrator's name is \(name), the password \(password)")
      print("It is not shown again.")
      fflush(nil)
    }
  }

  private func serve(_ parts: Parts, _ listener: ListenerConfiguration) async throws {
    var distribution = DistributionSettings()
    distribution.scheme = listener.tls == nil ? "http" : "https"
    distribution.publicURL = command.publicURL
    let statistics = ServerStatistics()
    let door = RegistryDoor(
      registry: parts.registry, identity: parts.identity, authentication: parts.authentication,
      distribution: distribution, statistics: statistics)
    var limits = HTTPServerLimits()
    limits.bodyIdleTimeout = .seconds(60)
    let announcement = Announcement(logger: logger)
    let storage = parts.storage
    let server = HTTPServer(
      handler: door, listeners: [listener], limits: limits, statistics: statistics,
      logger: log.logger(label: "martlet.http"),
      onListening: { [logger] addresses in
        for address in addresses {
          logger.info("registry listens", metadata: ["address": "\(address)"])
          await announcement.publish(address, folder: storage.root + "/blobs")
        }
      })
    // It would describe every service with all it holds.
    let serviceLogger = DaemonLog(format: .text, level: .warning).logger(label: "martlet.services")
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          .init(service: RegistryRun(registry: parts.registry)), .init(service: server),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: serviceLogger))
    try await group.run()
    await announcement.withdraw()
  }

  /// The registry's own work beside requests.
  private struct RegistryRun: Service {
    let registry: RegistryService

    func run() async throws {
      await cancelWhenGracefulShutdown { await registry.run() }
    }
  }
}

/// Tells engines on this machine where the blobs lie, so that they link them.
actor Announcement {
  private static let folder = "/run/martlet/registries"
  private let logger: Logger
  private var path: String?

  init(logger: Logger) { self.logger = logger }

  /// Says that the registry at this address has its blobs in `folder`. A machine where that cannot
  /// be said has engines that download.
  func publish(_ address: ListenAddress, folder: String) async {
    guard case .tcp(_, let port) = address else { return }
    let path = "\(Self.folder)/\(port)"
    do {
      try await BlockingPool.shared.run {
        try Paths.makeDirectories(Self.folder)
        try DurableFile.replace(Array("\(folder)\n".utf8), at: path)
      }
      self.path = path
    } catch {
      logger.debug("engines cannot be told of the registry", metadata: ["error": "\(error)"])
    }
  }

  /// Takes it back.
  func withdraw() {
    if let path { unlink(path) }
    path = nil
  }
}
