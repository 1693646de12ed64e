import BlobStorage
import OCI
import StateStore

extension RegistryService {
  /// How often a transaction is tried when others change the same records meanwhile.
  static let attempts = 64

  /// Reads records. Throws `unavailable`.
  func read(_ request: RangeRequest) async throws -> RangeResponse {
    do {
      return try await store.range(request)
    } catch let error as StateStoreError {
      throw RegistryError(.unavailable, "the state store does not answer", cause: error)
    }
  }

  /// Reads one record.
  func fetch<Record: StoredRecord>(
    _ key: Key, as type: Record.Type
  ) async throws -> (record: Record, revision: Revision, readAt: Revision)? {
    let response = try await read(RangeRequest(.key(key)))
    guard let item = response.items.first else { return nil }
    return (try Record(item), item.modifyRevision, response.revision)
  }

  /// Runs a transaction and tells the cache what it changed. Throws `unavailable`.
  func commit(
    when compares: [Compare], do operations: [Operation]
  ) async throws -> Bool {
    do {
      let response = try await store.transact(Transaction(when: compares, do: operations))
      guard response.succeeded else { return false }
      for operation in operations {
        switch operation {
        case .put(let put): cache.changed(put.key, at: response.revision)
        case .delete(let delete) where delete.keys.end == .onlyStart:
          cache.changed(delete.keys.start, at: response.revision)
        default: break
        }
      }
      return true
    } catch let error as StateStoreError {
      throw RegistryError(.unavailable, "the state store does not answer", cause: error)
    }
  }

  /// Makes a transaction anew until it meets no change by others. `body` returns nil when its
  /// conditions did not hold.
  func retrying<Value>(_ body: () async throws -> Value?) async throws -> Value {
    for attempt in 0..<Self.attempts {
      if let value = try await body() { return value }
      if attempt > 4 {
        try await Task.sleep(for: .milliseconds(Int.random(in: 1...min(4 * attempt, 50))))
      }
    }
    throw RegistryError(.conflict, "others kept changing the same records")
  }

  /// Which of these keys exist.
  func existing(_ keys: [Key]) async throws -> Set<Key> {
    var found: Set<Key> = []
    for start in stride(from: 0, to: keys.count, by: 100) {
      let part = keys[start..<min(start + 100, keys.count)]
      let questions = part.map { Operation.range(RangeRequest(.key($0), keysOnly: true)) }
      do {
        for case .range(let answer) in try await store.transact(Transaction(do: questions))
          .responses
        {
          found.formUnion(answer.items.map(\.key))
        }
      } catch let error as StateStoreError {
        throw RegistryError(.unavailable, "the state store does not answer", cause: error)
      }
    }
    return found
  }

  /// Every record below a prefix, read in parts.
  func scan(
    _ prefix: Key, keysOnly: Bool = false, after: Key? = nil,
    _ body: (KeyValue) async throws -> Void
  ) async throws {
    let range = KeyRange.prefix(prefix)
    var start = after.map { Key(bytes: $0.bytes + [0]) } ?? prefix
    while true {
      let response = try await read(
        RangeRequest(KeyRange(start: start, end: range.end), limit: 1_000, keysOnly: keysOnly))
      for item in response.items { try await body(item) }
      guard response.more, let last = response.items.last else { return }
      start = Key(bytes: last.key.bytes + [0])
    }
  }

  /// Throws `unavailable` when the state store does not answer.
  package func checkStore() async throws {
    _ = try await read(RangeRequest(.key(Keys.settings), keysOnly: true))
  }

  /// Throws `unavailable` when the blob storage does not answer.
  package func checkStorage() async throws {
    do {
      try await storage.check()
    } catch let error as BlobStorageError {
      throw Self.translated(error)
    }
  }

  /// Refuses changes in read-only mode.
  func requireWritable() async throws {
    if !settings.isReadOnly {
      guard try await governance().readOnly else { return }
    }
    throw RegistryError(.readOnly, "the registry is in read-only mode")
  }
}
