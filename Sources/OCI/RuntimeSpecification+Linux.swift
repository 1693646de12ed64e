extension RuntimeSpecification {
  /// What concerns Linux.
  package struct Linux: Codable, Equatable, Sendable {
    /// Namespaces to make or join; those not named are the host's.
    package var namespaces: [Namespace] = []
    /// Devices to make.
    package var devices: [Device]?
    /// Path of the container's cgroup below each hierarchy's root.
    package var cgroupsPath: String?
    /// Limits.
    package var resources: Resources?
    /// System call filter.
    package var seccomp: Seccomp?
    /// Propagation of the root mount.
    package var rootfsPropagation: String?
    /// Paths made unreadable.
    package var maskedPaths: [String]?
    /// Paths made read-only.
    package var readonlyPaths: [String]?
    /// Kernel parameters.
    package var sysctl: [String: String]?

    /// Nothing set.
    package init() {}
  }

  /// A namespace to make or join.
  package struct Namespace: Codable, Equatable, Sendable {
    /// `pid`, `network`, `ipc`, `uts`, `mount`, `cgroup` or `user`.
    package var type: String
    /// The one to join; nil makes a new one.
    package var path: String?

    /// A namespace of `type`.
    package init(_ type: String, path: String? = nil) {
      self.type = type
      self.path = path
    }
  }

  /// A device node.
  package struct Device: Codable, Equatable, Sendable {
    /// `c`, `b`, `u` or `p`.
    package var type: String
    /// Path in the container.
    package var path: String
    /// Major number.
    package var major: Int64
    /// Minor number.
    package var minor: Int64
    /// Permissions.
    package var fileMode: UInt32?
    /// Owner.
    package var uid: UInt32?
    /// Group.
    package var gid: UInt32?

    /// A device node at `path`.
    package init(
      type: String, path: String, major: Int64, minor: Int64, fileMode: UInt32? = nil,
      uid: UInt32? = nil, gid: UInt32? = nil
    ) {
      self.type = type
      self.path = path
      self.major = major
      self.minor = minor
      self.fileMode = fileMode
      self.uid = uid
      self.gid = gid
    }
  }

  /// A rule of the device cgroup.
  package struct DeviceRule: Codable, Equatable, Sendable {
    /// Whether the rule permits or refuses.
    package var allow: Bool
    /// `a`, `c` or `b`.
    package var type: String?
    /// Major number; nil is any.
    package var major: Int64?
    /// Minor number; nil is any.
    package var minor: Int64?
    /// Any of `r`, `w` and `m`.
    package var access: String?

    /// A rule.
    package init(
      allow: Bool, type: String? = nil, major: Int64? = nil, minor: Int64? = nil,
      access: String? = nil
    ) {
      self.allow = allow
      self.type = type
      self.major = major
      self.minor = minor
      self.access = access
    }
  }

  /// Limits by cgroup; also what `update` reads.
  package struct Resources: Codable, Equatable, Sendable {
    /// Device rules, in order.
    package var devices: [DeviceRule]?
    /// Memory.
    package var memory: Memory?
    /// Processors.
    package var cpu: Processor?
    /// Processes.
    package var pids: ProcessCount?
    /// Block devices.
    package var blockIO: BlockIO?
    /// Settings of cgroup v2 by file name.
    package var unified: [String: String]?

    /// No limits.
    package init() {}
  }

  /// Limits of memory, in bytes; -1 is unlimited.
  package struct Memory: Codable, Equatable, Sendable {
    /// The most used.
    package var limit: Int64?
    /// What the kernel tries to leave.
    package var reservation: Int64?
    /// Memory and swap together.
    package var swap: Int64?
    /// 0...100.
    package var swappiness: UInt64?
    /// Processes wait instead of being killed.
    package var disableOOMKiller: Bool?

    /// No limits.
    package init() {}
  }

  /// Limits of processors.
  package struct Processor: Codable, Equatable, Sendable {
    /// Relative share.
    package var shares: UInt64?
    /// Microseconds per period; -1 is unlimited.
    package var quota: Int64?
    /// Microseconds.
    package var period: UInt64?
    /// Microseconds per realtime period.
    package var realtimeRuntime: Int64?
    /// Microseconds.
    package var realtimePeriod: UInt64?
    /// Processors allowed.
    package var cpus: String?
    /// Memory nodes allowed.
    package var mems: String?

    /// No limits.
    package init() {}
  }

  /// Limit of the number of processes.
  package struct ProcessCount: Codable, Equatable, Sendable {
    /// The limit; -1 is unlimited.
    package var limit: Int64

    /// At most `limit` processes.
    package init(limit: Int64) { self.limit = limit }
  }

  /// Limits of block devices.
  package struct BlockIO: Codable, Equatable, Sendable {
    /// A weight of one device.
    package struct WeightDevice: Codable, Equatable, Sendable {
      /// Major number.
      package var major: Int64
      /// Minor number.
      package var minor: Int64
      /// 10...1000.
      package var weight: UInt16

      /// `weight` for the device `major`:`minor`.
      package init(major: Int64, minor: Int64, weight: UInt16) {
        self.major = major
        self.minor = minor
        self.weight = weight
      }
    }
    /// A rate of one device.
    package struct ThrottleDevice: Codable, Equatable, Sendable {
      /// Major number.
      package var major: Int64
      /// Minor number.
      package var minor: Int64
      /// Bytes or operations per second.
      package var rate: UInt64

      /// `rate` for the device `major`:`minor`.
      package init(major: Int64, minor: Int64, rate: UInt64) {
        self.major = major
        self.minor = minor
        self.rate = rate
      }
    }

    /// 10...1000.
    package var weight: UInt16?
    /// Weight per device.
    package var weightDevice: [WeightDevice]?
    /// Bytes per second.
    package var throttleReadBpsDevice: [ThrottleDevice]?
    /// Bytes per second.
    package var throttleWriteBpsDevice: [ThrottleDevice]?
    /// Operations per second.
    package var throttleReadIOPSDevice: [ThrottleDevice]?
    /// Operations per second.
    package var throttleWriteIOPSDevice: [ThrottleDevice]?

    /// No limits.
    package init() {}
  }

  /// A system call filter.
  package struct Seccomp: Codable, Equatable, Sendable {
    /// A comparison with an argument.
    package struct Argument: Codable, Equatable, Sendable {
      /// Which argument, from 0.
      package var index: UInt
      /// What it is compared with.
      package var value: UInt64
      /// The second value of `SCMP_CMP_MASKED_EQ`.
      package var valueTwo: UInt64?
      /// `SCMP_CMP_EQ` and the like.
      package var op: String

      /// The comparison `op` of argument `index` with `value`.
      package init(index: UInt, value: UInt64, valueTwo: UInt64? = nil, op: String) {
        self.index = index
        self.value = value
        self.valueTwo = valueTwo
        self.op = op
      }
    }
    /// What happens to some calls.
    package struct Rule: Codable, Equatable, Sendable {
      /// The calls.
      package var names: [String]
      /// `SCMP_ACT_ALLOW` and the like.
      package var action: String
      /// The error number of `SCMP_ACT_ERRNO`.
      package var errnoRet: UInt?
      /// All must hold.
      package var args: [Argument]?

      /// `action` for the calls `names`.
      package init(
        names: [String], action: String, errnoRet: UInt? = nil, args: [Argument]? = nil
      ) {
        self.names = names
        self.action = action
        self.errnoRet = errnoRet
        self.args = args
      }
    }

    /// What happens to calls that no rule names.
    package var defaultAction: String
    /// The error number of the default action.
    package var defaultErrnoRet: UInt?
    /// `SCMP_ARCH_X86_64` and the like.
    package var architectures: [String]?
    /// Flags of the filter.
    package var flags: [String]?
    /// Socket that gets notifications.
    package var listenerPath: String?
    /// Text passed to that socket.
    package var listenerMetadata: String?
    /// The rules.
    package var syscalls: [Rule]?

    /// A filter of `rules` where `defaultAction` meets the rest.
    package init(defaultAction: String, rules: [Rule]) {
      self.defaultAction = defaultAction
      self.syscalls = rules
    }
  }
}
