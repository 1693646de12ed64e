import Synchronization

/// One watch: a place in history, from which the consumer pulls. Nothing is queued for it, so a
/// slow one costs no memory.
struct Watcher {
  var request: WatchRequest
  /// The first revision that was not looked at for this watch.
  var cursor: Revision
  /// The last revision the consumer was told of.
  var lastTold: Revision
  /// Whether the watch has been at the newest revision, from where on its backlog is limited.
  var hasCaughtUp = false
  /// Batches read from older history, before `cursor`.
  var backfill: ArraySlice<WatchBatch> = []
  var progressRequested = false
  /// Whether the consumer is in `next()`.
  var isBeingRead = false
  /// The consumer, when there is nothing for it.
  var waiter: CheckedContinuation<Void, Never>?

  /// A watch that wants progress gets it after this many revisions that did not concern it.
  static let progressInterval: Revision = 1_000
}

/// What a consumer does next.
private enum WatchStep {
  case deliver(WatchBatch)
  case wait
  case load(WatchRequest, from: Revision)
  case end
  case fail(StateStoreError)
}

extension StoreCore {
  /// Begins a watch. Throws `compacted`, `invalidRequest` and `closed`.
  package func watch(
    _ request: WatchRequest, older: (any OlderHistory)?
  ) throws -> WatchStream {
    try request.validate()
    let (id, revision) = try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      let revision = state.records.revision
      let wanted = request.startRevision ?? 0
      let start = wanted > 0 ? wanted : revision + 1
      guard start >= state.compactRevision else {
        throw StateStoreError.compacted(start, oldest: state.compactRevision)
      }
      state.lastWatcher += 1
      state.watchers[state.lastWatcher] = Watcher(
        request: request, cursor: start, lastTold: start - 1)
      return (state.lastWatcher, revision)
    }
    return WatchStream(
      revision: revision, next: { try await self.nextBatch(of: id, older: older) },
      requestProgress: { try self.requestProgress(of: id) }, cancel: { self.cancelWatch(id) })
  }

  private func nextBatch(
    of id: Int, older: (any OlderHistory)?
  ) async throws -> WatchBatch? {
    try state.withLock { state in
      guard state.watchers[id]?.isBeingRead != true else {
        throw StateStoreError.invalidRequest("a watch is for one consumer")
      }
      state.watchers[id]?.isBeingRead = true
    }
    defer { state.withLock { $0.watchers[id]?.isBeingRead = false } }
    while true {
      try Task.checkCancellation()
      switch state.withLock({ $0.step(of: id) }) {
      case .deliver(let batch): return batch
      case .end: return nil
      case .wait: await waitForNews(of: id)
      case .load(let request, let start): try await load(request, from: start, for: id, older)
      case .fail(let error):
        state.withLock { _ = $0.watchers.removeValue(forKey: id) }
        throw error
      }
    }
  }

  private func load(
    _ request: WatchRequest, from start: Revision, for id: Int, _ older: (any OlderHistory)?
  ) async throws {
    guard let older else {
      throw StateStoreError(.unavailable, "the store has a gap in its history")
    }
    let (sets, through) = try await older.changes(from: start, in: request.keys)
    state.withLock { state in
      state.watchers[id]?.backfill = sets.compactMap { $0.batch(for: request) }[...]
      state.watchers[id]?.cursor = through + 1
    }
  }

  private func waitForNews(of id: Int) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let goesOn = state.withLock { state in
          // The cancellation handler may have run before there was anything to wake.
          guard !Task.isCancelled, state.hasNothing(for: id) else { return true }
          state.watchers[id]?.waiter = continuation
          return false
        }
        if goesOn { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.takeWaiter(of: id) }?.resume()
    }
  }

  private func requestProgress(of id: Int) throws {
    let waiter = try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      state.watchers[id]?.progressRequested = true
      return state.takeWaiter(of: id)
    }
    waiter?.resume()
  }

  private func cancelWatch(_ id: Int) {
    state.withLock { $0.watchers.removeValue(forKey: id) }?.waiter?.resume()
  }
}

extension StoreCore.State {
  /// Takes the waiting consumers that these change sets, just applied, concern. The watches of the
  /// others move on, so that history they need not see can be forgotten.
  mutating func watchersToWake(
    by changeSets: [ChangeSet]
  ) -> [CheckedContinuation<Void, Never>] {
    guard !changeSets.isEmpty else { return [] }
    var woken: [CheckedContinuation<Void, Never>] = []
    for (id, watcher) in watchers where watcher.waiter != nil {
      let news = changeSets.contains {
        $0.revision >= watcher.cursor && $0.concerns(watcher.request)
      }
      if !news {
        watchers[id]?.cursor = max(watcher.cursor, records.revision + 1)
        guard watcher.request.wantsProgress,
          records.revision - watcher.lastTold >= Watcher.progressInterval
        else { continue }
        watchers[id]?.progressRequested = true
      }
      if let waiter = takeWaiter(of: id) { woken.append(waiter) }
    }
    return woken
  }

  /// Whether the consumer of a watch has to wait; leaves the watch where it is.
  fileprivate mutating func hasNothing(for id: Int) -> Bool {
    let watcher = watchers[id]
    defer { watchers[id] = watcher }
    guard case .wait = step(of: id) else { return false }
    return true
  }

  mutating func takeWaiter(of id: Int) -> CheckedContinuation<Void, Never>? {
    defer { watchers[id]?.waiter = nil }
    return watchers[id]?.waiter
  }

  mutating func takeAllWaiters() -> [CheckedContinuation<Void, Never>] {
    watchers.keys.compactMap { takeWaiter(of: $0) }
  }

  /// Decides what the consumer of a watch does next, and moves the watch on.
  fileprivate mutating func step(of id: Int) -> WatchStep {
    guard var watcher = watchers[id] else { return .end }
    guard !isClosed else { return .fail(.closed) }
    defer { if watchers[id] != nil { watchers[id] = watcher } }
    if let batch = watcher.backfill.popFirst() {
      watcher.lastTold = batch.revision
      return .deliver(batch)
    }
    let newest = records.revision
    if watcher.cursor <= newest {
      guard watcher.cursor >= compactRevision else {
        return .fail(.compacted(watcher.cursor, oldest: compactRevision))
      }
      let backlog = newest - watcher.cursor + 1
      guard !watcher.hasCaughtUp || backlog <= Revision(watcher.request.backlogLimit) else {
        return .fail(.watcherFellBehind(next: watcher.cursor, newest: newest))
      }
      guard let changeSets = recent.changes(from: watcher.cursor) else {
        return .load(watcher.request, from: watcher.cursor)
      }
      for changeSet in changeSets {
        watcher.cursor = changeSet.revision + 1
        guard let batch = changeSet.batch(for: watcher.request) else { continue }
        watcher.lastTold = batch.revision
        return .deliver(batch)
      }
    }
    watcher.hasCaughtUp = true
    guard watcher.progressRequested else { return .wait }
    watcher.progressRequested = false
    watcher.lastTold = newest
    return .deliver(WatchBatch(revision: newest, events: []))
  }
}
