import Synchronization

/// Work that several callers want at the same time and that is done once. Each caller hears of its
/// progress; when the last caller gives up, the work is cancelled, and that caller waits for it to
/// wind down. The same work never runs twice at a time.
final class SharedWork<Value: Sendable>: Sendable {
  private struct Caller {
    var continuation: CheckedContinuation<Value, any Error>?
    var progress: ProgressHandler
  }

  private struct Job {
    var number: UInt64
    var callers: [UInt64: Caller] = [:]
    var task: Task<Void, Never>?
    var lastProgress: TransferProgress?
    var outcome: Result<Value, any Error>?
    /// Whether everyone has left and it is winding down; nobody can join it any more.
    var isEnding = false
    /// Those who want the same work anew once this has ended.
    var successors: [CheckedContinuation<Void, Never>] = []
  }

  /// How a caller came in.
  private enum Entry {
    case joined(caller: UInt64, job: UInt64, replay: TransferProgress?, isNew: Bool)
    /// Work of that name is winding down.
    case busy
  }

  private struct State {
    var jobs: [String: Job] = [:]
    var next: UInt64 = 0
  }

  private let state = Mutex(State())

  /// Waits for the outcome of the work named `key`, starting it unless it is under way.
  /// Throws what the work throws, or `CancellationError`.
  func run(
    _ key: String, progress: @escaping ProgressHandler,
    _ work: @escaping @Sendable (@escaping ProgressHandler) async throws -> Value
  ) async throws -> Value {
    while true {
      try Task.checkCancellation()
      switch join(key, progress) {
      case .busy: await waitForEnd(key)
      case .joined(let caller, let job, let replay, let isNew):
        if let replay { progress(replay) }
        if isNew { start(key, job, work) }
        return try await withTaskCancellationHandler {
          try await withCheckedThrowingContinuation { continuation in
            wait(key, job, caller, continuation)
          }
        } onCancel: {
          leave(key, job, caller)
        }
      }
    }
  }

  private func join(_ key: String, _ progress: @escaping ProgressHandler) -> Entry {
    state.withLock { state in
      if state.jobs[key]?.isEnding ?? false { return .busy }
      state.next += 1
      let number = state.next
      let isNew = state.jobs[key] == nil
      var job = state.jobs[key] ?? Job(number: number)
      job.callers[number] = Caller(continuation: nil, progress: progress)
      state.jobs[key] = job
      return .joined(
        caller: number, job: job.number, replay: job.lastProgress, isNew: isNew)
    }
  }

  private func waitForEnd(_ key: String) async {
    await withCheckedContinuation { continuation in
      let hasEnded = state.withLock { state in
        guard state.jobs[key]?.isEnding ?? false else { return true }
        state.jobs[key]?.successors.append(continuation)
        return false
      }
      if hasEnded { continuation.resume() }
    }
  }

  private func start(
    _ key: String, _ job: UInt64,
    _ work: @escaping @Sendable (@escaping ProgressHandler) async throws -> Value
  ) {
    let task = Task {
      let outcome: Result<Value, any Error>
      do {
        outcome = .success(
          try await work { [weak self] progress in self?.report(key, job, progress) })
      } catch {
        outcome = .failure(error)
      }
      finish(key, job, outcome)
    }
    let isUnwanted = state.withLock { state in
      guard state.jobs[key]?.number == job else { return false }
      state.jobs[key]?.task = task
      return state.jobs[key]?.isEnding ?? false
    }
    // Every caller left before the task was known; nobody else could have cancelled it.
    if isUnwanted { task.cancel() }
  }

  private func report(_ key: String, _ job: UInt64, _ progress: TransferProgress) {
    let handlers = state.withLock { state -> [ProgressHandler] in
      guard state.jobs[key]?.number == job else { return [] }
      state.jobs[key]?.lastProgress = progress
      return state.jobs[key]?.callers.values.map(\.progress) ?? []
    }
    for handler in handlers { handler(progress) }
  }

  private func finish(_ key: String, _ job: UInt64, _ outcome: Result<Value, any Error>) {
    let (waiting, successors) = state.withLock {
      state -> ([CheckedContinuation<Value, any Error>], [CheckedContinuation<Void, Never>]) in
      guard let current = state.jobs[key], current.number == job else { return ([], []) }
      let waiting = current.callers.values.compactMap(\.continuation)
      if waiting.count == current.callers.count {
        state.jobs[key] = nil
      } else {
        // Someone has joined and does not wait yet; the outcome is kept for them.
        state.jobs[key]?.outcome = outcome
        for (number, caller) in current.callers where caller.continuation != nil {
          state.jobs[key]?.callers[number] = nil
        }
      }
      return (waiting, current.successors)
    }
    for continuation in waiting { continuation.resume(with: outcome) }
    for successor in successors { successor.resume() }
  }

  private func wait(
    _ key: String, _ job: UInt64, _ caller: UInt64,
    _ continuation: CheckedContinuation<Value, any Error>
  ) {
    let outcome: Result<Value, any Error>? = state.withLock { state in
      guard let current = state.jobs[key], current.number == job,
        current.callers[caller] != nil
      else { return .failure(CancellationError()) }
      if let outcome = current.outcome {
        state.jobs[key]?.callers[caller] = nil
        if state.jobs[key]?.callers.isEmpty ?? false { state.jobs[key] = nil }
        return outcome
      }
      state.jobs[key]?.callers[caller]?.continuation = continuation
      return nil
    }
    if let outcome { continuation.resume(with: outcome) }
  }

  private func leave(_ key: String, _ job: UInt64, _ caller: UInt64) {
    let (continuation, task) = state.withLock {
      state -> (CheckedContinuation<Value, any Error>?, Task<Void, Never>?) in
      guard let current = state.jobs[key], current.number == job,
        let leaving = current.callers[caller]
      else { return (nil, nil) }
      guard current.callers.count == 1 else {
        state.jobs[key]?.callers[caller] = nil
        return (leaving.continuation, nil)
      }
      if current.outcome != nil {
        state.jobs[key] = nil
        return (leaving.continuation, nil)
      }
      // The last one stays until the work has wound down.
      state.jobs[key]?.isEnding = true
      if leaving.continuation == nil { state.jobs[key]?.callers[caller] = nil }
      return (nil, current.task)
    }
    task?.cancel()
    continuation?.resume(throwing: CancellationError())
  }
}
