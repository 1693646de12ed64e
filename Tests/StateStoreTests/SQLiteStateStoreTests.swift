import FoundationEssentials
import Glibc
import StateStore
import StateStoreSQLite
import StateStoreTesting
import Testing

/// What the SQLite store does beyond what every store does.
@Suite("SQLite state store")
struct SQLiteStateStoreTests {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path + "/state.db"
  }

  @Test("what was written is there after closing and opening")
  func reopens() async throws {
    let clock = ManualClock()
    let lease = LeaseID(rawValue: 77)
    var store = try await SQLiteStateStore.open(path: path, clock: clock.storeClock)
    for number in 1...50 { try await store.put(Key("k\(number % 5)"), [UInt8(number)]) }
    _ = try await store.grantLease(timeToLive: .seconds(10), id: lease)
    try await store.put("leased", [1], lease: lease)
    try await store.delete("k0")
    try await store.compact(to: 20)
    clock.advance(by: .seconds(9))
    let before = try await store.range(RangeRequest(.all))
    let old = try await store.range(RangeRequest(.all, revision: 33))
    let events = try await store.watch(WatchRequest(.all, from: 21, wantsPrevious: true))
    let first = try await events.next()
    await store.close()

    store = try await SQLiteStateStore.open(path: path, clock: clock.storeClock)
    #expect(try await store.range(RangeRequest(.all)) == before)
    #expect(try await store.range(RangeRequest(.all, revision: 33)) == old)
    let again = try await store.watch(WatchRequest(.all, from: 21, wantsPrevious: true))
    #expect(try await again.next() == first)
    await #expect(throws: StateStoreError.self) {
      try await store.range(RangeRequest(.all, revision: 19))
    }
    // The lease begins its time anew, and ends after it.
    #expect(try await store.leaseStatus(lease)?.remaining == .seconds(10))
    let stream = try await store.watch(WatchRequest(.key("leased")))
    clock.advance(by: .seconds(10))
    #expect(try await stream.next()?.events.map(\.kind) == [.delete])
    await store.close()

    store = try await SQLiteStateStore.open(path: path)
    #expect(try await store.get("leased") == nil)
    #expect(try await store.leases() == [])
    await store.close()
  }

  @Test("the file is for its owner only, and for one process")
  func isPrivate() async throws {
    let store = try await SQLiteStateStore.open(path: path)
    try await store.put("k", [])
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      var status = stat()
      #expect(stat(folder.path + "/" + name, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600, "\(name)")
    }
    let error = await #expect(throws: StateStoreError.self) {
      try await SQLiteStateStore.open(path: path)
    }
    #expect(error?.code == .unavailable)
    await store.close()
  }

  @Test("a file that is damaged, foreign or newer is refused and left as it is")
  func refusesFiles() async throws {
    let store = try await SQLiteStateStore.open(path: path)
    for number in 0..<300 { try await store.put(Key("k\(number)"), Array(repeating: 7, count: 99)) }
    await store.close()
    let good = try Data(contentsOf: URL(filePath: path))

    var newer = good
    newer.replaceSubrange(60..<64, with: [0, 0, 0, 99])
    var foreign = good
    foreign.replaceSubrange(68..<72, with: [1, 2, 3, 4])
    var damaged = good
    for offset in stride(from: 4_096, to: good.count, by: 7) { damaged[offset] = 0xA5 }
    let garbage = Data((0..<9_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    let cases: [(Data, StateStoreError.Code)] = [
      (newer, .newerSchema), (foreign, .corrupt), (damaged, .corrupt), (garbage, .corrupt),
      (good.prefix(good.count / 2), .corrupt),
    ]
    for (index, (content, code)) in cases.enumerated() {
      let copy = folder.path + "/case\(index).db"
      try content.write(to: URL(filePath: copy))
      let error = await #expect(throws: StateStoreError.self) {
        try await SQLiteStateStore.open(path: copy)
      }
      #expect(error?.code == code, "case \(index): \(String(describing: error))")
      #expect(try Data(contentsOf: URL(filePath: copy)) == content, "case \(index)")
    }
    let error = await #expect(throws: StateStoreError.self) {
      try await SQLiteStateStore.open(path: folder.path + "/missing/state.db")
    }
    #expect(error?.description.contains("No such file") == true)
  }

  @Test("files of every released schema are read", arguments: 1...1)
  func readsFixtures(version: Int) async throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Fixtures/StateStore")
    let names = try FileManager.default.contentsOfDirectory(atPath: fixtures.path)
    #expect(names.count == SQLiteStateStore.schemaVersion, "each version needs a fixture")
    let content = try Data(contentsOf: fixtures.appending(path: "version-\(version).db"))
    try content.write(to: URL(filePath: path))
    let store = try await SQLiteStateStore.open(path: path)
    #expect(try await Fixture(store) == Fixture.expected)
    try await store.put("k/new", [])
    await store.close()
  }

  @Test(
    "writes the fixture of the newest schema",
    .enabled(if: ProcessInfo.processInfo.environment["MARTLET_WRITE_FIXTURE"] != nil))
  func writesFixture() async throws {
    let target = try #require(ProcessInfo.processInfo.environment["MARTLET_WRITE_FIXTURE"])
    let store = try await SQLiteStateStore.open(path: target)
    try await Fixture.fill(store)
    #expect(try await Fixture(store) == Fixture.expected)
    await store.close()
  }

  @Test("writers that wait for the disk are committed together")
  func commitsGroups() async throws {
    let store = try await SQLiteStateStore.open(path: path)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<50 {
        group.addTask {
          for number in 0..<20 { try await store.put(Key("w\(writer)/\(number)"), [1, 2, 3]) }
        }
      }
      try await group.waitForAll()
    }
    #expect(try await store.range(RangeRequest(.prefix("w"))).count == 1_000)
    #expect(store.commitCount < 500, "\(store.commitCount) commits for 1000 writes")
    await store.close()
  }

  @Test("history is forgotten by itself, so the file stays small")
  func compactsByItself() async throws {
    let store = try await SQLiteStateStore.open(
      path: path, retention: RecentHistory.Limit(revisions: 500, bytes: 1 << 30))
    let value = [UInt8](repeating: 1, count: 2_000)
    func write(_ count: Int) async throws {
      for start in stride(from: 0, to: count, by: 100) {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for number in start..<start + 100 {
            group.addTask { try await store.put(Key("k\(number % 10)"), value) }
          }
          try await group.waitForAll()
        }
      }
    }
    try await write(3_000)
    let first = try await store.status()
    #expect(first.compactRevision >= first.revision - 1_100)
    #expect(first.compactRevision <= first.revision - 500)
    try await write(3_000)
    let second = try await store.status()
    #expect(second.size < 4_000_000, "\(second.size) bytes")
    #expect(try await store.range(RangeRequest(.prefix("k"))).count == 10)
    await store.close()
  }

  @Test("history is forgotten sooner when the file gets too large")
  func compactsBySize() async throws {
    let store = try await SQLiteStateStore.open(
      path: path, retention: RecentHistory.Limit(revisions: 100_000, bytes: 1 << 20))
    let value = [UInt8](repeating: 1, count: 4_000)
    for number in 0..<2_000 { try await store.put(Key("k\(number % 10)"), value) }
    let status = try await store.status()
    #expect(status.size < 5_000_000, "\(status.size) bytes")
    #expect(status.compactRevision > 0 && status.compactRevision <= status.revision - 256)
    await store.close()
  }

  @Test("a full disk refuses writes, loses nothing, and works again", .enabled(if: geteuid() == 0))
  func survivesFullDisk() async throws {
    let mountPoint = folder.path + "/small"
    try FileManager.default.createDirectory(
      atPath: mountPoint, withIntermediateDirectories: false)
    try #require(mount("tmpfs", mountPoint, "tmpfs", 0, "size=2m") == 0)
    defer { umount2(mountPoint, Int32(MNT_DETACH)) }
    let file = mountPoint + "/state.db"
    var store = try await SQLiteStateStore.open(path: file)
    var written = 0
    var failure: StateStoreError?
    let value = [UInt8](repeating: 1, count: 50_000)
    while failure == nil, written < 1_000 {
      do {
        try await store.put(Key("k\(written)"), value)
        written += 1
      } catch let error as StateStoreError {
        failure = error
      }
    }
    #expect(failure?.code == .storageFull)
    #expect(try await store.range(RangeRequest(.all)).count == written)
    try #require(
      mount("tmpfs", mountPoint, "tmpfs", UInt(MS_REMOUNT), "size=20m") == 0)
    try await store.put(Key("k\(written)"), value)
    await store.close()
    store = try await SQLiteStateStore.open(path: file)
    #expect(try await store.range(RangeRequest(.all)).count == written + 1)
    await store.close()
  }
}

