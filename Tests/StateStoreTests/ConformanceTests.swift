import StateStore
import StateStoreSQLite
import StateStoreTesting
import Testing

/// A kind of store that the conformance cases run against.
enum StoreKind: String, CaseIterable, Sendable {
  case memory
  case sqlite
  /// SQLite with next to no history in memory, so that reads and watches go to the file.
  case sqliteFromFile
}

@Suite("State store conformance")
struct ConformanceTests {
  @Test("store", arguments: StoreKind.allCases, StateStoreConformance.cases)
  func conforms(kind: StoreKind, conformance: ConformanceCase) async throws {
    let folder = try TemporaryFolder()
    let clock = ManualClock()
    try await conformance.run(
      StateStoreHarness(
        makeStore: {
          switch kind {
          case .memory: InMemoryStateStore(clock: clock.storeClock)
          case .sqlite:
            try await SQLiteStateStore.open(
              path: folder.path + "/state.db", clock: clock.storeClock)
          case .sqliteFromFile:
            try await SQLiteStateStore.open(
              path: folder.path + "/state.db", clock: clock.storeClock,
              memory: RecentHistory.Limit(revisions: 2, bytes: 1_000))
          }
        }, advance: { clock.advance(by: $0) }))
  }
}
