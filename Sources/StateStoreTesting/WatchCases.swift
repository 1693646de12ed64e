import StateStore

extension StateStoreConformance {
  static let watchCases: [ConformanceCase] = [
    ConformanceCase("a watch tells what comes after it, one batch for each revision") { store, _ in
      try await store.put("w/old", [])
      let stream = try await store.watch(WatchRequest(.prefix("w/")))
      let start = try await store.currentRevision()
      try expectEqual(stream.revision, start)
      try await store.put("w/a", bytes("1"))
      try await store.put("other", [])
      _ = try await store.transact(
        Transaction(do: [.put("w/b", []), .put("x", []), .delete("w/a"), .put("w/c", [])]))
      let batches = try await stream.batches(2)
      try expectEqual(batches.map(\.revision), [start + 1, start + 3])
      try expectEqual(batches[0].events.map(\.record.key), ["w/a"])
      try expectEqual(batches[0].events[0].isCreation, true)
      try expectEqual(batches[1].events.map(\.record.key), ["w/b", "w/a", "w/c"])
      try expectEqual(batches[1].events.map(\.kind), [.put, .delete, .put])
      try expectEqual(
        batches[1].events[1].record,
        KeyValue(
          key: "w/a", value: [], createRevision: 0, modifyRevision: start + 3, version: 0))
      try expectEqual(batches[1].events.map(\.previous), [nil, nil, nil])
    },
    ConformanceCase("a watch from the revision after a list misses nothing") { store, _ in
      try await store.put("k/0", [])
      let list = try await store.list(prefix: "k/")
      for number in 1...20 { try await store.put(Key("k/\(number)"), []) }
      let stream = try await store.watch(WatchRequest(.prefix("k/"), from: list.revision + 1))
      for number in 21...30 { try await store.put(Key("k/\(number)"), []) }
      let batches = try await stream.batches(30)
      try expectEqual(batches.map(\.revision), Array(list.revision + 1...list.revision + 30))
      try expectEqual(
        batches.flatMap(\.events).map(\.record.key), (1...30).map { Key("k/\($0)") })
    },
    ConformanceCase("a watch from history delivers everything in order") { store, _ in
      let start = try await store.currentRevision()
      for number in 0..<700 {
        try await store.put(Key("k\(number % 7)"), bytes("\(number)"))
      }
      let stream = try await store.watch(
        WatchRequest(.key("k3"), from: start + 1, wantsPrevious: true))
      let batches = try await stream.batches(100)
      var last: KeyValue?
      for (index, batch) in batches.enumerated() {
        try expectEqual(batch.revision, start + Revision(index * 7 + 4))
        try expectEqual(batch.events.first?.record.value, bytes("\(index * 7 + 3)"))
        try expectEqual(batch.events.first?.previous, last)
        last = batch.events.first?.record
      }
    },
    ConformanceCase("a watch may begin in the future") { store, _ in
      let start = try await store.currentRevision()
      let stream = try await store.watch(WatchRequest(.all, from: start + 3))
      for _ in 1...4 { try await store.put("k", []) }
      try expectEqual(try await stream.batches(2).map(\.revision), [start + 3, start + 4])
    },
    ConformanceCase("previous records and filters") { store, _ in
      try await store.put("k", bytes("1"))
      let before = try await store.get("k")
      let all = try await store.watch(WatchRequest(.key("k"), wantsPrevious: true))
      let puts = try await store.watch(WatchRequest(.key("k"), ignoresDeletes: true))
      let deletes = try await store.watch(WatchRequest(.key("k"), ignoresPuts: true))
      try await store.put("k", bytes("2"))
      let middle = try await store.get("k")
      try await store.delete("k")
      try await store.put("k", bytes("3"))
      let batches = try await all.batches(3)
      try expectEqual(batches.map { $0.events[0].previous }, [before, middle, nil])
      try expectEqual(batches.map { $0.events[0].isCreation }, [false, false, true])
      try expectEqual(
        try await puts.batches(2).map { $0.events[0].record.value }, [bytes("2"), bytes("3")])
      try expectEqual(try await deletes.batches(1)[0].events.map(\.kind), [.delete])
    },
    ConformanceCase("progress comes on demand, after what it covers") { store, _ in
      let stream = try await store.watch(WatchRequest(.key("k")))
      let first = try await store.put("k", [])
      let second = try await store.put("other", [])
      try await stream.requestProgress()
      try expectEqual(try await stream.batch().revision, first)
      let progress = try await stream.batch()
      try expectEqual(progress.events, [])
      try expect(progress.revision >= second, "progress \(progress.revision) is before \(second)")
    },
    ConformanceCase("a cancelled watch ends, and so does a cancelled consumer") { store, _ in
      let stream = try await store.watch(WatchRequest(.all))
      stream.cancel()
      try expectEqual(try await stream.next(), nil)
      let other = try await store.watch(WatchRequest(.all))
      let consumer = Task { try await other.next() }
      consumer.cancel()
      do {
        let batch = try await consumer.value
        throw ConformanceViolation(
          description: "a cancelled consumer got \(String(describing: batch))")
      } catch is CancellationError {
        // As it should be.
      }
      let revision = try await store.put("k", [])
      try expectEqual(try await other.batch().revision, revision, "the watch itself goes on")
    },
    ConformanceCase("a watcher that falls too far behind is told to read again") { store, _ in
      let stream = try await store.watch(WatchRequest(.key("k"), backlogLimit: 50))
      let first = try await store.put("k", bytes("0"))
      try expectEqual(try await stream.batch().revision, first)
      try await stream.requestProgress()
      try expectEqual(try await stream.batch().events, [])
      for number in 1...200 { try await store.put("k", bytes("\(number)")) }
      // A store may have delivered some, in order; then it must say that the rest is lost.
      var next = first + 1
      do {
        while next <= first + 200 {
          let batch = try await stream.batch()
          if batch.events.isEmpty { continue }
          try expectEqual(batch.revision, next)
          next += 1
        }
        throw ConformanceViolation(description: "the watcher was not cut off")
      } catch let error as StateStoreError {
        try expectEqual(error.requiresResynchronisation, true)
      }
    },
    ConformanceCase("senseless watches are refused") { store, _ in
      try await expectError(.invalidRequest) {
        try await store.watch(WatchRequest(.key(Key(""))))
      }
      try await expectError(.invalidRequest) {
        try await store.watch(WatchRequest(.all, from: -1))
      }
    },
    ConformanceCase("many watchers under many writers see the same history") { store, _ in
      let start = try await store.currentRevision()
      let keys = (0..<5).map { Key("k\($0)") }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for watcher in 0..<8 {
          let request = WatchRequest(.prefix("k"), from: watcher % 2 == 0 ? start + 1 : nil)
          let stream = try await store.watch(request)
          group.addTask {
            let batches = try await stream.batches(200)
            try expectEqual(
              batches.map(\.revision), Array(start + 1...start + 200), "watcher \(watcher)")
          }
        }
        for writer in 0..<10 {
          group.addTask {
            for number in 0..<20 {
              try await store.put(keys[(writer + number) % keys.count], bytes("\(number)"))
            }
          }
        }
        try await group.waitForAll()
      }
    },
  ]
}
