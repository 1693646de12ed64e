import ContainerRuntime
import DaemonConfiguration
import DockerAPI
import Engine
import Glibc
import Host
import ImageStore
import Logging
import NodeNetwork
import ServiceLifecycle
import StateStore
import StateStoreSQLite
import Synchronization
import Transport
import UnixSignals

/// The node daemon: builds the parts, joins them, runs them, and takes them down in order.
final class Daemon: Sendable {
  private let flags: DaemonFlags
  private let configuration: Mutex<DaemonConfiguration>
  private let log: DaemonLog
  private let logger: Logger

  init(configuration: DaemonConfiguration, flags: DaemonFlags) {
    self.flags = flags
    self.configuration = Mutex(configuration)
    log = DaemonLog(format: configuration.logFormat, level: configuration.effectiveLogLevel)
    logger = log.logger(label: "martlet")
  }

  /// Runs until the process is told to end.
  /// - Throws: `CommandFailure` when the daemon cannot start.
  func run() async throws {
    let configuration = configuration.withLock { $0 }
    let lock: DaemonLock
    let parts: Parts
    do {
      lock = try DaemonLock(
        dataRoot: configuration.dataRoot, execRoot: configuration.execRoot,
        pidfile: configuration.pidfile)
      parts = try await makeParts(configuration)
    } catch {
      throw CommandFailure("the daemon cannot start: \(error)")
    }
    defer { lock.release() }
    do {
      try await serve(parts, configuration)
    } catch {
      await parts.close()
      throw CommandFailure("the daemon ended: \(error)")
    }
    await parts.close()
    logger.info("daemon ended")
  }

  // MARK: - Parts

  /// What the daemon is made of.
  private struct Parts: Sendable {
    let store: SQLiteStateStore
    let images: ImageStore
    let runtime: ContainerRuntime
    let network: NodeNetwork
    let engine: Engine

    /// Takes the parts down; containers go on.
    func close() async {
      runtime.shutDown()
      await network.shutdown()
      await images.shutdown()
      await store.close()
    }
  }

  private func makeParts(_ configuration: DaemonConfiguration) async throws -> Parts {
    let store = try await SQLiteStateStore.open(path: configuration.dataRoot + "/state.db")
    let images = ImageStore(
      configuration: configuration.imageStore, state: store,
      logger: log.logger(label: "martlet.images"))
    let network = NodeNetwork(
      configuration: configuration.nodeNetwork, store: store,
      logger: log.logger(label: "martlet.network"))
    let engineConfiguration = try configuration.engine()
    let runtime = try await ContainerRuntime(
      configuration: RuntimeConfiguration(
        runtimePath: engineConfiguration.runtimePath, initPath: engineConfiguration.initPath,
        execRoot: configuration.execRoot,
        cgroupParent: configuration.cgroupParent.isEmpty ? "/martlet" : configuration.cgroupParent,
        logger: log.logger(label: "martlet.runtime")))
    let engine = Engine(
      configuration: engineConfiguration, store: store, images: images, runtime: runtime,
      network: network, logger: log.logger(label: "martlet.engine"))
    return Parts(
      store: store, images: images, runtime: runtime, network: network, engine: engine)
  }

  // MARK: - Service

  private func serve(_ parts: Parts, _ configuration: DaemonConfiguration) async throws {
    let engine = parts.engine
    try await engine.recover()
    let logger = logger
    let door = DockerDoor(
      backends: Backends(engine), server: "Martlet/\(Version.text) (linux)",
      logger: log.logger(label: "martlet.api"))
    var limits = HTTPServerLimits()
    // Streams that follow something do not end by themselves.
    limits.shutdownTimeout = .seconds(1)
    let server = HTTPServer(
      handler: door, listeners: configuration.listeners, limits: limits,
      logger: log.logger(label: "martlet.http"),
      onListening: { addresses in
        for address in addresses {
          logger.info("API listens", metadata: ["address": "\(address)"])
        }
        await engine.startByPolicy()
      })
    // It would describe every service with all it holds.
    let serviceLogger = DaemonLog(format: configuration.logFormat, level: .warning)
      .logger(label: "martlet.services")
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          .init(service: EngineRun(engine: engine, runtime: parts.runtime)),
          .init(service: ReloadOnSignal(daemon: self, parts: parts)),
          .init(service: server),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: serviceLogger))
    try await group.run()
  }

  /// The engine's own work, which ends when the runtime reports no more.
  private struct EngineRun: Service {
    let engine: Engine
    let runtime: ContainerRuntime

    func run() async throws {
      await withGracefulShutdownHandler {
        await engine.run()
      } onGracefulShutdown: {
        runtime.shutDown()
      }
    }
  }

  // MARK: - Reload

  /// Reads the configuration again at each SIGHUP.
  private struct ReloadOnSignal: Service {
    let daemon: Daemon
    let parts: Parts

    func run() async throws {
      for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
        await daemon.reload(parts)
      }
    }
  }

  private func reload(_ parts: Parts) async {
    do {
      let flags = flags
      let new = try await BlockingPool.shared.run { try DaemonConfiguration.load(flags: flags) }
      let (merged, changed, ignored) = configuration.withLock { current in
        let result = current.reloading(from: new)
        current = result.merged
        return result
      }
      log.level = merged.effectiveLogLevel
      parts.images.updateConfiguration(merged.imageStore)
      parts.engine.reconfigure(try await BlockingPool.shared.run { try merged.engine() })
      logger.info(
        "configuration reloaded",
        metadata: [
          "changed": "\(changed.joined(separator: ","))",
          "needs.restart": "\(ignored.joined(separator: ","))",
        ])
    } catch {
      logger.error("configuration not reloaded", metadata: ["error": "\(error)"])
    }
  }
}
