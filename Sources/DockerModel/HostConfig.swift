/// How a container runs on this machine (`HostConfig`).
package struct HostConfig: Codable, Sendable, Hashable {
  package var binds: [String]?
  package var containerIDFile: String = ""
  package var logConfig: LogConfig = LogConfig()
  package var networkMode: String = ""
  package var portBindings: [String: [PortBinding]?]?
  package var restartPolicy: RestartPolicy = RestartPolicy()
  package var autoRemove: Bool = false
  package var volumeDriver: String = ""
  package var volumesFrom: [String]?
  package var consoleSize: [Int] = []
  package var annotations: [String: String]?
  package var capAdd: StringList?
  package var capDrop: StringList?
  package var cgroupnsMode: String = ""
  package var dns: [String] = []
  package var dnsOptions: [String] = []
  package var dnsSearch: [String] = []
  package var extraHosts: [String]?
  package var groupAdd: [String]?
  package var ipcMode: String = ""
  package var cgroup: String = ""
  package var links: [String]?
  package var oomScoreAdj: Int = 0
  package var pidMode: String = ""
  package var privileged: Bool = false
  package var publishAllPorts: Bool = false
  package var readonlyRootfs: Bool = false
  package var securityOpt: [String]?
  package var storageOpt: [String: String]?
  package var tmpfs: [String: String]?
  package var utsMode: String = ""
  package var usernsMode: String = ""
  package var shmSize: Int64 = 0
  package var sysctls: [String: String]?
  package var runtime: String = ""
  package var isolation: String = ""
  package var cpuShares: Int64 = 0
  package var memory: Int64 = 0
  package var nanoCpus: Int64 = 0
  package var cgroupParent: String = ""
  package var blkioWeight: Int = 0
  package var blkioWeightDevice: [WeightDevice]?
  package var blkioDeviceReadBps: [ThrottleDevice]?
  package var blkioDeviceWriteBps: [ThrottleDevice]?
  package var blkioDeviceReadIOps: [ThrottleDevice]?
  package var blkioDeviceWriteIOps: [ThrottleDevice]?
  package var cpuPeriod: Int64 = 0
  package var cpuQuota: Int64 = 0
  package var cpuRealtimePeriod: Int64 = 0
  package var cpuRealtimeRuntime: Int64 = 0
  package var cpusetCpus: String = ""
  package var cpusetMems: String = ""
  package var devices: [DeviceMapping]?
  package var deviceCgroupRules: [String]?
  package var deviceRequests: [DeviceRequest]?
  package var memoryReservation: Int64 = 0
  package var memorySwap: Int64 = 0
  package var memorySwappiness: Int64?
  package var kernelMemory: Int64 = 0
  package var kernelMemoryTCP: Int64 = 0
  package var oomKillDisable: Bool?
  package var pidsLimit: Int64?
  package var ulimits: [Ulimit]?
  package var cpuCount: Int64 = 0
  package var cpuPercent: Int64 = 0
  package var ioMaximumIOps: UInt64 = 0
  package var ioMaximumBandwidth: UInt64 = 0
  package var mounts: [Mount]?
  package var maskedPaths: [String]?
  package var readonlyPaths: [String]?
  package var `init`: Bool?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case binds = "Binds"
    case containerIDFile = "ContainerIDFile"
    case logConfig = "LogConfig"
    case networkMode = "NetworkMode"
    case portBindings = "PortBindings"
    case restartPolicy = "RestartPolicy"
    case autoRemove = "AutoRemove"
    case volumeDriver = "VolumeDriver"
    case volumesFrom = "VolumesFrom"
    case consoleSize = "ConsoleSize"
    case annotations = "Annotations"
    case capAdd = "CapAdd"
    case capDrop = "CapDrop"
    case cgroupnsMode = "CgroupnsMode"
    case dns = "Dns"
    case dnsOptions = "DnsOptions"
    case dnsSearch = "DnsSearch"
    case extraHosts = "ExtraHosts"
    case groupAdd = "GroupAdd"
    case ipcMode = "IpcMode"
    case cgroup = "Cgroup"
    case links = "Links"
    case oomScoreAdj = "OomScoreAdj"
    case pidMode = "PidMode"
    case privileged = "Privileged"
    case publishAllPorts = "PublishAllPorts"
    case readonlyRootfs = "ReadonlyRootfs"
    case securityOpt = "SecurityOpt"
    case storageOpt = "StorageOpt"
    case tmpfs = "Tmpfs"
    case utsMode = "UTSMode"
    case usernsMode = "UsernsMode"
    case shmSize = "ShmSize"
    case sysctls = "Sysctls"
    case runtime = "Runtime"
    case isolation = "Isolation"
    case cpuShares = "CpuShares"
    case memory = "Memory"
    case nanoCpus = "NanoCpus"
    case cgroupParent = "CgroupParent"
    case blkioWeight = "BlkioWeight"
    case blkioWeightDevice = "BlkioWeightDevice"
    case blkioDeviceReadBps = "BlkioDeviceReadBps"
    case blkioDeviceWriteBps = "BlkioDeviceWriteBps"
    case blkioDeviceReadIOps = "BlkioDeviceReadIOps"
    case blkioDeviceWriteIOps = "BlkioDeviceWriteIOps"
    case cpuPeriod = "CpuPeriod"
    case cpuQuota = "CpuQuota"
    case cpuRealtimePeriod = "CpuRealtimePeriod"
    case cpuRealtimeRuntime = "CpuRealtimeRuntime"
    case cpusetCpus = "CpusetCpus"
    case cpusetMems = "CpusetMems"
    case devices = "Devices"
    case deviceCgroupRules = "DeviceCgroupRules"
    case deviceRequests = "DeviceRequests"
    case memoryReservation = "MemoryReservation"
    case memorySwap = "MemorySwap"
    case memorySwappiness = "MemorySwappiness"
    case kernelMemory = "KernelMemory"
    case kernelMemoryTCP = "KernelMemoryTCP"
    case oomKillDisable = "OomKillDisable"
    case pidsLimit = "PidsLimit"
    case ulimits = "Ulimits"
    case cpuCount = "CpuCount"
    case cpuPercent = "CpuPercent"
    case ioMaximumIOps = "IOMaximumIOps"
    case ioMaximumBandwidth = "IOMaximumBandwidth"
    case mounts = "Mounts"
    case maskedPaths = "MaskedPaths"
    case readonlyPaths = "ReadonlyPaths"
    case `init` = "Init"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    binds = try values.decodeIfPresent([String].self, forKey: .binds)
    containerIDFile = try values.value(.containerIDFile) ?? ""
    logConfig = try values.value(.logConfig) ?? LogConfig()
    networkMode = try values.value(.networkMode) ?? ""
    portBindings = try values.decodeIfPresent([String: [PortBinding]?].self, forKey: .portBindings)
    restartPolicy = try values.value(.restartPolicy) ?? RestartPolicy()
    autoRemove = try values.value(.autoRemove) ?? false
    volumeDriver = try values.value(.volumeDriver) ?? ""
    volumesFrom = try values.decodeIfPresent([String].self, forKey: .volumesFrom)
    consoleSize = try values.value(.consoleSize) ?? []
    annotations = try values.decodeIfPresent([String: String].self, forKey: .annotations)
    capAdd = try values.value(.capAdd)
    capDrop = try values.value(.capDrop)
    cgroupnsMode = try values.value(.cgroupnsMode) ?? ""
    dns = try values.value(.dns) ?? []
    dnsOptions = try values.value(.dnsOptions) ?? []
    dnsSearch = try values.value(.dnsSearch) ?? []
    extraHosts = try values.decodeIfPresent([String].self, forKey: .extraHosts)
    groupAdd = try values.decodeIfPresent([String].self, forKey: .groupAdd)
    ipcMode = try values.value(.ipcMode) ?? ""
    cgroup = try values.value(.cgroup) ?? ""
    links = try values.decodeIfPresent([String].self, forKey: .links)
    oomScoreAdj = try values.value(.oomScoreAdj) ?? 0
    pidMode = try values.value(.pidMode) ?? ""
    privileged = try values.value(.privileged) ?? false
    publishAllPorts = try values.value(.publishAllPorts) ?? false
    readonlyRootfs = try values.value(.readonlyRootfs) ?? false
    securityOpt = try values.decodeIfPresent([String].self, forKey: .securityOpt)
    storageOpt = try values.decodeIfPresent([String: String].self, forKey: .storageOpt)
    tmpfs = try values.decodeIfPresent([String: String].self, forKey: .tmpfs)
    utsMode = try values.value(.utsMode) ?? ""
    usernsMode = try values.value(.usernsMode) ?? ""
    shmSize = try values.value(.shmSize) ?? 0
    sysctls = try values.decodeIfPresent([String: String].self, forKey: .sysctls)
    runtime = try values.value(.runtime) ?? ""
    isolation = try values.value(.isolation) ?? ""
    cpuShares = try values.value(.cpuShares) ?? 0
    memory = try values.value(.memory) ?? 0
    nanoCpus = try values.value(.nanoCpus) ?? 0
    cgroupParent = try values.value(.cgroupParent) ?? ""
    blkioWeight = try values.value(.blkioWeight) ?? 0
    blkioWeightDevice = try values.decodeIfPresent([WeightDevice].self, forKey: .blkioWeightDevice)
    blkioDeviceReadBps = try values.decodeIfPresent(
      [ThrottleDevice].self, forKey: .blkioDeviceReadBps)
    blkioDeviceWriteBps = try values.decodeIfPresent(
      [ThrottleDevice].self, forKey: .blkioDeviceWriteBps)
    blkioDeviceReadIOps = try values.decodeIfPresent(
      [ThrottleDevice].self, forKey: .blkioDeviceReadIOps)
    blkioDeviceWriteIOps = try values.decodeIfPresent(
      [ThrottleDevice].self, forKey: .blkioDeviceWriteIOps)
    cpuPeriod = try values.value(.cpuPeriod) ?? 0
    cpuQuota = try values.value(.cpuQuota) ?? 0
    cpuRealtimePeriod = try values.value(.cpuRealtimePeriod) ?? 0
    cpuRealtimeRuntime = try values.value(.cpuRealtimeRuntime) ?? 0
    cpusetCpus = try values.value(.cpusetCpus) ?? ""
    cpusetMems = try values.value(.cpusetMems) ?? ""
    devices = try values.decodeIfPresent([DeviceMapping].self, forKey: .devices)
    deviceCgroupRules = try values.decodeIfPresent([String].self, forKey: .deviceCgroupRules)
    deviceRequests = try values.decodeIfPresent([DeviceRequest].self, forKey: .deviceRequests)
    memoryReservation = try values.value(.memoryReservation) ?? 0
    memorySwap = try values.value(.memorySwap) ?? 0
    memorySwappiness = try values.decodeIfPresent(Int64.self, forKey: .memorySwappiness)
    kernelMemory = try values.value(.kernelMemory) ?? 0
    kernelMemoryTCP = try values.value(.kernelMemoryTCP) ?? 0
    oomKillDisable = try values.decodeIfPresent(Bool.self, forKey: .oomKillDisable)
    pidsLimit = try values.decodeIfPresent(Int64.self, forKey: .pidsLimit)
    ulimits = try values.decodeIfPresent([Ulimit].self, forKey: .ulimits)
    cpuCount = try values.value(.cpuCount) ?? 0
    cpuPercent = try values.value(.cpuPercent) ?? 0
    ioMaximumIOps = try values.value(.ioMaximumIOps) ?? 0
    ioMaximumBandwidth = try values.value(.ioMaximumBandwidth) ?? 0
    mounts = try values.decodeIfPresent([Mount].self, forKey: .mounts)
    maskedPaths = try values.decodeIfPresent([String].self, forKey: .maskedPaths)
    readonlyPaths = try values.decodeIfPresent([String].self, forKey: .readonlyPaths)
    self.`init` = try values.decodeIfPresent(Bool.self, forKey: .`init`)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(binds, forKey: .binds)
    try values.encode(containerIDFile, forKey: .containerIDFile)
    try values.encode(logConfig, forKey: .logConfig)
    try values.encode(networkMode, forKey: .networkMode)
    try values.encode(portBindings, forKey: .portBindings)
    try values.encode(restartPolicy, forKey: .restartPolicy)
    try values.encode(autoRemove, forKey: .autoRemove)
    try values.encode(volumeDriver, forKey: .volumeDriver)
    try values.encode(volumesFrom, forKey: .volumesFrom)
    try values.encode(consoleSize, forKey: .consoleSize)
    try values.encodeIfPresent(annotations, forKey: .annotations)
    try values.encode(capAdd, forKey: .capAdd)
    try values.encode(capDrop, forKey: .capDrop)
    try values.encode(cgroupnsMode, forKey: .cgroupnsMode)
    try values.encode(dns, forKey: .dns)
    try values.encode(dnsOptions, forKey: .dnsOptions)
    try values.encode(dnsSearch, forKey: .dnsSearch)
    try values.encode(extraHosts, forKey: .extraHosts)
    try values.encode(groupAdd, forKey: .groupAdd)
    try values.encode(ipcMode, forKey: .ipcMode)
    try values.encode(cgroup, forKey: .cgroup)
    try values.encode(links, forKey: .links)
    try values.encode(oomScoreAdj, forKey: .oomScoreAdj)
    try values.encode(pidMode, forKey: .pidMode)
    try values.encode(privileged, forKey: .privileged)
    try values.encode(publishAllPorts, forKey: .publishAllPorts)
    try values.encode(readonlyRootfs, forKey: .readonlyRootfs)
    try values.encode(securityOpt, forKey: .securityOpt)
    try values.encodeIfPresent(storageOpt, forKey: .storageOpt)
    try values.encodeIfPresent(tmpfs, forKey: .tmpfs)
    try values.encode(utsMode, forKey: .utsMode)
    try values.encode(usernsMode, forKey: .usernsMode)
    try values.encode(shmSize, forKey: .shmSize)
    try values.encodeIfPresent(sysctls, forKey: .sysctls)
    try values.encode(runtime, forKey: .runtime)
    try values.encode(isolation, forKey: .isolation)
    try values.encode(cpuShares, forKey: .cpuShares)
    try values.encode(memory, forKey: .memory)
    try values.encode(nanoCpus, forKey: .nanoCpus)
    try values.encode(cgroupParent, forKey: .cgroupParent)
    try values.encode(blkioWeight, forKey: .blkioWeight)
    try values.encode(blkioWeightDevice, forKey: .blkioWeightDevice)
    try values.encode(blkioDeviceReadBps, forKey: .blkioDeviceReadBps)
    try values.encode(blkioDeviceWriteBps, forKey: .blkioDeviceWriteBps)
    try values.encode(blkioDeviceReadIOps, forKey: .blkioDeviceReadIOps)
    try values.encode(blkioDeviceWriteIOps, forKey: .blkioDeviceWriteIOps)
    try values.encode(cpuPeriod, forKey: .cpuPeriod)
    try values.encode(cpuQuota, forKey: .cpuQuota)
    try values.encode(cpuRealtimePeriod, forKey: .cpuRealtimePeriod)
    try values.encode(cpuRealtimeRuntime, forKey: .cpuRealtimeRuntime)
    try values.encode(cpusetCpus, forKey: .cpusetCpus)
    try values.encode(cpusetMems, forKey: .cpusetMems)
    try values.encode(devices, forKey: .devices)
    try values.encode(deviceCgroupRules, forKey: .deviceCgroupRules)
    try values.encode(deviceRequests, forKey: .deviceRequests)
    try values.encode(memoryReservation, forKey: .memoryReservation)
    try values.encode(memorySwap, forKey: .memorySwap)
    try values.encode(memorySwappiness, forKey: .memorySwappiness)
    try values.encodeUnlessUnset(kernelMemory, forKey: .kernelMemory)
    try values.encodeUnlessUnset(kernelMemoryTCP, forKey: .kernelMemoryTCP)
    try values.encode(oomKillDisable, forKey: .oomKillDisable)
    try values.encode(pidsLimit, forKey: .pidsLimit)
    try values.encode(ulimits, forKey: .ulimits)
    try values.encode(cpuCount, forKey: .cpuCount)
    try values.encode(cpuPercent, forKey: .cpuPercent)
    try values.encode(ioMaximumIOps, forKey: .ioMaximumIOps)
    try values.encode(ioMaximumBandwidth, forKey: .ioMaximumBandwidth)
    try values.encodeIfPresent(mounts, forKey: .mounts)
    try values.encode(maskedPaths, forKey: .maskedPaths)
    try values.encode(readonlyPaths, forKey: .readonlyPaths)
    try values.encodeIfPresent(self.`init`, forKey: .`init`)
  }
}
