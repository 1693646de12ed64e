import StateStore

/// Numbers that look random and are the same for the same seed.
package struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  /// A generator whose numbers follow from `seed`.
  package init(seed: UInt64) {
    state = seed
  }

  /// The next number (SplitMix64).
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// A store so simple that it is evidently right: it keeps every revision's records whole.
private struct Model {
  var history: [Revision: [Key: KeyValue]]
  var events: [(Revision, [WatchEvent])] = []
  var revision: Revision
  var compacted: Revision = 0

  init(revision: Revision) {
    self.revision = revision
    history = [revision: [:]]
  }

  var records: [Key: KeyValue] { history[revision] ?? [:] }

  func records(in range: KeyRange, at revision: Revision) -> [KeyValue] {
    (history[revision] ?? [:]).values.filter { range.contains($0.key) }.sorted { $0.key < $1.key }
  }

  mutating func run(_ transaction: Transaction) -> TransactionResponse {
    var working = records
    var events: [WatchEvent] = []
    let succeeded = transaction.compares.allSatisfy { compare in
      let record = working[compare.keys.start]
      switch compare.target {
      case .modifyRevision(let wanted): return (record?.modifyRevision ?? 0) == wanted
      case .value(let wanted): return record.map { $0.value == wanted } ?? false
      default: return false
      }
    }
    var responses: [OperationResponse] = []
    for operation in succeeded ? transaction.success : transaction.failure {
      switch operation {
      case .put(let put):
        let old = working[put.key]
        let record = KeyValue(
          key: put.key, value: put.value, createRevision: old?.createRevision ?? revision + 1,
          modifyRevision: revision + 1, version: (old?.version ?? 0) + 1)
        working[put.key] = record
        events.append(WatchEvent(kind: .put, record: record, previous: old))
        responses.append(.put(previous: put.wantsPrevious ? old : nil))
      case .delete(let delete):
        let found = working.values.filter { delete.keys.contains($0.key) }
          .sorted { $0.key < $1.key }
        for record in found {
          working[record.key] = nil
          let tombstone = KeyValue(
            key: record.key, value: [], createRevision: 0, modifyRevision: revision + 1,
            version: 0)
          events.append(WatchEvent(kind: .delete, record: tombstone, previous: record))
        }
        responses.append(
          .delete(count: found.count, previous: delete.wantsPrevious ? found : []))
      case .range, .transaction: break
      }
    }
    if !events.isEmpty {
      revision += 1
      history[revision] = working
      self.events.append((revision, events))
    }
    return TransactionResponse(revision: revision, succeeded: succeeded, responses: responses)
  }
}

/// Makes random requests.
private struct RequestMaker {
  var generator: SeededGenerator

  mutating func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

  mutating func key() -> Key { Key("k/\(number(4))/\(number(6))") }

  mutating func range() -> KeyRange {
    switch number(6) {
    case 0: .prefix(Key("k/\(number(4))/"))
    case 1: .interval(key(), key())
    case 2: .from(key())
    case 3: .all
    default: .key(key())
    }
  }

  mutating func transaction(_ model: Model) -> Transaction {
    var compares: [Compare] = []
    if number(3) == 0 {
      let key = key()
      let known = model.records[key]
      compares.append(
        number(2) == 0
          ? .modifyRevision(of: key, is: number(2) == 0 ? known?.modifyRevision ?? 0 : 1)
          : Compare(.key(key), .equal, .value(known?.value ?? bytes("x"))))
    }
    return Transaction(when: compares, do: operations(), otherwise: operations())
  }

  private mutating func operations() -> [Operation] {
    var operations: [Operation] = []
    var touched: [KeyRange] = []
    for _ in 0..<(1 + number(4)) {
      let wantsPrevious = number(2) == 0
      if number(3) == 0 {
        let range = range()
        let clashes = operations.contains { operation in
          if case .put(let put) = operation { range.contains(put.key) } else { false }
        }
        guard !clashes else { continue }
        touched.append(range)
        operations.append(.delete(DeleteRequest(range, wantsPrevious: wantsPrevious)))
      } else {
        let key = key()
        guard !touched.contains(where: { $0.contains(key) }) else { continue }
        touched.append(.key(key))
        let value = [UInt8](repeating: UInt8(number(256)), count: number(40))
        operations.append(.put(PutRequest(key, value, wantsPrevious: wantsPrevious)))
      }
    }
    return operations
  }
}

extension StateStoreConformance {
  static let randomOperations = ConformanceCase("random operations agree with a model") {
    store, _ in
    for seed: UInt64 in 1...3 { try await compareWithModel(store, seed: seed, steps: 600) }
  }

  private static func compareWithModel(
    _ store: any StateStore, seed: UInt64, steps: Int
  ) async throws {
    try await store.delete(prefix: "k/")
    var model = Model(revision: try await store.currentRevision())
    var maker = RequestMaker(generator: SeededGenerator(seed: seed))
    let first = model.revision + 1
    let live = try await store.watch(WatchRequest(.prefix("k/"), wantsPrevious: true))
    var told = 0
    func readLiveWatch() async throws {
      for (revision, events) in model.events.dropFirst(told) {
        try expectEqual(
          try await live.batches(1)[0], WatchBatch(revision: revision, events: events),
          "seed \(seed), live watch")
      }
      told = model.events.count
    }
    for step in 0..<steps {
      let what = "seed \(seed), step \(step)"
      switch maker.number(10) {
      case 0...5:
        let transaction = maker.transaction(model)
        try expectEqual(
          try await store.transact(transaction), model.run(transaction), "\(what) \(transaction)")
      case 6 where step % 97 == 0 && model.revision > max(model.compacted, first):
        try await readLiveWatch()
        model.compacted = model.revision - (model.revision - max(model.compacted, first)) / 2
        try await store.compact(to: model.compacted)
      default:
        let oldest = max(model.compacted, first - 1)
        let revision = oldest + Revision(maker.number(Int(model.revision - oldest) + 1))
        let range = maker.range()
        let response = try await store.range(RangeRequest(range, revision: revision))
        try expectEqual(
          response.items, model.records(in: range, at: revision), "\(what) at \(revision)")
      }
    }
    try await readLiveWatch()
    let late = try await store.watch(
      WatchRequest(.prefix("k/"), from: max(first, model.compacted + 1)))
    for (revision, events) in model.events where revision > model.compacted {
      let batch = try await late.batches(1)[0]
      try expectEqual(batch.revision, revision, "seed \(seed), late watch")
      try expectEqual(batch.events.map(\.record), events.map(\.record), "seed \(seed), late watch")
    }
  }
}
