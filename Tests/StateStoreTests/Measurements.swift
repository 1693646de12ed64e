import FoundationEssentials
import Glibc
import StateStore
import StateStoreSQLite
import Testing

/// What operations cost, on demand: set `MARTLET_MEASURE` to a folder on the disk to measure, and
/// build for release.
@Suite(
  "State store measurements", .serialized,
  .enabled(if: ProcessInfo.processInfo.environment["MARTLET_MEASURE"] != nil))
struct Measurements {
  private let path =
    (ProcessInfo.processInfo.environment["MARTLET_MEASURE"] ?? "") + "/martlet-measure.db"
  private let value = [UInt8](repeating: 0x61, count: 2_048)

  @Test func measures() async throws {
    removeFile()
    defer { removeFile() }
    let store = try await SQLiteStateStore.open(path: path)
    for number in 0..<2_000 { try await store.put(Key("/engine/\(number)"), [1, 2, 3]) }

    try await report("put of 2 KB, one after the other", times: 1_000) { number in
      try await store.put(Key("/engine/containers/\(number)"), value)
    }
    try await report("get", times: 1_000) { number in
      _ = try await store.get(Key("/engine/containers/\(number)"))
    }
    try await report("list of 1000", times: 100) { _ in
      _ = try await store.list(prefix: "/engine/containers/")
    }
    for writers in [2, 10, 50] {
      let commits = store.commitCount
      let start = ContinuousClock.now
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<writers {
          group.addTask {
            for number in 0..<100 { try await store.put(Key("/w/\(writer)/\(number)"), value) }
          }
        }
        try await group.waitForAll()
      }
      let each = start.duration(to: .now) / (writers * 100)
      print(
        "\(writers) writers: \(each) per put, \(store.commitCount - commits) commits",
        "for \(writers * 100) puts")
    }
    for number in 0..<9_000 where number % 50 == 0 {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for offset in 0..<50 {
          group.addTask { try await store.put(Key("/k/\(number + offset)"), value) }
        }
        try await group.waitForAll()
      }
    }
    let size = try await store.status().size
    await store.close()
    let start = ContinuousClock.now
    let again = try await SQLiteStateStore.open(path: path)
    print("opening \(size >> 20) MiB:", start.duration(to: .now))
    await again.close()
  }

  @Test func measuresTheDisk() throws {
    removeFile()
    defer { removeFile() }
    let handle = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(handle) }
    let page = [UInt8](repeating: 1, count: 8_192)
    var durations: [Duration] = []
    for number in 0..<1_500 {
      let start = ContinuousClock.now
      _ = pwrite(handle, page, page.count, off_t(number % 500) * 8_192)
      fdatasync(handle)
      if number >= 500 { durations.append(start.duration(to: .now)) }
    }
    show("pwrite of 8 KB and fdatasync, overwriting", durations)
  }

  private func removeFile() {
    for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
  }

  private func report(
    _ what: String, times: Int, _ body: (Int) async throws -> Void
  ) async throws {
    var durations: [Duration] = []
    for number in 0..<times {
      let start = ContinuousClock.now
      try await body(number)
      durations.append(start.duration(to: .now))
    }
    show(what, durations)
  }

  private func show(_ what: String, _ durations: [Duration]) {
    let sorted = durations.sorted()
    print(
      what, "median", sorted[sorted.count / 2], "p99", sorted[sorted.count * 99 / 100], "max",
      sorted.last ?? .zero)
  }
}
