/// All that is known of a container (`GET /containers/{id}/json`).
package struct ContainerInspectResponse: Codable, Sendable, Hashable {
  package var id: String = ""
  package var created: Timestamp = .zero
  package var path: String = ""
  package var args: [String] = []
  package var state: ContainerState = ContainerState()
  package var image: String = ""
  package var resolvConfPath: String = ""
  package var hostnamePath: String = ""
  package var hostsPath: String = ""
  package var logPath: String = ""
  package var name: String = ""
  package var restartCount: Int = 0
  package var driver: String = ""
  package var platform: String = ""
  package var mountLabel: String = ""
  package var processLabel: String = ""
  package var appArmorProfile: String = ""
  package var execIDs: [String]?
  package var hostConfig: HostConfig = HostConfig()
  package var graphDriver: GraphDriver = GraphDriver()
  package var sizeRw: Int64?
  package var sizeRootFs: Int64?
  package var mounts: [MountPoint] = []
  package var config: ContainerConfig = ContainerConfig()
  package var networkSettings: NetworkSettings = NetworkSettings()

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "Id"
    case created = "Created"
    case path = "Path"
    case args = "Args"
    case state = "State"
    case image = "Image"
    case resolvConfPath = "ResolvConfPath"
    case hostnamePath = "HostnamePath"
    case hostsPath = "HostsPath"
    case logPath = "LogPath"
    case name = "Name"
    case restartCount = "RestartCount"
    case driver = "Driver"
    case platform = "Platform"
    case mountLabel = "MountLabel"
    case processLabel = "ProcessLabel"
    case appArmorProfile = "AppArmorProfile"
    case execIDs = "ExecIDs"
    case hostConfig = "HostConfig"
    case graphDriver = "GraphDriver"
    case sizeRw = "SizeRw"
    case sizeRootFs = "SizeRootFs"
    case mounts = "Mounts"
    case config = "Config"
    case networkSettings = "NetworkSettings"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    created = try values.value(.created) ?? .zero
    path = try values.value(.path) ?? ""
    args = try values.value(.args) ?? []
    state = try values.value(.state) ?? ContainerState()
    image = try values.value(.image) ?? ""
    resolvConfPath = try values.value(.resolvConfPath) ?? ""
    hostnamePath = try values.value(.hostnamePath) ?? ""
    hostsPath = try values.value(.hostsPath) ?? ""
    logPath = try values.value(.logPath) ?? ""
    name = try values.value(.name) ?? ""
    restartCount = try values.value(.restartCount) ?? 0
    driver = try values.value(.driver) ?? ""
    platform = try values.value(.platform) ?? ""
    mountLabel = try values.value(.mountLabel) ?? ""
    processLabel = try values.value(.processLabel) ?? ""
    appArmorProfile = try values.value(.appArmorProfile) ?? ""
    execIDs = try values.decodeIfPresent([String].self, forKey: .execIDs)
    hostConfig = try values.value(.hostConfig) ?? HostConfig()
    graphDriver = try values.value(.graphDriver) ?? GraphDriver()
    sizeRw = try values.decodeIfPresent(Int64.self, forKey: .sizeRw)
    sizeRootFs = try values.decodeIfPresent(Int64.self, forKey: .sizeRootFs)
    mounts = try values.value(.mounts) ?? []
    config = try values.value(.config) ?? ContainerConfig()
    networkSettings = try values.value(.networkSettings) ?? NetworkSettings()
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(created, forKey: .created)
    try values.encode(path, forKey: .path)
    try values.encode(args, forKey: .args)
    try values.encode(state, forKey: .state)
    try values.encode(image, forKey: .image)
    try values.encode(resolvConfPath, forKey: .resolvConfPath)
    try values.encode(hostnamePath, forKey: .hostnamePath)
    try values.encode(hostsPath, forKey: .hostsPath)
    try values.encode(logPath, forKey: .logPath)
    try values.encode(name, forKey: .name)
    try values.encode(restartCount, forKey: .restartCount)
    try values.encode(driver, forKey: .driver)
    try values.encode(platform, forKey: .platform)
    try values.encode(mountLabel, forKey: .mountLabel)
    try values.encode(processLabel, forKey: .processLabel)
    try values.encode(appArmorProfile, forKey: .appArmorProfile)
    try values.encode(execIDs, forKey: .execIDs)
    try values.encode(hostConfig, forKey: .hostConfig)
    try values.encode(graphDriver, forKey: .graphDriver)
    try values.encodeIfPresent(sizeRw, forKey: .sizeRw)
    try values.encodeIfPresent(sizeRootFs, forKey: .sizeRootFs)
    try values.encode(mounts, forKey: .mounts)
    try values.encode(config, forKey: .config)
    try values.encode(networkSettings, forKey: .networkSettings)
  }
}

