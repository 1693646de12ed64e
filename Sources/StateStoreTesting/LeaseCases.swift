import StateStore

extension StateStoreConformance {
  static let leaseCases: [ConformanceCase] = [
    ConformanceCase("an expired lease takes its keys along in one revision") { store, harness in
      let grant = try await store.grantLease(timeToLive: harness.timeToLive)
      try expect(grant.timeToLive >= harness.timeToLive, "the grant is too short")
      try await store.put("l/a", [], lease: grant.id)
      let last = try await store.put("l/b", [], lease: grant.id)
      try await store.put("l/free", [], lease: grant.id)
      try await store.put("l/free", [])
      let stream = try await store.watch(WatchRequest(.prefix("l/"), from: last + 1))
      _ = try await stream.batches(2)
      try await harness.advance(grant.timeToLive + .milliseconds(1))
      let batch = try await stream.batches(1)[0]
      try expectEqual(batch.revision, last + 3)
      try expectEqual(batch.events.map(\.kind), [.delete, .delete])
      try expectEqual(Set(batch.events.map(\.record.key)), ["l/a", "l/b"])
      try expectEqual(try await store.range(RangeRequest(.all)).items.map(\.key), ["l/free"])
      try expectEqual(try await store.leaseStatus(grant.id), nil)
      try await expectError(.leaseNotFound) { try await store.keepAlive(grant.id) }
      try await expectError(.leaseNotFound) { try await store.revoke(grant.id) }
      try await expectError(.leaseNotFound) { try await store.put("k", [], lease: grant.id) }
    },
    ConformanceCase("a lease that is kept alive lives on") { store, harness in
      let grant = try await store.grantLease(timeToLive: harness.timeToLive)
      try await store.put("k", [], lease: grant.id)
      for _ in 0..<4 {
        try await harness.advance(grant.timeToLive / 2)
        try expect(
          try await store.keepAlive(grant.id) >= harness.timeToLive, "the time left is too short")
      }
      try expectEqual(try await store.get("k")?.lease, grant.id)
      let status = try await store.leaseStatus(grant.id)
      try expectEqual(status?.keys, ["k"])
      try expectEqual(status?.granted, grant.timeToLive)
      try expect(
        status.map { $0.remaining <= $0.granted && $0.remaining > .zero } ?? false,
        "remaining \(String(describing: status?.remaining))")
    },
    ConformanceCase("revoking deletes the keys in one revision") { store, harness in
      let lease = LeaseID(rawValue: 0x1234_5678_9ABC)
      try expectEqual(
        try await store.grantLease(timeToLive: harness.timeToLive, id: lease).id, lease)
      try await expectError(.leaseExists) {
        try await store.grantLease(timeToLive: harness.timeToLive, id: lease)
      }
      let other = try await store.grantLease(timeToLive: harness.timeToLive).id
      try expectEqual(try await store.leases(), [lease, other].sorted())
      for key: Key in ["a", "b", "c"] { try await store.put(key, [], lease: lease) }
      try await store.put("c", [], lease: other)
      try await store.delete("b")
      let last = try await store.put("free", [])
      try expectEqual(try await store.leaseStatus(lease)?.keys, ["a"])
      try expectEqual(try await store.revoke(lease), last + 1)
      try expectEqual(
        try await store.range(RangeRequest(.all)).items.map(\.key), ["c", "free"])
      try expectEqual(try await store.leases(), [other])
      try expectEqual(try await store.revoke(other), last + 2)
      let empty = try await store.grantLease(timeToLive: harness.timeToLive).id
      try expectEqual(try await store.revoke(empty), last + 2, "there was nothing to delete")
    },
    ConformanceCase("senseless leases are refused") { store, harness in
      try await expectError(.invalidRequest) { try await store.grantLease(timeToLive: .zero) }
      try await expectError(.invalidRequest) {
        try await store.grantLease(timeToLive: .seconds(-1))
      }
      try await expectError(.invalidRequest) {
        try await store.grantLease(timeToLive: .seconds(10_000_000_000))
      }
      try await expectError(.leaseNotFound) {
        try await store.keepAlive(LeaseID(rawValue: 99))
      }
      try await expectError(.leaseNotFound) { try await store.revoke(LeaseID(rawValue: 99)) }
      try expectEqual(try await store.leaseStatus(LeaseID(rawValue: 99)), nil)
    },
  ]
}
