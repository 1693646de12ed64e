import DaemonConfiguration
import Glibc
import Host
import Identity
import Logging
import Registry
import RegistryAPI
import RegistryConfiguration
import RegistryJobs
import ServiceLifecycle
import StateStore
import Transport
import UnixSignals

/// The registry as a process: builds the parts, joins them, runs them, and takes them down in order.
struct RegistryServer {
  private let configuration: RegistryConfiguration
  private let log: DaemonLog
  private let logger: Logger

  init(configuration: RegistryConfiguration) {
    self.configuration = configuration
    log = configuration.daemonLog
    logger = log.logger(label: "martlet.registry")
  }

  /// Runs until the process is told to end. Throws `CommandFailure`.
  func run() async throws {
    let parts: RegistryParts
    do {
      parts = try await RegistryParts(configuration, log: log)
    } catch {
      throw CommandFailure("the registry cannot start: \(error)")
    }
    do {
      if let password = try await parts.makeAdministrator(configuration) {
        RegistryParts.announce(password, configuration)
      }
      try await serve(parts)
    } catch {
      await parts.store.close()
      throw CommandFailure("the registry ended: \(error)")
    }
    await parts.store.close()
    logger.info("registry ended")
  }

  private func serve(_ parts: RegistryParts) async throws {
    let replica = try configuration.replicaID()
    let automation = try RegistryAutomation(
      parts, configuration, replica: replica, logger: log.logger(label: "martlet.jobs"))
    do {
      try automation.check(configuration)
      try await serve(parts, automation, replica: replica)
    } catch {
      // Where it has run it is shut down already.
      try? await automation.shutdown()
      throw error
    }
  }

  private func serve(
    _ parts: RegistryParts, _ automation: RegistryAutomation, replica: String
  ) async throws {
    let statistics = ServerStatistics()
    let authentication = authentication(parts)
    let rest = try RESTDoor(
      services: RESTServices(
        registry: parts.registry, identity: parts.identity, automation: automation,
        host: configuration.imageHost, version: Version.text, replica: replica),
      authentication: authentication, isEncrypted: configuration.http.tls != nil)
    let door = RegistryDoor(
      registry: parts.registry, identity: parts.identity, authentication: authentication,
      distribution: configuration.distributionSettings, statistics: statistics,
      authorityCertificate: try configuration.certificates(), upstream: automation.upstream,
      others: [rest])
    let announcement = Announcement(logger: logger)
    let folder = blobFolder(parts)
    let pidfile = configuration.pidfile
    let server = HTTPServer(
      handler: configuration.log.hasAccessLog ? AccessLog(door) : door,
      listeners: [configuration.listener], limits: configuration.serverLimits,
      headers: configuration.commonHeaders, statistics: statistics,
      logger: log.logger(label: "martlet.http"),
      onListening: { [logger] addresses in
        for address in addresses {
          logger.info("registry listens", metadata: ["address": "\(address)"])
          if let folder { await announcement.publish(address, folder: folder) }
        }
      })
    // It would describe every service with all it holds.
    let serviceLogger = DaemonLog(format: .text, level: .warning).logger(label: "martlet.services")
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          .init(service: RegistryRun(registry: parts.registry)),
          .init(service: AutomationRun(automation: automation)), .init(service: server),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: serviceLogger))
    if let pidfile {
      try Paths.makeDirectories(Paths.parent(of: pidfile))
      try DurableFile.replace(Array("\(getpid())\n".utf8), at: pidfile, mode: 0o644)
    }
    defer { if let pidfile { unlink(pidfile) } }
    try await group.run()
    await announcement.withdraw()
  }

  private func authentication(_ parts: RegistryParts) -> RegistryAuthentication {
    guard case .tokens(let service) = configuration.authentication else { return .none }
    var settings = TokenSettings(issuer: service.issuer)
    settings.lifetime = configuration.tokens.lifetime
    settings.rotation = configuration.tokens.keyRotation
    let authority = TokenAuthority(
      store: parts.store, secretBox: parts.secretBox, settings: settings, logger: logger)
    return .tokens(authority, service: service.service)
  }

  /// The folder with the blobs that engines on this machine may link; nil where there is none.
  private func blobFolder(_ parts: RegistryParts) -> String? {
    guard case .filesystem(let root, _) = configuration.storage.driver else { return nil }
    return (root ?? configuration.dataRoot + "/storage") + "/blobs"
  }

  /// The registry's own work beside requests.
  private struct RegistryRun: Service {
    let registry: RegistryService

    func run() async throws {
      await cancelWhenGracefulShutdown { await registry.run() }
    }
  }
}
