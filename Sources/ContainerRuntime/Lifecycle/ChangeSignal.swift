import Synchronization

/// A flag that one task waits for and anything sets.
final class ChangeSignal: Sendable {
  private struct State {
    var isSet = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// Clears the flag.
  func reset() { state.withLock { $0.isSet = false } }

  /// Sets the flag and wakes the waiting task.
  func set() {
    let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
      state.isSet = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// Waits until the flag is set, the time is over or the task is cancelled.
  func wait(for time: Duration) async {
    let timer = Task.detached { [self] in
      try? await Task.sleep(for: time)  // cancelled when the wait is over
      set()
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        let isSet = state.withLock { state in
          if !state.isSet { state.waiter = continuation }
          return state.isSet
        }
        if isSet { continuation.resume() }
      }
    } onCancel: {
      set()
    }
    timer.cancel()
  }
}
