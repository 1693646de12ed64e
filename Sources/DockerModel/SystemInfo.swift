/// The state of this machine's engine (`SystemInfo`).
package struct SystemInfo: Codable, Sendable, Hashable {
  package var id: String = ""
  package var containers: Int = 0
  package var containersRunning: Int = 0
  package var containersPaused: Int = 0
  package var containersStopped: Int = 0
  package var images: Int = 0
  package var driver: String = ""
  package var driverStatus: [[String]] = []
  package var dockerRootDir: String = ""
  package var plugins: PluginsInfo = PluginsInfo()
  package var memoryLimit: Bool = false
  package var swapLimit: Bool = false
  package var kernelMemoryTCP: Bool = false
  package var cpuCfsPeriod: Bool = false
  package var cpuCfsQuota: Bool = false
  package var cpuShares: Bool = false
  package var cpuSet: Bool = false
  package var pidsLimit: Bool = false
  package var oomKillDisable: Bool = false
  package var ipv4Forwarding: Bool = false
  package var bridgeNfIptables: Bool = false
  package var bridgeNfIp6tables: Bool = false
  package var debug: Bool = false
  package var nFd: Int = 0
  package var nGoroutines: Int = 0
  package var systemTime: String = ""
  package var loggingDriver: String = ""
  package var cgroupDriver: String = ""
  package var cgroupVersion: String = ""
  package var nEventsListener: Int = 0
  package var kernelVersion: String = ""
  package var operatingSystem: String = ""
  package var osVersion: String = ""
  package var osType: String = "linux"
  package var architecture: String = ""
  package var ncpu: Int = 0
  package var memTotal: Int64 = 0
  package var indexServerAddress: String = ""
  package var registryConfig: RegistryServiceConfig = RegistryServiceConfig()
  package var genericResources: [String]?
  package var httpProxy: String = ""
  package var httpsProxy: String = ""
  package var noProxy: String = ""
  package var name: String = ""
  package var labels: [String] = []
  package var experimentalBuild: Bool = false
  package var serverVersion: String = ""
  package var runtimes: [String: Runtime] = [:]
  package var defaultRuntime: String = ""
  package var swarm: SwarmInfo = SwarmInfo()
  package var liveRestoreEnabled: Bool = false
  package var isolation: String = ""
  package var initBinary: String = ""
  package var containerdCommit: Commit = Commit()
  package var runcCommit: Commit = Commit()
  package var initCommit: Commit = Commit()
  package var securityOptions: [String] = []
  package var defaultAddressPools: [AddressPool] = []
  package var warnings: [String]?
  package var cdiSpecDirs: [String] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "ID"
    case containers = "Containers"
    case containersRunning = "ContainersRunning"
    case containersPaused = "ContainersPaused"
    case containersStopped = "ContainersStopped"
    case images = "Images"
    case driver = "Driver"
    case driverStatus = "DriverStatus"
    case dockerRootDir = "DockerRootDir"
    case plugins = "Plugins"
    case memoryLimit = "MemoryLimit"
    case swapLimit = "SwapLimit"
    case kernelMemoryTCP = "KernelMemoryTCP"
    case cpuCfsPeriod = "CpuCfsPeriod"
    case cpuCfsQuota = "CpuCfsQuota"
    case cpuShares = "CPUShares"
    case cpuSet = "CPUSet"
    case pidsLimit = "PidsLimit"
    case oomKillDisable = "OomKillDisable"
    case ipv4Forwarding = "IPv4Forwarding"
    case bridgeNfIptables = "BridgeNfIptables"
    case bridgeNfIp6tables = "BridgeNfIp6tables"
    case debug = "Debug"
    case nFd = "NFd"
    case nGoroutines = "NGoroutines"
    case systemTime = "SystemTime"
    case loggingDriver = "LoggingDriver"
    case cgroupDriver = "CgroupDriver"
    case cgroupVersion = "CgroupVersion"
    case nEventsListener = "NEventsListener"
    case kernelVersion = "KernelVersion"
    case operatingSystem = "OperatingSystem"
    case osVersion = "OSVersion"
    case osType = "OSType"
    case architecture = "Architecture"
    case ncpu = "NCPU"
    case memTotal = "MemTotal"
    case indexServerAddress = "IndexServerAddress"
    case registryConfig = "RegistryConfig"
    case genericResources = "GenericResources"
    case httpProxy = "HttpProxy"
    case httpsProxy = "HttpsProxy"
    case noProxy = "NoProxy"
    case name = "Name"
    case labels = "Labels"
    case experimentalBuild = "ExperimentalBuild"
    case serverVersion = "ServerVersion"
    case runtimes = "Runtimes"
    case defaultRuntime = "DefaultRuntime"
    case swarm = "Swarm"
    case liveRestoreEnabled = "LiveRestoreEnabled"
    case isolation = "Isolation"
    case initBinary = "InitBinary"
    case containerdCommit = "ContainerdCommit"
    case runcCommit = "RuncCommit"
    case initCommit = "InitCommit"
    case securityOptions = "SecurityOptions"
    case defaultAddressPools = "DefaultAddressPools"
    case warnings = "Warnings"
    case cdiSpecDirs = "CDISpecDirs"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    containers = try values.value(.containers) ?? 0
    containersRunning = try values.value(.containersRunning) ?? 0
    containersPaused = try values.value(.containersPaused) ?? 0
    containersStopped = try values.value(.containersStopped) ?? 0
    images = try values.value(.images) ?? 0
    driver = try values.value(.driver) ?? ""
    driverStatus = try values.value(.driverStatus) ?? []
    dockerRootDir = try values.value(.dockerRootDir) ?? ""
    plugins = try values.value(.plugins) ?? PluginsInfo()
    memoryLimit = try values.value(.memoryLimit) ?? false
    swapLimit = try values.value(.swapLimit) ?? false
    kernelMemoryTCP = try values.value(.kernelMemoryTCP) ?? false
    cpuCfsPeriod = try values.value(.cpuCfsPeriod) ?? false
    cpuCfsQuota = try values.value(.cpuCfsQuota) ?? false
    cpuShares = try values.value(.cpuShares) ?? false
    cpuSet = try values.value(.cpuSet) ?? false
    pidsLimit = try values.value(.pidsLimit) ?? false
    oomKillDisable = try values.value(.oomKillDisable) ?? false
    ipv4Forwarding = try values.value(.ipv4Forwarding) ?? false
    bridgeNfIptables = try values.value(.bridgeNfIptables) ?? false
    bridgeNfIp6tables = try values.value(.bridgeNfIp6tables) ?? false
    debug = try values.value(.debug) ?? false
    nFd = try values.value(.nFd) ?? 0
    nGoroutines = try values.value(.nGoroutines) ?? 0
    systemTime = try values.value(.systemTime) ?? ""
    loggingDriver = try values.value(.loggingDriver) ?? ""
    cgroupDriver = try values.value(.cgroupDriver) ?? ""
    cgroupVersion = try values.value(.cgroupVersion) ?? ""
    nEventsListener = try values.value(.nEventsListener) ?? 0
    kernelVersion = try values.value(.kernelVersion) ?? ""
    operatingSystem = try values.value(.operatingSystem) ?? ""
    osVersion = try values.value(.osVersion) ?? ""
    osType = try values.value(.osType) ?? "linux"
    architecture = try values.value(.architecture) ?? ""
    ncpu = try values.value(.ncpu) ?? 0
    memTotal = try values.value(.memTotal) ?? 0
    indexServerAddress = try values.value(.indexServerAddress) ?? ""
    registryConfig = try values.value(.registryConfig) ?? RegistryServiceConfig()
    genericResources = try values.decodeIfPresent([String].self, forKey: .genericResources)
    httpProxy = try values.value(.httpProxy) ?? ""
    httpsProxy = try values.value(.httpsProxy) ?? ""
    noProxy = try values.value(.noProxy) ?? ""
    name = try values.value(.name) ?? ""
    labels = try values.value(.labels) ?? []
    experimentalBuild = try values.value(.experimentalBuild) ?? false
    serverVersion = try values.value(.serverVersion) ?? ""
    runtimes = try values.value(.runtimes) ?? [:]
    defaultRuntime = try values.value(.defaultRuntime) ?? ""
    swarm = try values.value(.swarm) ?? SwarmInfo()
    liveRestoreEnabled = try values.value(.liveRestoreEnabled) ?? false
    isolation = try values.value(.isolation) ?? ""
    initBinary = try values.value(.initBinary) ?? ""
    containerdCommit = try values.value(.containerdCommit) ?? Commit()
    runcCommit = try values.value(.runcCommit) ?? Commit()
    initCommit = try values.value(.initCommit) ?? Commit()
    securityOptions = try values.value(.securityOptions) ?? []
    defaultAddressPools = try values.value(.defaultAddressPools) ?? []
    warnings = try values.decodeIfPresent([String].self, forKey: .warnings)
    cdiSpecDirs = try values.value(.cdiSpecDirs) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(containers, forKey: .containers)
    try values.encode(containersRunning, forKey: .containersRunning)
    try values.encode(containersPaused, forKey: .containersPaused)
    try values.encode(containersStopped, forKey: .containersStopped)
    try values.encode(images, forKey: .images)
    try values.encode(driver, forKey: .driver)
    try values.encode(driverStatus, forKey: .driverStatus)
    try values.encode(dockerRootDir, forKey: .dockerRootDir)
    try values.encode(plugins, forKey: .plugins)
    try values.encode(memoryLimit, forKey: .memoryLimit)
    try values.encode(swapLimit, forKey: .swapLimit)
    try values.encodeUnlessUnset(kernelMemoryTCP, forKey: .kernelMemoryTCP)
    try values.encode(cpuCfsPeriod, forKey: .cpuCfsPeriod)
    try values.encode(cpuCfsQuota, forKey: .cpuCfsQuota)
    try values.encode(cpuShares, forKey: .cpuShares)
    try values.encode(cpuSet, forKey: .cpuSet)
    try values.encode(pidsLimit, forKey: .pidsLimit)
    try values.encode(oomKillDisable, forKey: .oomKillDisable)
    try values.encode(ipv4Forwarding, forKey: .ipv4Forwarding)
    try values.encode(bridgeNfIptables, forKey: .bridgeNfIptables)
    try values.encode(bridgeNfIp6tables, forKey: .bridgeNfIp6tables)
    try values.encode(debug, forKey: .debug)
    try values.encode(nFd, forKey: .nFd)
    try values.encode(nGoroutines, forKey: .nGoroutines)
    try values.encode(systemTime, forKey: .systemTime)
    try values.encode(loggingDriver, forKey: .loggingDriver)
    try values.encode(cgroupDriver, forKey: .cgroupDriver)
    try values.encode(cgroupVersion, forKey: .cgroupVersion)
    try values.encode(nEventsListener, forKey: .nEventsListener)
    try values.encode(kernelVersion, forKey: .kernelVersion)
    try values.encode(operatingSystem, forKey: .operatingSystem)
    try values.encode(osVersion, forKey: .osVersion)
    try values.encode(osType, forKey: .osType)
    try values.encode(architecture, forKey: .architecture)
    try values.encode(ncpu, forKey: .ncpu)
    try values.encode(memTotal, forKey: .memTotal)
    try values.encode(indexServerAddress, forKey: .indexServerAddress)
    try values.encode(registryConfig, forKey: .registryConfig)
    try values.encode(genericResources, forKey: .genericResources)
    try values.encode(httpProxy, forKey: .httpProxy)
    try values.encode(httpsProxy, forKey: .httpsProxy)
    try values.encode(noProxy, forKey: .noProxy)
    try values.encode(name, forKey: .name)
    try values.encode(labels, forKey: .labels)
    try values.encode(experimentalBuild, forKey: .experimentalBuild)
    try values.encode(serverVersion, forKey: .serverVersion)
    try values.encode(runtimes, forKey: .runtimes)
    try values.encode(defaultRuntime, forKey: .defaultRuntime)
    try values.encode(swarm, forKey: .swarm)
    try values.encode(liveRestoreEnabled, forKey: .liveRestoreEnabled)
    try values.encode(isolation, forKey: .isolation)
    try values.encode(initBinary, forKey: .initBinary)
    try values.encode(containerdCommit, forKey: .containerdCommit)
    try values.encode(runcCommit, forKey: .runcCommit)
    try values.encode(initCommit, forKey: .initCommit)
    try values.encode(securityOptions, forKey: .securityOptions)
    try values.encodeUnlessUnset(defaultAddressPools, forKey: .defaultAddressPools)
    try values.encode(warnings, forKey: .warnings)
    try values.encode(cdiSpecDirs, forKey: .cdiSpecDirs)
  }
}
