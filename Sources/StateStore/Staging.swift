/// Works out what transactions do, one after the other, each on what the ones before it left,
/// without making it so: the store makes the change sets durable first. A pure calculation; reads
/// no clock.
package struct Staging {
  /// Reads the records of a range, in key order, as they were at a revision that is older than
  /// recent history.
  package typealias OlderRecords = (KeyRange, Revision) throws -> [KeyValue]

  private let base: RecordTable
  private let recent: RecentHistory
  private let compactRevision: Revision
  private let olderRecords: OlderRecords
  private var leases: Set<LeaseID>
  /// What the change sets changed, by key.
  private var staged: [Key: KeyValue?] = [:]
  /// The changes of the transaction being worked out, by key and in order.
  private var pending: [Key: KeyValue?] = [:]
  private var pendingChanges: [Change] = []
  /// The change sets so far.
  package private(set) var changeSets: [ChangeSet] = []

  /// Stages on top of `base`, which `recent` leads up to.
  package init(
    base: RecordTable, recent: RecentHistory, compactRevision: Revision, leases: Set<LeaseID>,
    olderRecords: @escaping OlderRecords
  ) {
    self.base = base
    self.recent = recent
    self.compactRevision = compactRevision
    self.leases = leases
    self.olderRecords = olderRecords
  }

  /// The revision after the transactions so far.
  package var revision: Revision {
    base.revision + Revision(changeSets.count)
  }

  /// Works out a transaction that passed `validate()`. When it throws, it has no effect.
  package mutating func run(_ transaction: Transaction) throws -> TransactionResponse {
    defer { discardPending() }
    var response = try branch(of: transaction)
    commitPending()
    response.revision = revision
    return response
  }

  /// Makes a lease known to the transactions that follow.
  package mutating func addLease(_ lease: LeaseID) {
    leases.insert(lease)
  }

  /// Ends a lease and deletes its keys.
  package mutating func endLease(_ lease: LeaseID) {
    defer { discardPending() }
    leases.remove(lease)
    var keys = base.keys(of: lease)
    for case (let key, let record) in staged {
      if record?.lease == lease { keys.insert(key) } else { keys.remove(key) }
    }
    for key in keys.sorted() {
      guard let previous = record(key) else { continue }
      change(key, to: nil, from: previous)
    }
    commitPending()
  }

  private mutating func discardPending() {
    pending = [:]
    pendingChanges = []
  }

  private mutating func commitPending() {
    guard !pendingChanges.isEmpty else { return }
    changeSets.append(ChangeSet(revision: revision + 1, changes: pendingChanges))
    staged.merge(pending) { _, new in new }
  }

  private mutating func branch(of transaction: Transaction) throws -> TransactionResponse {
    let succeeded = transaction.compares.allSatisfy(holds)
    let operations = succeeded ? transaction.success : transaction.failure
    var responses: [OperationResponse] = []
    responses.reserveCapacity(operations.count)
    for operation in operations { responses.append(try run(operation)) }
    return TransactionResponse(
      revision: revisionSeen, succeeded: succeeded, responses: responses)
  }

  private mutating func run(_ operation: Operation) throws -> OperationResponse {
    switch operation {
    case .range(let request): .range(try range(request))
    case .put(let request): .put(previous: try put(request))
    case .delete(let request): delete(request)
    case .transaction(let nested): .transaction(try branch(of: nested))
    }
  }

  /// The revision that a step of the transaction being worked out sees.
  private var revisionSeen: Revision {
    pendingChanges.isEmpty ? revision : revision + 1
  }

  private func record(_ key: Key) -> KeyValue? {
    if let change = pending[key] { return change }
    if let change = staged[key] { return change }
    return base.record(key)
  }

  private func records(in range: KeyRange) -> [KeyValue] {
    if range.end == .onlyStart { return record(range.start).map { [$0] } ?? [] }
    var changed = staged.filter { range.contains($0.key) }
    for (key, record) in pending where range.contains(key) { changed[key] = .some(record) }
    return overlay(changed, on: base.records(in: range))
  }

  private func holds(_ compare: Compare) -> Bool {
    let found = records(in: compare.keys)
    guard found.isEmpty else { return found.allSatisfy { compare.holds(for: $0) } }
    if case .value = compare.target { return false }
    return compare.holds(
      for: KeyValue(
        key: compare.keys.start, value: [], createRevision: 0, modifyRevision: 0, version: 0))
  }

  private mutating func change(_ key: Key, to current: KeyValue?, from previous: KeyValue?) {
    pending[key] = .some(current)
    pendingChanges.append(Change(key: key, current: current, previous: previous))
  }

  private mutating func put(_ request: PutRequest) throws -> KeyValue? {
    let previous = record(request.key)
    if (request.keepsValue || request.keepsLease) && previous == nil {
      throw StateStoreError(
        .keyNotFound, "the record whose value or lease is to be kept does not exist",
        metadata: ["key": request.key.string])
    }
    let lease = request.keepsLease ? previous?.lease : request.lease
    if let lease, !leases.contains(lease) { throw StateStoreError.leaseNotFound(lease) }
    let record = KeyValue(
      key: request.key, value: request.keepsValue ? previous?.value ?? [] : request.value,
      createRevision: previous?.createRevision ?? revision + 1, modifyRevision: revision + 1,
      version: (previous?.version ?? 0) + 1, lease: lease)
    change(request.key, to: record, from: previous)
    return request.wantsPrevious ? previous : nil
  }

  private mutating func delete(_ request: DeleteRequest) -> OperationResponse {
    let found = records(in: request.keys)
    for record in found { change(record.key, to: nil, from: record) }
    return .delete(count: found.count, previous: request.wantsPrevious ? found : [])
  }

  private func range(_ request: RangeRequest) throws -> RangeResponse {
    guard let wanted = request.revision, wanted > 0 else {
      return request.answer(from: records(in: request.keys), revision: revisionSeen)
    }
    guard wanted <= revision else {
      throw StateStoreError.futureRevision(wanted, newest: revision)
    }
    guard wanted >= compactRevision else {
      throw StateStoreError.compacted(wanted, oldest: compactRevision)
    }
    return request.answer(
      from: try records(in: request.keys, at: wanted), revision: revisionSeen)
  }

  private func records(in range: KeyRange, at wanted: Revision) throws -> [KeyValue] {
    if wanted >= base.revision {
      let later = changeSets.drop { $0.revision <= wanted }
      let own = [ChangeSet(revision: revision + 1, changes: pendingChanges)]
      return undo(later + own, in: range, from: records(in: range))
    }
    if let later = recent.changes(from: wanted + 1) {
      return undo(later, in: range, from: base.records(in: range))
    }
    return try olderRecords(range, wanted)
  }
}

extension Compare {
  /// Whether the condition holds for a record; one that does not exist has zeros.
  func holds(for record: KeyValue) -> Bool {
    switch target {
    case .version(let wanted): relation.holds(record.version, wanted)
    case .createRevision(let wanted): relation.holds(record.createRevision, wanted)
    case .modifyRevision(let wanted): relation.holds(record.modifyRevision, wanted)
    case .lease(let wanted): relation.holds(record.lease?.rawValue ?? 0, wanted?.rawValue ?? 0)
    case .value(let wanted): relation.holds(Key(bytes: record.value), Key(bytes: wanted))
    }
  }
}

extension Compare.Relation {
  fileprivate func holds<Value: Comparable>(_ left: Value, _ right: Value) -> Bool {
    switch self {
    case .equal: left == right
    case .notEqual: left != right
    case .less: left < right
    case .greater: left > right
    }
  }
}
