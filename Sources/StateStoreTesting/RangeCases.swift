import StateStore

extension StateStoreConformance {
  static let rangeCases: [ConformanceCase] = [
    ConformanceCase("an empty store has no records") { store, _ in
      let response = try await store.range(RangeRequest(.all))
      try expectEqual(response.items, [])
      try expectEqual(response.count, 0)
      try expectEqual(response.more, false)
      try expect(response.revision >= 1, "the revision of an empty store is at least 1")
      try expectEqual(try await store.get("missing"), nil)
    },
    ConformanceCase("a put is read back with its revisions") { store, _ in
      let start = try await store.currentRevision()
      try expectEqual(try await store.put("k", bytes("1")), start + 1)
      try expectEqual(try await store.put("k", bytes("2")), start + 2)
      try expectEqual(
        try await store.get("k"),
        KeyValue(
          key: "k", value: bytes("2"), createRevision: start + 1, modifyRevision: start + 2,
          version: 2))
      try expectEqual(try await store.delete("k"), true)
      try expectEqual(try await store.delete("k"), false)
      try expectEqual(try await store.currentRevision(), start + 3)
      try await store.put("k", bytes("3"))
      let again = try await store.get("k")
      try expectEqual(again?.createRevision, start + 4)
      try expectEqual(again?.version, 1)
    },
    ConformanceCase("keys and values are bytes") { store, _ in
      let key = Key(bytes: [0, 255, 10, 0])
      try await store.put(key, [0, 255, 0])
      try await store.put("empty", [])
      try expectEqual(try await store.get(key)?.value, [0, 255, 0])
      try expectEqual(try await store.get("empty")?.value, [])
      try expectEqual(try await store.range(RangeRequest(.all)).items.first?.key, key)
    },
    ConformanceCase("ranges are half-open, prefixes and open ends hold") { store, _ in
      let keys: [Key] = ["a", "a/", "a/1", "a/2", "a0", "b", Key(bytes: [0x61, 0xFF])]
      for key in keys { try await store.put(key, key.bytes) }
      func found(_ range: KeyRange) async throws -> [Key] {
        try await store.range(RangeRequest(range)).items.map(\.key)
      }
      let end = Key(bytes: [0x61, 0xFF])
      try expectEqual(try await found(.key("a")), ["a"])
      try expectEqual(try await found(.interval("a/1", "a0")), ["a/1", "a/2"])
      try expectEqual(try await found(.interval("b", "a")), [])
      try expectEqual(try await found(.interval("a", "a")), [])
      try expectEqual(try await found(.prefix("a/")), ["a/", "a/1", "a/2"])
      try expectEqual(try await found(.prefix(end)), [end])
      try expectEqual(try await found(.from("a0")), ["a0", end, "b"])
      try expectEqual(try await found(.all), ["a", "a/", "a/1", "a/2", "a0", end, "b"])
      try expectEqual(try await found(.prefix(Key(""))).count, keys.count)
      let list = try await store.list(prefix: "a/")
      try expectEqual(list.items.count, 3)
      try expectEqual(list.revision, try await store.currentRevision())
    },
    ConformanceCase("limit, more, count, keysOnly and countOnly") { store, _ in
      for number in 1...5 { try await store.put(Key("k\(number)"), bytes("v\(number)")) }
      let two = try await store.range(RangeRequest(.prefix("k"), limit: 2))
      try expectEqual(two.items.map(\.key), ["k1", "k2"])
      try expectEqual(two.more, true)
      try expectEqual(two.count, 5)
      let five = try await store.range(RangeRequest(.prefix("k"), limit: 5))
      try expectEqual(five.more, false)
      let keys = try await store.range(RangeRequest(.prefix("k"), limit: 1, keysOnly: true))
      try expectEqual(keys.items.first?.value, [])
      try expectEqual(keys.items.first?.version, 1)
      let count = try await store.range(RangeRequest(.prefix("k"), limit: 1, countOnly: true))
      try expectEqual(count.items, [])
      try expectEqual(count.count, 5)
      try expectEqual(count.more, false)
    },
    ConformanceCase("sort order and target") { store, _ in
      try await store.put("a", bytes("3"))
      try await store.put("b", bytes("1"))
      try await store.put("c", bytes("2"))
      try await store.put("b", bytes("1"))
      try await store.put("b", bytes("1"))
      try await store.put("a", bytes("3"))
      func sorted(
        _ order: RangeRequest.SortOrder, _ target: RangeRequest.SortTarget, limit: Int = 0
      ) async throws -> [Key] {
        try await store.range(
          RangeRequest(.all, limit: limit, sortOrder: order, sortTarget: target)
        ).items.map(\.key)
      }
      try expectEqual(try await sorted(.descending, .key), ["c", "b", "a"])
      try expectEqual(try await sorted(.ascending, .key), ["a", "b", "c"])
      try expectEqual(try await sorted(.ascending, .version), ["c", "a", "b"])
      try expectEqual(try await sorted(.descending, .version, limit: 1), ["b"])
      try expectEqual(try await sorted(.descending, .createRevision), ["c", "b", "a"])
      try expectEqual(try await sorted(.none, .modifyRevision), ["c", "b", "a"])
      try expectEqual(try await sorted(.ascending, .value), ["b", "c", "a"])
      try expectEqual(try await sorted(.descending, .value, limit: 2), ["a", "c"])
    },
    ConformanceCase("revision filters leave records out but not out of the count") { store, _ in
      let start = try await store.currentRevision()
      for key: Key in ["a", "b", "c"] { try await store.put(key, []) }
      try await store.put("a", [])
      let changed = try await store.range(
        RangeRequest(
          .all, minimumModifyRevision: start + 3, maximumModifyRevision: start + 4,
          maximumCreateRevision: start + 1))
      try expectEqual(changed.items.map(\.key), ["a"])
      try expectEqual(changed.count, 3)
      let created = try await store.range(RangeRequest(.all, minimumCreateRevision: start + 2))
      try expectEqual(created.items.map(\.key), ["b", "c"])
    },
    ConformanceCase("senseless ranges are refused") { store, _ in
      try await expectError(.invalidRequest) {
        try await store.range(RangeRequest(.key(Key(""))))
      }
      try await expectError(.invalidRequest) {
        try await store.range(RangeRequest(.interval("a", Key(""))))
      }
      try await expectError(.invalidRequest) {
        try await store.range(RangeRequest(.interval("a", Key(bytes: [0]))))
      }
      try await expectError(.invalidRequest) {
        try await store.range(RangeRequest(.all, limit: -1))
      }
      try await expectError(.invalidRequest) {
        try await store.range(RangeRequest(.all, revision: -1))
      }
    },
  ]
}
