import DequeModule
import Synchronization

/// A lock for work of many steps that suspends in between; those who wait get it in the order they
/// came. It is not given up on cancellation: what it guards must end in a known state.
final class AsyncLock: Sendable {
  private struct State {
    var isHeld = false
    var waiters: Deque<CheckedContinuation<Void, Never>> = []
  }

  private let state = Mutex(State())

  /// Runs `body` while nobody else's runs.
  func withLock<Value, Failure: Error>(
    _ body: () async throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    await acquire()
    defer { release() }
    return try await body()
  }

  private func acquire() async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.isHeld {
          state.waiters.append(continuation)
          return false
        }
        state.isHeld = true
        return true
      }
      if isFree { continuation.resume() }
    }
  }

  private func release() {
    let next = state.withLock { state in
      let next = state.waiters.popFirst()
      if next == nil { state.isHeld = false }
      return next
    }
    next?.resume()
  }
}
