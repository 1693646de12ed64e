import FoundationEssentials
import Logging
import OCI
import StateStore
import Synchronization

/// The index of images: held in memory for reading, written to the state store before a change
/// can be seen.
final class Catalog: Sendable {
  private struct Memory {
    var state = CatalogState()
    var version: UInt64 = 0
    var records: [ImageRecord]?
  }

  private let store: any StateStore
  private let memory = Mutex(Memory())
  /// Changes are made one at a time, so that each starts from what the one before left.
  private let turn = AsyncSemaphore(1)

  init(store: any StateStore) { self.store = store }

  /// What is known now.
  var state: CatalogState { memory.withLock { $0.state } }

  /// Makes a change: durable when this returns, invisible if it throws.
  func update<Value: Sendable>(
    _ change: @Sendable (inout CatalogState) throws -> Value
  ) async throws -> Value {
    try await turn.within {
      var state = self.state
      let value = try change(&state)
      let transactions = state.transactions
      if transactions.isEmpty {
        let changed = state
        memory.withLock { $0.state = changed }
        return value
      }
      // A change that was decided on is carried through even if who asked for it has gone: else
      // memory would not know whether the store has it.
      let store = self.store
      do {
        try await Task {
          for transaction in transactions { _ = try await store.transact(transaction) }
        }.value
      } catch {
        throw ImageStoreError(.system, "the state of images could not be written", cause: error)
      }
      state.clearPending()
      memory.withLock { memory in
        memory.state = state
        memory.version += 1
        memory.records = nil
      }
      return value
    }
  }

  /// All images as records, newest first; made anew only after a change.
  func records() -> [ImageRecord] {
    let (known, state, version) = memory.withLock { ($0.records, $0.state, $0.version) }
    if let known { return known }
    let records = RecordBuilder(state).all()
    memory.withLock { if $0.version == version { $0.records = records } }
    return records
  }

  /// Reads everything from the store. `configuration` gives the bytes of an image's configuration.
  /// Returns the keys that could not be read, which stay where they are and are left out.
  func load(
    configuration: @Sendable (Digest) async throws -> [UInt8]
  ) async throws -> [String] {
    var state = CatalogState()
    var unreadable: [String] = []
    for (key, value) in try await items(CatalogState.layerPrefix) {
      if let diffID = Digest(key), let layer = decode(StoredLayer.self, value),
        !layer.directory.isEmpty, !layer.directory.contains("/"), layer.directory != ".."
      {
        state.adopt(layer, for: diffID)
      } else {
        unreadable.append(CatalogState.layerPrefix + key)
      }
    }
    for (key, value) in try await items(CatalogState.recordPrefix) {
      do {
        let stored = try JSONDecoder().decode(StoredImage.self, from: Data(value))
        let bytes = try await configuration(stored.id)
        let parsed = try ImageConfiguration(parsing: bytes)
        guard parsed.rootfs.diffIDs.allSatisfy({ state.layers[$0] != nil }) else {
          throw ImageStoreError(.invalidContent, "a layer of the image is missing")
        }
        state.adopt(
          CatalogImage(stored: stored, configuration: parsed, configurationBytes: bytes))
      } catch {
        unreadable.append(CatalogState.recordPrefix + key)
      }
    }
    for (key, value) in try await items(CatalogState.namePrefix) {
      if let name = decode(StoredName.self, value), state.images[name.image] != nil {
        state.adoptName(key, name.image)
      } else {
        unreadable.append(CatalogState.namePrefix + key)
      }
    }
    for (key, value) in try await items(CatalogState.sourcePrefix) {
      // Only a help for pushing: what cannot be read is as good as not there.
      if let digest = Digest(key), let sources = decode(StoredSources.self, value) {
        state.adoptSources(sources.repositories, of: digest)
      }
    }
    let loaded = state
    memory.withLock { $0 = Memory(state: loaded, version: $0.version + 1) }
    return unreadable
  }

  private func items(_ prefix: String) async throws -> [(String, [UInt8])] {
    do {
      return try await store.list(prefix: Key(prefix)).items.map { item in
        (String(decoding: item.key.bytes.dropFirst(prefix.utf8.count), as: UTF8.self), item.value)
      }
    } catch {
      throw ImageStoreError(.system, "the state of images could not be read", cause: error)
    }
  }

  private func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) -> Value? {
    try? JSONDecoder().decode(type, from: Data(bytes))  // nil is reported as unreadable
  }
}
