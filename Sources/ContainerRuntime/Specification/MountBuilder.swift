import Host
import OCI

/// The mounts of a container: the standard ones, less those that the settings override, and the
/// settings' own.
struct MountBuilder {
  typealias Mount = RuntimeSpecification.Mount

  let settings: ContainerSettings
  let configuration: RuntimeConfiguration
  let sharedMemoryFolder: String

  /// All mounts, in the order in which they are made.
  /// - Throws: `ContainerRuntimeError.invalidSetting`.
  func build() throws -> [Mount] {
    let wanted = settings.mounts.enumerated().sorted { left, right in
      let depths = (Self.depth(left.element.destination), Self.depth(right.element.destination))
      return depths.0 == depths.1 ? left.offset < right.offset : depths.0 < depths.1
    }.map(\.element)
    let overridden = Set(wanted.map { Paths.cleaned($0.destination) })
    let standard = standardMounts().filter { mount in
      !overridden.contains(mount.destination)
        && !(overridden.contains("/dev") && mount.destination.hasPrefix("/dev/"))
    }
    var mounts = standard + (try wanted.map(translated))
    if settings.useInit {
      mounts.append(
        Mount(
          SpecificationBuilder.initDestination, type: "bind", source: configuration.initPath,
          options: ["bind", "ro"]))
    }
    return mounts
  }

  /// Propagation that the root mount needs so that a mount below it can have its own.
  var rootPropagation: String? {
    let asked = Set(settings.mounts.compactMap(\.propagation))
    if asked.contains("shared") || asked.contains("rshared") { return "shared" }
    if asked.contains("slave") || asked.contains("rslave") { return "rslave" }
    return nil
  }

  private static func depth(_ path: String) -> Int {
    Paths.cleaned(path).split(separator: "/").count
  }

  private func standardMounts() -> [Mount] {
    // A privileged container may change the machine through these.
    let access = settings.security.privileged ? [] : ["ro"]
    var mounts = [
      Mount("/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
      Mount(
        "/dev", type: "tmpfs", source: "tmpfs",
        options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
      Mount(
        "/dev/pts", type: "devpts", source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
      Mount(
        "/sys", type: "sysfs", source: "sysfs",
        options: ["nosuid", "noexec", "nodev"] + access),
      Mount(
        "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
        options: ["nosuid", "noexec", "nodev", "relatime"] + access),
      Mount(
        "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
    ]
    if let shm = sharedMemory() { mounts.append(shm) }
    return mounts
  }

  private func sharedMemory() -> Mount? {
    switch settings.sharedMemory {
    case .own(let size):
      return Mount(
        "/dev/shm", type: "tmpfs", source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777", "size=\(size)"])
    case .shareable:
      return Mount(
        "/dev/shm", type: "bind", source: sharedMemoryFolder, options: ["rbind", "rprivate"])
    case .path(let path):
      return Mount("/dev/shm", type: "bind", source: path, options: ["rbind", "rprivate"])
    case .none: return nil
    }
  }

  private static let propagations: Set<String> = [
    "private", "rprivate", "shared", "rshared", "slave", "rslave",
  ]
  private static let flags: Set<String> = [
    "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "atime", "nodiratime",
    "diratime", "relatime", "norelatime", "strictatime", "nostrictatime",
  ]

  private func translated(_ mount: MountSettings) throws -> Mount {
    let destination = Paths.cleaned(mount.destination)
    guard mount.destination.hasPrefix("/"), destination != "/" else {
      throw ContainerRuntimeError(
        .invalidSetting, "invalid mount path: '\(mount.destination)' must be absolute and not '/'")
    }
    let propagation = mount.propagation ?? "rprivate"
    guard Self.propagations.contains(propagation) else {
      throw ContainerRuntimeError(
        .invalidSetting, "invalid propagation mode: \(propagation)")
    }
    for option in mount.options where !Self.flags.contains(option) {
      throw ContainerRuntimeError(.invalidSetting, "invalid mount option: \(option)")
    }
    switch mount.source {
    case .bind(let path, let recursive):
      guard path.hasPrefix("/"), Paths.exists(path) else {
        throw ContainerRuntimeError(
          .invalidSetting, "bind source path does not exist: \(path)")
      }
      var options = [recursive ? "rbind" : "bind", propagation] + mount.options
      if mount.readonly { options.append("ro") }
      if mount.readonly && mount.recursiveReadonly { options.append("rro") }
      return Mount(destination, type: "bind", source: path, options: options)
    case .tmpfs(let size, let mode, let extra):
      var options = try Self.tmpfsOptions(extra)
      options += mount.options
      if let size { options.append("size=\(size)") }
      if let mode { options.append("mode=" + String(mode, radix: 8)) }
      if mount.readonly { options.append("ro") }
      return Mount(destination, type: "tmpfs", source: "tmpfs", options: options)
    }
  }

  /// The defaults of a tmpfs with what `extra` changes; every name is checked, since the kernel
  /// would take others for commands of a different kind.
  static func tmpfsOptions(_ extra: [String]) throws -> [String] {
    let opposites = ["exec": "noexec", "suid": "nosuid", "dev": "nodev"]
    let names: Set<String> = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"]
    var options = ["noexec", "nosuid", "nodev"]
    for option in extra where !option.isEmpty {
      if let opposite = opposites[option] { options.removeAll { $0 == opposite } }
      let name = String(option.prefix { $0 != "=" })
      let isValue = option.contains("=") && names.contains(name)
      guard isValue || flags.contains(option) || option == "rw" || option == "ro" else {
        throw ContainerRuntimeError(.invalidSetting, "invalid tmpfs option \"\(option)\"")
      }
      if !options.contains(option) { options.append(option) }
    }
    return options
  }
}
