import StateStore

/// etcd decides on all conditions of a transaction before its first step, those of nested
/// transactions included, which by the store's rules see what the steps before them did. Where that
/// makes a difference, the conditions are decided here, on records that the transaction then
/// requires to be unchanged: one condition for each record that it looks at or changes, which
/// count towards the limit of conditions.
extension EtcdStateStore {
  /// How often records may change before the transaction is run.
  private static let attempts = 256

  /// Runs a transaction whose nested conditions see earlier steps.
  func transactInSteps(_ transaction: Transaction) async throws -> TransactionResponse {
    let ranges = Array(transaction.rangesTouched)
    for _ in 0..<Self.attempts {
      let (records, revision) = try await snapshot(of: ranges)
      let decided = try transaction.decide(on: records, at: revision)
      let guards = ranges.map { range in
        // Holds also for ranges without records.
        Compare(range, .less, .modifyRevision(revision + 1))
      }
      let unchanged = records.map { record in
        Compare(.key(record.key), .equal, .createRevision(record.createRevision))
      }
      let guarded = Transaction(when: guards + unchanged, do: [.transaction(decided)])
      try guarded.validate()
      let response = try await run(guarded)
      guard response.succeeded, case .transaction(var inner)? = response.responses.first else {
        continue
      }
      inner.revision = response.revision
      return inner
    }
    throw StateStoreError(
      .unavailable, "the records of the transaction change all the time",
      metadata: ["outcome": "none"])
  }

  /// The records of the ranges as of one revision.
  private func snapshot(
    of ranges: [KeyRange]
  ) async throws -> (records: [KeyValue], revision: Revision) {
    let reads = Transaction(do: ranges.map { .range(RangeRequest($0)) })
    try reads.validate()
    let response = try await run(reads)
    var records: [Key: KeyValue] = [:]
    for case .range(let range) in response.responses {
      for record in range.items { records[record.key] = record }
    }
    return (Array(records.values), response.revision)
  }
}

extension Transaction {
  /// Whether a nested condition looks at keys that a step before it may change.
  var nestedConditionsSeeEarlierSteps: Bool {
    var changed: [KeyRange] = []
    return [success, failure].contains { branch in
      changed = []
      return Transaction.seesEarlierSteps(branch, &changed)
    }
  }

  private static func seesEarlierSteps(
    _ branch: [Operation], _ changed: inout [KeyRange]
  ) -> Bool {
    for operation in branch {
      switch operation {
      case .range: break
      case .put(let request): changed.append(.key(request.key))
      case .delete(let request): changed.append(request.keys)
      case .transaction(let nested):
        let overlaps = nested.compares.contains { compare in
          changed.contains { $0.overlaps(compare.keys) }
        }
        if overlaps { return true }
        for inner in [nested.success, nested.failure] where seesEarlierSteps(inner, &changed) {
          return true
        }
      }
    }
    return false
  }

  /// The keys that conditions look at and that steps change.
  var rangesTouched: Set<KeyRange> {
    var ranges = Set(compares.map(\.keys))
    for operation in success + failure {
      switch operation {
      case .range: break
      case .put(let request): ranges.insert(.key(request.key))
      case .delete(let request): ranges.insert(request.keys)
      case .transaction(let nested): ranges.formUnion(nested.rangesTouched)
      }
    }
    return ranges
  }

  /// The transaction with its conditions replaced by what they are on these records.
  fileprivate func decide(on records: [KeyValue], at revision: Revision) throws -> Transaction {
    let table = RecordTable(
      revision: revision,
      records: Dictionary(records.map { ($0.key, $0) }) { first, _ in first })
    var staging = Staging(
      base: table, recent: RecentHistory(after: revision), compactRevision: 0,
      leases: leasesNamed.union(records.compactMap(\.lease))
    ) { _, _ in [] }
    return decided(like: try staging.run(withoutReads))
  }

  private func decided(like response: TransactionResponse) -> Transaction {
    let branch = response.succeeded ? success : failure
    let operations = zip(branch, response.responses).map { operation, answer in
      guard case .transaction(let nested) = operation, case .transaction(let inner) = answer else {
        return operation
      }
      return .transaction(nested.decided(like: inner))
    }
    return response.succeeded
      ? Transaction(do: operations)
      : Transaction(
        when: [Compare(.key(Key(bytes: [0])), .less, .version(0))], do: [], otherwise: operations)
  }

  /// The same steps, in which reads are of nothing.
  private var withoutReads: Transaction {
    func bare(_ operation: Operation) -> Operation {
      switch operation {
      case .range: .range(RangeRequest(.key(Key(bytes: [0]))))
      case .transaction(let nested): .transaction(nested.withoutReads)
      case .put, .delete: operation
      }
    }
    return Transaction(when: compares, do: success.map(bare), otherwise: failure.map(bare))
  }

  /// The leases that its puts name: whether they live is for etcd to say.
  private var leasesNamed: Set<LeaseID> {
    var leases: Set<LeaseID> = []
    for operation in success + failure {
      switch operation {
      case .put(let request): if let lease = request.lease { leases.insert(lease) }
      case .transaction(let nested): leases.formUnion(nested.leasesNamed)
      case .range, .delete: break
      }
    }
    return leases
  }
}

extension KeyRange {
  /// Whether a key can be in both.
  func overlaps(_ other: KeyRange) -> Bool {
    !isEmpty && !other.isEmpty && !ends(before: other.start) && !other.ends(before: start)
  }

  private func ends(before key: Key) -> Bool {
    switch end {
    case .onlyStart: start < key
    case .before(let end): !(key < end)
    case .unbounded: false
    }
  }
}
