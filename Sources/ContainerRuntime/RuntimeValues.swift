/// A process, named so that a reused process id is not mistaken for it.
package struct ProcessIdentity: Hashable, Sendable, Codable {
  /// The process id on the host.
  package var pid: Int32
  /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`).
  package var startTime: UInt64

  /// The identity of process `pid` that started at `startTime`.
  package init(pid: Int32, startTime: UInt64) {
    self.pid = pid
    self.startTime = startTime
  }
}

/// A container that the OCI runtime has created.
package struct RuntimeHandle: Hashable, Sendable, Codable {
  /// The container's id.
  package var id: String
  /// Process 1 of the container, as the host sees it.
  package var process: ProcessIdentity
  /// The monitor that holds its output and exit status.
  package var monitor: ProcessIdentity
  /// The container's process id on the host.
  package var pid: Int32 { process.pid }

  /// The container `id` whose process 1 and monitor are these.
  package init(id: String, process: ProcessIdentity, monitor: ProcessIdentity) {
    self.id = id
    self.process = process
    self.monitor = monitor
  }
}

/// The end of a container.
package struct ContainerExit: Hashable, Sendable, Codable {
  /// The container's id.
  package var id: String
  /// Exit status, or 128 + the signal that ended it.
  package var code: Int32
  /// The kernel ended a process of the container for want of memory.
  package var oomKilled: Bool
  /// Nanoseconds since 1970.
  package var finishedAt: Int64
  /// Why the status is a guess, e.g. when the monitor was killed; nil when it is known.
  package var error: String?

  /// The end of container `id` with exit status `code`.
  package init(
    id: String, code: Int32, oomKilled: Bool, finishedAt: Int64, error: String? = nil
  ) {
    self.id = id
    self.code = code
    self.oomKilled = oomKilled
    self.finishedAt = finishedAt
    self.error = error
  }
}

/// The end of a process run in a container beside its main one.
package struct ExecExit: Hashable, Sendable, Codable {
  /// The container's id.
  package var containerID: String
  /// The exec's id.
  package var execID: String
  /// Exit status, or 128 + the signal that ended it.
  package var code: Int32
  /// Nanoseconds since 1970.
  package var finishedAt: Int64
}

/// What a restarted daemon finds of a container it knows.
package enum Adoption: Hashable, Sendable {
  /// Created, and waiting for `start`.
  case created(RuntimeHandle)
  /// Its process runs.
  case running(RuntimeHandle)
  /// Its processes are frozen.
  case paused(RuntimeHandle)
  /// It ended while nobody looked; `delete` still has to be called.
  case exited(ContainerExit)
  /// Nothing is left of it (the machine was rebooted, or it was deleted).
  case gone
}

/// What a restarted daemon finds of an exec it knows.
package enum ExecAdoption: Hashable, Sendable {
  /// Its process runs; its end will be among `execExits`.
  case running(pid: Int32)
  /// It ended while nobody looked.
  case exited(ExecExit)
  /// Nothing is left of it.
  case gone
}

/// Something of a container that nobody claimed after a restart.
package struct Leftover: Hashable, Sendable {
  /// The container's id.
  package var id: String
  /// The folders, cgroups and processes found.
  package var traces: [String]
}

/// The rows of `docker top`.
package struct ProcessTable: Hashable, Sendable {
  /// Column titles as `ps` printed them.
  package var titles: [String]
  /// One row for each process of the container.
  package var processes: [[String]]
}

/// Which of a process's output streams some bytes came from. The raw values are Docker's.
package enum OutputStream: UInt8, Hashable, Sendable, Codable {
  /// Standard output, and everything from a terminal.
  case standardOutput = 1
  /// Standard error.
  case standardError = 2
}

/// A terminal's size in characters.
package struct TerminalSize: Hashable, Sendable, Codable {
  /// Rows.
  package var height: UInt16
  /// Columns.
  package var width: UInt16

  /// A size of `height` rows and `width` columns.
  package init(height: UInt16, width: UInt16) {
    self.height = height
    self.width = width
  }
}
