import CLinux
import Glibc
import Host
import Logging
import Synchronization

/// Rotates the logs of running containers.
///
/// conmon writes the file; this class, told by the kernel that it was written to, looks at its
/// length at most every 50 milliseconds, renames it to `path.1` (and `path.1` to `path.2`, …) and
/// tells conmon to open a new one. conmon closes the old file before the new one has its name, so
/// that a reader who sees a new file at `path` can be sure that the one before it is complete.
final class LogRotator: Sendable {
  private struct Entry {
    var settings: LogSettings
    var folder: String
    var subscription: FileWatcher.Subscription?
    var isPending = false
  }

  private static let interval: Duration = .milliseconds(50)
  private let logger: Logger
  private let entries = Mutex<[String: Entry]>([:])

  init(logger: Logger) { self.logger = logger }

  /// The names of a log's files, newest first; they need not all be there.
  static func files(of settings: LogSettings) -> [String] {
    [settings.path]
      + (1..<max(1, settings.maximumFiles)).map { settings.path + ".\($0)" }
  }

  /// Watches over the log of a running container whose monitor has its sockets in `folder`.
  func add(_ id: String, _ settings: LogSettings, folder: String) {
    guard settings.driver != .none, settings.maximumSize != nil else { return }
    entries.withLock { $0[id] = Entry(settings: settings, folder: folder) }
    if !Paths.exists(settings.path) {
      // A daemon was killed between renaming the file and telling conmon.
      reopen(id, folder)
    }
    subscribe(id)
    schedule(id)
  }

  /// Stops watching over a container's log.
  func remove(_ id: String) {
    let entry = entries.withLock { $0.removeValue(forKey: id) }
    if let subscription = entry?.subscription { FileWatcher.shared.end(subscription) }
  }

  /// Stops watching over all.
  func stop() {
    for id in entries.withLock({ Array($0.keys) }) { remove(id) }
  }

  private func subscribe(_ id: String) {
    guard let entry = entries.withLock({ $0[id] }) else { return }
    if let old = entry.subscription { FileWatcher.shared.end(old) }
    do {
      let new = try FileWatcher.shared.subscribe(to: entry.settings.path) { [weak self] in
        self?.schedule(id)
      }
      let isKnown = entries.withLock { entries in
        entries[id]?.subscription = new
        return entries[id] != nil
      }
      if !isKnown { FileWatcher.shared.end(new) }
    } catch {
      logger.warning(
        "cannot watch a log's length", metadata: ["id": "\(id)", "error": "\(error)"])
    }
  }

  /// Has the length looked at soon, once for any number of writes.
  private func schedule(_ id: String) {
    let isDue = entries.withLock { entries in
      guard let entry = entries[id], !entry.isPending else { return false }
      entries[id]?.isPending = true
      return true
    }
    guard isDue else { return }
    Task.detached { [weak self] in
      try? await Task.sleep(for: Self.interval)  // nobody cancels it
      guard let self else { return }
      try? await BlockingPool.shared.run { self.check(id) }  // likewise
    }
  }

  private func check(_ id: String) {
    let entry = entries.withLock { entries in
      entries[id]?.isPending = false
      return entries[id]
    }
    guard let entry, let limit = entry.settings.maximumSize else { return }
    var information = stat()
    guard stat(entry.settings.path, &information) == 0, information.st_size > limit else { return }
    rotate(id, entry, from: information.st_ino)
  }

  private func rotate(_ id: String, _ entry: Entry, from inode: UInt) {
    let files = Self.files(of: entry.settings)
    for index in stride(from: files.count - 1, to: 0, by: -1) {
      rename(files[index - 1], files[index])
    }
    reopen(id, entry.folder)
    // conmon answers within moments unless its reader is stuck; then the next write tries again.
    let deadline = ContinuousClock.now + .seconds(2)
    var information = stat()
    while stat(files[0], &information) != 0 || information.st_ino == inode {
      guard ContinuousClock.now < deadline else { break }
      usleep(500)
    }
    subscribe(id)
  }

  private func reopen(_ id: String, _ folder: String) {
    do {
      try ContainerRuntime.control(folder, "2 0 0\n")
    } catch {
      logger.warning(
        "cannot have a log reopened", metadata: ["id": "\(id)", "error": "\(error)"])
    }
  }
}
