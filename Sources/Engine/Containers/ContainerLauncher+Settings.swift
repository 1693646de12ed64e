import ContainerRuntime
import DockerModel
import Glibc
import Host

extension ContainerLauncher {
  /// A container's settings in the runtime's words, names resolved.
  /// - Parameter sandbox: the path of its network namespace; nil for the host's.
  func settings(
    for record: ContainerRecord, rootfs: String, sandbox: String?, folder: String
  ) throws -> ContainerSettings {
    let host = record.hostConfig
    var settings = ContainerSettings(
      id: record.id, rootfs: rootfs, arguments: record.arguments)
    settings.environment = record.config.env ?? []
    settings.workingDirectory = record.config.workingDir
    settings.user = record.config.user
    settings.additionalGroups = host.groupAdd ?? []
    settings.terminal = record.config.tty
    settings.terminalSize = Self.terminalSize(host.consoleSize)
    settings.openStdin = record.config.openStdin
    settings.stdinOnce = record.config.stdinOnce
    settings.useInit = host.`init` ?? false
    settings.readonlyRootfs = host.readonlyRootfs
    settings.devices = (host.devices ?? []).map {
      DeviceSettings(
        $0.pathOnHost, at: $0.pathInContainer.isEmpty ? nil : $0.pathInContainer,
        permissions: $0.cgroupPermissions.isEmpty ? "rwm" : $0.cgroupPermissions)
    }
    settings.deviceCgroupRules = host.deviceCgroupRules ?? []
    settings.limits = (host.ulimits ?? []).map {
      ProcessLimit($0.name, soft: $0.soft, hard: $0.hard)
    }
    settings.sysctls = Self.sysctls(host)
    settings.oomScoreAdjustment = host.oomScoreAdj == 0 ? nil : host.oomScoreAdj
    settings.cgroupParent = host.cgroupParent.isEmpty ? nil : host.cgroupParent
    settings.annotations = host.annotations ?? [:]
    settings.resources = Self.resources(host)
    settings.security = try security(host)
    settings.log = try LogOptions(host.logConfig).settings(path: folder + "/container.log")
    settings.mounts = try mounts(record, folder: folder)
    settings.namespaces = try namespaces(record, sandbox: sandbox)
    if settings.namespaces.uts == .own {
      settings.hostname = record.config.hostname
      settings.domainname = record.config.domainname
    }
    settings.sharedMemory = try sharedMemory(host)
    return settings
  }

  /// What dockerd sets in a network namespace of a container's own: any user may take low ports and
  /// send pings.
  private static func sysctls(_ host: HostConfig) -> [String: String] {
    guard NetworkMode(host.networkMode).isPrivate else { return host.sysctls ?? [:] }
    let defaults = [
      "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647",
    ]
    return defaults.merging(host.sysctls ?? [:]) { $1 }
  }

  private static func terminalSize(_ size: [Int]) -> RuntimeTerminalSize? {
    guard size.count == 2, let height = UInt16(exactly: size[0]), height > 0,
      let width = UInt16(exactly: size[1]), width > 0
    else { return nil }
    return RuntimeTerminalSize(height: height, width: width)
  }

  // MARK: - Security

  private func security(_ host: HostConfig) throws -> SecuritySettings {
    let options = try SecurityOptions(host.securityOpt ?? [])
    let configuration = context.configuration
    var security = SecuritySettings()
    security.addedCapabilities = host.capAdd?.values ?? []
    security.droppedCapabilities = host.capDrop?.values ?? []
    security.privileged = host.privileged
    security.noNewPrivileges = options.noNewPrivileges ?? configuration.noNewPrivileges
    if let chosen = options.seccomp {
      security.seccomp = chosen
    } else if let profile = configuration.seccompProfile {
      security.seccomp = profile == "unconfined" ? .unconfined : .profile(json: profile)
    }
    security.maskedPaths = options.isSystemPathsUnconfined ? [] : host.maskedPaths
    security.readonlyPaths = options.isSystemPathsUnconfined ? [] : host.readonlyPaths
    return security
  }

  // MARK: - Limits

  /// The limits of a host configuration; what is at its unset value is nil.
  static func resources(_ host: HostConfig) -> ResourceSettings {
    func positive<Value: FixedWidthInteger>(_ value: Int64) -> Value? {
      value > 0 ? Value(exactly: value) : nil
    }
    func devices(_ list: [ThrottleDevice]?) -> [ResourceSettings.BlockDevice] {
      (list ?? []).map { .init(path: $0.path, value: UInt64(clamping: $0.rate)) }
    }
    var resources = ResourceSettings()
    resources.cpuShares = positive(host.cpuShares)
    resources.cpuQuota = host.cpuQuota == 0 ? nil : host.cpuQuota
    resources.cpuPeriod = positive(host.cpuPeriod)
    resources.cpuRealtimeRuntime = positive(host.cpuRealtimeRuntime)
    resources.cpuRealtimePeriod = positive(host.cpuRealtimePeriod)
    resources.cpusetCPUs = host.cpusetCpus.isEmpty ? nil : host.cpusetCpus
    resources.cpusetMemory = host.cpusetMems.isEmpty ? nil : host.cpusetMems
    resources.nanoCPUs = host.nanoCpus == 0 ? nil : host.nanoCpus
    resources.memory = host.memory == 0 ? nil : host.memory
    resources.memorySwap = host.memorySwap == 0 ? nil : host.memorySwap
    resources.memoryReservation = host.memoryReservation == 0 ? nil : host.memoryReservation
    if let swappiness = host.memorySwappiness, swappiness >= 0 {
      resources.memorySwappiness = UInt64(swappiness)
    }
    resources.oomKillDisabled = host.oomKillDisable == true ? true : nil
    resources.pidsLimit = host.pidsLimit == 0 ? nil : host.pidsLimit
    resources.blockWeight = host.blkioWeight > 0 ? UInt16(exactly: host.blkioWeight) : nil
    resources.blockWeightDevices = (host.blkioWeightDevice ?? []).map {
      .init(path: $0.path, value: UInt64(clamping: $0.weight))
    }
    resources.blockReadBytes = devices(host.blkioDeviceReadBps)
    resources.blockWriteBytes = devices(host.blkioDeviceWriteBps)
    resources.blockReadOperations = devices(host.blkioDeviceReadIOps)
    resources.blockWriteOperations = devices(host.blkioDeviceWriteIOps)
    return resources
  }

