import Synchronization

/// A store that keeps everything in memory and forgets it with the process: for tests, and for
/// state that need not outlive the process.
package final class InMemoryStateStore: StateStore {
  private let core: StoreCore
  private let retention: RecentHistory.Limit
  /// Held while a transaction is worked out and applied, so that they happen one after the other.
  private let turn = Mutex(())

  /// An empty store that keeps the last `retention` revisions of history; older ones are compacted
  /// by themselves.
  package init(
    clock: StateStoreClock = .continuous,
    retention: RecentHistory.Limit = RecentHistory.Limit(revisions: 10_000, bytes: 64 << 20)
  ) {
    self.core = StoreCore(records: RecordTable(), compactRevision: 0, clock: clock)
    self.retention = retention
  }

  /// Reads the records of a range of keys.
  package func range(_ request: RangeRequest) async throws -> RangeResponse {
    try await core.range(request, older: nil)
  }

  /// Runs a transaction.
  package func transact(_ transaction: Transaction) async throws -> TransactionResponse {
    try transaction.validate()
    return try change { try $0.run(transaction) }
  }

  /// Begins to tell of changes.
  package func watch(_ request: WatchRequest) async throws -> WatchStream {
    try core.watch(request, older: nil)
  }

  /// Grants a lease.
  package func grantLease(timeToLive: Duration, id: LeaseID?) async throws -> LeaseGrant {
    let id = try LeaseTable.identifier(wanted: id, timeToLive: timeToLive)
    try core.addLease(id, timeToLive: timeToLive) { [weak self] id in
      // A store that was closed meanwhile has no leases left to end.
      _ = try? self?.end(id, onlyEnded: true)
    }
    return LeaseGrant(id: id, timeToLive: timeToLive)
  }

  /// Starts a lease's time anew.
  @discardableResult
  package func keepAlive(_ lease: LeaseID) async throws -> Duration {
    try core.keepAlive(lease)
  }

  /// Ends a lease and deletes its keys.
  @discardableResult
  package func revoke(_ lease: LeaseID) async throws -> Revision {
    guard let revision = try end(lease, onlyEnded: false) else {
      throw StateStoreError.leaseNotFound(lease)
    }
    return revision
  }

  /// What is known of a lease.
  package func leaseStatus(_ lease: LeaseID) async throws -> LeaseStatus? {
    try core.leaseStatus(lease)
  }

  /// The living leases.
  package func leases() async throws -> [LeaseID] {
    try core.leases()
  }

  /// Forgets history before `revision`.
  package func compact(to revision: Revision) async throws {
    try core.compact(to: revision)
  }

  /// The store's revision and size; the size is that of keys and values.
  package func status() async throws -> StateStoreStatus {
    let records = try core.snapshot().records.records(in: .all)
    return try core.status(
      size: records.reduce(0) { $0 + Int64($1.key.bytes.count + $1.value.count) })
  }

  /// Ends all watches.
  package func close() async {
    core.close()
  }

  private func end(_ lease: LeaseID, onlyEnded: Bool) throws -> Revision? {
    try turn.withLock { _ in
      guard core.removeLease(lease, onlyEnded: onlyEnded) != nil else { return nil }
      return try stageAndApply { staging in
        staging.endLease(lease)
        return staging.revision
      }
    }
  }

  private func change<Result: Sendable>(
    _ body: (inout Staging) throws -> Result
  ) throws -> Result {
    try turn.withLock { _ in try stageAndApply(body) }
  }

  private func stageAndApply<Result>(_ body: (inout Staging) throws -> Result) throws -> Result {
    let (result, changeSets) = try stage(body)
    core.apply(changeSets, keeping: RecentHistory.Limit(revisions: .max, bytes: .max))
    core.compactAutomatically(keeping: retention)
    return result
  }

  /// Works out a change in a function of its own, so that its snapshot is gone when it is applied.
  private func stage<Result>(
    _ body: (inout Staging) throws -> Result
  ) throws -> (Result, [ChangeSet]) {
    let snapshot = try core.snapshot()
    var staging = Staging(
      base: snapshot.records, recent: snapshot.recent, compactRevision: snapshot.compactRevision,
      leases: snapshot.leases
    ) { _, _ in throw StateStoreError(.unavailable, "the store has a gap in its history") }
    let result = try body(&staging)
    return (result, staging.changeSets)
  }
}

extension StoreCore {
  /// Forgets the oldest history beyond `limit`, in memory.
  fileprivate func compactAutomatically(keeping limit: RecentHistory.Limit) {
    state.withLock { state in
      guard state.recent.exceeds(limit) else { return }
      while state.recent.exceeds(limit) { state.recent.removeFirst() }
      state.compactRevision = max(state.compactRevision, state.recent.first)
    }
  }
}
