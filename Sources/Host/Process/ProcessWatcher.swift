import CLinux
import Glibc
import Synchronization

/// Waits on any number of processes with one thread, through their process descriptors.
package final class ProcessWatcher: Sendable {
  /// The watcher of this process.
  package static let shared = ProcessWatcher()

  private struct Waiter {
    var descriptor: Descriptor
    var resume: @Sendable (Result<Void, any Error>) -> Void
  }

  private struct State {
    var nextToken: UInt64 = 1
    var waiters: [UInt64: Waiter] = [:]
  }

  private let epoll: Int32
  private let state = Mutex(State())

  private init() {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    var thread = pthread_t()
    let opaque = Unmanaged.passRetained(self).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<ProcessWatcher>.fromOpaque(argument).takeUnretainedValue().loop()
        return nil
      }, opaque)
    if status == 0 { pthread_detach(thread) }
  }

  private func loop() {
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    while true {
      let count = retryingInterrupts { epoll_wait(epoll, &events, 64, -1) }
      guard count >= 0 else { return }
      for event in events.prefix(Int(count)) {
        finish(event.data.u64, .success(()))
      }
    }
  }

  private func finish(_ token: UInt64, _ result: Result<Void, any Error>) {
    guard let waiter = state.withLock({ $0.waiters.removeValue(forKey: token) }) else { return }
    let number = waiter.descriptor.rawValue
    if number >= 0 { epoll_ctl(epoll, EPOLL_CTL_DEL, number, nil) }
    waiter.resume(result)
  }

  /// Waits until the process behind a descriptor of pidfd_open(2) has ended.
  /// - Throws: `CancellationError`, or `SystemError` if the descriptor cannot be watched.
  package func waitForExit(of process: Descriptor) async throws {
    let token = state.withLock { state in
      defer { state.nextToken += 1 }
      return state.nextToken
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation {
        (continuation: CheckedContinuation<Void, any Error>) in
        watch(process, token) { continuation.resume(with: $0) }
        // A cancellation that came before the waiter was registered found nothing to end.
        if Task.isCancelled { finish(token, .failure(CancellationError())) }
      }
    } onCancel: {
      finish(token, .failure(CancellationError()))
    }
  }

  private func watch(
    _ process: Descriptor, _ token: UInt64,
    _ resume: @escaping @Sendable (Result<Void, any Error>) -> Void
  ) {
    state.withLock { $0.waiters[token] = Waiter(descriptor: process, resume: resume) }
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | EPOLLONESHOT.rawValue
    event.data.u64 = token
    if epoll_ctl(epoll, EPOLL_CTL_ADD, process.rawValue, &event) != 0 {
      finish(token, .failure(SystemError.last("epoll_ctl")))
    }
  }

  /// A descriptor for a process by its id.
  /// - Throws: `SystemError`, with `ESRCH` when there is no such process.
  package static func descriptor(ofProcess process: Int32) throws -> Descriptor {
    Descriptor(owning: try checked("pidfd_open", "\(process)", martlet_pidfd_open(process)))
  }
}
