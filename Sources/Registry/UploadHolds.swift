import Synchronization

/// Which uploads are held by a request of this process, and who waits for one to be let go.
final class UploadHolds: Sendable {
  private struct Waiter {
    let number: UInt64
    let continuation: CheckedContinuation<Bool, Never>
  }

  private struct State {
    /// Every held upload, with those that wait for it, the first first.
    var waiters: [String: [Waiter]] = [:]
    var nextNumber: UInt64 = 0
  }

  /// How many may wait for one upload.
  private static let waiterLimit = 8
  private let state = Mutex(State())

  /// Takes an upload, waiting for at most `patience` when another has it. False when it was not let
  /// go in that time, or too many wait already.
  func acquire(_ id: String, within patience: Duration) async -> Bool {
    await withCheckedContinuation { continuation in
      let number: UInt64? = state.withLock { state in
        guard let waiters = state.waiters[id] else {
          state.waiters[id] = []
          continuation.resume(returning: true)
          return nil
        }
        guard waiters.count < Self.waiterLimit else {
          continuation.resume(returning: false)
          return nil
        }
        state.nextNumber += 1
        state.waiters[id]?.append(Waiter(number: state.nextNumber, continuation: continuation))
        return state.nextNumber
      }
      guard let number else { return }
      Task {
        try await Task.sleep(for: patience)
        self.giveUp(id, number)
      }
    }
  }

  /// Lets go of an upload: the first of those who wait has it then.
  func release(_ id: String) {
    let next: Waiter? = state.withLock { state in
      guard state.waiters[id]?.isEmpty == false else {
        state.waiters[id] = nil
        return nil
      }
      return state.waiters[id]?.removeFirst()
    }
    next?.continuation.resume(returning: true)
  }

  private func giveUp(_ id: String, _ number: UInt64) {
    let waiter: Waiter? = state.withLock { state in
      guard let index = state.waiters[id]?.firstIndex(where: { $0.number == number }) else {
        return nil
      }
      return state.waiters[id]?.remove(at: index)
    }
    waiter?.continuation.resume(returning: false)
  }
}
