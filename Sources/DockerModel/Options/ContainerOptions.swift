/// Parameters of `GET /containers/json`.
package struct ContainerListOptions: Sendable, Equatable {
  /// Containers that do not run, too.
  package var all = false
  /// At most this many, newest first, running or not; nil or less than one: no limit.
  package var limit: Int?
  /// Whether to compute `SizeRw` and `SizeRootFs`.
  package var size = false
  package var filters = Filters()
  package init() {}
}

/// Parameters of `GET /containers/{id}/logs`.
package struct LogsOptions: Sendable, Equatable {
  package var follow = false
  package var stdout = false
  package var stderr = false
  /// Only what was written at or after this instant.
  package var since: Timestamp?
  /// Only what was written before or at this instant.
  package var until: Timestamp?
  /// Each line behind its RFC 3339 time with nanoseconds and one space.
  package var timestamps = false
  /// Each line behind the extra attributes of the log driver.
  package var details = false
  /// Only this many of the last lines; nil means all.
  package var tail: Int?
  package init() {}
}

/// Parameters of `POST /containers/{id}/attach` and `GET /containers/{id}/attach/ws`.
package struct AttachOptions: Sendable, Equatable {
  /// First replay what was recorded.
  package var logs = false
  /// Then go on with what happens; without it the answer ends after the replay.
  package var stream = false
  package var stdin = false
  package var stdout = false
  package var stderr = false
  /// The key sequence that detaches; nil means the daemon's own default.
  package var detachKeys: DetachKeys?
  package init() {}
}

/// Parameters of `GET /containers/{id}/stats`.
package struct StatsOptions: Sendable, Equatable {
  /// Go on with one sample each second; else one sample.
  package var stream = true
  /// With `stream` false: answer the first sample without waiting for a second to compare with.
  package var oneShot = false
  package init() {}
}

/// Parameters of `POST /containers/{id}/stop` and `…/restart`.
package struct StopOptions: Sendable, Equatable {
  /// The signal's name or number; nil means the container's own stop signal.
  package var signal: String?
  /// Seconds to wait before the container is killed; negative means for ever; nil means the
  /// container's own timeout.
  package var timeout: Int?
  package init() {}
}

/// Parameters of `DELETE /containers/{id}`.
package struct ContainerRemoveOptions: Sendable, Equatable {
  /// Remove its anonymous volumes, too.
  package var volumes = false
  /// Kill it when it runs.
  package var force = false
  /// Remove the link named by the path, not the container.
  package var link = false
  package init() {}
}

/// What `POST /containers/{id}/wait` waits for.
package enum WaitCondition: String, Sendable {
  case notRunning = "not-running"
  case nextExit = "next-exit"
  case removed
}

/// Parameters of `PUT /containers/{id}/archive`.
package struct ArchiveWriteOptions: Sendable, Equatable {
  /// The folder in the container to unpack in.
  package var path = ""
  /// Refuse to put a folder in place of a file, and the other way round.
  package var noOverwriteDirectoryWithFile = false
  /// Give what is unpacked the user and group of the container's configuration.
  package var copyOwnership = false
  package init() {}
}

/// What `X-Docker-Container-Path-Stat` tells of a path in a container.
package struct ContainerPathStat: Sendable, Equatable, Codable {
  package var name: String
  package var size: Int64
  /// Bits of Go's `os.FileMode`: the permission bits, and the kind in the high bits; see
  /// ``goMode(fromStat:)``.
  package var mode: UInt32
  /// RFC 3339 with nanoseconds.
  package var mtime: String
  package var linkTarget: String

  package init(name: String, size: Int64, mode: UInt32, mtime: String, linkTarget: String = "") {
    self.name = name
    self.size = size
    self.mode = mode
    self.mtime = mtime
    self.linkTarget = linkTarget
  }

  /// Turns the `st_mode` of a file into the bits of Go's `os.FileMode`, which clients expect.
  package static func goMode(fromStat mode: UInt32) -> UInt32 {
    var bits = mode & 0o777
    switch mode & 0o170000 {
    case 0o040000: bits |= 1 << 31
    case 0o120000: bits |= 1 << 27
    case 0o060000: bits |= 1 << 26
    case 0o020000: bits |= 1 << 26 | 1 << 21
    case 0o010000: bits |= 1 << 25
    case 0o140000: bits |= 1 << 24
    default: break
    }
    if mode & 0o4000 != 0 { bits |= 1 << 23 }
    if mode & 0o2000 != 0 { bits |= 1 << 22 }
    if mode & 0o1000 != 0 { bits |= 1 << 20 }
    return bits
  }
}

/// The size of a terminal in characters.
package struct TerminalSize: Sendable, Equatable {
  package var height: UInt16
  package var width: UInt16

  package init(height: UInt16, width: UInt16) {
    self.height = height
    self.width = width
  }
}

/// Parameters of `POST /exec/{id}/start`.
package struct ExecStartOptions: Sendable, Equatable {
  /// Whether the client asked for a terminal; must agree with what the exec was created with.
  package var tty = false
  /// The size the terminal starts with.
  package var consoleSize: TerminalSize?
  package init() {}
}

/// Parameters of `POST /commit`.
package struct CommitOptions: Sendable, Equatable {
  package var container = ""
  package var repository = ""
  package var tag = ""
  package var comment = ""
  package var author = ""
  /// Pause the container meanwhile.
  package var pause = true
  /// Dockerfile instructions to apply to the configuration, one each.
  package var changes: [String] = []
  package init() {}
}
