import CLinux
import Glibc
import Host

extension ContainerRuntime {
  /// Attaches to a container's standard streams. Between `create` and `start` nothing is lost;
  /// later, what was written before is only in the log.
  /// - Throws: `ContainerRuntimeError.notFound` or `.wrongState`.
  package func attach(_ id: String) async throws -> AttachStream {
    let container = try liveContainer(id)
    return try await BlockingPool.shared.run { try container.hub.attach() }
  }

  /// Sets the size of a container's terminal.
  /// - Throws: `ContainerRuntimeError.notFound`, or `.wrongState` when it has no terminal.
  package func resize(_ id: String, to size: TerminalSize) async throws {
    let container = try liveContainer(id)
    try await BlockingPool.shared.run { try Self.resize(container.folder, size) }
  }

  static func resize(_ folder: String, _ size: TerminalSize) throws {
    // conmon refuses more.
    let height = min(size.height, 1000)
    let width = min(size.width, 1000)
    try control(folder, "1 \(height) \(width)\n")
  }

  /// Writes a command to the monitor that has its sockets in `folder`.
  static func control(_ folder: String, _ line: String) throws {
    let path = folder + "/ctl"
    let number = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
    guard number >= 0 else {
      throw ContainerRuntimeError(
        .wrongState, "the container's monitor does not answer",
        cause: SystemError.last("open", path))
    }
    try Descriptor(owning: number).write(Array(line.utf8))
  }
}
