import Host
import Identity
import Logging
import StateStore

extension JobQueue {
  /// Every cron, by action.
  package func crons() async throws -> [Cron] {
    try await records.read(RangeRequest(.prefix(JobKeys.crons))).items.compactMap { item in
      guard let action = item.key.suffix(after: JobKeys.crons) else { return nil }
      return try CronRecord(item).cron(action)
    }
  }

  /// The cron of an action. Throws `noSuchCron`.
  package func cron(_ action: String) async throws -> Cron {
    guard let found = try await records.fetch(JobKeys.cron(action), as: CronRecord.self) else {
      throw JobError(.noSuchCron, "no such cron", metadata: ["action": String(action.prefix(64))])
    }
    return found.record.cron(action)
  }

  /// Makes or replaces the cron of an action. Throws `invalidRequest`.
  @discardableResult
  package func setCron(_ draft: JobDraft, schedule: String) async throws -> Cron {
    let record = try await cronRecord(draft, schedule)
    _ = try await records.commit(do: [.put(JobKeys.cron(draft.action), try record.encoded())])
    return record.cron(draft.action)
  }

  private func cronRecord(_ draft: JobDraft, _ schedule: String) async throws -> CronRecord {
    // Whatever would make its jobs impossible is found out now.
    _ = try await prepare(draft)
    let parsed = try CronSchedule(schedule)
    return CronRecord(
      id: Identifier.hexadecimal(bytes: 8), schedule: schedule, retries: draft.retries,
      capacity: draft.capacityMap, parameters: draft.parameters,
      deadline: draft.deadline?.milliseconds, stopTimeout: draft.stopTimeout?.milliseconds,
      next: parsed.next(after: clock())?.milliseconds)
  }

  /// Makes the crons of a new registry, once: those that an operator deletes later stay away.
  func makeDefaultCrons() async throws {
    guard try await records.read(RangeRequest(.key(JobKeys.defaults))).items.isEmpty else { return }
    var operations: [Operation] = [.put(JobKeys.defaults, [])]
    for kind in kinds.values.sorted(by: { $0.action < $1.action }) {
      guard let schedule = kind.defaultSchedule else { continue }
      let record = try await cronRecord(JobDraft(kind.action), schedule)
      operations.append(.put(JobKeys.cron(kind.action), try record.encoded()))
    }
    _ = try await records.commit(when: [.missing(JobKeys.defaults)], do: operations)
  }

  /// Sees to it that an action has this schedule, or none. One that it has already goes on.
  func ensureCron(_ action: String, _ schedule: CronSchedule?) async throws {
    let known = try await records.fetch(JobKeys.cron(action), as: CronRecord.self)?.record
    guard known?.schedule != schedule?.text else { return }
    if let schedule {
      var draft = JobDraft(action, known?.parameters ?? [:])
      draft.retries = known?.retries
      draft.capacityMap = known?.capacity
      draft.deadline = known?.deadline.map { .milliseconds($0) }
      draft.stopTimeout = known?.stopTimeout.map { .milliseconds($0) }
      try await setCron(draft, schedule: schedule.text)
    } else {
      _ = try await records.commit(do: [.delete(JobKeys.cron(action))])
    }
  }

  /// Deletes the cron of an action. Throws `noSuchCron`.
  package func deleteCron(_ action: String) async throws {
    _ = try await cron(action)
    _ = try await records.commit(do: [.delete(JobKeys.cron(action))])
  }

  /// Makes the jobs of the crons that are due; answers when the next one is. However many processes
  /// do this, each moment makes one job, and none while the last one waits or runs.
  func makeDueJobs() async throws -> Timestamp? {
    let now = clock()
    var earliest: Timestamp?
    let items = try await records.read(RangeRequest(.prefix(JobKeys.crons))).items
    for item in items {
      guard let action = item.key.suffix(after: JobKeys.crons) else { continue }
      var record = try CronRecord(item)
      guard let next = record.next else { continue }
      if next > now.milliseconds {
        earliest = min(earliest ?? Timestamp(milliseconds: next), Timestamp(milliseconds: next))
        continue
      }
      // A process of another version may know the action.
      guard kinds[action] != nil else { continue }
      // Moments that were missed while nobody ran are made up for by one job.
      let following = try CronSchedule(record.schedule).next(after: now)
      record.next = following?.milliseconds
      var operations: [Operation] = [.put(item.key, try record.encoded())]
      if try await !isPending(action) { operations += try await submission(action, of: record) }
      _ = try await records.commit(
        when: [.modifyRevision(of: item.key, is: item.modifyRevision)], do: operations)
      if let following { earliest = min(earliest ?? following, following) }
    }
    return earliest
  }

