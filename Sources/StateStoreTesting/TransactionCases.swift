import StateStore

extension StateStoreConformance {
  static let transactionCases: [ConformanceCase] = [
    ConformanceCase("all changes of a transaction share one revision") { store, _ in
      let start = try await store.currentRevision()
      try await store.put("old", bytes("x"))
      let response = try await store.transact(
        Transaction(do: [.put("a", []), .put("b", []), .delete("old"), .delete("missing")]))
      try expectEqual(response.revision, start + 2)
      try expectEqual(response.succeeded, true)
      try expectEqual(
        response.responses,
        [
          .put(previous: nil), .put(previous: nil), .delete(count: 1, previous: []),
          .delete(count: 0, previous: []),
        ])
      for key: Key in ["a", "b"] {
        try expectEqual(try await store.get(key)?.modifyRevision, start + 2)
      }
    },
    ConformanceCase("a transaction that changes nothing takes no revision") { store, _ in
      let start = try await store.put("a", [])
      let response = try await store.transact(
        Transaction(do: [.delete("missing"), .range(RangeRequest(.all))]))
      try expectEqual(response.revision, start)
      try expectEqual(try await store.currentRevision(), start)
    },
    ConformanceCase("every comparison, on records and on none") { store, harness in
      let lease = try await store.grantLease(timeToLive: harness.timeToLive).id
      try await store.put("k", bytes("b"), lease: lease)
      let revision = try await store.put("k", bytes("m"), lease: lease)
      let cases: [(Compare, Bool)] = [
        (Compare(.key("k"), .equal, .version(2)), true),
        (Compare(.key("k"), .greater, .version(2)), false),
        (Compare(.key("k"), .less, .version(3)), true),
        (Compare(.key("k"), .notEqual, .version(2)), false),
        (Compare(.key("k"), .equal, .createRevision(revision - 1)), true),
        (Compare(.key("k"), .notEqual, .createRevision(revision - 1)), false),
        (.modifyRevision(of: "k", is: revision), true),
        (Compare(.key("k"), .less, .modifyRevision(revision)), false),
        (Compare(.key("k"), .equal, .value(bytes("m"))), true),
        (Compare(.key("k"), .greater, .value(bytes("a"))), true),
        (Compare(.key("k"), .less, .value(bytes("ma"))), true),
        (Compare(.key("k"), .notEqual, .value([])), true),
        (Compare(.key("k"), .equal, .lease(lease)), true),
        (Compare(.key("k"), .notEqual, .lease(nil)), true),
        (Compare(.key("none"), .equal, .version(0)), true),
        (Compare(.key("none"), .less, .createRevision(1)), true),
        (Compare(.key("none"), .equal, .lease(nil)), true),
        (Compare(.key("none"), .equal, .value([])), false),
        (Compare(.key("none"), .notEqual, .value(bytes("m"))), false),
        (.exists("k"), true), (.exists("none"), false), (.missing("none"), true),
        (Compare(.all, .greater, .version(1)), true),
      ]
      for (compare, expected) in cases {
        let response = try await store.transact(Transaction(when: [compare], do: []))
        try expectEqual(response.succeeded, expected, "\(compare)")
      }
      try await store.put("l", bytes("m"))
      let all = try await store.transact(
        Transaction(when: [Compare(.all, .greater, .version(1))], do: []))
      try expectEqual(all.succeeded, false, "a range must hold for every record")
    },
    ConformanceCase("the failure branch runs when a condition fails") { store, _ in
      try await store.put("k", bytes("1"))
      let response = try await store.transact(
        Transaction(
          when: [.exists("k"), .missing("k")], do: [.put("k", bytes("yes"))],
          otherwise: [.put("k", bytes("no")), .range(RangeRequest(.key("k")))]))
      try expectEqual(response.succeeded, false)
      guard case .range(let range)? = response.responses.last else {
        throw ConformanceViolation(description: "the second answer is no range")
      }
      try expectEqual(range.items.first?.value, bytes("no"), "a step sees the ones before it")
      try expectEqual(range.revision, response.revision)
    },
    ConformanceCase("previous records are answered on demand") { store, _ in
      try await store.put("a", bytes("1"))
      try await store.put("b", bytes("2"))
      let before = try await store.range(RangeRequest(.all)).items
      let response = try await store.transact(
        Transaction(do: [
          .put(PutRequest("a", bytes("3"), wantsPrevious: true)),
          .put(PutRequest("new", [], wantsPrevious: true)),
          .delete(DeleteRequest(.interval("b", "c"), wantsPrevious: true)),
        ]))
      try expectEqual(
        response.responses,
        [
          .put(previous: before[0]), .put(previous: nil),
          .delete(count: 1, previous: [before[1]]),
        ])
    },
    ConformanceCase("changing a key twice is refused and changes nothing") { store, _ in
      let start = try await store.currentRevision()
      let put = Operation.put("k", [])
      let range = Operation.delete(DeleteRequest(.prefix("k")))
      let refused: [Transaction] = [
        Transaction(do: [put, put]), Transaction(do: [put, range]), Transaction(do: [range, put]),
        Transaction(do: [], otherwise: [put, put]),
        Transaction(do: [put, .transaction(Transaction(do: [put]))]),
        Transaction(do: [.transaction(Transaction(do: [put])), put]),
        Transaction(do: [
          .transaction(Transaction(do: [put])), .transaction(Transaction(do: [], otherwise: [put])),
        ]),
        Transaction(do: [range, .transaction(Transaction(do: [put]))]),
      ]
      for transaction in refused {
        try await expectError(.duplicateKey) { try await store.transact(transaction) }
      }
      try expectEqual(try await store.currentRevision(), start)
      let allowed: [Transaction] = [
        Transaction(do: [put], otherwise: [put]),
        Transaction(do: [.transaction(Transaction(do: [put], otherwise: [range]))]),
        Transaction(do: [range, .delete("k")]),
      ]
      for transaction in allowed { _ = try await store.transact(transaction) }
    },
    ConformanceCase("a nested transaction sees what came before it") { store, _ in
      let start = try await store.currentRevision()
      let response = try await store.transact(
        Transaction(do: [
          .put("a", bytes("1")),
          .transaction(
            Transaction(
              when: [Compare(.key("a"), .equal, .value(bytes("1")))],
              do: [.put("b", bytes("seen"))], otherwise: [.put("b", bytes("unseen"))])),
        ]))
      try expectEqual(response.revision, start + 1)
      guard case .transaction(let nested)? = response.responses.last else {
        throw ConformanceViolation(description: "the second answer is no transaction")
      }
      try expectEqual(nested.succeeded, true)
      try expectEqual(try await store.get("b")?.value, bytes("seen"))
      try expectEqual(try await store.get("b")?.modifyRevision, start + 1)
    },
    ConformanceCase("a transaction that fails half-way changes nothing") { store, _ in
      let start = try await store.put("a", bytes("1"))
      try await expectError(.leaseNotFound) {
        try await store.transact(
          Transaction(do: [
            .put("a", bytes("2")), .put("b", [], lease: LeaseID(rawValue: 4_711)),
          ]))
      }
      try await expectError(.keyNotFound) {
        try await store.transact(
          Transaction(do: [
            .put("a", bytes("2")), .put(PutRequest("b", [], keepsValue: true)),
          ]))
      }
      try expectEqual(try await store.get("a")?.value, bytes("1"))
      try expectEqual(try await store.currentRevision(), start)
    },
    ConformanceCase("a put can keep the value or the lease") { store, harness in
      let lease = try await store.grantLease(timeToLive: harness.timeToLive).id
      try await store.put("k", bytes("v"), lease: lease)
      _ = try await store.transact(
        Transaction(do: [.put(PutRequest("k", bytes("w"), keepsLease: true))]))
      try expectEqual(try await store.get("k")?.lease, lease)
      try expectEqual(try await store.get("k")?.value, bytes("w"))
      _ = try await store.transact(Transaction(do: [.put(PutRequest("k", [], keepsValue: true))]))
      try expectEqual(try await store.get("k")?.lease, nil)
      try expectEqual(try await store.get("k")?.value, bytes("w"))
      try expectEqual(try await store.get("k")?.version, 3)
      for put in [
        PutRequest("k", bytes("x"), keepsValue: true),
        PutRequest("k", [], lease: lease, keepsLease: true), PutRequest(Key(""), []),
      ] {
        try await expectError(.invalidRequest) {
          try await store.transact(Transaction(do: [.put(put)]))
        }
      }
    },
    ConformanceCase("conditional puts and deletions") { store, _ in
      let first = try await store.put("k", bytes("1"), ifRevision: 0)
      try await expectError(.conflict) { try await store.put("k", bytes("x"), ifRevision: 0) }
      let second = try await store.put("k", bytes("2"), ifRevision: first)
      try await expectError(.conflict) { try await store.put("k", bytes("x"), ifRevision: first) }
      try await expectError(.conflict) { try await store.delete("k", ifRevision: first) }
      try expectEqual(try await store.get("k")?.value, bytes("2"))
      try await store.delete("k", ifRevision: second)
      try await expectError(.conflict) { try await store.delete("k", ifRevision: second) }
      try await expectError(.conflict) { try await store.delete("k", ifRevision: 0) }
      for number in 1...3 { try await store.put(Key("p/\(number)"), []) }
      let before = try await store.currentRevision()
      try expectEqual(try await store.delete(prefix: "p/"), 3)
      try expectEqual(try await store.currentRevision(), before + 1)
    },
    ConformanceCase("transactions beyond the limits are refused") { store, _ in
      let many = (0...Transaction.operationLimit).map { Operation.put(Key("k\($0)"), []) }
      try await expectError(.requestTooLarge) {
        try await store.transact(Transaction(do: many))
      }
      _ = try await store.transact(Transaction(do: Array(many.dropLast())))
      try await expectError(.requestTooLarge) {
        try await store.put("big", [UInt8](repeating: 0, count: Transaction.byteLimit + 1))
      }
      let large = [UInt8](repeating: 7, count: 1_000_000)
      try await store.put("large", large)
      try expectEqual(try await store.get("large")?.value, large)
    },
    ConformanceCase("of many writers with the same condition one wins") { store, _ in
      let start = try await store.put("k", [])
      let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<40 {
          group.addTask {
            try await store.transact(
              Transaction(
                when: [.modifyRevision(of: "k", is: start)], do: [.put("k", bytes("\(number)"))])
            ).succeeded
          }
        }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      try expectEqual(winners, 1)
      try expectEqual(try await store.get("k")?.version, 2)
    },
    ConformanceCase("concurrent writers each get a revision of their own") { store, _ in
      let start = try await store.currentRevision()
      let revisions = try await withThrowingTaskGroup(of: Revision.self) { group in
        for number in 0..<100 {
          group.addTask { try await store.put(Key("k\(number)"), []) }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      try expectEqual(revisions.sorted(), Array(start + 1...start + 100))
      try expectEqual(try await store.range(RangeRequest(.prefix("k"))).count, 100)
    },
  ]
}
