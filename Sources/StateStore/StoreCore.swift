import Synchronization

/// Where a store inside the process finds history that is no longer in memory.
package protocol OlderHistory: Sendable {
  /// The change sets that touch `range`, in order, from `revision` up to and including `through`,
  /// which is the newest revision or one where the reader thought it had enough. Throws
  /// `compacted`.
  func changes(
    from revision: Revision, in range: KeyRange
  ) async throws -> (sets: [ChangeSet], through: Revision)

  /// The records of `range` as they were at `revision`, in key order, and the store's revision now.
  /// Throws `compacted`.
  func records(
    at revision: Revision, in range: KeyRange
  ) async throws -> (records: [KeyValue], newest: Revision)
}

/// What the stores inside the process have in common: the committed records in memory, the watches
/// and the leases. Everything seen here is durable; a store calls `apply` once it is.
package final class StoreCore: Sendable {
  struct State {
    var records: RecordTable
    var recent: RecentHistory
    var compactRevision: Revision
    var leases = LeaseTable()
    var leaseTasks: [LeaseID: Task<Void, Never>] = [:]
    var watchers: [Int: Watcher] = [:]
    var lastWatcher = 0
    var isClosed = false
  }

  /// What a transaction is worked out from.
  package struct Snapshot: Sendable {
    /// The committed records.
    package var records: RecordTable
    /// The change sets that led to them.
    package var recent: RecentHistory
    /// The oldest revision that can be read at.
    package var compactRevision: Revision
    /// The living leases.
    package var leases: Set<LeaseID>
  }

  /// The time by which leases end.
  package let clock: StateStoreClock
  let state: Mutex<State>

  /// The core of a store with these records, whose history begins at `compactRevision`; none of it
  /// is in memory.
  package init(records: RecordTable, compactRevision: Revision, clock: StateStoreClock) {
    self.clock = clock
    self.state = Mutex(
      State(
        records: records, recent: RecentHistory(after: records.revision),
        compactRevision: compactRevision))
  }

  /// What the next transaction is worked out from. Let go of it before `apply`, which otherwise
  /// has to copy the table. Throws `closed`.
  package func snapshot() throws -> Snapshot {
    try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      return Snapshot(
        records: state.records, recent: state.recent, compactRevision: state.compactRevision,
        leases: state.leases.ids)
    }
  }

  /// Answers a read, from memory or else from `older`.
  package func range(
    _ request: RangeRequest, older: (any OlderHistory)?
  ) async throws -> RangeResponse {
    try request.validate()
    let answer: RangeResponse? = try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      guard let wanted = request.revision, wanted > 0, wanted != state.records.revision else {
        return request.answer(from: state.records)
      }
      guard wanted <= state.records.revision else {
        throw StateStoreError.futureRevision(wanted, newest: state.records.revision)
      }
      guard wanted >= state.compactRevision else {
        throw StateStoreError.compacted(wanted, oldest: state.compactRevision)
      }
      guard let later = state.recent.changes(from: wanted + 1) else { return nil }
      return request.answer(
        from: undo(later, in: request.keys, from: state.records.records(in: request.keys)),
        revision: state.records.revision)
    }
    if let answer { return answer }
    guard let older, let wanted = request.revision else {
      throw StateStoreError(.unavailable, "the store has a gap in its history")
    }
    let (records, newest) = try await older.records(at: wanted, in: request.keys)
    return request.answer(from: records, revision: newest)
  }

  /// Makes committed change sets visible and tells the watchers; then forgets what recent history
  /// holds beyond `limit`.
  package func apply(_ changeSets: [ChangeSet], keeping limit: RecentHistory.Limit) {
    let waiters = state.withLock { state in
      for changeSet in changeSets {
        state.records.apply(changeSet)
        state.recent.append(changeSet)
      }
      while state.recent.exceeds(limit) { state.recent.removeFirst() }
      return state.watchersToWake(by: changeSets)
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Forgets history before `revision`, in memory; throws when that makes no sense.
  package func compact(to revision: Revision) throws {
    try state.withLock { state in
      try state.checkCompaction(to: revision)
      state.compactRevision = revision
      while state.recent.first < revision { state.recent.removeFirst() }
    }
  }

  /// Throws `compacted` or `futureRevision` when history cannot be forgotten up to `revision`, and
  /// `closed`.
  package func checkCompaction(to revision: Revision) throws {
    try state.withLock { try $0.checkCompaction(to: revision) }
  }

  /// The revisions between which reads are possible, and the number of records.
  package func status(size: Int64) throws -> StateStoreStatus {
    try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      return StateStoreStatus(
        revision: state.records.revision, compactRevision: state.compactRevision,
        keyCount: state.records.count, size: size)
    }
  }

  /// Ends every watch and lease timer; whatever is asked afterwards fails with `closed`.
  package func close() {
    let (waiters, tasks) = state.withLock { state in
      state.isClosed = true
      defer { state.leaseTasks = [:] }
      return (state.takeAllWaiters(), Array(state.leaseTasks.values))
    }
    for task in tasks { task.cancel() }
    for waiter in waiters { waiter.resume() }
  }
}

extension StoreCore.State {
  func checkCompaction(to revision: Revision) throws {
    guard !isClosed else { throw StateStoreError.closed }
    guard revision > compactRevision else {
      throw StateStoreError.compacted(revision, oldest: compactRevision)
    }
    guard revision <= records.revision else {
      throw StateStoreError.futureRevision(revision, newest: records.revision)
    }
  }
}
