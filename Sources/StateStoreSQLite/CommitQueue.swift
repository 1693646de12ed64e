import Dispatch
import StateStore
import Synchronization

/// The one writer of the state file, on a thread of its own. Changes that arrive while a commit
/// waits for the disk are written together by the next one, each with a revision of its own, so
/// that fifty callers at once pay for a few syncs.
final class CommitQueue: Sendable {
  /// Tells the caller of a change how it went: nil when it is durable.
  typealias Finish = @Sendable (StateStoreError?) -> Void
  /// Works out a change. Its answer, also a refusal, waits for the commit, since it may rest on
  /// changes that are not durable yet.
  typealias Change = @Sendable (inout Staging, inout [LeaseChange]) -> Finish
  /// Does something else in its turn; gets nil instead of the file when the queue is closed.
  typealias Job = @Sendable (SQLiteFile?) -> Void

  /// A change to the table of leases.
  enum LeaseChange {
    case insert(LeaseID, timeToLive: Duration)
    case delete(LeaseID)
  }

  private enum Work: Sendable {
    case change(Change, refuse: Finish)
    case job(Job)
  }

  private struct Waiting {
    var work: [Work] = []
    var isRunning = false
    var isClosed = false
  }

  /// The most changes that are committed together.
  private static let batchLimit = 512
  /// How many pages the WAL may have before a pause is used to move them into the main file, and
  /// before it is done without a pause.
  private static let idleCheckpointPages = 1_000
  private static let busyCheckpointPages = 8_000
  /// How many revisions of history are forgotten at once, in a commit of its own.
  private static let compactionStep: Revision = 512
  /// However large, this many revisions of history are kept.
  private static let shortestHistory: Revision = 256

  private let core: StoreCore
  private let file: SQLiteFile
  private let retention: RecentHistory.Limit
  private let memory: RecentHistory.Limit
  private let thread = DispatchQueue(label: "martlet.state.commit")
  private let waiting = Mutex(Waiting())
  /// What `thread` keeps for itself.
  private let bookkeeping = Mutex(Bookkeeping())

  private struct Bookkeeping {
    /// Why the file is not written to any more.
    var failure: StateStoreError?
    var pagesInLog = 0
    var commitsSinceSizeCheck = 0
    var commits = 0
  }

  init(
    core: StoreCore, file: SQLiteFile, retention: RecentHistory.Limit, memory: RecentHistory.Limit
  ) {
    self.core = core
    self.file = file
    self.retention = retention
    self.memory = memory
  }

  /// How many commits changed the file.
  var commitCount: Int { bookkeeping.withLock { $0.commits } }

  /// Has `change` worked out and made durable, and its `Finish` called. When it comes to nothing
  /// before that, `refuse` is called instead.
  func submit(_ change: @escaping Change, refuse: @escaping Finish) {
    if !enqueue(.change(change, refuse: refuse)) { refuse(.closed) }
  }

  /// Has `job` done between commits.
  func perform(_ job: @escaping Job) {
    if !enqueue(.job(job)) { job(nil) }
  }

  /// Has `job` done after everything that was submitted so far, and refuses what comes later.
  func close(_ job: @escaping Job) {
    if !enqueue(.job(job), closing: true) { job(nil) }
  }

  private func enqueue(_ work: Work, closing: Bool = false) -> Bool {
    let (accepted, starts) = waiting.withLock { waiting in
      guard !waiting.isClosed else { return (false, false) }
      waiting.work.append(work)
      waiting.isClosed = closing
      defer { waiting.isRunning = true }
      return (true, !waiting.isRunning)
    }
    if starts { thread.async { self.run() } }
    return accepted
  }

  private func run() {
    while true {
      var work = waiting.withLock { waiting in
        defer { waiting.work = [] }
        waiting.isRunning = !waiting.work.isEmpty
        return waiting.work[...]
      }
      if work.isEmpty { return }
      while let first = work.first {
        if case .job(let job) = first {
          work.removeFirst()
          job(file)
          continue
        }
        var batch: [(change: Change, refuse: Finish)] = []
        while batch.count < Self.batchLimit, case .change(let change, let refuse)? = work.first {
          batch.append((change, refuse))
          work.removeFirst()
        }
        commit(batch)
      }
      maintain()
    }
  }

