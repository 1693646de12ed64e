import StateStore

extension StateStoreConformance {
  static let historyCases: [ConformanceCase] = [
    ConformanceCase("a read at a revision sees the records of then") { store, _ in
      let start = try await store.currentRevision()
      try await store.put("a", bytes("1"))
      try await store.put("b", bytes("1"))
      try await store.put("a", bytes("2"))
      try await store.delete("b")
      try await store.put("b", bytes("3"))
      func seen(_ revision: Revision) async throws -> [String] {
        let response = try await store.range(RangeRequest(.all, revision: revision))
        try expectEqual(response.revision, start + 5)
        return response.items.map { "\($0.key)=\(String(decoding: $0.value, as: UTF8.self))" }
      }
      try expectEqual(try await seen(start + 1), ["a=1"])
      try expectEqual(try await seen(start + 2), ["a=1", "b=1"])
      try expectEqual(try await seen(start + 3), ["a=2", "b=1"])
      try expectEqual(try await seen(start + 4), ["a=2"])
      try expectEqual(try await seen(start + 5), ["a=2", "b=3"])
      try await expectError(.futureRevision) {
        try await store.range(RangeRequest(.all, revision: start + 6))
      }
      let response = try await store.transact(
        Transaction(do: [
          .put("a", bytes("4")), .range(RangeRequest(.key("a"), revision: start + 5)),
          .range(RangeRequest(.key("a"), revision: start + 2)),
        ]))
      let values = response.responses.dropFirst().map { response -> [UInt8]? in
        guard case .range(let range) = response else { return nil }
        return range.items.first?.value
      }
      try expectEqual(values, [bytes("2"), bytes("1")])
      try await expectError(.futureRevision) {
        try await store.transact(
          Transaction(do: [.put("a", []), .range(RangeRequest(.all, revision: start + 7))]))
      }
    },
    ConformanceCase("compaction forgets what is older, and nothing else") { store, _ in
      let start = try await store.currentRevision()
      try await store.put("a", bytes("1"))
      try await store.put("gone", bytes("1"))
      try await store.delete("gone")
      try await store.put("a", bytes("2"))
      try await store.put("a", bytes("3"))
      try await store.put("b", bytes("3"))
      let target = start + 4
      try await store.compact(to: target)
      let at = try await store.range(RangeRequest(.all, revision: target))
      try expectEqual(at.items.map(\.value), [bytes("2")])
      try expectEqual(
        try await store.range(RangeRequest(.all)).items.map(\.value), [bytes("3"), bytes("3")])
      for old in [start + 1, target - 1] where old > 0 {
        try await expectError(.compacted) {
          try await store.range(RangeRequest(.all, revision: old))
        }
        try await expectError(.compacted) {
          try await store.watch(WatchRequest(.all, from: old)).next()
        }
      }
      do {
        _ = try await store.watch(WatchRequest(.all, from: start + 1)).next()
      } catch let error as StateStoreError {
        try expectEqual(error.revision, target, "the oldest revision that can be had")
        try expectEqual(error.requiresResynchronisation, true)
      }
      let stream = try await store.watch(WatchRequest(.all, from: target + 1))
      try expectEqual(try await stream.batches(2).map(\.revision), [target + 1, target + 2])
      try await expectError(.compacted) { try await store.compact(to: target) }
      try await expectError(.futureRevision) { try await store.compact(to: start + 100) }
      try await store.compact(to: start + 6)
      try expectEqual(
        try await store.range(RangeRequest(.all, revision: start + 6)).items.count, 2)
    },
    ConformanceCase("compaction leaves live watches alone") { store, _ in
      let stream = try await store.watch(WatchRequest(.key("k")))
      var last: Revision = 0
      for _ in 0..<10 { last = try await store.put("other", []) }
      // The watch has nothing to read before the compaction and must not be harmed by it.
      try await stream.requestProgress()
      _ = try await stream.batch()
      try await store.compact(to: last)
      let revision = try await store.put("k", [])
      try expectEqual(try await stream.batches(1)[0].revision, revision)
    },
  ]

  static let closingCases: [ConformanceCase] = [
    ConformanceCase("a closed store refuses everything and ends its watches") { store, _ in
      try await store.put("k", [])
      let stream = try await store.watch(WatchRequest(.all))
      let waiting = Task { try await stream.next() }
      await store.close()
      await store.close()
      try await expectError(.closed) { try await waiting.value }
      try await expectError(.closed) { try await store.get("k") }
      try await expectError(.closed) { try await store.put("k", []) }
      try await expectError(.closed) { try await store.watch(WatchRequest(.all)) }
      try await expectError(.closed) { try await store.grantLease(timeToLive: .seconds(60)) }
      try await expectError(.closed) { try await store.leases() }
      try await expectError(.closed) { try await store.compact(to: 2) }
      try await expectError(.closed) { try await store.status() }
    }
  ]
}
