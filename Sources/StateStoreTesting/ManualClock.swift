package import StateStore
import Synchronization

/// A clock that goes on when it is told to.
package final class ManualClock: Sendable {
  private struct State {
    var now = Duration.zero
    var sleepers: [Int: (deadline: Duration, continuation: CheckedContinuation<Void, any Error>)] =
      [:]
    var lastSleeper = 0
  }

  private let state = Mutex(State())

  /// A clock that stands at zero.
  package init() {}

  /// The clock as a store takes it.
  package var storeClock: StateStoreClock {
    StateStoreClock(
      now: { self.state.withLock { $0.now } }, sleep: { try await self.sleep(until: $0) })
  }

  /// Moves the time on and wakes whoever sleeps no longer.
  package func advance(by duration: Duration) {
    let woken = state.withLock { state in
      state.now += duration
      let due = state.sleepers.filter { $0.value.deadline <= state.now }
      for id in due.keys { state.sleepers[id] = nil }
      return due.values.map(\.continuation)
    }
    for continuation in woken { continuation.resume() }
  }

  private func sleep(until deadline: Duration) async throws {
    let id = state.withLock { state in
      state.lastSleeper += 1
      return state.lastSleeper
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let answer: Result<Void, any Error>? = state.withLock { state in
          if Task.isCancelled { return .failure(CancellationError()) }
          if deadline <= state.now { return .success(()) }
          state.sleepers[id] = (deadline, continuation)
          return nil
        }
        if let answer { continuation.resume(with: answer) }
      }
    } onCancel: {
      state.withLock { $0.sleepers.removeValue(forKey: id) }?
        .continuation.resume(throwing: CancellationError())
    }
  }
}
