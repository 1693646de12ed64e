extension StateStore {
  /// The record under `key`, nil when there is none.
  package func get(_ key: Key) async throws -> KeyValue? {
    try await range(RangeRequest(.key(key))).items.first
  }

  /// Every record whose key begins with `prefix`, sorted by key, and the revision of the answer: a
  /// watch of the prefix from that revision plus 1 misses nothing.
  package func list(prefix: Key) async throws -> (items: [KeyValue], revision: Revision) {
    let response = try await range(RangeRequest(.prefix(prefix)))
    return (response.items, response.revision)
  }

  /// Writes `value` under `key`, whatever was there; returns the revision of the write.
  @discardableResult
  package func put(
    _ key: Key, _ value: [UInt8], lease: LeaseID? = nil
  ) async throws -> Revision {
    try await transact(Transaction(do: [.put(key, value, lease: lease)])).revision
  }

  /// Writes `value` under `key` if `ifRevision` was the last to change it (0: if it does not
  /// exist); returns the revision of the write. Throws `conflict` otherwise.
  @discardableResult
  package func put(
    _ key: Key, _ value: [UInt8], ifRevision: Revision, lease: LeaseID? = nil
  ) async throws -> Revision {
    let response = try await transact(
      Transaction(
        when: [.modifyRevision(of: key, is: ifRevision)], do: [.put(key, value, lease: lease)]))
    guard response.succeeded else { throw StateStoreError.conflict(key, expected: ifRevision) }
    return response.revision
  }

  /// Deletes `key`; returns whether it existed.
  @discardableResult
  package func delete(_ key: Key) async throws -> Bool {
    let response = try await transact(Transaction(do: [.delete(key)]))
    guard case .delete(let count, _)? = response.responses.first else { return false }
    return count > 0
  }

  /// Deletes `key` if `ifRevision` was the last to change it. Throws `conflict` otherwise, also
  /// when the key does not exist.
  package func delete(_ key: Key, ifRevision: Revision) async throws {
    let response = try await transact(
      Transaction(when: [.modifyRevision(of: key, is: ifRevision)], do: [.delete(key)]))
    guard response.succeeded, ifRevision > 0 else {
      throw StateStoreError.conflict(key, expected: ifRevision)
    }
  }

  /// Deletes every key that begins with `prefix`, in one revision; returns how many there were.
  @discardableResult
  package func delete(prefix: Key) async throws -> Int {
    let response = try await transact(
      Transaction(do: [.delete(DeleteRequest(.prefix(prefix)))]))
    guard case .delete(let count, _)? = response.responses.first else { return 0 }
    return count
  }

  /// The store's newest revision.
  package func currentRevision() async throws -> Revision {
    try await range(RangeRequest(.key(Key(bytes: [0])), countOnly: true)).revision
  }

  /// Grants a lease whose number the store picks.
  package func grantLease(timeToLive: Duration) async throws -> LeaseGrant {
    try await grantLease(timeToLive: timeToLive, id: nil)
  }
}
