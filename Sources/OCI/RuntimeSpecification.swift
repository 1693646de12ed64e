/// The configuration of a container as the OCI runtime specification 1.0 writes it in `config.json`.
/// Names are the specification's own; what is nil is left out.
package struct RuntimeSpecification: Codable, Equatable, Sendable {
  /// Version of the specification.
  package var ociVersion = "1.0.2"
  /// The process to run.
  package var process: Process
  /// The root file system.
  package var root: Root
  /// Host name.
  package var hostname: String?
  /// NIS domain name (runtimes that follow 1.1 only).
  package var domainname: String?
  /// Mounts, in order.
  package var mounts: [Mount] = []
  /// Free text.
  package var annotations: [String: String]?
  /// What concerns Linux.
  package var linux = Linux()

  /// A specification that runs `process` in `root`.
  package init(process: Process, root: Root) {
    self.process = process
    self.root = root
  }

  /// The root file system.
  package struct Root: Codable, Equatable, Sendable {
    /// Path on the host.
    package var path: String
    /// Refuses writes.
    package var readonly: Bool?

    /// The root file system at `path`.
    package init(path: String, readonly: Bool? = nil) {
      self.path = path
      self.readonly = readonly
    }
  }

  /// One mount.
  package struct Mount: Codable, Equatable, Sendable {
    /// Path in the container.
    package var destination: String
    /// File system type.
    package var type: String?
    /// What is mounted.
    package var source: String?
    /// Options as in fstab, and those of the specification (`rbind`, `rprivate`, …).
    package var options: [String]?

    /// A mount of `source` at `destination`.
    package init(
      _ destination: String, type: String, source: String, options: [String]
    ) {
      self.destination = destination
      self.type = type
      self.source = source
      self.options = options
    }
  }

  /// A process in the container; also what `exec --process` reads.
  package struct Process: Codable, Equatable, Sendable {
    /// Gets a terminal.
    package var terminal: Bool?
    /// The terminal's size at the start.
    package var consoleSize: ConsoleSize?
    /// Who it runs as.
    package var user: User
    /// Program and arguments.
    package var args: [String]
    /// `NAME=value` pairs.
    package var env: [String]?
    /// Working folder.
    package var cwd: String
    /// Capability sets.
    package var capabilities: Capabilities?
    /// Resource limits.
    package var rlimits: [ResourceLimit]?
    /// Cannot gain privileges by executing programs.
    package var noNewPrivileges: Bool?
    /// Confinement profile of AppArmor.
    package var apparmorProfile: String?
    /// Likelihood of being killed for want of memory.
    package var oomScoreAdj: Int?

    /// A process that runs `args` as `user` in `cwd`.
    package init(args: [String], user: User, cwd: String) {
      self.args = args
      self.user = user
      self.cwd = cwd
    }
  }

  /// A terminal's size.
  package struct ConsoleSize: Codable, Equatable, Sendable {
    /// Rows.
    package var height: UInt
    /// Columns.
    package var width: UInt

    /// A size of `height` rows and `width` columns.
    package init(height: UInt, width: UInt) {
      self.height = height
      self.width = width
    }
  }

  /// Who a process runs as.
  package struct User: Codable, Equatable, Sendable {
    /// User id.
    package var uid: UInt32
    /// Group id.
    package var gid: UInt32
    /// Further groups.
    package var additionalGids: [UInt32]?

    /// The user `uid` in the group `gid`.
    package init(uid: UInt32, gid: UInt32, additionalGids: [UInt32]? = nil) {
      self.uid = uid
      self.gid = gid
      self.additionalGids = additionalGids
    }
  }

  /// The capability sets of a process, names with `CAP_`.
  package struct Capabilities: Codable, Equatable, Sendable {
    /// The most that can ever be had.
    package var bounding: [String]
    /// Those in force.
    package var effective: [String]
    /// Those kept when a program is executed.
    package var inheritable: [String]?
    /// Those that can be made effective.
    package var permitted: [String]
    /// Those given to programs without file capabilities.
    package var ambient: [String]?

    /// The same `names` in the bounding, effective and permitted sets.
    package init(_ names: [String]) {
      bounding = names
      effective = names
      permitted = names
    }
  }

  /// One resource limit.
  package struct ResourceLimit: Codable, Equatable, Sendable {
    /// `RLIMIT_NOFILE` and the like.
    package var type: String
    /// The most a process may set.
    package var hard: UInt64
    /// The limit in force.
    package var soft: UInt64

    /// The limit `type`.
    package init(type: String, hard: UInt64, soft: UInt64) {
      self.type = type
      self.hard = hard
      self.soft = soft
    }
  }
}
