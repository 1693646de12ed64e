import AsyncHTTPClient
import Host
import Logging
import NIOCore
import RegistryConfiguration
import RegistryJobs
import ServiceLifecycle

extension RegistryAutomation {
  /// What the registry does by itself, as its configuration says.
  init(
    _ parts: RegistryParts, _ configuration: RegistryConfiguration, replica: String, logger: Logger
  ) throws {
    var options = HTTPClient.Configuration()
    options.redirectConfiguration = .disallow
    options.httpVersion = .http1Only
    options.timeout = .init(connect: .seconds(20), read: .seconds(120))
    // A refused connection is an answer; jobs try again by themselves.
    options.connectionPool.retryConnectionEstablishment = false
    var worker = JobWorker.Settings(id: replica)
    worker.capacities = configuration.jobCapacities
    var settings = Settings(worker: worker, host: configuration.imageHost)
    if let schedule = configuration.garbageCollection.schedule {
      settings.schedules["onlinegc"] = schedule
    }
    let purging = configuration.storage.uploadPurging
    let interval = GoDuration.text(max(purging.interval, .seconds(1)))
    settings.schedules["upload_purge"] =
      purging.isEnabled ? .some(try CronSchedule("@every \(interval)")) : .some(nil)
    if let proxy = configuration.proxy {
      var upstream = PullThroughCache.Settings(remoteURL: proxy.remoteURL)
      upstream.username = proxy.username ?? ""
      upstream.password = proxy.password ?? ""
      upstream.timeToLive = proxy.timeToLive
      settings.upstream = upstream
    }
    self.init(
      registry: parts.registry, store: parts.store, secrets: parts.secretBox,
      http: HTTPClient(eventLoopGroupProvider: .singleton, configuration: options),
      settings: settings, logger: logger)
  }

  /// Throws `CommandFailure` when the configuration speaks of actions that are not there.
  func check(_ configuration: RegistryConfiguration) throws {
    for action in configuration.jobCapacities.keys.sorted() where !queue.actions.contains(action) {
      let hint = suggestion(for: action, from: queue.actions).map { " (did you mean \($0)?)" } ?? ""
      throw CommandFailure("martlet.jobs.capacities.\(action): there is no such action\(hint)")
    }
  }
}

/// The automation as a service of the process.
struct AutomationRun: Service {
  let automation: RegistryAutomation

  func run() async throws {
    await cancelWhenGracefulShutdown { await automation.run() }
    try await automation.shutdown()
  }
}

extension RegistryConfiguration {
  /// The registry's name in the names of images: that of its URL, or where it listens.
  var imageHost: String {
    if let url = http.publicURL, let scheme = url.firstRange(of: "://") {
      return String(url[scheme.upperBound...].prefix { $0 != "/" })
    }
    switch http.address {
    case .tcp(let host, let port):
      return (host.isEmpty || host == "127.0.0.1" ? "localhost" : host) + ":\(port)"
    case .unix: return "localhost"
    }
  }

  /// The name of this process among those that share the registry: made once, kept in its folder.
  func replicaID() throws -> String {
    let path = dataRoot + "/replica-id"
    if !Paths.exists(path) {
      try DurableFile.publish(Array("\(Identifier.hexadecimal(bytes: 6))\n".utf8), to: path)
    }
    let text = String(decoding: try Paths.read(path, limit: 256), as: UTF8.self)
    return String(text.prefix { $0.isHexDigit })
  }
}
