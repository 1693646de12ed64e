import Dispatch
package import StateStore
import Synchronization

/// A store in one SQLite file, for one process at a time. The newest records are in memory, so
/// reads do not touch the disk; a change is in the file, and on the disk, when it is answered.
package final class SQLiteStateStore: StateStore {
  private let core: StoreCore
  private let commits: CommitQueue
  private let history: FileHistory

  /// Opens the store in the file at `path`, which is made, for its owner only, if it is not there.
  /// History beyond `retention` is forgotten by itself; at least 256 revisions are kept. What of it
  /// is within `memory` is read from there. Leases begin their time anew. Throws `StateStoreError`:
  /// `corrupt`, `newerSchema`, `storageFull`, `unavailable` (also when another process has the file
  /// open).
  package static func open(
    path: String, clock: StateStoreClock = .continuous,
    retention: RecentHistory.Limit = RecentHistory.Limit(revisions: 10_000, bytes: 64 << 20),
    memory: RecentHistory.Limit = RecentHistory.Limit(revisions: 1_024, bytes: 4 << 20)
  ) async throws -> SQLiteStateStore {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue(label: "martlet.state.open").async {
        continuation.resume(
          with: Result {
            try SQLiteStateStore(
              path: path, clock: clock, retention: retention, memory: memory, schema: .current)
          })
      }
    }
  }

  /// Opens the store; blocks.
  init(
    path: String, clock: StateStoreClock, retention: RecentHistory.Limit,
    memory: RecentHistory.Limit, schema: Schema
  ) throws {
    let file = try SQLiteFile(path: path, schema: schema)
    let contents = try file.read(ChangeLog.load)
    core = StoreCore(
      records: contents.records, compactRevision: contents.compactRevision, clock: clock)
    commits = CommitQueue(core: core, file: file, retention: retention, memory: memory)
    history = FileHistory(core: core, commits: commits)
    for (id, timeToLive) in contents.leases { try addLease(id, timeToLive: timeToLive) }
  }

  /// Reads the records of a range of keys.
  package func range(_ request: RangeRequest) async throws -> RangeResponse {
    try await core.range(request, older: history)
  }

  /// Runs a transaction.
  package func transact(_ transaction: Transaction) async throws -> TransactionResponse {
    try transaction.validate()
    return try await change { staging, _ in
      try staging.run(transaction)
    }
  }

  /// Begins to tell of changes.
  package func watch(_ request: WatchRequest) async throws -> WatchStream {
    try core.watch(request, older: history)
  }

  /// Grants a lease.
  package func grantLease(timeToLive: Duration, id: LeaseID?) async throws -> LeaseGrant {
    let id = try LeaseTable.identifier(wanted: id, timeToLive: timeToLive)
    let undo: @Sendable () -> Void = { _ = self.core.removeLease(id) }
    return try await change(undo: undo) { staging, leaseChanges in
      try self.addLease(id, timeToLive: timeToLive)
      staging.addLease(id)
      leaseChanges.append(.insert(id, timeToLive: timeToLive))
      return LeaseGrant(id: id, timeToLive: timeToLive)
    }
  }

  /// Starts a lease's time anew.
  @discardableResult
  package func keepAlive(_ lease: LeaseID) async throws -> Duration {
    try core.keepAlive(lease)
  }

  /// Ends a lease and deletes its keys.
  @discardableResult
  package func revoke(_ lease: LeaseID) async throws -> Revision {
    try await end(lease, onlyEnded: false)
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
    let commits = self.commits
    try await commits.perform { _ in try commits.compact(to: revision) }
  }

  /// The store's revision and size; the size is that of the file without its free pages.
  package func status() async throws -> StateStoreStatus {
    let size = try await commits.perform { try $0.usedBytes() }
    return try core.status(size: size)
  }

  /// Ends all watches and closes the file.
  package func close() async {
    await withCheckedContinuation { continuation in
      commits.close { file in
        self.core.close()
        file?.close()
        continuation.resume()
      }
    }
  }

  /// The version of the schema that this program writes.
  package static var schemaVersion: Int { Schema.current.migrations.count }

  /// How often the file was synced for changes since it was opened.
  package var commitCount: Int { commits.commitCount }

  private func addLease(_ id: LeaseID, timeToLive: Duration) throws {
    try core.addLease(id, timeToLive: timeToLive) { [weak self] id in
      // A lease that was kept alive, or a store that was closed, has nothing to end; after a
      // failure of the file the lease ends when the store is opened again.
      _ = try? await self?.end(id, onlyEnded: true)
    }
  }

  private func end(_ lease: LeaseID, onlyEnded: Bool) async throws -> Revision {
    let removed = Mutex<LeaseTable.Entry?>(nil)
    // A lease that could not be ended for want of space begins anew, so that it ends later.
    let undo: @Sendable () -> Void = {
      guard let entry = removed.withLock({ $0 }) else { return }
      // It can only be refused when the store is closed or someone took the number meanwhile.
      try? self.addLease(lease, timeToLive: entry.granted)
    }
    return try await change(undo: undo) { staging, leaseChanges in
      guard let entry = self.core.removeLease(lease, onlyEnded: onlyEnded) else {
        throw StateStoreError.leaseNotFound(lease)
      }
      removed.withLock { $0 = entry }
      staging.endLease(lease)
      leaseChanges.append(.delete(lease))
      return staging.revision
    }
  }

  /// Has a change worked out and made durable; `undo` is called when it could not be made durable.
  private func change<Result: Sendable>(
    undo: @escaping @Sendable () -> Void = {},
    _ body:
      @escaping @Sendable (inout Staging, inout [CommitQueue.LeaseChange]) throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      commits.submit { staging, leaseChanges in
        do {
          let result = try body(&staging, &leaseChanges)
          return { failure in
            if let failure {
              undo()
              continuation.resume(throwing: failure)
            } else {
              continuation.resume(returning: result)
            }
          }
        } catch {
          return { failure in continuation.resume(throwing: failure ?? error) }
        }
      } refuse: { failure in
        continuation.resume(throwing: failure ?? .closed)
      }
    }
  }
}

