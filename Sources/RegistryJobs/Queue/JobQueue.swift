import Host
package import Identity
package import Logging
package import StateStore

/// The jobs of the registry: what is to be done, what is being done, and what was done. All of it
/// lies in the store under `/jobs/`, so that several processes share one queue and a restart loses
/// nothing.
///
/// A job goes `waiting` → `running` → `done`, `error` or `cancel`. One that fails with retries left
/// makes another job. One whose worker is lost waits again, at most ``lossLimit`` times. Every
/// method throws ``JobError``, or `CancellationError`.
package final class JobQueue: Sendable {
  /// How many workers may be lost over one job before it counts as what loses them.
  static let lossLimit = 5
  /// The most bytes of parameters.
  static let parameterLimit = 64 << 10

  let records: JobStore
  let logger: Logger
  let clock: @Sendable () -> Timestamp
  let kinds: [String: any JobKind]

  /// A queue over this store for these kinds of jobs.
  package init(
    store: any StateStore, kinds: [any JobKind], logger: Logger,
    clock: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
  ) {
    records = JobStore(store: store)
    self.logger = logger
    self.clock = clock
    self.kinds = Dictionary(kinds.map { ($0.action, $0) }, uniquingKeysWith: { $1 })
  }

  /// The actions there are.
  package var actions: [String] { kinds.keys.sorted() }

  /// Puts a job into the queue; it is durable when this returns. Throws `invalidRequest`.
  @discardableResult
  package func submit(_ draft: JobDraft) async throws -> Job {
    let (id, record) = try await prepare(draft)
    _ = try await records.commit(do: try Self.submission(id, record))
    return record.job(id)
  }

  /// The steps that put a job into the queue, for transactions that hold more.
  static func submission(_ id: String, _ record: JobRecord) throws -> [Operation] {
    [
      .put(JobKeys.record(id), try record.encoded()),
      .put(JobKeys.due(record.action, record.scheduled, id), []),
    ]
  }

  /// The record of a new job, with what is configured for its action filled in.
  func prepare(_ draft: JobDraft, retryFrom: String? = nil) async throws -> (String, JobRecord) {
    guard let kind = kinds[draft.action] else {
      throw JobError(
        .invalidRequest, "there is no such action",
        metadata: ["field": "action", "action": String(draft.action.prefix(100))])
    }
    var parameters = draft.parameters
    let configured = try await records.fetch(
      JobKeys.configuration(draft.action), as: ParametersRecord.self)
    parameters.merge(configured?.record.parameters ?? [:]) { given, _ in given }
    guard
      parameters.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count })
        <= Self.parameterLimit
    else { throw JobError.invalid("parameters", "the parameters are too large") }
    let retries = draft.retries ?? kind.retries
    guard (0...100).contains(retries) else {
      throw JobError.invalid("retries", "the number of retries is out of range")
    }
    let capacity = draft.capacityMap ?? [draft.action: 1]
    guard capacity.count <= 16, capacity.values.allSatisfy({ (0...1_000).contains($0) }) else {
      throw JobError.invalid("capacityMap", "the capacities are out of range")
    }
    let now = clock()
    let record = JobRecord(
      action: draft.action, status: .waiting, parameters: parameters, capacity: capacity,
      scheduled: (draft.scheduledAt ?? now).milliseconds, updated: now.milliseconds,
      retriesLeft: retries, retriesTotal: retries, retryFrom: retryFrom,
      deadline: draft.deadline?.milliseconds, stopTimeout: draft.stopTimeout?.milliseconds)
    return (newID(now), record)
  }

  /// An id that sorts after those of earlier milliseconds.
  func newID(_ now: Timestamp) -> String {
    FixedWidth.hexadecimal(max(now.milliseconds, 0), 12) + Identifier.hexadecimal(bytes: 10)
  }

  /// A job. Throws `noSuchJob`.
  package func job(_ id: String) async throws -> Job {
    guard let found = try await record(id) else { throw Self.unknown(id) }
    return found.record.job(id)
  }

  func record(_ id: String) async throws -> (record: JobRecord, revision: Revision)? {
    guard Self.isID(id) else { return nil }
    return try await records.fetch(JobKeys.record(id), as: JobRecord.self)
  }

  private static func isID(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0) }
  }

  static func unknown(_ id: String) -> JobError {
    JobError(.noSuchJob, "no such job", metadata: ["job": String(id.prefix(64))])
  }

  /// Jobs, newest first, `offset` of them left out.
  package func jobs(_ filter: JobFilter, offset: Int, limit: Int) async throws -> [Job] {
    var found: [Job] = []
    var skipped = 0
    var end = KeyRange.prefix(JobKeys.records).end
    while found.count < limit {
      let response = try await records.read(
        RangeRequest(
          KeyRange(start: JobKeys.records, end: end), limit: 500, sortOrder: .descending,
          sortTarget: .key))
      for item in response.items where found.count < limit {
        guard let id = item.key.suffix(after: JobKeys.records) else { continue }
        let job = try JobRecord(item).job(id)
        guard filter.accepts(job) else { continue }
        if skipped < offset { skipped += 1 } else { found.append(job) }
      }
      guard response.more, let last = response.items.last else { break }
      end = .before(last.key)
    }
    return found
  }

  /// Asks a job to stop: one that waits is cancelled at once. Throws `noSuchJob`, `wrongStatus`
  /// when it has ended.
  package func cancel(_ id: String) async throws {
    try await records.retrying { () -> Void? in
      guard let found = try await record(id) else { throw Self.unknown(id) }
      var record = found.record
      var operations: [Operation]
      switch record.status {
      case .waiting:
        record.status = .cancel
        operations = [.delete(JobKeys.due(record.action, record.scheduled, id))]
      case .running:
        record.status = .cancelRequest
        operations = [.put(JobKeys.cancellation(id), [])]
      case .cancelRequest: return ()
      default:
        throw JobError(.wrongStatus, "the job has ended", metadata: ["job": id])
      }
      record.updated = clock().milliseconds
      operations.append(.put(JobKeys.record(id), try record.encoded()))
      let done = try await records.commit(
        when: [.modifyRevision(of: JobKeys.record(id), is: found.revision)], do: operations)
      return done ? () : nil
    }
  }

  /// Deletes a job with its log. Throws `noSuchJob`, `wrongStatus` while it runs.
  package func delete(_ id: String) async throws {
    try await records.retrying { () -> Void? in
      guard let found = try await record(id) else { throw Self.unknown(id) }
      guard found.record.status.isFinal || found.record.status == .waiting else {
        throw JobError(
          .wrongStatus, "a running job must be cancelled first", metadata: ["job": id])
      }
      let done = try await records.commit(
        when: [.modifyRevision(of: JobKeys.record(id), is: found.revision)],
        do: [
          .delete(JobKeys.record(id)),
          .delete(JobKeys.due(found.record.action, found.record.scheduled, id)),
          .delete(DeleteRequest(.prefix(JobKeys.logs(id)))),
        ])
      return done ? () : nil
    }
  }

  /// Lines of a job's log from `offset` on; a limit of 0 means all. Throws `noSuchJob`.
  package func log(_ id: String, offset: Int, limit: Int) async throws -> [JobLogLine] {
    guard try await record(id) != nil else { throw Self.unknown(id) }
    let prefix = JobKeys.logs(id)
    let start = prefix.appending(FixedWidth.hexadecimal(Int64(max(offset, 0)), 8))
    let response = try await records.read(
      RangeRequest(
        KeyRange(start: start, end: KeyRange.prefix(prefix).end), limit: max(limit, 0)))
    return response.items.compactMap { item in
      guard let digits = item.key.suffix(after: prefix), let number = Int(digits, radix: 16)
      else { return nil }
      return JobLogLine(number: number, text: String(decoding: item.value, as: UTF8.self))
    }
  }

  /// Deletes jobs that ended before a time, and all but the newest `keeping` of those that ended;
  /// returns how many.
  package func purge(before: Timestamp?, keeping: Int?) async throws -> Int {
    var old: [String] = []
    var kept: [String] = []
    try await records.scan(JobKeys.records) { item in
      let record = try JobRecord(item)
      guard let id = item.key.suffix(after: JobKeys.records), record.status.isFinal else { return }
      let isOld = before.map { record.updated < $0.milliseconds } ?? false
      if isOld { old.append(id) } else { kept.append(id) }
    }
    if let keeping, kept.count > keeping { old += kept.prefix(kept.count - keeping) }
    for id in old {
      do {
        try await delete(id)
      } catch let error as JobError where error.code == .noSuchJob {
        continue
      }
    }
    return old.count
  }
}
