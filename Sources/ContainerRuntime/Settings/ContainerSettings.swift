/// A container fully resolved: everything the OCI runtime must know, and no names of images,
/// networks or volumes.
package struct ContainerSettings: Sendable, Codable, Equatable {
  /// The id, used in file names: letters, digits, `_`, `.` and `-`.
  package var id: String
  /// Absolute path of the mounted root file system.
  package var rootfs: String
  /// Program and arguments (entry point and command already joined).
  package var arguments: [String] = []
  /// `NAME=value` pairs, complete; the last of a name wins. `PATH`, `HOME`, `HOSTNAME` and `TERM` are added when missing.
  package var environment: [String] = []
  /// Working folder inside the container, made when missing by the runtime; empty means `/`.
  package var workingDirectory = ""
  /// `user`, `user:group`, by name or number; looked up in the container's own `/etc/passwd`.
  package var user = ""
  /// Further groups, by name or number.
  package var additionalGroups: [String] = []
  /// Host name; empty leaves the namespace's own.
  package var hostname = ""
  /// NIS domain name; empty leaves the namespace's own.
  package var domainname = ""
  /// The process gets a terminal.
  package var terminal = false
  /// The terminal's size at the start.
  package var terminalSize: TerminalSize?
  /// Standard input stays open even when nobody is attached.
  package var openStdin = false
  /// The end of the first attached input closes standard input (ignored with a terminal).
  package var stdinOnce = false
  /// Runs a small init as process 1.
  package var useInit = false
  /// The root file system is mounted read-only.
  package var readonlyRootfs = false
  /// Mounts beyond the standard ones, applied in the order of their destinations' depth.
  package var mounts: [MountSettings] = []
  /// What is at `/dev/shm`.
  package var sharedMemory: SharedMemorySettings = .own(size: 64 << 20)
  /// Capabilities, seccomp, masked paths.
  package var security = SecuritySettings()
  /// Devices made visible, and rules for them.
  package var devices: [DeviceSettings] = []
  /// Further device rules in Docker's form, e.g. `c 1:3 mr`.
  package var deviceCgroupRules: [String] = []
  /// Which namespaces are the container's own.
  package var namespaces = NamespaceSettings()
  /// Limits of processor, memory, processes and block devices.
  package var resources = ResourceSettings()
  /// Limits of each process.
  package var limits: [ProcessLimit] = []
  /// Kernel parameters of the container's namespaces.
  package var sysctls: [String: String] = [:]
  /// -1000...1000; nil leaves the daemon's own.
  package var oomScoreAdjustment: Int?
  /// Parent of the container's cgroup; nil uses the configured one.
  package var cgroupParent: String?
  /// Free text for the OCI runtime.
  package var annotations: [String: String] = [:]
  /// Where output goes.
  package var log = LogSettings()

  /// A container `id` that runs `arguments` in `rootfs`, everything else at its default.
  package init(id: String, rootfs: String, arguments: [String]) {
    self.id = id
    self.rootfs = rootfs
    self.arguments = arguments
  }
}

/// One mount of a container.
package struct MountSettings: Sendable, Codable, Equatable {
  /// What is mounted.
  package enum Source: Sendable, Codable, Equatable {
    /// A file or folder of the host, which must be there.
    case bind(path: String, recursive: Bool = true)
    /// Memory. `size` in bytes and `mode` are optional; `options` are passed on after being checked.
    case tmpfs(size: Int64? = nil, mode: UInt32? = nil, options: [String] = [])
  }

  /// What is mounted.
  package var source: Source
  /// Absolute path inside the container.
  package var destination: String
  /// Refuses writes.
  package var readonly = false
  /// With `readonly`, also refuses writes to mounts below the source where the kernel can.
  package var recursiveReadonly = false
  /// `private`, `rprivate`, `shared`, `rshared`, `slave`, `rslave`; nil means `rprivate`.
  package var propagation: String?
  /// Further mount flags: `nosuid`, `nodev`, `noexec`, `noatime`.
  package var options: [String] = []

  /// A mount of `source` at `destination`.
  package init(_ source: Source, at destination: String, readonly: Bool = false) {
    self.source = source
    self.destination = destination
    self.readonly = readonly
  }
}

/// What a container has at `/dev/shm`.
package enum SharedMemorySettings: Sendable, Codable, Equatable {
  /// A tmpfs of `size` bytes of its own, seen by nobody else.
  case own(size: Int64)
  /// A tmpfs of `size` bytes that other containers may join (`ContainerRuntime.sharedMemoryPath`).
  case shareable(size: Int64)
  /// A folder of the host: another container's shareable one, or the host's `/dev/shm`.
  case path(String)
  /// Nothing.
  case none
}

/// A device of the host inside a container.
package struct DeviceSettings: Sendable, Codable, Equatable {
  /// Path on the host; a folder stands for every device below it.
  package var hostPath: String
  /// Path in the container.
  package var containerPath: String
  /// Any of `r`, `w` and `m`.
  package var permissions: String

  /// The host's device `hostPath`, at the same path unless told.
  package init(_ hostPath: String, at containerPath: String? = nil, permissions: String = "rwm") {
    self.hostPath = hostPath
    self.containerPath = containerPath ?? hostPath
    self.permissions = permissions
  }
}

/// A `ulimit`.
package struct ProcessLimit: Sendable, Codable, Equatable {
  /// Docker's short name: `nofile`, `nproc`, `core`, …
  package var name: String
  /// The limit in force; -1 is unlimited.
  package var soft: Int64
  /// The most a process may set; -1 is unlimited.
  package var hard: Int64

  /// The limit `name`.
  package init(_ name: String, soft: Int64, hard: Int64) {
    self.name = name
    self.soft = soft
    self.hard = hard
  }
}

/// Where a container's output goes.
package struct LogSettings: Sendable, Codable, Equatable {
  /// The drivers that the runtime knows.
  package enum Driver: String, Sendable, Codable {
    /// Kept in a file (see `ContainerLog` for the form it has on disk).
    case jsonFile = "json-file"
    /// The same form; Docker's defaults for it differ (five files of 20 MB).
    case local
    /// Thrown away.
    case none
  }

  /// The driver.
  package var driver: Driver = .none
  /// Absolute path of the newest file. Its folder must be there.
  package var path = ""
  /// The file is rotated when it is longer than this many bytes; nil never.
  package var maximumSize: Int64?
  /// How many files are kept, the newest included.
  package var maximumFiles = 1

  /// Output is thrown away.
  package init() {}

  /// Output is kept at `path`.
  package init(
    _ driver: Driver, path: String, maximumSize: Int64? = nil, maximumFiles: Int = 1
  ) {
    self.driver = driver
    self.path = path
    self.maximumSize = maximumSize
    self.maximumFiles = maximumFiles
  }
}
