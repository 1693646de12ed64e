import Synchronization

/// Lets a number of tasks in at once; the others wait in the order in which they came.
final class AsyncSemaphore: Sendable {
  private struct State {
    var limit: Int
    var taken = 0
    var nextTicket: UInt64 = 0
    var waiting: [(ticket: UInt64, continuation: CheckedContinuation<Void, any Error>)] = []
    /// Tickets that were cancelled before they came to wait.
    var cancelled: Set<UInt64> = []
  }

  private let state: Mutex<State>

  init(_ limit: Int) { state = Mutex(State(limit: max(1, limit))) }

  /// Changes how many are let in.
  func setLimit(_ limit: Int) {
    let woken = state.withLock { state in
      state.limit = max(1, limit)
      return Self.wake(&state)
    }
    for continuation in woken { continuation.resume() }
  }

  /// Enters at once if there is room; whether it did.
  func tryEnter() -> Bool {
    state.withLock { state in
      guard state.taken < state.limit, state.waiting.isEmpty else { return false }
      state.taken += 1
      return true
    }
  }

  /// Waits for room and enters. Throws `CancellationError`; then nothing was entered.
  func enter() async throws {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome: Result<Void, any Error>? = state.withLock { state in
          if state.cancelled.remove(ticket) != nil { return .failure(CancellationError()) }
          if state.taken < state.limit && state.waiting.isEmpty {
            state.taken += 1
            return .success(())
          }
          state.waiting.append((ticket, continuation))
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      let continuation = state.withLock {
        state -> CheckedContinuation<Void, any Error>? in
        guard let index = state.waiting.firstIndex(where: { $0.ticket == ticket }) else {
          state.cancelled.insert(ticket)
          return nil
        }
        return state.waiting.remove(at: index).continuation
      }
      continuation?.resume(throwing: CancellationError())
    }
    _ = state.withLock { $0.cancelled.remove(ticket) }
  }

  /// Leaves, letting the next in.
  func leave() {
    let woken = state.withLock { state in
      state.taken -= 1
      return Self.wake(&state)
    }
    for continuation in woken { continuation.resume() }
  }

  /// Runs `body` inside.
  func within<Value>(_ body: () async throws -> Value) async throws -> Value {
    try await enter()
    defer { leave() }
    return try await body()
  }

  private static func wake(_ state: inout State) -> [CheckedContinuation<Void, any Error>] {
    var woken: [CheckedContinuation<Void, any Error>] = []
    while state.taken < state.limit, !state.waiting.isEmpty {
      state.taken += 1
      woken.append(state.waiting.removeFirst().continuation)
    }
    return woken
  }
}
