import DockerModel
import Host
import ImageStore
import OCI

extension ContainerService {
  /// The record that a request and its image make, but for its name and mounts.
  /// - Throws: `invalidParameter`.
  static func resolve(
    _ request: ContainerCreateRequest, id: String, image: ImageRecord?, context: EngineContext,
    warnings: inout [String]
  ) throws -> ContainerRecord {
    let settings = context.configuration
    var config = request.config
    var host = request.hostConfig
    config.merge(image: image?.configuration.config)
    fillDefaults(&host, settings)
    try HostConfigValidation.check(host)
    guard ["runc", "io.containerd.runc.v2"].contains(host.runtime) else {
      throw APIError.invalidParameter("unknown or invalid runtime name: \(host.runtime)")
    }
    let mode = NetworkMode(host.networkMode)
    try checkNetwork(mode, config, host)
    try checkConfig(config)
    warnings += discardUnsupported(&host)

    if case .container(let reference) = mode {
      // Who shares a network shares its name, too. One that is not there is refused at the start:
      // clients take a 404 of this request for a missing image.
      config.hostname = (try? context.containers.find(reference).record.config.hostname) ?? ""
    }
    if config.hostname.isEmpty {
      config.hostname =
        mode == .host || host.utsMode == "host" ? HostFacts.hostname : String(id.prefix(12))
    }
    let arguments = config.commandLine
    guard !arguments.isEmpty, !arguments[0].isEmpty else {
      throw APIError.invalidParameter("no command specified")
    }
    guard !arguments.contains(where: { $0.utf8.contains(0) }) else {
      throw APIError.invalidParameter("invalid command: contains a null byte")
    }
    var networks: [String: EndpointSettings] = [:]
    if case .network(let name) = mode {
      networks = try requestedNetworks(request, primary: name, config)
    } else if let other = request.networkingConfig.endpointsConfig, !other.isEmpty,
      other.keys.contains(where: { $0 != host.networkMode })
    {
      throw APIError.conflict(
        "container cannot be connected to networks with network mode \(host.networkMode)")
    }
    return ContainerRecord(
      id: id, name: "", created: .now, config: config, hostConfig: host,
      imageID: image?.id.description ?? "", arguments: arguments, mounts: [], networks: networks)
  }

  private static func fillDefaults(_ host: inout HostConfig, _ settings: EngineConfiguration) {
    if ["", "default"].contains(host.networkMode) { host.networkMode = settings.defaultNetwork }
    if host.shmSize == 0 { host.shmSize = settings.defaultShmSize }
    if host.logConfig.type.isEmpty {
      host.logConfig.type = settings.logConfig.type
      if host.logConfig.config.isEmpty { host.logConfig.config = settings.logConfig.config }
    }
    if host.ipcMode.isEmpty { host.ipcMode = settings.defaultIpcMode }
    if host.cgroupnsMode.isEmpty {
      host.cgroupnsMode = host.privileged ? "host" : settings.defaultCgroupnsMode
    }
    if host.restartPolicy.name.isEmpty { host.restartPolicy.name = "no" }
    if host.runtime.isEmpty { host.runtime = "runc" }
    if host.memory > 0 && host.memorySwap == 0 { host.memorySwap = host.memory * 2 }
    if host.`init` == nil && settings.usesInit { host.`init` = true }
    if host.consoleSize.count != 2 { host.consoleSize = [0, 0] }
    let named = Set((host.ulimits ?? []).map(\.name))
    let added = settings.defaultUlimits.filter { !named.contains($0.name) }
    if !added.isEmpty { host.ulimits = (host.ulimits ?? []) + added }
  }

  /// Takes out what this kernel cannot do and says so, as dockerd does.
  private static func discardUnsupported(_ host: inout HostConfig) -> [String] {
    var warnings: [String] = []
    func discard(_ isSet: Bool, _ text: String, _ clear: () -> Void) {
      if isSet {
        warnings.append("Your kernel does not support \(text)")
        clear()
      }
    }
    let features = HostFacts.cgroups
    discard(
      host.memorySwap > 0 && !features.hasSwapLimit,
      "swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
    ) {
      host.memorySwap = -1
    }
    discard(
      host.blkioWeight > 0 && !features.hasBlockWeight,
      "Block I/O weight or the cgroup is not mounted. Weight discarded."
    ) {
      host.blkioWeight = 0
    }
    discard(host.kernelMemory > 0, "kernel memory limit capabilities. Limitation discarded.") {
      host.kernelMemory = 0
    }
    discard(
      host.oomKillDisable == true && !features.hasOOMControl,
      "OomKillDisable. OomKillDisable discarded."
    ) {
      host.oomKillDisable = nil
    }
    if host.oomKillDisable == true && host.memory == 0 {
      warnings.append(
        "OOM killer is disabled for the container, but no memory limit is set, this can result in "
          + "the system running out of resources.")
    }
    return warnings
  }

