import Identity
import Logging
import StateStore

/// How a run of a job ended.
enum JobOutcome: Sendable {
  case done(String?)
  case failed(String)
  case cancelled
  /// The worker ends; the job has to be run again.
  case interrupted
}

extension JobQueue {
  /// Takes a job that is due for a worker; nil when another was faster or it is no longer to be run.
  func claim(_ id: String, due key: Key, for worker: String) async throws -> JobRecord? {
    guard let found = try await record(id), found.record.status == .waiting else {
      // Its record is gone or it was cancelled in another way: what is left of it goes too.
      _ = try await records.commit(
        when: [.missing(JobKeys.record(id))], do: [.delete(key)])
      return nil
    }
    var record = found.record
    record.status = .running
    record.worker = worker
    record.updated = clock().milliseconds
    let running = RunningRecord(worker: worker, action: record.action)
    let claimed = try await records.commit(
      when: [.modifyRevision(of: JobKeys.record(id), is: found.revision), .exists(key)],
      do: [
        .delete(key), .put(JobKeys.record(id), try record.encoded()),
        .put(JobKeys.running(id), try running.encoded()),
      ])
    return claimed ? record : nil
  }

  /// Writes down how a run ended, unless the job was taken away from the worker meanwhile.
  func finish(_ id: String, _ outcome: JobOutcome, by worker: String) async throws {
    try await records.retrying { () -> Void? in
      guard let found = try await record(id), found.record.worker == worker,
        !found.record.status.isFinal, found.record.status != .waiting
      else { return () }
      var record = found.record
      let wasCancelled = record.status == .cancelRequest
      record.updated = clock().milliseconds
      var operations: [Operation] = [
        .delete(JobKeys.running(id)), .delete(JobKeys.cancellation(id)),
      ]
      switch outcome {
      case .done(let result):
        record.status = .done
        record.result = result?.shortened(to: 1_000)
      case .failed(let reason):
        record.status = wasCancelled ? .cancel : .error
        record.result = reason.shortened(to: 1_000)
        if !wasCancelled, record.retriesLeft > 0 { operations += try retry(id, record) }
      case .cancelled: record.status = .cancel
      case .interrupted:
        record.status = wasCancelled ? .cancel : .waiting
        if !wasCancelled { operations.append(dueAgain(id, record)) }
      }
      operations.append(.put(JobKeys.record(id), try record.encoded()))
      let done = try await records.commit(
        when: [.modifyRevision(of: JobKeys.record(id), is: found.revision)], do: operations)
      return done ? () : nil
    }
  }

  private func dueAgain(_ id: String, _ record: JobRecord) -> Operation {
    .put(JobKeys.due(record.action, record.scheduled, id), [])
  }

  /// The job that tries again what failed: later each time, up to half an hour.
  private func retry(_ id: String, _ failed: JobRecord) throws -> [Operation] {
    var record = failed
    let attempt = failed.retriesTotal - failed.retriesLeft
    let pause = min(Int64(2_000) << Int64(min(attempt, 16)), 1_800_000)
    // Those that failed together do not come again together.
    let jitter = Int64.random(in: 0...(pause / 4))
    record.status = .waiting
    record.retriesLeft -= 1
    record.retryFrom = id
    record.worker = nil
    record.progress = nil
    record.result = nil
    record.losses = nil
    record.scheduled = clock().milliseconds + pause + jitter
    return try Self.submission(newID(clock()), record)
  }

  /// Takes jobs away from workers that are gone, and lets them wait again. `mine` are the jobs that
  /// the asking worker does run: others under its name are of a former life.
  func recoverLost(by worker: String, running mine: Set<String>) async throws {
    let running = try await records.read(RangeRequest(.prefix(JobKeys.running))).items
    guard !running.isEmpty else { return }
    // Read after the jobs: a worker that came and took one between the two readings is there.
    let living = Set(
      try await records.read(RangeRequest(.prefix(JobKeys.workers), keysOnly: true)).items
        .compactMap { $0.key.suffix(after: JobKeys.workers) })
    for item in running {
      guard let id = item.key.suffix(after: JobKeys.running) else { continue }
      let owner = try RunningRecord(item).worker
      let isLost = owner == worker ? !mine.contains(id) : !living.contains(owner)
      if isLost { try await release(id, of: owner, claimed: item.modifyRevision) }
    }
  }

  private func release(_ id: String, of owner: String, claimed: Revision) async throws {
    guard let found = try await record(id) else {
      _ = try await records.commit(do: [.delete(JobKeys.running(id))])
      return
    }
    var record = found.record
    record.losses = (record.losses ?? 0) + 1
    record.updated = clock().milliseconds
    var operations: [Operation] = [
      .delete(JobKeys.running(id)), .delete(JobKeys.cancellation(id)),
    ]
    if record.status == .cancelRequest {
      record.status = .cancel
    } else if record.losses ?? 0 >= Self.lossLimit {
      record.status = .workerDead
      record.result = "its workers were lost"
    } else {
      record.status = .waiting
      operations.append(dueAgain(id, record))
    }
    operations.append(.put(JobKeys.record(id), try record.encoded()))
    let done = try await records.commit(
      when: [
        .modifyRevision(of: JobKeys.record(id), is: found.revision),
        .modifyRevision(of: JobKeys.running(id), is: claimed),
      ], do: operations)
    if done {
      logger.info(
        "a job's worker was lost", metadata: ["job": "\(id)", "action": "\(record.action)"])
    }
  }
}
