import EtcdProtocol
import StateStore
import Synchronization

/// How far a watch has been told everything, which etcd's answer to that question does not tell for
/// certain: before 3.4.25 and 3.5.8 the answer may overtake events that wait to be sent, one by one
/// and at random, or be given for a watch that still reads history. So it is asked many times: that
/// many answers in a row, without an event between, do not all overtake one.
struct WatchProgress {
  /// How many answers in a row it takes.
  static let questions = 24
  /// How long a watch that reads history must have been quiet; etcd goes on with one ten times in a
  /// second.
  static let quiet = Duration.milliseconds(400)
  /// How long to wait for the answers before asking again: some servers do not answer for watches
  /// that read history.
  static let patience = Duration.milliseconds(100)

  /// Whether the consumer has asked.
  var isWanted = false
  /// Whether someone asks the member again and again.
  var isAsking = false
  private var answers = 0
  /// The revision of the first of those answers.
  private var revision: Revision = 0
  private var readsHistory = false
  private var lastHeard = ContinuousClock.now

  /// A stream is in place; `readsHistory` when it begins with what has happened before.
  mutating func enterStream(readsHistory: Bool) {
    self.readsHistory = readsHistory
    hear()
  }

  /// There was an event: what was answered before it says nothing.
  mutating func hear() {
    answers = 0
    lastHeard = .now
  }

  /// Takes an answer; returns the revision that has been reached if that is all but certain.
  mutating func answer(_ revision: Revision) -> Revision? {
    guard isWanted else { return nil }
    if readsHistory {
      guard ContinuousClock.now - lastHeard > WatchProgress.quiet else { return nil }
      readsHistory = false
    }
    if answers == 0 { self.revision = revision }
    answers += 1
    return answers >= WatchProgress.questions ? self.revision : nil
  }
}

extension EtcdWatch {
  /// Asks for a batch without events once everything that has happened by now has been told.
  func requestProgress() throws {
    let isFirst = try state.withLock { state in
      if case .failed(let error) = state.end, error.code == .closed { throw error }
      state.progress.isWanted = true
      defer { state.progress.isAsking = true }
      return !state.progress.isAsking
    }
    guard isFirst else { return }
    Task { [weak self] in
      while let self, self.askForProgress() {
        // Nobody cancels this task.
        try? await Task.sleep(for: WatchProgress.patience)
      }
    }
  }

  /// Asks the member if that is still wanted; returns whether it is.
  private func askForProgress() -> Bool {
    let (isWanted, asker) = state.withLock { state in
      let isWanted = state.progress.isWanted && state.end == nil
      state.progress.isAsking = isWanted
      return (isWanted, state.asker)
    }
    if isWanted, let asker {
      for _ in 0..<WatchProgress.questions { asker.yield() }
    }
    return isWanted
  }

  /// Takes the answer to one of the questions.
  func takeProgress(_ revision: Revision) async throws {
    let (reached, next) = state.withLock { state in
      (state.progress.answer(revision), state.assembler.next)
    }
    guard let reached else { return }
    guard try await isTold(through: reached, from: next) else {
      state.withLock { $0.progress.hear() }
      return
    }
    state.withLock { $0.confirmProgress(reached) }?.resume()
  }

  /// Whether no record that exists was changed after what was told, and by `revision`.
  private func isTold(through revision: Revision, from next: Revision) async throws -> Bool {
    guard !request.ignoresPuts, next <= revision, !request.keys.isEmpty else { return true }
    let question = RangeRequest(
      request.keys, limit: 1, keysOnly: true, minimumModifyRevision: next,
      maximumModifyRevision: revision)
    let answer: EtcdRangeResponse = try await client.call(
      EtcdMethod.range, keys.encode(question), repetition: .harmless)
    return answer.kvs.isEmpty
  }
}