/// Where the storage driver keeps a file system.
package struct GraphDriver: Codable, Sendable, Hashable {
  package var data: [String: String]?
  package var name: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case data = "Data"
    case name = "Name"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    data = try values.decodeIfPresent([String: String].self, forKey: .data)
    name = try values.value(.name) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(data, forKey: .data)
    try values.encode(name, forKey: .name)
  }
}

/// What a container does now (`ContainerState`).
package struct ContainerState: Codable, Sendable, Hashable {
  package var status: String = "created"
  package var running: Bool = false
  package var paused: Bool = false
  package var restarting: Bool = false
  package var oomKilled: Bool = false
  package var dead: Bool = false
  package var pid: Int = 0
  package var exitCode: Int = 0
  package var error: String = ""
  package var startedAt: Timestamp = .zero
  package var finishedAt: Timestamp = .zero
  package var health: Health?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case status = "Status"
    case running = "Running"
    case paused = "Paused"
    case restarting = "Restarting"
    case oomKilled = "OOMKilled"
    case dead = "Dead"
    case pid = "Pid"
    case exitCode = "ExitCode"
    case error = "Error"
    case startedAt = "StartedAt"
    case finishedAt = "FinishedAt"
    case health = "Health"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    status = try values.value(.status) ?? "created"
    running = try values.value(.running) ?? false
    paused = try values.value(.paused) ?? false
    restarting = try values.value(.restarting) ?? false
    oomKilled = try values.value(.oomKilled) ?? false
    dead = try values.value(.dead) ?? false
    pid = try values.value(.pid) ?? 0
    exitCode = try values.value(.exitCode) ?? 0
    error = try values.value(.error) ?? ""
    startedAt = try values.value(.startedAt) ?? .zero
    finishedAt = try values.value(.finishedAt) ?? .zero
    health = try values.decodeIfPresent(Health.self, forKey: .health)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(status, forKey: .status)
    try values.encode(running, forKey: .running)
    try values.encode(paused, forKey: .paused)
    try values.encode(restarting, forKey: .restarting)
    try values.encode(oomKilled, forKey: .oomKilled)
    try values.encode(dead, forKey: .dead)
    try values.encode(pid, forKey: .pid)
    try values.encode(exitCode, forKey: .exitCode)
    try values.encode(error, forKey: .error)
    try values.encode(startedAt, forKey: .startedAt)
    try values.encode(finishedAt, forKey: .finishedAt)
    try values.encodeIfPresent(health, forKey: .health)
  }
}

/// What the health checks found (`Health`).
package struct Health: Codable, Sendable, Hashable {
  package var status: String = "starting"
  package var failingStreak: Int = 0
  package var log: [HealthcheckResult] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case status = "Status"
    case failingStreak = "FailingStreak"
    case log = "Log"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    status = try values.value(.status) ?? "starting"
    failingStreak = try values.value(.failingStreak) ?? 0
    log = try values.value(.log) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(status, forKey: .status)
    try values.encode(failingStreak, forKey: .failingStreak)
    try values.encode(log, forKey: .log)
  }
}

/// One health check (`HealthcheckResult`).
package struct HealthcheckResult: Codable, Sendable, Hashable {
  package var start: Timestamp = .zero
  package var end: Timestamp = .zero
  package var exitCode: Int = 0
  package var output: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case start = "Start"
    case end = "End"
    case exitCode = "ExitCode"
    case output = "Output"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    start = try values.value(.start) ?? .zero
    end = try values.value(.end) ?? .zero
    exitCode = try values.value(.exitCode) ?? 0
    output = try values.value(.output) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(start, forKey: .start)
    try values.encode(end, forKey: .end)
    try values.encode(exitCode, forKey: .exitCode)
    try values.encode(output, forKey: .output)
  }
}

/// A mount as it is in a container (`MountPoint`).
package struct MountPoint: Codable, Sendable, Hashable {
  package var type: String = ""
  package var name: String = ""
  package var source: String = ""
  package var destination: String = ""
  package var driver: String = ""
  package var mode: String = ""
  package var isWritable: Bool = false
  package var propagation: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case type = "Type"
    case name = "Name"
    case source = "Source"
    case destination = "Destination"
    case driver = "Driver"
    case mode = "Mode"
    case isWritable = "RW"
    case propagation = "Propagation"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.type = try values.value(.type) ?? ""
    name = try values.value(.name) ?? ""
    source = try values.value(.source) ?? ""
    destination = try values.value(.destination) ?? ""
    driver = try values.value(.driver) ?? ""
    mode = try values.value(.mode) ?? ""
    isWritable = try values.value(.isWritable) ?? false
    propagation = try values.value(.propagation) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(self.type, forKey: .type)
    try values.encodeUnlessUnset(name, forKey: .name)
    try values.encode(source, forKey: .source)
    try values.encode(destination, forKey: .destination)
    try values.encodeUnlessUnset(driver, forKey: .driver)
    try values.encode(mode, forKey: .mode)
    try values.encode(isWritable, forKey: .isWritable)
    try values.encode(propagation, forKey: .propagation)
  }
}
