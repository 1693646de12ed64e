import GRPCCore
import StateStore
import StateStoreTesting
import Synchronization
import Testing

@testable import StateStoreEtcd

/// Bytes of a number, as the tests write it.
func bytes(_ number: Int) -> [UInt8] { Array("\(number)".utf8) }

/// Waits until something is so, for at most a minute.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw HelperFailure(description: "never: \(what)") }
    try await Task.sleep(for: .milliseconds(20))
  }
}

/// Numbers that were written, each by one writer under a key of its own.
private final class Acknowledged: Sendable {
  private let state = Mutex<[Key: (acknowledged: Int, tried: Int)]>([:])

  func trying(_ number: Int, _ key: Key) {
    state.withLock { $0[key, default: (0, 0)].tried = number }
  }

  func done(_ number: Int, _ key: Key) {
    state.withLock { $0[key, default: (0, 0)].acknowledged = number }
  }

  var all: [Key: (acknowledged: Int, tried: Int)] { state.withLock { $0 } }
  private var total: Int { all.values.reduce(0) { $0 + $1.acknowledged } }

  /// Waits for that many more.
  func grow(by count: Int) async throws {
    let before = total
    try await eventually("writes go on") { self.total >= before + count }
  }
}

/// A value that several tasks change.
final class Shared<Value: Sendable>: Sendable {
  private let state: Mutex<Value>

  init(_ value: Value) { state = Mutex(value) }

  var value: Value { state.withLock { $0 } }

  func change(_ body: @Sendable (inout Value) -> Void) { state.withLock { body(&$0) } }
}