  /// The job of a cron; none when it cannot be made, so that one cron does not stop the others.
  private func submission(_ action: String, of record: CronRecord) async throws -> [Operation] {
    var draft = JobDraft(action, record.parameters)
    draft.retries = record.retries
    draft.capacityMap = record.capacity
    draft.deadline = record.deadline.map { .milliseconds($0) }
    draft.stopTimeout = record.stopTimeout.map { .milliseconds($0) }
    do {
      let (id, job) = try await prepare(draft)
      return try Self.submission(id, job)
    } catch let error as JobError where error.code == .invalidRequest {
      logger.warning(
        "a cron's job cannot be made", metadata: ["action": "\(action)", "error": "\(error)"])
      return []
    }
  }

  /// Whether a job of this action waits or runs.
  private func isPending(_ action: String) async throws -> Bool {
    let waiting = try await records.read(
      RangeRequest(.prefix(JobKeys.due(action)), limit: 1, keysOnly: true))
    guard waiting.items.isEmpty else { return true }
    for item in try await records.read(RangeRequest(.prefix(JobKeys.running))).items
    where try RunningRecord(item).action == action {
      return true
    }
    return false
  }

  /// What operators set for actions, by action.
  package func actionConfigurations() async throws -> [(
    action: String, parameters: [String: String]
  )] {
    try await records.read(RangeRequest(.prefix(JobKeys.configurations))).items.compactMap { item in
      guard let action = item.key.suffix(after: JobKeys.configurations) else { return nil }
      return (action, try ParametersRecord(item).parameters)
    }
  }

  /// What an operator set for an action. Throws `noSuchActionConfiguration`.
  package func actionConfiguration(_ action: String) async throws -> [String: String] {
    guard
      let found = try await records.fetch(
        JobKeys.configuration(action), as: ParametersRecord.self)
    else {
      throw JobError(
        .noSuchActionConfiguration, "nothing is configured for the action",
        metadata: ["action": String(action.prefix(64))])
    }
    return found.record.parameters
  }

  /// Sets parameters that every job of an action has unless it brings its own. Throws
  /// `invalidRequest`.
  package func configure(_ action: String, _ parameters: [String: String]) async throws {
    guard kinds[action] != nil else { throw JobError.invalid("action", "there is no such action") }
    guard
      parameters.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count })
        <= Self.parameterLimit
    else { throw JobError.invalid("parameters", "the parameters are too large") }
    let record = ParametersRecord(parameters: parameters)
    _ = try await records.commit(
      do: [.put(JobKeys.configuration(action), try record.encoded())])
  }

  /// Forgets what was set for an action. Throws `noSuchActionConfiguration`.
  package func deleteActionConfiguration(_ action: String) async throws {
    _ = try await actionConfiguration(action)
    _ = try await records.commit(do: [.delete(JobKeys.configuration(action))])
  }

  /// The processes that run jobs now.
  package func workers() async throws -> [WorkerDescription] {
    try await records.read(RangeRequest(.prefix(JobKeys.workers))).items.compactMap { item in
      guard let id = item.key.suffix(after: JobKeys.workers) else { return nil }
      let record = try WorkerRecord(item)
      return WorkerDescription(
        id: id, capacityMap: record.capacity,
        heartbeatExpiration: Timestamp(milliseconds: record.expires))
    }
  }

  /// Sets how much of each action a worker does at once. Throws `noSuchWorker`, `invalidRequest`.
  package func setCapacity(_ capacity: [String: Int], ofWorker id: String) async throws {
    guard capacity.count <= 64, capacity.values.allSatisfy({ (0...1_000).contains($0) }),
      capacity.keys.allSatisfy({ kinds[$0] != nil })
    else { throw JobError.invalid("capacityMap", "the capacities are out of range") }
    guard try await records.fetch(JobKeys.worker(id), as: WorkerRecord.self) != nil else {
      throw JobError(.noSuchWorker, "no such worker", metadata: ["worker": String(id.prefix(64))])
    }
    let key = JobKeys.capacity(id)
    try await records.retrying { () -> Void? in
      let found = try await records.fetch(key, as: CapacityRecord.self)
      let merged = (found?.record.capacity ?? [:]).merging(capacity) { $1 }
      let done = try await records.commit(
        when: [.modifyRevision(of: key, is: found?.revision ?? 0)],
        do: [.put(key, try CapacityRecord(capacity: merged).encoded())])
      return done ? () : nil
    }
  }
}
