/// The records of one revision, in memory, in key order.
package struct RecordTable: Sendable {
  /// The revision whose records these are.
  package private(set) var revision: Revision
  /// The keys, sorted. An insertion moves the later ones by one place, which for the data sets of
  /// one node, and for a hundred thousand keys, is a few microseconds.
  private var keys: [Key] = []
  private var records: [Key: KeyValue] = [:]
  private var keysOfLease: [LeaseID: Set<Key>] = [:]

  /// The empty store's records, or those of a store that is loaded from elsewhere.
  package init(revision: Revision = 1, records: [Key: KeyValue] = [:]) {
    self.revision = revision
    self.records = records
    self.keys = records.keys.sorted()
    for record in records.values {
      if let lease = record.lease { keysOfLease[lease, default: []].insert(record.key) }
    }
  }

  /// How many records there are.
  package var count: Int { keys.count }

  /// The record under `key`.
  package func record(_ key: Key) -> KeyValue? {
    records[key]
  }

  /// The keys that hang on a lease.
  package func keys(of lease: LeaseID) -> Set<Key> {
    keysOfLease[lease] ?? []
  }

  /// The records of a range, in key order.
  package func records(in range: KeyRange) -> [KeyValue] {
    if range.end == .onlyStart { return records[range.start].map { [$0] } ?? [] }
    return keys[positions(of: range)].compactMap { records[$0] }
  }

  /// How many records a range holds.
  package func count(in range: KeyRange) -> Int {
    if range.end == .onlyStart { return records[range.start] == nil ? 0 : 1 }
    return positions(of: range).count
  }

  /// The first `limit` records of a range, in key order.
  package func records(in range: KeyRange, limit: Int) -> [KeyValue] {
    keys[positions(of: range)].prefix(limit).compactMap { records[$0] }
  }

  /// Makes the changes of the next revision.
  package mutating func apply(_ changeSet: ChangeSet) {
    for change in changeSet.changes { apply(change) }
    revision = changeSet.revision
  }

  private mutating func apply(_ change: Change) {
    let old = records[change.key]
    if let lease = old?.lease, lease != change.current?.lease {
      keysOfLease[lease]?.remove(change.key)
      if keysOfLease[lease]?.isEmpty == true { keysOfLease[lease] = nil }
    }
    if let current = change.current {
      records[change.key] = current
      if old == nil { keys.insert(change.key, at: position(notBefore: change.key)) }
      if let lease = current.lease { keysOfLease[lease, default: []].insert(change.key) }
    } else if old != nil {
      records[change.key] = nil
      keys.remove(at: position(notBefore: change.key))
    }
  }

  private func positions(of range: KeyRange) -> Range<Int> {
    let first = position(notBefore: range.start)
    switch range.end {
    case .onlyStart: return first..<(first + (records[range.start] == nil ? 0 : 1))
    case .before(let end): return first..<max(first, position(notBefore: end))
    case .unbounded: return first..<keys.count
    }
  }

  /// The position of the first key that is not before `key`.
  private func position(notBefore key: Key) -> Int {
    var low = 0
    var high = keys.count
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension RangeRequest {
  /// The answer from the newest records of a table.
  func answer(from table: RecordTable) -> RangeResponse {
    if countOnly {
      return RangeResponse(
        revision: table.revision, items: [], more: false, count: table.count(in: keys))
    }
    guard isPlain, limit > 0 else {
      return answer(from: table.records(in: keys), revision: table.revision)
    }
    let count = table.count(in: keys)
    return RangeResponse(
      revision: table.revision, items: table.records(in: keys, limit: limit).map(trimmed),
      more: count > limit, count: count)
  }

  /// The answer from all records of the range, given in key order, of a store at `revision`.
  func answer(from records: [KeyValue], revision: Revision) -> RangeResponse {
    if countOnly {
      return RangeResponse(revision: revision, items: [], more: false, count: records.count)
    }
    var items = isPlain ? records : sorted(records.filter(passesFilters))
    let more = limit > 0 && items.count > limit
    if more { items.removeSubrange(limit...) }
    return RangeResponse(
      revision: revision, items: keysOnly ? items.map(trimmed) : items, more: more,
      count: records.count)
  }

  /// Whether records in key order need neither filter nor sorting.
  private var isPlain: Bool {
    sortTarget == .key && sortOrder != .descending && minimumModifyRevision == nil
      && maximumModifyRevision == nil && minimumCreateRevision == nil
      && maximumCreateRevision == nil
  }

  private func passesFilters(_ record: KeyValue) -> Bool {
    record.modifyRevision >= minimumModifyRevision ?? .min
      && record.modifyRevision <= maximumModifyRevision ?? .max
      && record.createRevision >= minimumCreateRevision ?? .min
      && record.createRevision <= maximumCreateRevision ?? .max
  }

  private func sorted(_ records: [KeyValue]) -> [KeyValue] {
    let ascending: [KeyValue] =
      switch sortTarget {
      case .key: records
      case .version: records.sorted { $0.version < $1.version }
      case .createRevision: records.sorted { $0.createRevision < $1.createRevision }
      case .modifyRevision: records.sorted { $0.modifyRevision < $1.modifyRevision }
      case .value: records.sorted { $0.value.lexicographicallyPrecedes($1.value) }
      }
    return sortOrder == .descending ? ascending.reversed() : ascending
  }

  private func trimmed(_ record: KeyValue) -> KeyValue {
    guard keysOnly else { return record }
    var record = record
    record.value = []
    return record
  }
}