@Suite("etcd that fails")
struct FailureTests {
  @Test("a killed etcd loses nothing it has answered, and watches see everything once, in order")
  func killed() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open()
      try await expectNothingLost(store) { acknowledged in
        for _ in 0..<3 {
          try await acknowledged.grow(by: 100)
          etcd.kill()
          try await etcd.startAgain()
        }
      }
      await store.close()
    }
  }

  @Test("nor does a cluster whose members are killed one after the other")
  func killedMembers() async throws {
    try await EtcdProcess.turns.take {
      let members = try await EtcdProcess.startCluster()
      let endpoints = members.map(\.endpoint)
      let store = try await members[0].open { $0.endpoints = endpoints }
      try await expectNothingLost(store) { acknowledged in
        for member in members {
          try await acknowledged.grow(by: 30)
          member.kill()
          try await acknowledged.grow(by: 30)
          try await member.startAgain()
        }
      }
      await store.close()
    }
  }

  /// Lets writers write and a watch watch while `disturb` goes on; then compares.
  private func expectNothingLost(
    _ store: EtcdStateStore, while disturb: @Sendable (Acknowledged) async throws -> Void
  ) async throws {
    let start = try await store.currentRevision() + 1
    let watched = Shared<[WatchBatch]>([])
    let stream = try await store.watch(WatchRequest(.prefix("w/"), from: start))
    let watcher = Task {
      while let batch = try await stream.next() { watched.change { $0.append(batch) } }
    }
    defer { watcher.cancel() }
    let acknowledged = Acknowledged()
    let isOver = Shared(false)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<4 {
        group.addTask {
          let key = Key("w/\(writer)")
          var number = 0
          while !isOver.value, !Task.isCancelled {
            number += 1
            acknowledged.trying(number, key)
            do {
              try await store.put(key, bytes(number))
              acknowledged.done(number, key)
            } catch let error as StateStoreError where error.code == .unavailable {
              // The next number is written over it, whatever became of it.
            }
          }
        }
      }
      try await disturb(acknowledged)
      try await acknowledged.grow(by: 20)
      isOver.change { $0 = true }
      try await group.waitForAll()
    }
    let last = Shared<Revision>(0)
    try await eventually("the last write is made") {
      let error = await failure {
        let revision = try await store.put("w/last", [])
        last.change { $0 = revision }
      }
      return error == nil
    }
    try await eventually("the watch sees the last write") {
      watched.value.last?.revision ?? 0 >= last.value
    }
    for (key, numbers) in acknowledged.all {
      let value = try #require(try await store.get(key)?.value)
      let stored = try #require(Int(String(decoding: value, as: UTF8.self)))
      #expect((numbers.acknowledged...numbers.tried).contains(stored), "\(key)")
    }
    try await expectWhole(watched.value, of: store, from: start)
  }

  /// Compares what a watch saw with history, revision by revision.
  private func expectWhole(
    _ batches: [WatchBatch], of store: EtcdStateStore, from start: Revision
  ) async throws {
    let last = try #require(batches.last?.revision)
    // Every change was one put, so each revision has one event.
    #expect(batches.map(\.revision) == Array(start...last))
    #expect(batches.allSatisfy { $0.events.count == 1 })
    var versions: [Key: Int64] = [:]
    for event in batches.flatMap(\.events) {
      versions[event.record.key, default: 0] += 1
      #expect(event.record.version == versions[event.record.key])
    }
    for record in try await store.range(RangeRequest(.prefix("w/"))).items {
      #expect(record.version == versions[record.key])
    }
  }

  @Test("what was compacted while a watch was away is missed, and said to be")
  func compactedMeanwhile() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open()
      let other = try await etcd.open()
      let stream = try await store.watch(WatchRequest(.key("k")))
      for number in 0..<5 { try await other.put("k", bytes(number)) }
      for _ in 0..<5 { _ = try await stream.next() }
      // A watch that nobody reads reads on by itself; only its stream is away.
      etcd.kill()
      let waiting = Task { try await stream.next() }
      try await etcd.startAgain()
      // A question is asked again when the old connection takes it along.
      _ = try await other.get("k")
      for number in 0..<3 { try await other.put("k", bytes(number)) }
      let last = try await other.currentRevision()
      let batch = try #require(try await waiting.value)
      #expect(batch.revision == last - 2)
      try await other.compact(to: last)
      let late = try await store.watch(WatchRequest(.key("k"), from: 2))
      do {
        let batch = try await late.next()
        Issue.record("found \(String(describing: batch))")
      } catch let error as StateStoreError {
        #expect(error.code == .compacted)
        #expect(error.revision == last)
      }
      #expect(try await store.status().compactRevision == last)
      await store.close()
      // Another store finds the oldest revision without having compacted.
      #expect(try await etcd.open().status().compactRevision == last)
      await other.close()
    }
  }

  @Test("a paused etcd makes requests fail in bounded time, and goes on when it does")
  func paused() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open { $0.requestTimeout = .seconds(2) }
      let stream = try await store.watch(WatchRequest(.prefix("k")))
      try await store.put("k", bytes(1))
      etcd.pause()
      defer { etcd.goOn() }
      let clock = ContinuousClock()
      let start = clock.now
      let write = await failure { try await store.put("k", bytes(2)) }
      #expect(write?.code == .unavailable)
      #expect(write?.metadata["outcome"] == "unknown")
      let read = await failure { try await store.get("k") }
      #expect(read?.code == .unavailable)
      #expect(read?.metadata["outcome"] == "none")
      let keep = await failure { try await store.keepAlive(LeaseID(rawValue: 7)) }
      #expect(keep?.code == .unavailable)
      let watch = await failure { try await store.watch(WatchRequest(.all, from: 1)) }
      #expect(watch?.code == .unavailable)
      #expect(clock.now - start < .seconds(60))
      etcd.goOn()
      try await eventually("etcd answers again") {
        await failure { try await store.put("k", bytes(3)) } == nil
      }
      var values: [[UInt8]] = []
      while values.last != bytes(3) {
        let batch = try #require(try await stream.next())
        values += batch.events.map(\.record.value)
      }
      // The write whose answer did not come happened, or did not, once; others were tried again.
      #expect(values.first == bytes(1))
      #expect(values.filter { $0 == bytes(2) }.count <= 1)
      await store.close()
    }
  }

  @Test("an etcd that is not there is said to be unreachable")
  func absent() async throws {
    let port = try freePorts(1)[0]
    let error = await failure {
      try await EtcdStateStore.open(
        settings: EtcdSettings(endpoints: ["127.0.0.1:\(port)"], dialTimeout: .milliseconds(300)),
        logger: quietLogger)
    }
    #expect(error?.code == .unavailable)
    #expect(error?.metadata["outcome"] == "none")
  }

  @Test("a write that reached nobody is made with the next member")
  func failsOver() async throws {
    try await EtcdProcess.turns.take {
      let first = try await EtcdProcess.start()
      let second = try await EtcdProcess.start()
      let absent = "127.0.0.1:\(try freePorts(1)[0])"
      let endpoints = [absent, first.endpoint, second.endpoint]
      // Two clusters where one is meant, so that it shows who is asked.
      let store = try await first.open { $0.endpoints = endpoints }
      try await store.put("k", bytes(1))
      let stream = try await store.watch(WatchRequest(.key("other")))
      let direct = try await first.open()
      #expect(try await direct.get("k")?.value == bytes(1))
      first.kill()
      // The old connection may take one write along whose answer never comes.
      try await eventually("the second answers") {
        await failure { try await store.put("k", bytes(2)) } == nil
      }
      let other = try await second.open()
      #expect(try await other.get("k")?.value == bytes(2))
      let revision = try await other.put("other", [])
      // The watch moved along, to where it had been in the first.
      try await eventually("revisions grow") {
        try await other.put("other", []) > stream.revision + 1
      }
      #expect(try await stream.next()?.revision ?? 0 >= revision)
      await store.close()
      await direct.close()
      await other.close()
    }
  }

  @Test("a closed store is done with everything at once")
  func closes() async throws {
    try await EtcdProcess.turns.take {
      let etcd = try await EtcdProcess.start()
      let store = try await etcd.open()
      let stream = try await store.watch(WatchRequest(.all))
      let waiting = Task { try await stream.next() }
      let writes = (0..<20).map { number in Task { try await store.put(Key("k\(number)"), []) } }
      etcd.kill()
      await store.close()
      #expect(await failure { try await waiting.value }?.code == .closed)
      for write in writes {
        let error = await failure { try await write.value }
        #expect(error == nil || error?.code == .closed || error?.code == .unavailable)
      }
      #expect(await failure { try await store.get("k") }?.code == .closed)
    }
  }
}

/// The error of the store that a call throws; nil when it throws none.
func failure<Result>(_ body: () async throws -> Result) async -> StateStoreError? {
  do {
    _ = try await body()
    return nil
  } catch let error as StateStoreError {
    return error
  } catch {
    Issue.record("\(error) is no StateStoreError")
    return nil
  }
}
