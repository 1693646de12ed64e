import Host
import Identity
import Logging
import StateStore

/// Runs the queue's jobs in this process, as many at once as it has capacity for.
package actor JobWorker {
  /// How a worker works.
  package struct Settings: Sendable {
    /// The worker's name. One that stays the same over restarts takes up its jobs at once.
    package var id: String
    /// How many jobs of an action are run at once, where not the action's own number.
    package var capacities: [String: Int] = [:]
    /// How long the worker may be silent before its jobs are given to others.
    package var leaseTime: Duration = .seconds(30)

    /// The usual settings, for a worker of this name.
    package init(id: String) {
      self.id = id
    }
  }

  private struct Run {
    let work: Task<String?, any Error>
    let capacity: [String: Int]
  }

  private let queue: JobQueue
  private let settings: Settings
  private let logger: Logger
  private let wakes: AsyncStream<Void>
  private nonisolated let waker: AsyncStream<Void>.Continuation
  private var runs: [String: Run] = [:]
  private var cancelled: Set<String> = []
  /// The job that is being taken, and whether it was asked to stop before that was known.
  private var claiming: (id: String, isCancelled: Bool)?
  private var isRegistered = false
  private var timer: Task<Void, Never>?
  private var lease: LeaseID?
  private var isEnding = false
  private var overrides: [String: Int] = [:]
  private var ended: [CheckedContinuation<Void, Never>] = []

  /// A worker of this queue.
  package init(queue: JobQueue, settings: Settings) {
    self.queue = queue
    self.settings = settings
    logger = queue.logger
    (wakes, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Runs jobs until the task is cancelled; those that run then are stopped and wait again.
  package func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.keepRegistered() }
      group.addTask { await self.follow(JobKeys.due) { _ in await self.wake() } }
      group.addTask {
        await self.follow(JobKeys.cancellations) { key in
          if let id = key.suffix(after: JobKeys.cancellations) { await self.cancel(id) }
        }
      }
      for await _ in wakes { await turn() }
      group.cancelAll()
    }
    await end()
  }

  private func wake() { waker.yield() }

  private func end() async {
    isEnding = true
    timer?.cancel()
    for run in runs.values { run.work.cancel() }
    if !runs.isEmpty {
      await withCheckedContinuation { ended.append($0) }
    }
    if let lease {
      // Not to be heard of any more is as good as having said goodbye.
      await Task { _ = try? await self.queue.records.store.revoke(lease) }.value
    }
  }

  // MARK: Being known

  private func keepRegistered() async {
    while !Task.isCancelled {
      do {
        try await register()
        isRegistered = true
        wake()
      } catch {
        lease = nil
        logger.warning("the worker cannot say that it lives", metadata: ["error": "\(error)"])
      }
      // Cancellation is seen by the loop's condition.
      try? await Task.sleep(for: settings.leaseTime / 3)
    }
  }

  private func register() async throws {
    let store = queue.records.store
    if let lease {
      do {
        try await store.keepAlive(lease)
      } catch let error as StateStoreError where error.code == .leaseNotFound {
        self.lease = nil
      }
    }
    let lease: LeaseID
    if let known = self.lease {
      lease = known
    } else {
      lease = try await store.grantLease(timeToLive: settings.leaseTime).id
    }
    self.lease = lease
    overrides =
      try await queue.records.fetch(JobKeys.capacity(settings.id), as: CapacityRecord.self)?
      .record.capacity ?? [:]
    var capacity: [String: Int] = [:]
    for action in queue.actions { capacity[action] = limit(action) }
    let record = WorkerRecord(
      capacity: capacity, expires: (queue.clock() + settings.leaseTime).milliseconds)
    try await store.put(JobKeys.worker(settings.id), try record.encoded(), lease: lease)
  }

  private func follow(_ prefix: Key, _ body: @Sendable (Key) async -> Void) async {
    while !Task.isCancelled {
      do {
        let watch = try await queue.records.store.watch(
          WatchRequest(.prefix(prefix), ignoresDeletes: true))
        // What came before the watch is looked for once.
        try await queue.records.scan(prefix) { await body($0.key) }
        while let batch = try await watch.next() {
          for event in batch.events { await body(event.record.key) }
        }
      } catch {
        guard !Task.isCancelled else { return }
        logger.warning("the worker lost its watch", metadata: ["error": "\(error)"])
      }
      // Cancellation is seen by the loop's condition.
      try? await Task.sleep(for: .seconds(1))
    }
  }

  // MARK: Taking jobs

  /// Does what can be done now and sets the clock for what comes next.
  private func turn() async {
    // The jobs of a worker that nobody knows count as lost.
    guard isRegistered else { return }
    var next = ContinuousClock.now + .seconds(15)
    do {
      try await queue.recoverLost(by: settings.id, running: Set(runs.keys))
      let now = queue.clock()
      for moment in [try await queue.makeDueJobs(), try await claimDue()] {
        guard let moment else { continue }
        next = min(next, .now + max(moment - now, .milliseconds(10)))
      }
    } catch is CancellationError {
      return
    } catch {
      logger.warning("jobs cannot be looked for", metadata: ["error": "\(error)"])
      next = min(next, .now + .seconds(1))
    }
    timer?.cancel()
    timer = Task { [waker] in
      do {
        try await Task.sleep(until: next, clock: .continuous)
        waker.yield()
      } catch {
        return
      }
    }
  }

  /// Starts the jobs that are due and that there is room for; answers when the next one is due.
  private func claimDue() async throws -> Timestamp? {
    var earliest: Timestamp?
    for action in queue.actions {
      guard let next = try await claimDue(action) else { continue }
      earliest = min(earliest ?? next, next)
    }
    return earliest
  }

  private func claimDue(_ action: String) async throws -> Timestamp? {
    guard let kind = queue.kinds[action] else { return nil }
    let now = queue.clock().milliseconds
    let prefix = JobKeys.due(action)
    let end = KeyRange.prefix(prefix).end
    var start = prefix
    while room(action) > 0, !isEnding {
      let response = try await queue.records.read(
        RangeRequest(KeyRange(start: start, end: end), limit: min(room(action), 200)))
      for item in response.items {
        let parts = item.key.suffix(after: prefix)?.split(separator: "/") ?? []
        guard parts.count == 2, let time = Int64(parts[0], radix: 16) else { continue }
        if time > now { return Timestamp(milliseconds: time) }
        guard room(action) > 0, !isEnding else { return nil }
        await take(String(parts[1]), item.key, kind)
      }
      guard response.more, let last = response.items.last else { return nil }
      start = Key(bytes: last.key.bytes + [0])
    }
    return nil
  }

  /// Takes one job, unless another worker is faster. One that cannot be taken does not stand in the
  /// way of others.
  private func take(_ id: String, _ due: Key, _ kind: any JobKind) async {
    guard runs[id] == nil else { return }
    claiming = (id, false)
    defer { claiming = nil }
    do {
      guard let record = try await queue.claim(id, due: due, for: settings.id) else { return }
      begin(id, record, kind)
      if claiming?.isCancelled ?? false { cancel(id) }
    } catch {
      guard !Task.isCancelled else { return }
      logger.warning(
        "a job cannot be taken", metadata: ["job": "\(id)", "error": "\(error)"])
    }
  }

  private func limit(_ name: String) -> Int {
    overrides[name] ?? settings.capacities[name] ?? queue.kinds[name]?.concurrency ?? 1
  }

  private func room(_ name: String) -> Int {
    limit(name) - runs.values.reduce(0) { $0 + ($1.capacity[name] ?? 0) }
  }

  // MARK: Running them

  private func begin(_ id: String, _ record: JobRecord, _ kind: any JobKind) {
    let (queue, deadline) = (queue, record.deadline.map { Duration.milliseconds($0) })
    let work = Task { () async throws -> String? in
      let journal = try await JobJournal(queue: queue, id: id)
      let job = RunningJob(
        id: id, parameters: record.parameters, retriesLeft: record.retriesLeft, journal: journal)
      let result: Result<String?, any Error>
      do {
        result = .success(try await Self.run(kind, job, within: deadline))
      } catch {
        result = .failure(error)
      }
      // What it had to say is written down also when it was cancelled.
      await Task { await journal.flush() }.value
      return try result.get()
    }
    // A job takes room of its own action at least, or it could never be counted.
    runs[id] = Run(
      work: work, capacity: record.capacity.merging([record.action: 1]) { max($0, $1) })
    Task { await self.complete(id, await work.result) }
  }

  private static func run(
    _ kind: any JobKind, _ job: RunningJob, within deadline: Duration?
  ) async throws -> String? {
    guard let deadline, deadline > .zero else { return try await kind.run(job) }
    return try await withThrowingTaskGroup(of: String?.self) { group in
      group.addTask { try await kind.run(job) }
      group.addTask {
        try await Task.sleep(for: deadline)
        throw JobError(
          .deadlineExceeded, "the job's time is over",
          metadata: ["deadline": GoDuration.text(deadline)])
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
  }

  private func complete(_ id: String, _ result: Result<String?, any Error>) async {
    let outcome: JobOutcome =
      switch result {
      case .success(let text): .done(text)
      case .failure(let error):
        cancelled.contains(id)
          ? .cancelled : isEnding ? .interrupted : .failed("\(error)")
      }
    var pause = Duration.milliseconds(100)
    while true {
      do {
        try await queue.finish(id, outcome, by: settings.id)
        break
      } catch {
        logger.warning(
          "the end of a job cannot be written down",
          metadata: ["job": "\(id)", "error": "\(error)"])
        if isEnding { break }
        // This task is never cancelled.
        try? await Task.sleep(for: pause)
        pause = min(pause * 2, .seconds(10))
      }
    }
    cancelled.remove(id)
    runs[id] = nil
    if runs.isEmpty, isEnding {
      for continuation in ended { continuation.resume() }
      ended = []
    }
    wake()
  }

  /// Stops a job that runs here.
  private func cancel(_ id: String) {
    if claiming?.id == id { claiming?.isCancelled = true }
    guard let run = runs[id], cancelled.insert(id).inserted else { return }
    run.work.cancel()
    Task { await self.giveUp(id) }
  }

  /// Lets go of a job that does not stop in the time it said it needs.
  private func giveUp(_ id: String) async {
    do {
      guard let timeout = try await queue.record(id)?.record.stopTimeout, timeout > 0 else {
        return
      }
      try await Task.sleep(for: .milliseconds(timeout))
      guard runs[id] != nil else { return }
      try await queue.finish(id, .cancelled, by: settings.id)
    } catch {
      logger.warning(
        "a job that does not stop cannot be given up",
        metadata: ["job": "\(id)", "error": "\(error)"])
    }
  }
}
