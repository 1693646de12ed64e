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
  }

  private struct State {
    var entries: [String: Entry] = [:]
    var pending: Set<String> = []
    /// Wakes the thread.
    var bell: Descriptor?
    var isStopped = false
  }

  /// Microseconds between two looks.
  private static let pause: UInt32 = 50_000
  private let logger: Logger
  private let state = Mutex(State())

  init(logger: Logger) { self.logger = logger }

  /// What nobody means by more.
  private static let mostFiles = 1000

  /// The names of a log's files, newest first; they need not all be there.
  static func files(of settings: LogSettings) -> [String] {
    [settings.path]
      + (1..<min(max(1, settings.maximumFiles), mostFiles)).map { settings.path + ".\($0)" }
  }

  /// Watches over the log of a running container whose monitor has its sockets in `folder`.
  func add(_ id: String, _ settings: LogSettings, folder: String) {
    guard settings.driver != .none, settings.maximumSize != nil else { return }
    state.withLock { $0.entries[id] = Entry(settings: settings, folder: folder) }
    if !Paths.exists(settings.path) {
      // A daemon was killed between renaming the file and telling conmon.
      reopen(id, folder)
    }
    subscribe(id)
    schedule(id)
  }

  /// Stops watching over a container's log.
  func remove(_ id: String) {
    let entry = state.withLock { $0.entries.removeValue(forKey: id) }
    if let subscription = entry?.subscription { FileWatcher.shared.end(subscription) }
  }

  /// Stops watching over all.
  func stop() {
    for id in state.withLock({ Array($0.entries.keys) }) { remove(id) }
    state.withLock { state in
      state.isStopped = true
      if let bell = state.bell { eventfd_write(bell.rawValue, 1) }
    }
  }

  private func subscribe(_ id: String) {
    guard let entry = state.withLock({ $0.entries[id] }) else { return }
    if let old = entry.subscription { FileWatcher.shared.end(old) }
    do {
      let new = try FileWatcher.shared.subscribe(to: entry.settings.path) { [weak self] in
        self?.schedule(id)
      }
      let isKnown = state.withLock { state in
        state.entries[id]?.subscription = new
        return state.entries[id] != nil
      }
      if !isKnown { FileWatcher.shared.end(new) }
    } catch {
      logger.warning(
        "cannot watch a log's length", metadata: ["id": "\(id)", "error": "\(error)"])
    }
  }

  /// Has the length looked at soon, once for any number of writes.
  private func schedule(_ id: String) {
    state.withLock { state in
      guard state.entries[id] != nil else { return }
      state.pending.insert(id)
      if let bell = state.bell {
        eventfd_write(bell.rawValue, 1)
      } else {
        startThread(&state)
      }
    }
  }

  /// Starts the thread that looks, with the first container that has a limit. A thread of its own is
  /// not kept from looking when all others are busy.
  private func startThread(_ state: inout State) {
    let number = eventfd(1, Int32(EFD_CLOEXEC))
    guard number >= 0 else {
      logger.error("cannot rotate logs", metadata: ["error": "\(SystemError.last("eventfd"))"])
      return
    }
    let bell = Descriptor(owning: number)
    state.bell = bell
    let thread = Thread(rotator: self, bell: bell)
    let opaque = Unmanaged.passRetained(thread).toOpaque()
    var handle = pthread_t()
    let status = pthread_create(
      &handle, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Thread>.fromOpaque(argument).takeRetainedValue().loop()
        return nil
      }, opaque)
    if status == 0 {
      pthread_detach(handle)
    } else {
      Unmanaged<Thread>.fromOpaque(opaque).release()
      state.bell = nil
    }
  }

  private final class Thread {
    private weak var rotator: LogRotator?
    private let bell: Descriptor

    init(rotator: LogRotator, bell: Descriptor) {
      self.rotator = rotator
      self.bell = bell
    }

    func loop() {
      while true {
        var count: eventfd_t = 0
        let status = retryingInterrupts { Int(eventfd_read(bell.rawValue, &count)) }
        guard status == 0, let rotator, rotator.checkPending() else { return }
        usleep(LogRotator.pause)
      }
    }
  }

  /// Looks at the logs that were written to; false when the rotator was stopped.
  private func checkPending() -> Bool {
    let (pending, isStopped) = state.withLock { state in
      defer { state.pending = [] }
      return (state.pending, state.isStopped)
    }
    guard !isStopped else { return false }
    for id in pending { check(id) }
    return true
  }

  private func check(_ id: String) {
    guard let entry = state.withLock({ $0.entries[id] }), let limit = entry.settings.maximumSize
    else { return }
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
    // What was written before the new file was watched.
    schedule(id)
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