extension CommitQueue {
  /// Does `job` between commits, and waits for it. Throws `closed`.
  func perform<Result: Sendable>(
    _ job: @escaping @Sendable (SQLiteFile) throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      perform { file in
        continuation.resume(
          with: Swift.Result {
            guard let file else { throw StateStoreError.closed }
            return try job(file)
          })
      }
    }
  }
}

/// History that is only in the file, read in the commit queue's turn, when the file and the records
/// in memory are of the same revision.
private struct FileHistory: OlderHistory {
  /// How many revisions are read at once.
  static let step: Revision = 256

  let core: StoreCore
  let commits: CommitQueue

  func changes(
    from revision: Revision, in range: KeyRange
  ) async throws -> (sets: [ChangeSet], through: Revision) {
    let core = self.core
    return try await commits.perform { file in
      let status = try core.status(size: 0)
      guard revision >= status.compactRevision else {
        throw StateStoreError.compacted(revision, oldest: status.compactRevision)
      }
      let through = min(status.revision, revision + FileHistory.step - 1)
      let sets = try file.read { database in
        try ChangeLog.changes(from: revision, through: through, in: range, of: database)
      }
      return (sets, through)
    }
  }

  func records(
    at revision: Revision, in range: KeyRange
  ) async throws -> (records: [KeyValue], newest: Revision) {
    let core = self.core
    return try await commits.perform { file in
      let snapshot = try core.snapshot()
      guard revision >= snapshot.compactRevision else {
        throw StateStoreError.compacted(revision, oldest: snapshot.compactRevision)
      }
      let records = try file.read { database in
        try ChangeLog.records(
          at: revision, in: range, newest: snapshot.records, of: database)
      }
      return (records, snapshot.records.revision)
    }
  }
}
