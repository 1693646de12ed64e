/// What a container's processes may do.
package struct SecuritySettings: Sendable, Codable, Equatable {
  /// The system calls a container may make.
  package enum Seccomp: Sendable, Codable, Equatable {
    /// The usual allow-list.
    case builtin
    /// A profile in Docker's JSON form.
    case profile(json: String)
    /// Every call.
    case unconfined
  }

  /// Capabilities beyond the default ones: `NET_ADMIN`, `CAP_NET_ADMIN` or `ALL`.
  package var addedCapabilities: [String] = []
  /// Default capabilities to take away, or `ALL`.
  package var droppedCapabilities: [String] = []
  /// Everything allowed: all capabilities, all devices, nothing masked, no seccomp.
  package var privileged = false
  /// Programs cannot gain privileges by being executed.
  package var noNewPrivileges = false
  /// System call filter.
  package var seccomp: Seccomp = .builtin
  /// Paths made unreadable; nil means Docker's defaults. Empty for `systempaths=unconfined`.
  package var maskedPaths: [String]?
  /// Paths made read-only; nil means Docker's defaults. Empty for `systempaths=unconfined`.
  package var readonlyPaths: [String]?

  /// Docker's defaults.
  package init() {}
}

/// Which namespaces a container has for itself.
package struct NamespaceSettings: Sendable, Codable, Equatable {
  /// Where a namespace comes from.
  package enum Mode: Sendable, Codable, Equatable {
    /// A new one.
    case own
    /// The host's.
    case host
    /// The one that this file is or is mounted on, e.g. `/run/martlet/netns/x` or `/proc/1/ns/ipc`.
    case path(String)
  }

  /// Process ids.
  package var pid: Mode = .own
  /// System V and POSIX queues, semaphores and memory.
  package var ipc: Mode = .own
  /// Host and domain name.
  package var uts: Mode = .own
  /// Network devices. `own` has only a loopback device, which is down unless the runtime sets it up.
  package var network: Mode = .own
  /// View of the cgroup tree.
  package var cgroup: Mode = .own

  /// All namespaces the container's own.
  package init() {}
}

/// Limits of a container, for `create` and `update`. What is nil is left alone.
package struct ResourceSettings: Sendable, Codable, Equatable {
  /// A weight or rate of one block device.
  package struct BlockDevice: Sendable, Codable, Equatable {
    /// Path of the device on the host.
    package var path: String
    /// Weight, bytes or operations per second.
    package var value: UInt64

    /// `value` for the device at `path`.
    package init(path: String, value: UInt64) {
      self.path = path
      self.value = value
    }
  }

  /// Relative share of processor time.
  package var cpuShares: UInt64?
  /// Microseconds of processor time in each period; -1 is unlimited.
  package var cpuQuota: Int64?
  /// Microseconds of a period.
  package var cpuPeriod: UInt64?
  /// Microseconds of realtime work in each realtime period.
  package var cpuRealtimeRuntime: Int64?
  /// Microseconds of a realtime period.
  package var cpuRealtimePeriod: UInt64?
  /// Processors allowed, e.g. `0-2,4`.
  package var cpusetCPUs: String?
  /// Memory nodes allowed.
  package var cpusetMemory: String?
  /// Billionths of a processor; excludes `cpuQuota` and `cpuPeriod`.
  package var nanoCPUs: Int64?
  /// Bytes of memory.
  package var memory: Int64?
  /// Bytes of memory and swap together; -1 is unlimited.
  package var memorySwap: Int64?
  /// Bytes that the kernel tries to leave the container under pressure.
  package var memoryReservation: Int64?
  /// 0...100; v1 only.
  package var memorySwappiness: UInt64?
  /// Processes wait instead of being killed when memory runs out; v1 only.
  package var oomKillDisabled: Bool?
  /// Number of processes; -1 is unlimited.
  package var pidsLimit: Int64?
  /// 10...1000.
  package var blockWeight: UInt16?
  /// Weight per device.
  package var blockWeightDevices: [BlockDevice] = []
  /// Bytes read per second.
  package var blockReadBytes: [BlockDevice] = []
  /// Bytes written per second.
  package var blockWriteBytes: [BlockDevice] = []
  /// Reads per second.
  package var blockReadOperations: [BlockDevice] = []
  /// Writes per second.
  package var blockWriteOperations: [BlockDevice] = []

  /// No limits.
  package init() {}
}

/// A process to run in a container beside its main one.
package struct ExecSettings: Sendable, Codable, Equatable {
  /// The id, used in file names.
  package var id: String
  /// Program and arguments.
  package var arguments: [String]
  /// `NAME=value` pairs added to the container's own.
  package var environment: [String] = []
  /// Working folder; nil means the container's own.
  package var workingDirectory: String?
  /// `user:group`; nil means the container's own.
  package var user: String?
  /// Gets a terminal.
  package var terminal = false
  /// The terminal's size at the start.
  package var terminalSize: TerminalSize?
  /// All capabilities.
  package var privileged = false
  /// Standard input is wanted. When false it is empty.
  package var attachStdin = false
  /// Output is wanted. When false (detached) it is thrown away.
  package var attachOutput = true

  /// The exec `id` that runs `arguments`.
  package init(id: String, arguments: [String]) {
    self.id = id
    self.arguments = arguments
  }
}