  private func commit(_ batch: [(change: Change, refuse: Finish)]) {
    if let failure = bookkeeping.withLock({ $0.failure }) {
      for (_, refuse) in batch { refuse(failure) }
      return
    }
    guard let staged = stage(batch) else {
      for (_, refuse) in batch { refuse(.closed) }
      return
    }
    do {
      if !staged.changeSets.isEmpty || !staged.leaseChanges.isEmpty { try write(staged) }
      core.apply(staged.changeSets, keeping: memory)
      for finish in staged.finishes { finish(nil) }
    } catch {
      let failure = StateStoreError(database: error)
      // After anything but a full disk it is not known what is in the file.
      if failure.code != .storageFull && failure.code != .requestTooLarge {
        bookkeeping.withLock { $0.failure = failure }
      }
      for finish in staged.finishes { finish(failure) }
    }
  }

  private struct Staged {
    var finishes: [Finish] = []
    var changeSets: [ChangeSet] = []
    var leaseChanges: [LeaseChange] = []
  }

  /// Works changes out in a function of its own, so that its snapshot is gone when they are
  /// applied.
  private func stage(_ batch: [(change: Change, refuse: Finish)]) -> Staged? {
    // Only a closed store has no snapshot.
    guard let snapshot = try? core.snapshot() else { return nil }
    let file = self.file
    var staging = Staging(
      base: snapshot.records, recent: snapshot.recent, compactRevision: snapshot.compactRevision,
      leases: snapshot.leases
    ) { range, revision in
      try file.read { database in
        try ChangeLog.records(at: revision, in: range, newest: snapshot.records, of: database)
      }
    }
    var staged = Staged()
    for (change, _) in batch {
      staged.finishes.append(change(&staging, &staged.leaseChanges))
    }
    staged.changeSets = staging.changeSets
    return staged
  }

  private func write(_ staged: Staged) throws {
    try file.commit { database in
      for change in staged.leaseChanges {
        switch change {
        case .insert(let id, let timeToLive):
          try ChangeLog.insertLease(id, timeToLive: timeToLive, into: database)
        case .delete(let id): try ChangeLog.deleteLease(id, from: database)
        }
      }
      for changeSet in staged.changeSets { try ChangeLog.append(changeSet, to: database) }
    }
    let bytes = staged.changeSets.reduce(0) { sum, changeSet in
      sum + changeSet.changes.reduce(0) { $0 + ($1.current?.value.count ?? 0) }
    }
    bookkeeping.withLock { bookkeeping in
      bookkeeping.pagesInLog += 2 + bytes / 4_096
      bookkeeping.commitsSinceSizeCheck += 1
      bookkeeping.commits += 1
    }
  }

  /// Does what can wait, after the callers have their answers.
  private func maintain() {
    guard bookkeeping.withLock({ $0.failure == nil }) else { return }
    do {
      try forgetHistory()
      let isIdle = waiting.withLock { $0.work.isEmpty }
      let limit = isIdle ? Self.idleCheckpointPages : Self.busyCheckpointPages
      guard bookkeeping.withLock({ $0.pagesInLog }) > limit else { return }
      bookkeeping.withLock { $0.pagesInLog = 0 }
      try file.checkpoint()
    } catch let error as StateStoreError where error.code == .storageFull || error.code == .closed {
      // Space may come back; until then the log just grows.
    } catch {
      bookkeeping.withLock { $0.failure = StateStoreError(database: error) }
    }
  }

  /// Forgets the oldest history when there is too much of it.
  private func forgetHistory() throws {
    let status = try core.status(size: 0)
    let oldest = max(status.compactRevision, 1)
    var target = status.revision - Revision(retention.revisions)
    let checksSize = bookkeeping.withLock { bookkeeping in
      guard bookkeeping.commitsSinceSizeCheck >= 256 else { return false }
      bookkeeping.commitsSinceSizeCheck = 0
      return true
    }
    if checksSize, try file.usedBytes() > retention.bytes {
      target = max(target, status.revision - (status.revision - oldest) / 2)
      target = min(target, status.revision - Self.shortestHistory)
    } else if target - oldest < Self.compactionStep {
      return
    }
    while target > (try core.status(size: 0).compactRevision) {
      let from = try core.status(size: 0).compactRevision
      try compact(to: min(target, max(from, 1) + Self.compactionStep))
    }
  }

  /// Forgets history before `revision`, in the file and in memory. Only in the queue's turn.
  func compact(to revision: Revision) throws {
    try core.checkCompaction(to: revision)
    let old = try core.status(size: 0).compactRevision
    try file.commit { database in
      try ChangeLog.compact(from: old, to: revision, in: database)
    }
    bookkeeping.withLock { $0.pagesInLog += 16 }
    try core.compact(to: revision)
  }
}
