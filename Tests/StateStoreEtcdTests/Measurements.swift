import Glibc
import StateStore
import StateStoreEtcd
import Testing

@Suite("Measurements of etcd", .enabled(if: getenv("MARTLET_MEASURE") != nil))
struct EtcdMeasurements {
  @Test("reads, writes, lists and watches")
  func figures() async throws {
    let etcd = try await EtcdProcess.start()
    let store = try await etcd.open()
    let clock = ContinuousClock()
    func report(_ what: String, _ count: Int, _ body: () async throws -> Void) async throws {
      let time = try await clock.measure(body)
      print(
        "\(what): \(time / count) each, \(Int(Double(count) / (time / .seconds(1)))) in a second")
    }
    let value = [UInt8](repeating: 7, count: 300)
    try await report("writes one after the other", 300) {
      for number in 0..<300 { try await store.put(Key("a/\(number)"), value) }
    }
    try await report("reads one after the other", 1_000) {
      for number in 0..<1_000 { _ = try await store.get(Key("a/\(number % 300)")) }
    }
    for (what, isWrite) in [("writes of 64 at once", true), ("reads of 64 at once", false)] {
      try await report(what, 6_400) {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for worker in 0..<64 {
            group.addTask {
              for number in 0..<100 {
                let key = Key("b/\(worker)/\(number)")
                if isWrite {
                  try await store.put(key, value)
                } else {
                  _ = try await store.get(key)
                }
              }
            }
          }
          try await group.waitForAll()
        }
      }
    }
    try await report("records of a list", 6_400) {
      let count = try await store.list(prefix: "b/").items.count
      #expect(count == 6_400)
    }
    try await report("revisions of a watch of history", 6_400) {
      let stream = try await store.watch(WatchRequest(.prefix("b/"), from: 2))
      for _ in 0..<6_400 { _ = try await stream.next() }
    }
    await store.close()
  }
}
