import FoundationEssentials
import Identity
import StateStore
import StateStoreSQLite
import Synchronization
import Testing

@testable import RegistryJobs

@Suite(.timeLimit(.minutes(5))) struct JobWorkerTests {
  private struct Trouble: Error, CustomStringConvertible {
    var description: String
  }

  @Test func jobsRunAndTellWhatTheyDid() async throws {
    let fixture = QueueFixture([
      TestJob("a") { job in
        for number in 0..<120 { await job.log("line \(number)") }
        await job.report(JobProgress(done: 3, total: 4))
        return "hello \(job.parameters["name"] ?? "")"
      }
    ])
    let queue = fixture.queue()
    try await fixture.running {
      let id = try await queue.submit(JobDraft("a", ["name": "world"])).id
      let job = try await fixture.wait(for: id, .done)
      #expect(job.result == "hello world" && job.workerID == "w1")
      #expect(job.progress == JobProgress(done: 3, total: 4))
      #expect(try await fixture.log(id) == (0..<120).map { "line \($0)" })
      let part = try await queue.log(id, offset: 118, limit: 1)
      #expect(part == [JobLogLine(number: 118, text: "line 118")])
      #expect(try await queue.log(id, offset: 500, limit: 1).isEmpty)
      #expect(try await queue.workers().map(\.id) == ["w1"])
      #expect(try await queue.workers().first?.capacityMap == ["a": 1, "noop": 10])
    }
    #expect(try await queue.workers().isEmpty)
    #expect(try await fixture.keys("/jobs/running/").isEmpty)
    #expect(try await fixture.keys("/jobs/due/").isEmpty)
  }

  @Test func logsHaveTheirBounds() async throws {
    let fixture = QueueFixture([
      TestJob("a") { job in
        await job.log(String(repeating: "x", count: 100_000))
        await job.log("e" + String(repeating: "\u{301}", count: 100_000))
        for number in 2..<10_100 { await job.log("\(number)") }
        return String(repeating: "y", count: 5_000)
      }
    ])
    try await fixture.running {
      let id = try await fixture.queue().submit(JobDraft("a")).id
      let job = try await fixture.wait(for: id, .done)
      #expect(job.result?.utf8.count ?? 0 <= 1_010)
      let lines = try await fixture.log(id)
      #expect(lines.count == 10_000 && lines[2] == "2")
      #expect(lines[0].utf8.count < 5_000 && lines[1].utf8.count < 5_000)
      #expect(lines.last == "the rest of the log is left out")
    }
  }

  @Test func linesComeWhileTheJobRuns() async throws {
    let gate = Gate()
    let fixture = QueueFixture([
      TestJob("a") { job in
        await job.log("begun")
        await job.report(JobProgress(done: 1, total: nil))
        try await gate.pass(job.id)
        await job.log("ended")
        return nil
      }
    ])
    let queue = fixture.queue()
    try await fixture.running {
      let id = try await queue.submit(JobDraft("a")).id
      try await until("the line") { try await fixture.log(id) == ["begun"] }
      try await until("the progress") { try await queue.job(id).progress?.done == 1 }
      gate.open()
      _ = try await fixture.wait(for: id, .done)
      #expect(try await fixture.log(id) == ["begun", "ended"])
    }
  }

  @Test func whatFailsIsTriedAgainLater() async throws {
    let clock = TestClock()
    let fixture = QueueFixture(
      clock: clock, [TestJob("a") { _ in throw Trouble(description: "no luck") }])
    let queue = fixture.queue()
    try await fixture.running {
      var draft = JobDraft("a", ["x": "1"])
      draft.retries = 3
      draft.deadline = .seconds(600)
      var id = try await queue.submit(draft).id
      for (attempt, pause) in [Int64(2), 4, 8].enumerated() {
        let failed = try await fixture.wait(for: id, .error)
        #expect(failed.result == "no luck" && failed.retriesLeft == 3 - attempt)
        let next = try #require(try await fixture.all { $0.status = .waiting }.first)
        #expect(next.retryFromID == id && next.retriesLeft == 2 - attempt)
        #expect(next.parameters == ["x": "1"] && next.deadline == .seconds(600))
        #expect(next.result == nil && next.workerID == nil)
        let wait = next.scheduledAt - clock.now
        #expect(wait >= .seconds(pause) && wait <= .milliseconds(pause * 1_250))
        clock.advance(.seconds(pause * 2))
        try await fixture.poke()
        id = next.id
      }
      #expect(try await fixture.wait(for: id, .error).retriesLeft == 0)
      #expect(try await fixture.all { $0.action = "a" }.count == 4)
    }
  }

  @Test func scheduledJobsWaitForTheirTime() async throws {
    let fixture = QueueFixture([
      TestJob("a") { _ in "\(Timestamp.now().milliseconds)" }
    ])
    let queue = fixture.queue()
    try await fixture.running {
      var draft = JobDraft("a")
      let time = Timestamp.now() + .milliseconds(300)
      draft.scheduledAt = time
      let late = try await queue.submit(draft).id
      draft.scheduledAt = time + .seconds(100_000)
      let never = try await queue.submit(draft).id
      draft.scheduledAt = Timestamp(milliseconds: -5)
      let past = try await queue.submit(draft).id
      _ = try await fixture.wait(for: past, .done)
      let job = try await fixture.wait(for: late, .done)
      #expect(try #require(Int64(job.result ?? "")) >= time.milliseconds)
      #expect(try await queue.job(never).status == .waiting)
    }
  }

  // MARK: Stopping

  @Test func runningJobsAreCancelled() async throws {
    let gate = Gate()
    let fixture = QueueFixture([
      TestJob("a", retries: 5) { job in
        await job.log("before")
        do {
          try await gate.pass(job.id)
        } catch {
          await job.log("after")
          throw error
        }
        return nil
      }
    ])
    let queue = fixture.queue()
    try await fixture.running {
      let id = try await queue.submit(JobDraft("a")).id
      try await until("it runs") { gate.inside == 1 }
      try await queue.cancel(id)
      _ = try await fixture.wait(for: id, .cancel)
      #expect(try await fixture.log(id) == ["before", "after"])
      // What was cancelled is not tried again.
      #expect(try await fixture.all { $0.action = "a" }.count == 1)
      #expect(await refusal { try await queue.cancel(id) } == .wrongStatus)
      #expect(try await fixture.keys("/jobs/cancellations/").isEmpty)
    }
  }

  @Test func jobsAreCancelledHoweverEarlyThatIsAsked() async throws {
    let gate = Gate()
    let fixture = QueueFixture([
      TestJob("a", concurrency: 100) { job in
        try await gate.pass(job.id)
        return nil
      }
    ])
    try await fixture.running([fixture.worker("w1"), fixture.worker("w2")]) {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<60 {
          group.addTask {
            let queue = fixture.queue()
            let id = try await queue.submit(JobDraft("a")).id
            try await until("it is taken") { try await queue.job(id).status == .running }
            try await queue.cancel(id)
            _ = try await fixture.wait(for: id, .cancel)
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func jobsEndAtTheirDeadline() async throws {
    let gate = Gate()
    let fixture = QueueFixture([
      TestJob("a") { job in
        try await gate.pass(job.id)
        return nil
      }
    ])
    try await fixture.running {
      var draft = JobDraft("a")
      draft.deadline = .milliseconds(50)
      let id = try await fixture.queue().submit(draft).id
      let job = try await fixture.wait(for: id, .error)
      #expect(job.result?.contains("time is over") ?? false)
      #expect(gate.arrivals == [id] && gate.inside == 0)
    }
  }

  @Test func jobsThatDoNotStopAreGivenUp() async throws {
    let gate = Gate()
    let fixture = QueueFixture([
      TestJob("a") { job in
        try await gate.pass(job.id, heedsCancellation: false)
        return "stubborn"
      }
    ])
    let queue = fixture.queue()
    try await fixture.running {
      // Whatever fails here, the worker must be able to end.
      defer { gate.open() }
      var draft = JobDraft("a")
      draft.stopTimeout = .milliseconds(50)
      let id = try await queue.submit(draft).id
      try await until("it runs") { gate.inside == 1 }
      try await queue.cancel(id)
      _ = try await fixture.wait(for: id, .cancel)
      #expect(gate.inside == 1)
      gate.open()
      try await until("it ends") { gate.inside == 0 }
      #expect(try await queue.job(id).status == .cancel)
    }
  }

  @Test func aWorkerThatEndsGivesItsJobsBack() async throws {
    let gate = Gate()
    let fixture = QueueFixture([
      TestJob("a", concurrency: 4) { job in
        try await gate.pass(job.id)
        return nil
      }
    ])
    var ids: [String] = []
    try await fixture.running {
      for _ in 0..<4 { ids.append(try await fixture.queue().submit(JobDraft("a")).id) }
      try await until("all run") { gate.inside == 4 }
    }
    #expect(gate.inside == 0)
    for id in ids { #expect(try await fixture.queue().job(id).status == .waiting) }
    gate.open()
    try await fixture.running([fixture.worker("w2")]) {
      for id in ids {
        let job = try await fixture.wait(for: id, .done)
        #expect(job.workerID == "w2")
      }
    }
  }

  // MARK: Room

  @Test func noMoreRunAtOnceThanThereIsRoomFor() async throws {
    let gates = (0..<3).map { _ in Gate() }
    let fixture = QueueFixture([
      TestJob("a", concurrency: 3) { job in
        try await gates[0].pass(job.id)
        return nil
      },
      TestJob("b", concurrency: 9) { job in
        try await gates[1].pass(job.id)
        return nil
      },
      TestJob("c") { job in
        try await gates[2].pass(job.id)
        return nil
      },
    ])
    let queue = fixture.queue()
    try await fixture.running([fixture.worker("w1") { $0.capacities = ["b": 2] }]) {
      for action in ["a", "b"] {
        for _ in 0..<300 { try await queue.submit(JobDraft(action)) }
      }
      // A crowd of one sort does not keep another waiting.
      let id = try await queue.submit(JobDraft("c")).id
      try await until("the crowds fill their room and no more") {
        gates[0].inside == 3 && gates[1].inside == 2 && gates[2].inside == 1
      }
      gates[2].open()
      _ = try await fixture.wait(for: id, .done)
      gates[0].open()
      gates[1].open()
      try await until("all are done") {
        let left = try await fixture.keys("/jobs/due/") + fixture.keys("/jobs/running/")
        return left.isEmpty
      }
    }
    #expect(gates.map(\.most) == [3, 2, 1])
    #expect(gates.map(\.arrivals.count) == [300, 300, 1])
    #expect(Set(gates[0].arrivals).count == 300)
  }

  @Test func jobsThatTakeMoreRoomLeaveLess() async throws {
    let gate = Gate()
    let fixture = QueueFixture([
      TestJob("a", concurrency: 6) { job in
        try await gate.pass(job.id)
        return nil
      }
    ])
    let queue = fixture.queue()
    var draft = JobDraft("a")
    draft.capacityMap = ["a": 3]
    for _ in 0..<10 { try await queue.submit(draft) }
    try await fixture.running {
      try await until("two run") { gate.inside == 2 }
      gate.open()
      try await until("all ran") { gate.arrivals.count == 10 }
    }
    #expect(gate.most == 2)
  }

  @Test func operatorsChangeTheRoom() async throws {
    let gate = Gate()
    let fixture = QueueFixture([
      TestJob("a") { job in
        try await gate.pass(job.id)
        return nil
      }
    ])
    let queue = fixture.queue()
    #expect(
      await refusal { try await queue.setCapacity(["a": 2], ofWorker: "w1") } == .noSuchWorker)
    try await fixture.running([fixture.worker("w1") { $0.leaseTime = .seconds(3) }]) {
      for _ in 0..<8 { try await queue.submit(JobDraft("a")) }
      try await until("one runs") { gate.inside == 1 }
      #expect(await refusal { try await queue.setCapacity(["x": 1], ofWorker: "w1") } != nil)
      #expect(await refusal { try await queue.setCapacity(["a": -1], ofWorker: "w1") } != nil)
      // On a slow machine its lease ends now and then, until it is heard of again.
      try await until("it is known") {
        do {
          try await queue.setCapacity(["a": 4], ofWorker: "w1")
          return true
        } catch let error as JobError where error.code == .noSuchWorker {
          return false
        }
      }
      try await until("four run") { gate.inside == 4 }
      try await until("it says so") { try await queue.workers().first?.capacityMap["a"] == 4 }
      gate.open()
    }
    #expect(gate.most == 4)
  }

  // MARK: Several workers

  @Test func severalWorkersRunEachJobOnce() async throws {
    let runs = Mutex<[String: Int]>([:])
    let fixture = QueueFixture([
      TestJob("a", concurrency: 4) { job in
        runs.withLock { $0[job.id, default: 0] += 1 }
        await Task.yield()
        return nil
      }
    ])
    try await fixture.running((1...4).map { fixture.worker("w\($0)") }) {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            for _ in 0..<50 { try await fixture.queue().submit(JobDraft("a")) }
          }
        }
        try await group.waitForAll()
      }
      try await until("all are done") { try await fixture.all { $0.status = .done }.count == 200 }
    }
    #expect(runs.withLock { $0.count } == 200)
    #expect(runs.withLock { $0.values.allSatisfy { $0 == 1 } })
  }

  @Test func jobsOfAWorkerThatDiedAreRunByAnother() async throws {
    let fixture = QueueFixture([TestJob("a", concurrency: 5) { _ in nil }])
    let queue = fixture.queue()
    let store = fixture.store
    let lease = try await store.grantLease(timeToLive: .seconds(600)).id
    try await store.put(
      JobKeys.worker("dead"), WorkerRecord(capacity: [:], expires: 0).encoded(), lease: lease)
    var ids: [String] = []
    // Some of a worker that dies now, and some of a former life of the one that comes.
    for owner in ["dead", "dead", "w1"] {
      let job = try await queue.submit(JobDraft("a"))
      let due = JobKeys.due("a", job.scheduledAt.milliseconds, job.id)
      #expect(try await queue.claim(job.id, due: due, for: owner) != nil)
      ids.append(job.id)
    }
    try await fixture.running {
      _ = try await fixture.wait(for: ids[2], .done)
      #expect(try await queue.job(ids[0]).status == .running)
      try await store.revoke(lease)
      try await fixture.poke()
      for id in ids {
        let job = try await fixture.wait(for: id, .done)
        #expect(job.workerID == "w1")
      }
    }
  }

  @Test func cronsRunWithSeveralWorkers() async throws {
    let fixture = QueueFixture([TestJob("a") { _ in nil }])
    try await fixture.queue().setCron(JobDraft("a"), schedule: "* * * * * *")
    try await fixture.running((1...3).map { fixture.worker("w\($0)") }) {
      try await until("three are done") { try await fixture.all { $0.status = .done }.count >= 3 }
    }
    let seconds = try await fixture.all().map { $0.scheduledAt.seconds }
    #expect(Set(seconds).count == seconds.count, "\(seconds)")
  }

  @Test func oneDamagedJobDoesNotStopOthers() async throws {
    let fixture = QueueFixture([TestJob("a") { _ in nil }])
    let queue = fixture.queue()
    let damaged = try await queue.submit(JobDraft("a")).id
    try await fixture.store.put(JobKeys.record(damaged), Array("{}".utf8))
    let id = try await queue.submit(JobDraft("a")).id
    try await fixture.running { _ = try await fixture.wait(for: id, .done) }
  }

  // MARK: Restarts

  @Test func aRestartKeepsEverything() async throws {
    let root = FileManager.default.temporaryDirectory.path + "/martlet-jobs-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    // A folder that stays does no harm to other tests.
    defer { try? FileManager.default.removeItem(atPath: root) }
    let gate = Gate()
    let kinds = [
      TestJob("a", concurrency: 2) { job in
        await job.log("here")
        return "fine"
      },
      TestJob("b", concurrency: 2) { job in
        try await gate.pass(job.id)
        return nil
      },
    ]
    var store = try await SQLiteStateStore.open(path: root + "/state.db")
    var fixture = QueueFixture(store: store, kinds)
    var queue = fixture.queue()
    try await queue.setCron(JobDraft("a"), schedule: "@yearly")
    try await queue.configure("a", ["x": "1"])
    let (done, held) = (
      try await queue.submit(JobDraft("a")).id, try await queue.submit(JobDraft("b")).id
    )
    try await fixture.running {
      _ = try await fixture.wait(for: done, .done)
      try await until("the other runs") { gate.inside == 1 }
    }
    let waiting = try await queue.submit(JobDraft("a")).id
    let crons = try await queue.crons()
    await store.close()

    store = try await SQLiteStateStore.open(path: root + "/state.db")
    fixture = QueueFixture(store: store, kinds)
    queue = fixture.queue()
    #expect(try await queue.job(done).result == "fine")
    #expect(try await fixture.log(done) == ["here"])
    #expect(try await queue.crons() == crons)
    #expect(try await queue.actionConfiguration("a") == ["x": "1"])
    gate.open()
    let again = fixture
    try await again.running {
      _ = try await again.wait(for: waiting, .done)
      _ = try await again.wait(for: held, .done)
    }
    await store.close()
  }
}
