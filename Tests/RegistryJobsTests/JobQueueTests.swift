import Identity
import StateStore
import Testing

@testable import RegistryJobs

@Suite(.timeLimit(.minutes(5))) struct JobQueueTests {
  @Test func whatIsSubmittedIsThere() async throws {
    let clock = TestClock()
    let fixture = QueueFixture(clock: clock, [TestJob("a", retries: 3) { _ in nil }])
    let queue = fixture.queue()
    try await queue.configure("a", ["x": "configured", "y": "configured"])
    var draft = JobDraft("a", ["x": "given"])
    draft.deadline = .seconds(5)
    draft.stopTimeout = .seconds(2)
    draft.capacityMap = ["a": 2]
    let job = try await queue.submit(draft)
    #expect(try await queue.job(job.id) == job)
    #expect(job.parameters == ["x": "given", "y": "configured"])
    #expect(job.status == .waiting && job.retriesLeft == 3 && job.retriesTotal == 3)
    #expect(job.scheduledAt == clock.now && job.deadline == .seconds(5))
    #expect(job.stopTimeout == .seconds(2) && job.capacityMap == ["a": 2])
    #expect(job.workerID == nil && job.retryFromID == nil)
    try await queue.deleteActionConfiguration("a")
    #expect(
      await refusal { try await queue.actionConfiguration("a") } == .noSuchActionConfiguration)
    #expect(try await queue.submit(JobDraft("a")).parameters.isEmpty)
  }

  @Test func draftsThatCannotBeRunAreRefused() async throws {
    let fixture = QueueFixture([TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    func refused(_ change: (inout JobDraft) -> Void) async -> Bool {
      var draft = JobDraft("a")
      change(&draft)
      return await refusal { try await queue.submit(draft) } == .invalidRequest
    }
    #expect(await refused { $0.action = "unknown" })
    #expect(await refused { $0.action = "" })
    #expect(await refused { $0.retries = -1 })
    #expect(await refused { $0.retries = 101 })
    #expect(await refused { $0.parameters = ["x": String(repeating: "x", count: 65_536)] })
    #expect(await refused { $0.capacityMap = ["a": -1] })
    #expect(await refused { $0.capacityMap = ["a": 1_001] })
    #expect(
      await refused { draft in
        draft.capacityMap = Dictionary(uniqueKeysWithValues: (0..<17).map { ("\($0)", 1) })
      })
    #expect(try await fixture.keys("/jobs/").isEmpty)
    for id in ["", "a/b", "../x", "ABC", String(repeating: "a", count: 65), "none"] {
      #expect(await refusal { try await queue.job(id) } == .noSuchJob)
      #expect(await refusal { try await queue.cancel(id) } == .noSuchJob)
      #expect(await refusal { try await queue.delete(id) } == .noSuchJob)
      #expect(await refusal { try await queue.log(id, offset: 0, limit: 0) } == .noSuchJob)
    }
  }

  @Test func listsAreNewestFirstAndFiltered() async throws {
    let clock = TestClock()
    let fixture = QueueFixture(
      clock: clock, [TestJob("a") { _ in nil }, TestJob("b") { _ in nil }])
    let queue = fixture.queue()
    var ids: [String] = []
    for number in 0..<1_100 {
      clock.advance(.milliseconds(1))
      ids.append(try await queue.submit(JobDraft(number % 2 == 0 ? "a" : "b")).id)
    }
    #expect(try await fixture.all().map(\.id) == ids.reversed())
    #expect(
      try await queue.jobs(JobFilter(), offset: 3, limit: 2).map(\.id)
        == [ids[1_096], ids[1_095]])
    var filter = JobFilter()
    filter.action = "b"
    #expect(try await queue.jobs(filter, offset: 549, limit: 10).map(\.id) == [ids[1]])
    try await queue.cancel(ids[7])
    #expect(try await fixture.all { $0.status = .cancel }.map(\.id) == [ids[7]])
    #expect(try await fixture.all { $0.isRunning = true }.isEmpty)
    #expect(try await fixture.all { $0.worker = "w" }.isEmpty)
  }

  @Test func waitingJobsAreCancelledAtOnceAndDeleted() async throws {
    let fixture = QueueFixture([TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    let (one, other) = (
      try await queue.submit(JobDraft("a")), try await queue.submit(JobDraft("a"))
    )
    try await queue.cancel(one.id)
    #expect(try await queue.job(one.id).status == .cancel)
    #expect(await refusal { try await queue.cancel(one.id) } == .wrongStatus)
    try await queue.delete(one.id)
    try await queue.delete(other.id)
    #expect(try await fixture.keys("/jobs/").isEmpty)
  }

  // MARK: Workers that are lost

  /// A job that a worker took which is not heard of.
  private func taken(_ queue: JobQueue, by worker: String) async throws -> String {
    let job = try await queue.submit(JobDraft("a"))
    try await take(queue, job.id, by: worker)
    return job.id
  }

  private func take(_ queue: JobQueue, _ id: String, by worker: String) async throws {
    let job = try await queue.job(id)
    let due = JobKeys.due("a", job.scheduledAt.milliseconds, id)
    #expect(try await queue.claim(id, due: due, for: worker) != nil)
    // It can be taken once only.
    #expect(try await queue.claim(id, due: due, for: "other") == nil)
  }

  @Test func jobsOfLostWorkersWaitAgainFiveTimes() async throws {
    let fixture = QueueFixture([TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    let id = try await taken(queue, by: "gone")
    for loss in 1...5 {
      #expect(try await queue.job(id).status == .running)
      try await queue.recoverLost(by: "me", running: [])
      #expect(try await queue.job(id).status == (loss < 5 ? .waiting : .workerDead))
      #expect(try await fixture.keys("/jobs/running/").isEmpty)
      if loss < 5 { try await take(queue, id, by: "gone") }
    }
    #expect(try await fixture.keys("/jobs/due/").isEmpty)
    #expect(await refusal { try await queue.cancel(id) } == .wrongStatus)
  }

  @Test func jobsOfLivingWorkersStayWithThem() async throws {
    let fixture = QueueFixture([TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    let lease = try await fixture.store.grantLease(timeToLive: .seconds(600)).id
    try await fixture.store.put(
      JobKeys.worker("other"), WorkerRecord(capacity: [:], expires: 0).encoded(), lease: lease)
    let others = try await taken(queue, by: "other")
    let mine = try await taken(queue, by: "me")
    let former = try await taken(queue, by: "me")
    try await queue.recoverLost(by: "me", running: [mine])
    #expect(try await queue.job(others).status == .running)
    #expect(try await queue.job(mine).status == .running)
    // I do not run it: a former worker of my name did.
    #expect(try await queue.job(former).status == .waiting)
    try await fixture.store.revoke(lease)
    try await queue.recoverLost(by: "me", running: [mine])
    #expect(try await queue.job(others).status == .waiting)
  }

  @Test func cancelledJobsOfLostWorkersAreCancelled() async throws {
    let fixture = QueueFixture([TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    let id = try await taken(queue, by: "gone")
    try await queue.cancel(id)
    try await queue.cancel(id)
    #expect(try await queue.job(id).status == .cancelRequest)
    #expect(await refusal { try await queue.delete(id) } == .wrongStatus)
    try await queue.recoverLost(by: "me", running: [])
    #expect(try await queue.job(id).status == .cancel)
    #expect(try await fixture.keys("/jobs/cancellations/").isEmpty)
    #expect(try await fixture.keys("/jobs/due/").isEmpty)
  }

  @Test func whoeverLostAJobCannotEndIt() async throws {
    let fixture = QueueFixture([TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    let id = try await taken(queue, by: "slow")
    try await queue.recoverLost(by: "me", running: [])
    try await queue.finish(id, .done("late"), by: "slow")
    #expect(try await queue.job(id).status == .waiting)
    try await take(queue, id, by: "me")
    try await queue.finish(id, .failed("late"), by: "slow")
    #expect(try await queue.job(id).status == .running)
    try await queue.finish(id, .done("here"), by: "me")
    try await queue.finish(id, .failed("twice"), by: "me")
    #expect(try await queue.job(id).result == "here")
  }

  // MARK: Crons

  @Test func eachMomentOfACronMakesOneJob() async throws {
    let clock = TestClock()
    let fixture = QueueFixture(clock: clock, [TestJob("a") { _ in nil }])
    let queues = (0..<4).map { _ in fixture.queue() }
    var draft = JobDraft("a", ["x": "1"])
    draft.retries = 2
    try await queues[0].setCron(draft, schedule: "0 * * * * *")
    for round in 0..<20 {
      clock.advance(round % 5 == 4 ? .seconds(7_200) : .seconds(60))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for queue in queues {
          group.addTask { for _ in 0..<5 { _ = try await queue.makeDueJobs() } }
        }
        try await group.waitForAll()
      }
      let made = try await fixture.all { $0.status = .waiting }
      #expect(made.count == 1)
      #expect(made.first?.parameters == ["x": "1"] && made.first?.retriesTotal == 2)
      #expect(try await queues[0].cron("a").nextRun ?? clock.now > clock.now)
      // While it waits, the next moments make none.
      clock.advance(.seconds(60))
      _ = try await queues[1].makeDueJobs()
      #expect(try await fixture.all { $0.status = .waiting } == made)
      for job in made { try await queues[0].cancel(job.id) }
    }
    #expect(try await fixture.all().count == 20)
  }

  @Test func cronsWhoseJobsRunMakeNone() async throws {
    let clock = TestClock()
    let fixture = QueueFixture(clock: clock, [TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    try await queue.setCron(JobDraft("a"), schedule: "@every 10s")
    let id = try await taken(queue, by: "me")
    clock.advance(.seconds(11))
    _ = try await queue.makeDueJobs()
    #expect(try await fixture.all().count == 1)
    try await queue.finish(id, .done(nil), by: "me")
    clock.advance(.seconds(11))
    _ = try await queue.makeDueJobs()
    #expect(try await fixture.all().count == 2)
  }

  @Test func cronsAreSetChangedAndDeleted() async throws {
    let clock = TestClock()
    let fixture = QueueFixture(clock: clock, [TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    #expect(await refusal { try await queue.setCron(JobDraft("x"), schedule: "@daily") } != nil)
    #expect(await refusal { try await queue.setCron(JobDraft("a"), schedule: "x") } != nil)
    #expect(await refusal { try await queue.cron("a") } == .noSuchCron)
    #expect(await refusal { try await queue.deleteCron("a") } == .noSuchCron)
    try await queue.setCron(JobDraft("a"), schedule: "@daily")
    #expect(try await queue.cron("a").nextRun?.description == "2023-11-15T00:00:00Z")
    try await queue.setCron(JobDraft("a"), schedule: "0 0 0 30 2 *")
    #expect(try await queue.crons().map(\.schedule) == ["0 0 0 30 2 *"])
    #expect(try await queue.cron("a").nextRun == nil)
    #expect(try await queue.makeDueJobs() == nil)
    try await queue.deleteCron("a")
    #expect(try await queue.crons().isEmpty)
  }

  @Test func aCronThatCannotMakeItsJobDoesNotStopOthers() async throws {
    let clock = TestClock()
    let fixture = QueueFixture(
      clock: clock, [TestJob("a") { _ in nil }, TestJob("b") { _ in nil }])
    let queue = fixture.queue()
    let large = String(repeating: "x", count: 40_000)
    try await queue.setCron(JobDraft("a", ["x": large]), schedule: "* * * * * *")
    try await queue.setCron(JobDraft("b"), schedule: "* * * * * *")
    try await queue.configure("a", ["y": large])
    // Another version of the program knew it.
    let unknown = CronRecord(id: "1", schedule: "* * * * * *", parameters: [:], next: 1)
    try await fixture.store.put(JobKeys.cron("0unknown"), unknown.encoded())
    clock.advance(.seconds(5))
    _ = try await queue.makeDueJobs()
    #expect(try await fixture.all().map(\.action) == ["b"])
  }

  @Test func schedulesOfANewRegistryAreMadeOnce() async throws {
    let fixture = QueueFixture([
      TestJob("a", schedule: "@daily") { _ in nil }, TestJob("b") { _ in nil },
    ])
    let queue = fixture.queue()
    try await queue.makeDefaultCrons()
    #expect(try await queue.crons().map(\.action) == ["a"])
    try await queue.deleteCron("a")
    try await fixture.queue().makeDefaultCrons()
    #expect(try await queue.crons().isEmpty)
  }

  // MARK: History

  @Test func purgingDeletesWhatEndedLongAgo() async throws {
    let clock = TestClock()
    let fixture = QueueFixture(clock: clock, [TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    var ids: [String] = []
    for _ in 0..<10 {
      clock.advance(.seconds(10))
      let id = try await taken(queue, by: "me")
      try await fixture.store.put(JobKeys.logs(id).appending("00000000"), Array("line".utf8))
      try await queue.finish(id, .done(nil), by: "me")
      ids.append(id)
    }
    clock.advance(.seconds(5))
    let waiting = try await queue.submit(JobDraft("a")).id
    let running = try await taken(queue, by: "me")
    clock.advance(.seconds(5))
    #expect(try await queue.purge(before: nil, keeping: nil) == 0)
    #expect(try await queue.purge(before: clock.now - .seconds(85), keeping: nil) == 2)
    #expect(try await queue.purge(before: nil, keeping: 3) == 5)
    #expect(
      try await fixture.all().map(\.id) == [running, waiting].sorted(by: >) + ids[7...].reversed())
    #expect(try await queue.purge(before: clock.now, keeping: 0) == 3)
    #expect(Set(try await fixture.all().map(\.id)) == [running, waiting])
    #expect(try await fixture.keys("/jobs/logs/").isEmpty)
  }
}
