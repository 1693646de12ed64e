import Host
import Logging
import OCI

/// Turns a container's settings into the specification that the OCI runtime reads.
struct SpecificationBuilder {
  /// Where the container's init program is mounted.
  static let initDestination = "/sbin/docker-init"
  private static let usualPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  let settings: ContainerSettings
  let configuration: RuntimeConfiguration
  /// Folder of the shareable `/dev/shm`, if the settings ask for one.
  let sharedMemoryFolder: String
  var tree = CgroupTree.current

  /// Path of the container's cgroup below each hierarchy's root.
  static func cgroupPath(
    of settings: ContainerSettings, configuration: RuntimeConfiguration
  ) -> String {
    let parent = settings.cgroupParent ?? configuration.cgroupParent
    return Paths.cleaned("/" + parent + "/" + settings.id)
  }

  /// The whole specification. Reads the container's user database and the host's devices.
  /// - Throws: `ContainerRuntimeError.invalidSetting`.
  func build() throws -> RuntimeSpecification {
    let capabilities = try CapabilitySet.resolved(for: settings.security)
    var specification = RuntimeSpecification(
      process: try process(capabilities: capabilities),
      root: .init(path: settings.rootfs, readonly: settings.readonlyRootfs))
    if settings.namespaces.uts == .own, !settings.hostname.isEmpty {
      specification.hostname = settings.hostname
    }
    let mounts = MountBuilder(
      settings: settings, configuration: configuration, sharedMemoryFolder: sharedMemoryFolder)
    specification.mounts = try mounts.build()
    specification.annotations = settings.annotations.isEmpty ? nil : settings.annotations
    specification.linux = try linux(capabilities: capabilities)
    specification.linux.rootfsPropagation = mounts.rootPropagation
    return specification
  }

  // MARK: process

  private func process(capabilities: [String]) throws -> RuntimeSpecification.Process {
    guard let program = settings.arguments.first, !program.isEmpty else {
      throw ContainerRuntimeError(.invalidSetting, "no command specified")
    }
    try Self.checkText(settings.arguments + settings.environment)
    let resolution = try UserResolver(rootfs: settings.rootfs)
      .resolve(settings.user, additionalGroups: settings.additionalGroups)
    let folder = settings.workingDirectory.isEmpty ? "/" : settings.workingDirectory
    guard folder.hasPrefix("/") else {
      throw ContainerRuntimeError(
        .invalidSetting, "the working directory '\(folder)' is invalid, it needs to be absolute")
    }
    var arguments = settings.arguments
    if settings.useInit { arguments = [Self.initDestination, "--"] + arguments }
    var process = RuntimeSpecification.Process(
      args: arguments,
      user: .init(
        uid: resolution.uid, gid: resolution.gid, additionalGids: resolution.additionalGids),
      cwd: folder)
    process.env = Self.merged(
      Self.defaultEnvironment(of: settings), settings.environment)
    process.terminal = settings.terminal
    if let size = settings.terminalSize, settings.terminal {
      process.consoleSize = .init(height: UInt(size.height), width: UInt(size.width))
    }
    process.capabilities = .init(capabilities)
    process.noNewPrivileges = settings.security.noNewPrivileges
    process.oomScoreAdj = settings.oomScoreAdjustment
    process.rlimits = try settings.limits.map(Self.limit)
    return process
  }

  /// Strings end at a null byte in the kernel's hands: one inside would cut a value short unseen.
  static func checkText(_ strings: [String]) throws {
    for string in strings where string.utf8.contains(0) {
      throw ContainerRuntimeError(
        .invalidSetting, "arguments and environment must not contain null bytes")
    }
  }

  /// What a container's programs find even when the settings do not say it.
  static func defaultEnvironment(of settings: ContainerSettings) -> [String] {
    var defaults = ["PATH=" + usualPath]
    if !settings.hostname.isEmpty { defaults.append("HOSTNAME=" + settings.hostname) }
    if settings.terminal { defaults.append("TERM=xterm") }
    return defaults
  }

