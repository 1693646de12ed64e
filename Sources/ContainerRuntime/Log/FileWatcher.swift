import Glibc
import Host
import Synchronization

/// Tells of changes of files, with one inotify instance and one thread for all logs: a user may have
/// few instances.
final class FileWatcher: Sendable {
  /// The watcher of this process.
  static let shared = FileWatcher()

  /// A subscription; it ends with `FileWatcher.end`.
  struct Subscription: Hashable, Sendable {
    fileprivate var watch: Int32
    fileprivate var number: UInt64
  }

  private struct State {
    var inotify: Inotify?
    var nextNumber: UInt64 = 1
    var handlers: [Int32: [UInt64: @Sendable () -> Void]] = [:]
  }

  /// Reports that come faster than this are handed on together.
  private static let pause: UInt32 = 1000
  private let state = Mutex(State())

  /// Calls `handler`, on the watcher's thread, after the file at `path` was written to, renamed or
  /// removed. The handler must not block.
  /// - Throws: `SystemError`, with `ENOENT` when there is no file.
  func subscribe(
    to path: String, _ handler: @escaping @Sendable () -> Void
  ) throws -> Subscription {
    try state.withLock { state in
      let inotify = try state.inotify ?? start()
      state.inotify = inotify
      // The same file gives the same number, however often it is watched.
      let watch = try inotify.watch(path, for: UInt32(IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF))
      let number = state.nextNumber
      state.nextNumber += 1
      state.handlers[watch, default: [:]][number] = handler
      return Subscription(watch: watch, number: number)
    }
  }

  /// Ends a subscription.
  func end(_ subscription: Subscription) {
    state.withLock { state in
      guard var handlers = state.handlers[subscription.watch],
        handlers.removeValue(forKey: subscription.number) != nil
      else { return }
      state.handlers[subscription.watch] = handlers.isEmpty ? nil : handlers
      if handlers.isEmpty { state.inotify?.unwatch(subscription.watch) }
    }
  }

  private func start() throws -> Inotify {
    let inotify = try Inotify()
    var thread = pthread_t()
    let opaque = Unmanaged.passRetained(inotify).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let inotify = Unmanaged<Inotify>.fromOpaque(argument).takeRetainedValue()
        FileWatcher.shared.loop(inotify)
        return nil
      }, opaque)
    guard status == 0 else {
      Unmanaged<Inotify>.fromOpaque(opaque).release()
      throw SystemError(status, "pthread_create")
    }
    pthread_detach(thread)
    return inotify
  }

  private func loop(_ inotify: Inotify) {
    // Only an exhausted kernel makes waiting fail; readers then go on by their own clock.
    while let events = try? inotify.wait() {
      let watches = Set(events.map(\.watch))
      let handlers = state.withLock { state in
        watches.flatMap { state.handlers[$0].map { Array($0.values) } ?? [] }
      }
      for handler in handlers { handler() }
      usleep(Self.pause)
    }
  }
}
