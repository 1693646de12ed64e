extension KeyRange {
  /// Refuses ranges that mean nothing, or that etcd would read as something else.
  package func validate() throws {
    guard !start.bytes.isEmpty else { throw StateStoreError.invalidRequest("the key is empty") }
    if case .before(let end) = end, end.bytes.isEmpty || end.bytes == [0] {
      throw StateStoreError.invalidRequest("the end of the range is before every key")
    }
  }
}

extension RangeRequest {
  /// Refuses requests that make no sense.
  package func validate() throws {
    try keys.validate()
    guard limit >= 0 else { throw StateStoreError.invalidRequest("the limit is negative") }
    guard revision ?? 0 >= 0 else {
      throw StateStoreError.invalidRequest("the revision is negative")
    }
  }
}

extension WatchRequest {
  /// Refuses requests that make no sense.
  package func validate() throws {
    try keys.validate()
    guard startRevision ?? 0 >= 0 else {
      throw StateStoreError.invalidRequest("the start revision is negative")
    }
    guard backlogLimit > 0 else {
      throw StateStoreError.invalidRequest("the backlog limit is not positive")
    }
  }
}

extension PutRequest {
  fileprivate func validate() throws {
    guard !key.bytes.isEmpty else { throw StateStoreError.invalidRequest("the key is empty") }
    guard !keepsValue || value.isEmpty else {
      throw StateStoreError.invalidRequest("a put that keeps the value brings a value")
    }
    guard !keepsLease || lease == nil else {
      throw StateStoreError.invalidRequest("a put that keeps the lease brings a lease")
    }
  }
}

extension Transaction {
  /// Refuses transactions that make no sense, are too large, or change a key twice.
  package func validate() throws {
    try validate(operationsLeft: Transaction.operationLimit)
    let size = byteCount
    guard size <= Transaction.byteLimit else {
      throw StateStoreError(
        .requestTooLarge, "the transaction has too many bytes",
        metadata: ["bytes": "\(size)", "limit": "\(Transaction.byteLimit)"])
    }
    var footprint = Footprint()
    try footprint.add(success)
    var other = Footprint()
    try other.add(failure)
  }

  private func validate(operationsLeft: Int) throws {
    let most = max(compares.count, success.count, failure.count)
    guard most <= operationsLeft else {
      throw StateStoreError(
        .requestTooLarge, "the transaction has too many steps",
        metadata: ["limit": "\(Transaction.operationLimit)"])
    }
    for compare in compares { try compare.keys.validate() }
    for operation in success + failure {
      switch operation {
      case .range(let request): try request.validate()
      case .put(let request): try request.validate()
      case .delete(let request): try request.keys.validate()
      case .transaction(let nested): try nested.validate(operationsLeft: operationsLeft - most)
      }
    }
  }

  private var byteCount: Int {
    var count = 0
    for compare in compares {
      count += compare.keys.start.bytes.count
      if case .value(let value) = compare.target { count += value.count }
    }
    for operation in success + failure {
      switch operation {
      case .range(let request): count += request.keys.start.bytes.count
      case .put(let request): count += request.key.bytes.count + request.value.count
      case .delete(let request): count += request.keys.start.bytes.count
      case .transaction(let nested): count += nested.byteCount
      }
    }
    return count
  }
}

/// What a list of steps may change. etcd lets a few combinations over nested transactions pass that
/// are refused here; what passes here passes there.
private struct Footprint {
  var puts: Set<Key> = []
  var deletions: [KeyRange] = []

  mutating func add(_ operations: [Operation]) throws {
    for operation in operations {
      switch operation {
      case .range: break
      case .put(let request): try add(puts: [request.key], deletions: [])
      case .delete(let request): try add(puts: [], deletions: [request.keys])
      case .transaction(let nested):
        var success = Footprint()
        try success.add(nested.success)
        var failure = Footprint()
        try failure.add(nested.failure)
        try add(
          puts: success.puts.union(failure.puts),
          deletions: success.deletions + failure.deletions)
      }
    }
  }

  private mutating func add(puts newPuts: Set<Key>, deletions newDeletions: [KeyRange]) throws {
    let twice =
      newPuts.first { key in puts.contains(key) || deletions.contains { $0.contains(key) } }
      ?? puts.first { key in newDeletions.contains { $0.contains(key) } }
    if let twice {
      throw StateStoreError(
        .duplicateKey, "the transaction changes a key twice", metadata: ["key": twice.string])
    }
    puts.formUnion(newPuts)
    deletions += newDeletions
  }
}