  // MARK: - Mounts

  private func mounts(_ record: ContainerRecord, folder: String) throws -> [MountSettings] {
    var mounts = try record.mounts.map { mount -> MountSettings in
      if mount.kind == .tmpfs { return try Self.tmpfs(mount) }
      let source = try bindSource(mount)
      var settings = MountSettings(
        .bind(path: source, recursive: !mount.isNonRecursive), at: mount.destination,
        readonly: mount.isReadOnly)
      settings.propagation = mount.propagation.isEmpty ? nil : mount.propagation
      return settings
    }
    for (source, destination) in ContainerFiles.mounts(in: folder, besides: record) {
      mounts.append(
        MountSettings(
          .bind(path: source), at: destination, readonly: record.hostConfig.readonlyRootfs))
    }
    return mounts
  }

  private func bindSource(_ mount: MountRecord) throws -> String {
    guard !mount.subpath.isEmpty else { return mount.source }
    let volume = try RootedDirectory(mount.source)
    do {
      let opened = try volume.open(Array(mount.subpath.utf8), PathOfDescriptor.pathOnly)
      return try PathOfDescriptor.resolve(opened)
    } catch let error as SystemError where error.errno == ENOENT {
      throw APIError.invalidParameter(
        "cannot access path \(mount.subpath) in volume \(mount.volume): no such file or directory")
    }
  }

  private static func tmpfs(_ mount: MountRecord) throws -> MountSettings {
    var size: Int64?
    var mode: UInt32?
    var options: [String] = []
    for option in mount.tmpfsOptions {
      let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
      switch parts.first {
      case "size" where parts.count == 2:
        guard let bytes = ByteCount.parse(parts[1]) else {
          throw APIError.invalidParameter("invalid tmpfs option \"\(option)\"")
        }
        size = bytes
      case "mode" where parts.count == 2:
        guard let bits = UInt32(parts[1], radix: 8) else {
          throw APIError.invalidParameter("invalid tmpfs option \"\(option)\"")
        }
        mode = bits
      case "ro", "rw": break
      default: options.append(option)
      }
    }
    return MountSettings(
      .tmpfs(size: size, mode: mode, options: options), at: mount.destination,
      readonly: mount.isReadOnly)
  }

  // MARK: - Namespaces

  private func namespaces(
    _ record: ContainerRecord, sandbox: String?
  ) throws -> NamespaceSettings {
    let host = record.hostConfig
    var namespaces = NamespaceSettings()
    namespaces.network = sandbox.map { .path($0) } ?? .host
    namespaces.pid = try namespace(host.pidMode, "pid")
    namespaces.ipc = try namespace(host.ipcMode, "ipc")
    namespaces.uts = host.utsMode == "host" ? .host : .own
    namespaces.cgroup = host.cgroupnsMode == "host" ? .host : .own
    return namespaces
  }

  private func namespace(_ mode: String, _ kind: String) throws -> NamespaceSettings.Mode {
    if mode == "host" { return .host }
    guard let reference = containerReference(inMode: mode) else { return .own }
    return .path("/proc/\(try runningProcess(of: reference))/ns/\(kind)")
  }

  private func runningProcess(of reference: String) throws -> Int32 {
    let other = try context.containers.find(reference)
    guard let handle = other.lifecycle.handle else {
      throw APIError.conflict(
        "cannot join namespace of a non running container: container \(other.id) is not running")
    }
    return handle.pid
  }

  private func sharedMemory(_ host: HostConfig) throws -> SharedMemorySettings {
    switch host.ipcMode {
    case "none": return .none
    case "host": return .path("/dev/shm")
    case "shareable": return .shareable(size: host.shmSize)
    default:
      guard let reference = containerReference(inMode: host.ipcMode) else {
        return .own(size: host.shmSize)
      }
      let other = try context.containers.find(reference)
      guard other.record.hostConfig.ipcMode == "shareable" else {
        throw APIError.conflict(
          "can't join IPC of container \(other.id): non-shareable IPC (hint: use IpcMode:shareable "
            + "for the donor container)")
      }
      return .path(context.runtime.sharedMemoryPath(other.id))
    }
  }
}
