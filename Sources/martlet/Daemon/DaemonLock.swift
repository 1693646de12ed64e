import Glibc
import Host

/// Keeps a second daemon out of the same folders, and tells the world this one's process id.
final class DaemonLock: Sendable {
  private let pidfile: String
  private let locks: [Descriptor]

  /// Takes the folders, made if they are missing, and writes the file. Blocks shortly.
  /// - Throws: `CommandFailure` when another daemon has one of the folders; `SystemError`.
  init(dataRoot: String, execRoot: String, pidfile: String) throws {
    self.pidfile = pidfile
    locks = try [(dataRoot, 0o711), (execRoot, 0o711)].map { folder, mode in
      try Paths.makeDirectories(folder, mode: UInt32(mode))
      let lock = try Descriptor.open(folder + "/daemon.lock", O_RDWR | O_CREAT, mode: 0o600)
      guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
        throw CommandFailure("another daemon uses the folder \(folder)")
      }
      return lock
    }
    try Paths.makeDirectories(Paths.parent(of: pidfile))
    try DurableFile.replace(Array("\(getpid())\n".utf8), at: pidfile, mode: 0o644)
  }

  /// Removes the file with the process id.
  func release() {
    unlink(pidfile)
    for lock in locks { lock.close() }
  }
}
