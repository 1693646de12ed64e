import Identity
import StateStore
import Synchronization
import Testing

@testable import RegistryJobs

/// A sort of job that does what the test says.
struct TestJob: JobKind {
  let action: String
  var concurrency = 1
  var retries = 0
  var defaultSchedule: String?
  let body: @Sendable (RunningJob) async throws -> String?

  init(
    _ action: String, concurrency: Int = 1, retries: Int = 0, schedule: String? = nil,
    _ body: @escaping @Sendable (RunningJob) async throws -> String?
  ) {
    (self.action, self.concurrency, self.retries) = (action, concurrency, retries)
    (self.defaultSchedule, self.body) = (schedule, body)
  }

  func run(_ job: RunningJob) async throws -> String? { try await body(job) }
}

/// A door that jobs stand at, and that knows which came.
final class Gate: Sendable {
  private struct State {
    var isOpen = false
    var inside = 0
    var most = 0
    var arrivals: [String] = []
  }

  private let state = Mutex(State())

  /// How many stand at it now.
  var inside: Int { state.withLock { $0.inside } }
  /// How many stood at it at most.
  var most: Int { state.withLock { $0.most } }
  /// Whoever came, in order.
  var arrivals: [String] { state.withLock { $0.arrivals } }

  func open() { state.withLock { $0.isOpen = true } }

  /// Comes through when it is open; throws when the task is cancelled and that is heeded.
  func pass(_ id: String, heedsCancellation: Bool = true) async throws {
    state.withLock { state in
      state.arrivals.append(id)
      state.inside += 1
      state.most = max(state.most, state.inside)
    }
    defer { state.withLock { $0.inside -= 1 } }
    while !state.withLock({ $0.isOpen }) {
      if heedsCancellation {
        try await Task.sleep(for: .milliseconds(2))
      } else {
        await Task { try? await Task.sleep(for: .milliseconds(2)) }.value
      }
    }
  }
}

/// A queue over a store in memory.
struct QueueFixture: Sendable {
  let store: any StateStore
  let kinds: [any JobKind]
  let clock: TestClock?

  init(
    store: any StateStore = InMemoryStateStore(), clock: TestClock? = nil, _ kinds: [any JobKind]
  ) {
    self.store = store
    self.clock = clock
    // A job of this sort only wakes workers.
    self.kinds = kinds + [TestJob("noop", concurrency: 10) { _ in nil }]
  }

  func queue() -> JobQueue {
    let clock = clock
    return JobQueue(
      store: store, kinds: kinds, logger: quietLogger,
      clock: { clock?.now ?? Timestamp.now() })
  }

  func worker(_ id: String, _ change: (inout JobWorker.Settings) -> Void = { _ in }) -> JobWorker {
    var settings = JobWorker.Settings(id: id)
    change(&settings)
    return JobWorker(queue: queue(), settings: settings)
  }

  /// Runs workers for the length of `body`.
  func running(_ workers: [JobWorker], _ body: () async throws -> Void) async throws {
    try await beside(workers.map { worker in { @Sendable in await worker.run() } }, body)
  }

  func running(_ body: () async throws -> Void) async throws {
    try await running([worker("w1")], body)
  }

  /// Waits until a job has a status.
  func wait(for id: String, _ status: JobStatus) async throws -> Job {
    let queue = queue()
    return try await eventually("\(id) is \(status)") {
      let job = try await queue.job(id)
      if job.status != status, job.status.isFinal {
        throw NeverCame(description: "\(id) is \(job.status), not \(status): \(job.result ?? "")")
      }
      return job.status == status ? job : nil
    }
  }

  func all(_ change: (inout JobFilter) -> Void = { _ in }) async throws -> [Job] {
    var filter = JobFilter()
    change(&filter)
    return try await queue().jobs(filter, offset: 0, limit: 100_000)
  }

  func log(_ id: String) async throws -> [String] {
    try await queue().log(id, offset: 0, limit: 0).map(\.text)
  }

  /// Makes every worker look for jobs.
  func poke() async throws { try await queue().submit(JobDraft("noop")) }

  /// The keys below one, to see that nothing is left over.
  func keys(_ prefix: Key) async throws -> [String] {
    try await store.range(RangeRequest(.prefix(prefix), keysOnly: true)).items.map(\.key.string)
  }
}