  // MARK: - Checks

  private static func checkConfig(_ config: ContainerConfig) throws {
    for variable in config.env ?? [] where variable.isEmpty || variable.hasPrefix("=") {
      throw APIError.invalidParameter("invalid environment variable: \(variable)")
    }
    for variable in config.env ?? [] where variable.utf8.contains(0) {
      throw APIError.invalidParameter("invalid environment variable: contains a null byte")
    }
    if !config.workingDir.isEmpty && !config.workingDir.hasPrefix("/") {
      throw APIError.invalidParameter(
        "the working directory '\(config.workingDir)' is invalid, it needs to be an absolute path")
    }
    for port in config.exposedPorts.keys { _ = try PortSpecification.range(port) }
    if !config.stopSignal.isEmpty { _ = try Signals.number(config.stopSignal) }
    let hostname = config.hostname
    let isAllowed = hostname.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") }
    guard hostname.utf8.count <= 64, isAllowed else {
      throw APIError.invalidParameter("invalid hostname format: \(hostname)")
    }
    try checkHealth(config.healthcheck)
  }

  private static func checkHealth(_ health: HealthConfig?) throws {
    guard let health else { return }
    let millisecond: Int64 = 1_000_000
    let times = [
      ("Interval", health.interval), ("Timeout", health.timeout),
      ("StartPeriod", health.startPeriod), ("StartInterval", health.startInterval),
    ]
    for (name, time) in times where time != 0 && time < millisecond {
      throw APIError.invalidParameter("\(name) in Healthcheck cannot be less than 1ms")
    }
    if health.retries < 0 {
      throw APIError.invalidParameter("Retries in Healthcheck cannot be negative")
    }
    if let test = health.test, let kind = test.first {
      guard ["NONE", "CMD", "CMD-SHELL"].contains(kind) else {
        throw APIError.invalidParameter("unknown type in Healthcheck: \(kind)")
      }
    }
  }

  private static func checkNetwork(
    _ mode: NetworkMode, _ config: ContainerConfig, _ host: HostConfig
  ) throws {
    func conflict(_ what: String) -> APIError {
      .invalidParameter("conflicting options: \(what)")
    }
    if case .container(let reference) = mode {
      if reference.isEmpty {
        throw APIError.invalidParameter("invalid container format container:<name|id>")
      }
      if !config.hostname.isEmpty { throw conflict("hostname and the network mode") }
      if !(host.links ?? []).isEmpty {
        throw conflict(
          "container type network can't be used with links. This would result in undefined behavior"
        )
      }
      if !host.dns.isEmpty { throw conflict("dns and the network mode") }
      if !(host.extraHosts ?? []).isEmpty {
        throw conflict("custom host-to-IP mapping and the network mode")
      }
      if host.publishAllPorts || !(host.portBindings ?? [:]).isEmpty {
        throw conflict("port publishing and the container type network mode")
      }
      if !config.exposedPorts.isEmpty && host.publishAllPorts {
        throw conflict("port exposing and the container type network mode")
      }
      if !config.macAddress.isEmpty {
        throw conflict("mac-address and the network mode")
      }
    }
    if mode == .host && !(host.links ?? []).isEmpty {
      throw conflict(
        "host type networking can't be used with links. This would result in undefined behavior")
    }
    if host.utsMode == "host" && !config.hostname.isEmpty {
      throw conflict("hostname and the UTS mode")
    }
    for (port, bindings) in host.portBindings ?? [:] {
      _ = try PortSpecification(port)
      for binding in bindings ?? [] { _ = try PortSpecification.hostPorts(binding.hostPort) }
    }
  }

  private static func requestedNetworks(
    _ request: ContainerCreateRequest, primary: String, _ config: ContainerConfig
  ) throws -> [String: EndpointSettings] {
    var networks = request.networkingConfig.endpointsConfig ?? [:]
    // Clients name the default bridge "default" here, too.
    if let settings = networks.removeValue(forKey: "default"), networks[primary] == nil {
      networks[primary] = settings
    }
    var own = networks[primary] ?? EndpointSettings()
    if own.macAddress.isEmpty { own.macAddress = config.macAddress }
    networks[primary] = own
    for (_, settings) in networks { try checkEndpoint(settings) }
    return networks
  }

  private static func checkEndpoint(_ settings: EndpointSettings) throws {
    for address in [settings.ipamConfig?.ipv4Address, settings.ipamConfig?.ipv6Address] {
      guard let address, !address.isEmpty else { continue }
      guard IPAddress(address) != nil else {
        throw APIError.invalidParameter("invalid IP address: \(address)")
      }
    }
  }
}
