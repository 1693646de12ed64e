import Logging
import StateStore
import Synchronization

/// The directory in memory, kept true by a watch. Starts with the first question and ends with
/// `stop()`; when the watch breaks, it reads everything again, with back-off.
final class DirectoryCache: Sendable {
  private struct Waiter {
    /// The revision waited for.
    let revision: Revision
    let continuation: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var directory: Directory?
    /// How far the directory has seen.
    var revision: Revision = 0
    var waiters: [UInt64: Waiter] = [:]
    var nextWaiter: UInt64 = 0
    var task: Task<Void, Never>?
    var isStopped = false
  }

  private static let pageSize = 1_000
  private static let shortestPause: Duration = .milliseconds(50)
  private static let longestPause: Duration = .seconds(5)

  private let store: any StateStore
  private let logger: Logger
  /// Told whose secrets changed; nil for anyone's.
  private let secretsChanged: @Sendable (AccountID?) -> Void
  private let state = Mutex(State())

  init(
    store: any StateStore, logger: Logger,
    secretsChanged: @escaping @Sendable (AccountID?) -> Void
  ) {
    self.store = store
    self.logger = logger
    self.secretsChanged = secretsChanged
  }

  /// Reads from what is in memory now; nil when nothing was loaded yet.
  func peek<Answer>(_ question: (Directory) throws -> Answer) rethrows -> Answer? {
    try state.withLock { state in
      guard let directory = state.directory else { return nil }
      return try question(directory)
    }
  }

  /// Reads, after loading when that has not been done.
  func read<Answer>(_ question: (Directory) throws -> Answer) async throws -> Answer {
    while true {
      if let answer = try peek(question) { return answer }
      do {
        try await wait(for: 0)
      } catch let error as StateStoreError {
        throw IdentityError(.unavailable, "accounts cannot be read", cause: error)
      }
    }
  }

  /// Waits until the directory has seen a revision that changed something of Identity, so that who
  /// wrote reads what was written. When the watch is broken or the caller is cancelled it returns
  /// without: the write stands whatever becomes of the reading.
  func catchUp(to revision: Revision) async {
    do {
      try await wait(for: revision)
    } catch {
      logger.debug("a change was not awaited", metadata: ["error": "\(error)"])
    }
  }

  /// Ends the watch and everyone who waits.
  func stop() {
    let task = state.withLock { state in
      state.isStopped = true
      return state.task
    }
    task?.cancel()
    failWaiters(StateStoreError.closed)
  }

  private func wait(for revision: Revision) async throws {
    let id = state.withLock { state in
      startIfNeeded(&state)
      state.nextWaiter += 1
      return state.nextWaiter
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let answer: Result<Void, any Error>? = state.withLock { state in
          if state.directory != nil, state.revision >= revision { return .success(()) }
          if state.isStopped { return .failure(StateStoreError.closed) }
          if Task.isCancelled { return .failure(CancellationError()) }
          state.waiters[id] = Waiter(revision: revision, continuation: continuation)
          return nil
        }
        if let answer { continuation.resume(with: answer) }
      }
    } onCancel: {
      let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
      waiter?.continuation.resume(throwing: CancellationError())
    }
  }

  private func startIfNeeded(_ state: inout State) {
    guard state.task == nil, !state.isStopped else { return }
    state.task = Task { await self.follow() }
  }

  private func follow() async {
    var pause = Self.shortestPause
    while !Task.isCancelled {
      do {
        let next = try await load()
        let stream = try await store.watch(WatchRequest(.prefix(Keys.root), from: next))
        pause = Self.shortestPause
        for try await batch in stream { apply(batch) }
      } catch {
        if Task.isCancelled { break }
        logger.warning(
          "accounts are read anew after the watch broke", metadata: ["error": "\(error)"])
        failWaiters(error)
      }
      do {
        try await Task.sleep(for: pause)
      } catch {
        break
      }
      pause = min(pause * 2, Self.longestPause)
    }
    failWaiters(StateStoreError.closed)
  }

  /// Reads the whole directory at one revision; returns the next one.
  private func load() async throws -> Revision {
    var directory = Directory()
    var keys = KeyRange.prefix(Keys.directory)
    var revision: Revision?
    while true {
      let request = RangeRequest(keys, limit: Self.pageSize, revision: revision)
      let page = try await store.range(request)
      revision = revision ?? page.revision
      for item in page.items { apply(item.key, item, to: &directory) }
      guard page.more, let last = page.items.last else { break }
      keys.start = Key(bytes: last.key.bytes + [0])
    }
    let seen = revision ?? 0
    publish(seen) { $0 = directory }
    secretsChanged(nil)
    return seen + 1
  }

  private func apply(_ batch: WatchBatch) {
    for event in batch.events {
      guard let suffix = event.record.key.suffix(after: Keys.secrets) else { continue }
      let parts = suffix.split(separator: "/", maxSplits: 2)
      guard parts.count >= 2, parts[1] == "password" || parts[1] == "tokens" else { continue }
      if let account = AccountID(String(parts[0])) { secretsChanged(account) }
    }
    publish(batch.revision) { directory in
      guard var changed = directory else { return }
      // Only one reference may stand, or each change would copy the tables.
      directory = nil
      for event in batch.events {
        apply(event.record.key, event.kind == .put ? event.record : nil, to: &changed)
      }
      directory = changed
    }
  }

  private func apply(_ key: Key, _ item: KeyValue?, to directory: inout Directory) {
    do {
      try directory.apply(key, item)
    } catch {
      logger.error("a record of accounts is left out", metadata: ["error": "\(error)"])
    }
  }

  private func publish(_ revision: Revision, _ change: (inout Directory?) -> Void) {
    let ready = state.withLock { state in
      change(&state.directory)
      state.revision = max(state.revision, revision)
      let ready = state.waiters.filter { $0.value.revision <= state.revision }
      for id in ready.keys { state.waiters[id] = nil }
      return ready.values.map(\.continuation)
    }
    for continuation in ready { continuation.resume() }
  }

  private func failWaiters(_ error: any Error) {
    let waiters = state.withLock { state in
      defer { state.waiters.removeAll() }
      return state.waiters.values.map(\.continuation)
    }
    for continuation in waiters { continuation.resume(throwing: error) }
  }
}