  /// `base` with the pairs of `additions` replacing and following its own; the last of a name wins.
  static func merged(_ base: [String], _ additions: [String]) -> [String] {
    var result: [String] = []
    var positions: [Substring: Int] = [:]
    for pair in base + additions {
      let name = pair.prefix { $0 != "=" }
      if let position = positions[name] {
        result[position] = pair
      } else {
        positions[name] = result.count
        result.append(pair)
      }
    }
    return result
  }

  private static let limitNames: Set<String> = [
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
    "rss", "rtprio", "rttime", "sigpending", "stack",
  ]

  static func limit(_ limit: ProcessLimit) throws -> RuntimeSpecification.ResourceLimit {
    let name = limit.name.lowercased()
    guard limitNames.contains(name) else {
      throw ContainerRuntimeError(.invalidSetting, "invalid ulimit type: \(limit.name)")
    }
    let hard = limit.hard < 0 ? UInt64.max : UInt64(limit.hard)
    let soft = limit.soft < 0 ? UInt64.max : UInt64(limit.soft)
    guard soft <= hard else {
      throw ContainerRuntimeError(
        .invalidSetting, "ulimit soft limit must be less than or equal to hard limit",
        metadata: ["name": name, "soft": "\(limit.soft)", "hard": "\(limit.hard)"])
    }
    return .init(type: "RLIMIT_" + name.uppercased(), hard: hard, soft: soft)
  }

  // MARK: linux

  private func linux(capabilities: [String]) throws -> RuntimeSpecification.Linux {
    var linux = RuntimeSpecification.Linux()
    linux.namespaces = namespaces()
    linux.cgroupsPath = Self.cgroupPath(of: settings, configuration: configuration)
    let devices = try DeviceBuilder(settings: settings).build()
    linux.devices = devices.nodes
    var resources = try ResourceBuilder(
      settings: settings.resources, logger: configuration.logger, tree: tree
    ).build()
    resources.devices = devices.rules
    linux.resources = resources
    linux.seccomp = try seccomp(capabilities: capabilities)
    linux.sysctl = try sysctls()
    if !settings.security.privileged {
      linux.maskedPaths = settings.security.maskedPaths ?? Self.maskedPaths
      linux.readonlyPaths = settings.security.readonlyPaths ?? Self.readonlyPaths
    }
    return linux
  }

  private func namespaces() -> [RuntimeSpecification.Namespace] {
    let modes = [
      ("pid", settings.namespaces.pid), ("ipc", settings.namespaces.ipc),
      ("uts", settings.namespaces.uts), ("network", settings.namespaces.network),
      ("cgroup", settings.namespaces.cgroup),
    ]
    var namespaces = [RuntimeSpecification.Namespace("mount")]
    for (type, mode) in modes {
      switch mode {
      case .own: namespaces.append(.init(type))
      case .path(let path): namespaces.append(.init(type, path: path))
      case .host: continue
      }
    }
    return namespaces
  }

  private func seccomp(capabilities: [String]) throws -> RuntimeSpecification.Seccomp? {
    switch settings.security.seccomp {
    case .unconfined: return nil
    case .builtin where settings.security.privileged: return nil
    case .builtin:
      return SeccompProfile.builtin.resolved(capabilities: Set(capabilities))
    case .profile(let json):
      return try SeccompProfile(json: json).resolved(capabilities: Set(capabilities))
    }
  }

  private func sysctls() throws -> [String: String]? {
    var sysctls = settings.sysctls
    for name in sysctls.keys where name.isEmpty || name.contains("..") || name.utf8.contains(0) {
      throw ContainerRuntimeError(.invalidSetting, "invalid sysctl name: \"\(name)\"")
    }
    // The OCI runtime knows no NIS domain name; the kernel parameter is the same thing.
    if settings.namespaces.uts == .own, !settings.domainname.isEmpty {
      sysctls["kernel.domainname"] = sysctls["kernel.domainname"] ?? settings.domainname
    }
    return sysctls.isEmpty ? nil : sysctls
  }

  /// What is unreadable by default.
  static let maskedPaths = [
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
    "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
  ]

  /// What is read-only by default.
  static let readonlyPaths = [
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
  ]
}
