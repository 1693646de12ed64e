package import DockerModel
import FoundationEssentials
import Host
import ImageStore
import OCI

/// The engine as a whole, as the API sees it.
package final class SystemService: Sendable {
  private let context: EngineContext
  private let containers: ContainerService
  private let images: ImageService
  private let volumes: VolumeService

  init(
    _ context: EngineContext, _ containers: ContainerService, _ images: ImageService,
    _ volumes: VolumeService
  ) {
    self.context = context
    self.containers = containers
    self.images = images
    self.volumes = volumes
  }

  /// The highest and lowest version of the API that are served.
  package static let apiVersions = (minimum: "1.24", maximum: "1.47")

  /// What answers here.
  package func version() async throws -> SystemVersion {
    let configuration = context.configuration
    var version = SystemVersion()
    version.platform.name = "Martlet Engine"
    version.version = configuration.version
    version.apiVersion = Self.apiVersions.maximum
    version.minAPIVersion = Self.apiVersions.minimum
    version.os = "linux"
    version.arch = images.platform.architecture
    version.kernelVersion = HostFacts.kernelVersion
    version.goVersion = "none (Swift)"
    var engine = SystemVersionComponent()
    engine.name = "Engine"
    engine.version = configuration.version
    engine.details = [
      "ApiVersion": version.apiVersion, "MinAPIVersion": version.minAPIVersion,
      "Arch": version.arch, "Os": "linux", "KernelVersion": version.kernelVersion,
      "Experimental": "false", "GitCommit": "", "GoVersion": version.goVersion, "BuildTime": "",
    ]
    var runtime = SystemVersionComponent()
    runtime.name = "runc"
    runtime.version = await runtimeVersion()
    version.components = [engine, runtime]
    return version
  }

  private func runtimeVersion() async -> String {
    let command = Command(context.configuration.runtimePath, ["--version"])
    // Only a figure in an answer about much else.
    guard let result = try? await command.run(timeout: .seconds(5)) else { return "" }
    let text = String(decoding: result.output, as: UTF8.self)
    let first = text.split(separator: "\n").first ?? ""
    return String(first.split(separator: " ").last ?? "")
  }

  /// The state of this machine's engine.
  package func info() async throws -> SystemInfo {
    let configuration = context.configuration
    var info = SystemInfo()
    fillCounts(&info)
    fillHost(&info)
    info.id = configuration.id
    info.driver = "overlay2"
    info.driverStatus = [
      ["Backing Filesystem", "extfs"], ["Supports d_type", "true"], ["Using metacopy", "false"],
      ["Native Overlay Diff", "true"], ["userxattr", "false"],
    ]
    info.dockerRootDir = configuration.dataRoot
    info.plugins.volume = ["local"]
    info.plugins.network = ["bridge", "host", "macvlan", "null"]
    info.plugins.log = ["json-file", "local", "none"]
    info.debug = configuration.isDebugging
    info.nFd = HostFacts.openFiles
    info.systemTime = Timestamp.now.rfc3339
    info.loggingDriver = configuration.logConfig.type
    info.nEventsListener = context.events.listenerCount
    info.indexServerAddress = "https://index.docker.io/v1/"
    info.registryConfig = registries(configuration)
    info.name = HostFacts.hostname
    info.labels = configuration.labels
    info.serverVersion = configuration.version
    var runc = Runtime()
    runc.path = configuration.runtimePath
    info.runtimes = ["runc": runc]
    info.defaultRuntime = "runc"
    info.liveRestoreEnabled = true
    info.initBinary = "tini"
    info.securityOptions = ["name=seccomp,profile=builtin"]
    if configuration.defaultCgroupnsMode == "private" {
      info.securityOptions.append("name=cgroupns")
    }
    info.defaultAddressPools = configuration.addressPools
    info.warnings = warnings()
    return info
  }

  private func fillCounts(_ info: inout SystemInfo) {
    let lifecycles = context.containers.all.map(\.lifecycle)
    info.containers = lifecycles.count
    info.containersPaused = lifecycles.count { $0.isPaused }
    info.containersRunning = lifecycles.count { $0.isRunning && !$0.isPaused }
    info.containersStopped = info.containers - info.containersPaused - info.containersRunning
    info.images = context.images.list().count
  }

  private func fillHost(_ info: inout SystemInfo) {
    let cgroups = HostFacts.cgroups
    info.memoryLimit = cgroups.hasMemoryLimit
    info.swapLimit = cgroups.hasSwapLimit
    info.cpuCfsPeriod = cgroups.hasCPUQuota
    info.cpuCfsQuota = cgroups.hasCPUQuota
    info.cpuShares = cgroups.hasCPUShares
    info.cpuSet = cgroups.hasCPUSet
    info.pidsLimit = cgroups.hasPidsLimit
    info.oomKillDisable = cgroups.hasOOMControl
    info.ipv4Forwarding = HostFacts.number(in: "/proc/sys/net/ipv4/ip_forward") == 1
    info.bridgeNfIptables =
      HostFacts.number(in: "/proc/sys/net/bridge/bridge-nf-call-iptables") == 1
    info.bridgeNfIp6tables =
      HostFacts.number(in: "/proc/sys/net/bridge/bridge-nf-call-ip6tables") == 1
    info.cgroupDriver = "cgroupfs"
    info.cgroupVersion = cgroups.isUnified ? "2" : "1"
    info.kernelVersion = HostFacts.kernelVersion
    info.operatingSystem = HostFacts.operatingSystem.name
    info.osVersion = HostFacts.operatingSystem.version
    info.architecture = HostFacts.machine
    info.ncpu = HostFacts.processors
    info.memTotal = HostFacts.memory
  }

  private func registries(_ configuration: EngineConfiguration) -> RegistryServiceConfig {
    var registries = RegistryServiceConfig()
    registries.mirrors = configuration.registryMirrors
    registries.insecureRegistryCIDRs =
      ["::1/128", "127.0.0.0/8"] + configuration.insecureRegistries.filter { $0.contains("/") }
    var official = IndexInfo()
    official.name = "docker.io"
    official.mirrors = configuration.registryMirrors
    official.secure = true
    official.official = true
    registries.indexConfigs["docker.io"] = official
    for name in configuration.insecureRegistries where !name.contains("/") {
      var registry = IndexInfo()
      registry.name = name
      registries.indexConfigs[name] = registry
    }
    return registries
  }

  private func warnings() -> [String] {
    let cgroups = HostFacts.cgroups
    let missing: [(Bool, String)] = [
      (cgroups.hasMemoryLimit, "No memory limit support"),
      (cgroups.hasSwapLimit, "No swap limit support"),
      (cgroups.hasOOMControl || cgroups.isUnified, "No oom kill disable support"),
      (cgroups.hasCPUQuota, "No cpu cfs quota support"),
      (cgroups.hasCPUShares, "No cpu shares support"),
      (cgroups.hasCPUSet, "No cpuset support"),
      (cgroups.hasBlockWeight, "No blkio weight support"),
    ]
    return missing.filter { !$0.0 }.map { "WARNING: \($0.1)" }
  }

  /// What takes room on disk.
  package func diskUsage(_ options: DiskUsageOptions) async throws -> SystemDataUsageResponse {
    var usage = SystemDataUsageResponse()
    if options.kinds.contains(.image) {
      (usage.images, usage.layersSize) = try await images.usage()
    }
    if options.kinds.contains(.container) {
      var list = ContainerListOptions()
      list.all = true
      list.size = true
      usage.containers = try await containers.list(list)
    }
    if options.kinds.contains(.volume) { usage.volumes = await volumes.usage() }
    return usage
  }

  /// Tries credentials at a registry.
  package func authenticate(_ credentials: AuthConfig) async throws -> SystemAuthResponse {
    let result = try await translatingErrors {
      try await context.images.login(
        server: credentials.serveraddress, credentials: RegistryCredentials(credentials))
    }
    var response = SystemAuthResponse()
    response.status = "Login Succeeded"
    response.identityToken = result.identityToken ?? ""
    return response
  }

  /// Remembered events, then those that happen.
  package func events(
    _ options: EventsOptions
  ) async throws -> any AsyncSequence<EventMessage, any Error> & Sendable {
    let filter = try EventFilter(options.filters)
    let (stream, output) = AsyncThrowingStream.makeStream(
      of: EventMessage.self, bufferingPolicy: .bufferingOldest(4096))
    let source = context.events.listen(since: options.since)
    let task = Task {
      do {
        for try await event in source {
          if let until = options.until, event.timeNano > until.nanosecondsSinceEpoch { break }
          guard filter.matches(event) else { continue }
          if case .dropped = output.yield(event) {
            throw APIError(.unavailable, "the listener fell too far behind")
          }
        }
        output.finish()
      } catch {
        output.finish(throwing: error)
      }
    }
    let deadline = options.until.map { until in
      Task {
        let left = until.elapsed(since: .now)
        if left > .zero { try await Task.sleep(for: left) }
        // What happened until now is on its way through the buffers.
        try await Task.sleep(for: .milliseconds(20))
        output.finish()
      }
    }
    output.onTermination = { _ in
      task.cancel()
      deadline?.cancel()
    }
    return stream
  }
}