/// The records of the fixture files.
private struct Fixture: Equatable {
  var records: [KeyValue]
  var before: [KeyValue]
  var leases: [LeaseID]

  init(_ store: SQLiteStateStore) async throws {
    records = try await store.range(RangeRequest(.all)).items
    before = try await store.range(RangeRequest(.all, revision: 4)).items
    leases = try await store.leases()
  }

  private init(records: [KeyValue], before: [KeyValue], leases: [LeaseID]) {
    self.records = records
    self.before = before
    self.leases = leases
  }

  static let lease = LeaseID(rawValue: 4_711)

  static func fill(_ store: SQLiteStateStore) async throws {
    _ = try await store.grantLease(timeToLive: .seconds(9_000_000), id: lease)
    try await store.put("k/a", [1])
    try await store.put("k/b", [2, 0, 255])
    _ = try await store.transact(
      Transaction(do: [.put("k/c", [3], lease: lease), .delete("k/a")]))
    try await store.put("k/b", [])
    try await store.delete("k/none")
    try await store.compact(to: 3)
  }

  static let expected = Fixture(
    records: [
      KeyValue(key: "k/b", value: [], createRevision: 3, modifyRevision: 5, version: 2),
      KeyValue(
        key: "k/c", value: [3], createRevision: 4, modifyRevision: 4, version: 1, lease: lease),
    ],
    before: [
      KeyValue(key: "k/b", value: [2, 0, 255], createRevision: 3, modifyRevision: 3, version: 1),
      KeyValue(
        key: "k/c", value: [3], createRevision: 4, modifyRevision: 4, version: 1, lease: lease),
    ], leases: [lease])
}
