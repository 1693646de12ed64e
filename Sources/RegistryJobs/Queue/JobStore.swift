import StateStore

/// The store, with its errors named as this module's and what every part of it does with records.
struct JobStore: Sendable {
  /// How often a transaction is tried when others change the same records meanwhile.
  private static let attempts = 64

  let store: any StateStore

  func read(_ request: RangeRequest) async throws -> RangeResponse {
    do {
      return try await store.range(request)
    } catch let error as StateStoreError {
      throw JobError(.unavailable, "the state store does not answer", cause: error)
    }
  }

  func fetch<Record: JobStoredRecord>(
    _ key: Key, as type: Record.Type
  ) async throws -> (record: Record, revision: Revision)? {
    guard let item = try await read(RangeRequest(.key(key))).items.first else { return nil }
    return (try Record(item), item.modifyRevision)
  }

  func commit(when compares: [Compare] = [], do operations: [Operation]) async throws -> Bool {
    try await commitAt(when: compares, do: operations) != nil
  }

  /// The revision of the transaction, nil when its conditions did not hold.
  func commitAt(
    when compares: [Compare], do operations: [Operation]
  ) async throws -> Revision? {
    do {
      let response = try await store.transact(Transaction(when: compares, do: operations))
      return response.succeeded ? response.revision : nil
    } catch let error as StateStoreError {
      throw JobError(.unavailable, "the state store does not answer", cause: error)
    }
  }

  /// Makes a transaction anew until it meets no change by others; `body` answers nil when its
  /// conditions did not hold.
  func retrying<Value>(_ body: () async throws -> Value?) async throws -> Value {
    for attempt in 0..<Self.attempts {
      if let value = try await body() { return value }
      if attempt > 4 {
        try await Task.sleep(for: .milliseconds(Int.random(in: 1...min(4 * attempt, 50))))
      }
    }
    throw JobError(.unavailable, "others kept changing the same records")
  }

  /// Every record below a prefix, read in parts.
  func scan(_ prefix: Key, _ body: (KeyValue) async throws -> Void) async throws {
    let end = KeyRange.prefix(prefix).end
    var start = prefix
    while true {
      let response = try await read(
        RangeRequest(KeyRange(start: start, end: end), limit: 1_000))
      for item in response.items { try await body(item) }
      guard response.more, let last = response.items.last else { return }
      start = Key(bytes: last.key.bytes + [0])
    }
  }
}
