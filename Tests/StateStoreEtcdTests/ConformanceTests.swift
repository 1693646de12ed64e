import StateStore
import StateStoreEtcd
import StateStoreTesting
import Testing

@Suite("State store conformance on etcd")
struct EtcdConformanceTests {
  @Test("etcd", arguments: StateStoreConformance.cases)
  func conforms(conformance: ConformanceCase) async throws {
    try await EtcdProcess.turns.take {
      // Cases compare revisions and count leases, so each has an etcd of its own.
      let etcd = try await EtcdProcess.start()
      try await conformance.run(
        StateStoreHarness(
          makeStore: { try await etcd.open() },
          advance: { try await Task.sleep(for: $0) },
          timeToLive: .seconds(8)))
    }
  }
}
