import FoundationEssentials
import OCI
import StateStore

/// All that is known of images, in memory. Every change is noted for the state
/// store, so that memory and store cannot say different things.
struct CatalogState: Sendable {
  private(set) var images: [Digest: CatalogImage] = [:]
  /// Full references with a tag or a digest.
  private(set) var names: [String: Digest] = [:]
  private(set) var layers: [Digest: StoredLayer] = [:]
  private(set) var sources: [Digest: [String]] = [:]
  /// Folders of initial layers whose image is gone; recovery finds them without this.
  private(set) var abandoned: [String] = []
  /// Changes that were not written yet.
  private var pending = PendingWrites()

  static let recordPrefix = "/images/records/"
  static let namePrefix = "/images/names/"
  static let layerPrefix = "/images/layers/"
  static let sourcePrefix = "/images/sources/"

  // MARK: - Changing

  mutating func set(_ image: CatalogImage) throws {
    images[image.stored.id] = image
    try note(Self.recordPrefix + image.stored.id.hex, image.stored)
  }

  mutating func removeImage(_ id: Digest) {
    if let initial = images[id]?.stored.initialDirectory { abandoned.append(initial) }
    images[id] = nil
    pending.delete(Self.recordPrefix + id.hex)
  }

  mutating func setName(_ reference: String, _ image: Digest) throws {
    names[reference] = image
    try note(Self.namePrefix + reference, StoredName(image: image))
  }

  mutating func removeName(_ reference: String) {
    names[reference] = nil
    pending.delete(Self.namePrefix + reference)
  }

  mutating func set(_ layer: StoredLayer, for diffID: Digest) throws {
    layers[diffID] = layer
    try note(Self.layerPrefix + diffID.description, layer)
  }

  mutating func removeLayer(_ diffID: Digest) {
    layers[diffID] = nil
    pending.delete(Self.layerPrefix + diffID.description)
  }

  mutating func addSource(_ repository: String, of blob: Digest) throws {
    var known = sources[blob] ?? []
    guard known.last != repository else { return }
    known.removeAll { $0 == repository }
    known.append(repository)
    sources[blob] = Array(known.suffix(StoredSources.maximum))
    try note(
      Self.sourcePrefix + blob.description, StoredSources(repositories: sources[blob] ?? []))
  }

  mutating func removeSources(of blob: Digest) {
    guard sources.removeValue(forKey: blob) != nil else { return }
    pending.delete(Self.sourcePrefix + blob.description)
  }

  /// The transactions that carry the changes to the store.
  var transactions: [Transaction] { pending.transactions }

  mutating func clearPending() { pending = PendingWrites() }

  /// Hands over the folders that lost their image.
  mutating func takeAbandoned() -> [String] {
    defer { abandoned = [] }
    return abandoned
  }

  private mutating func note(_ key: String, _ value: some Encodable) throws {
    pending.put(key, Array(try JSONEncoder().encode(value)))
  }

  // MARK: - Taking over at start

  mutating func adopt(_ image: CatalogImage) { images[image.stored.id] = image }
  mutating func adoptName(_ reference: String, _ image: Digest) { names[reference] = image }
  mutating func adopt(_ layer: StoredLayer, for diffID: Digest) { layers[diffID] = layer }
  mutating func adoptSources(_ repositories: [String], of blob: Digest) {
    sources[blob] = repositories
  }

  // MARK: - Asking

  /// Full references of an image.
  func references(to image: Digest) -> [String] {
    names.filter { $0.value == image }.map(\.key).sorted()
  }

  /// Blobs that some image or layer needs.
  func neededBlobs() -> Set<Digest> {
    var needed: Set<Digest> = []
    for (id, image) in images {
      needed.insert(id)
      needed.formUnion(image.stored.documents)
      needed.formUnion(image.stored.layerBlobs)
      if let manifest = image.stored.manifest { needed.insert(manifest.digest) }
    }
    for layer in layers.values { if let blob = layer.blob { needed.insert(blob.digest) } }
    return needed
  }

  /// Layers that some image is made of.
  func neededLayers() -> Set<Digest> {
    images.values.reduce(into: []) { $0.formUnion($1.layers) }
  }

  /// Images committed or built from this one.
  func children(of image: Digest) -> [Digest] {
    images.values.filter { $0.stored.parent == image }.map(\.stored.id)
  }
}

/// Writes in the order of their keys' first change, each key once, as a transaction wants it.
private struct PendingWrites: Sendable {
  private var keys: [String] = []
  private var values: [String: [UInt8]?] = [:]

  /// Well below what a transaction may hold at most.
  private static let maximumSteps = 100
  private static let maximumBytes = 1 << 20

  mutating func put(_ key: String, _ value: [UInt8]) { note(key, value) }
  mutating func delete(_ key: String) { note(key, nil) }

  private mutating func note(_ key: String, _ value: [UInt8]?) {
    if values.updateValue(value, forKey: key) == nil { keys.append(key) }
  }

  /// One transaction for all but the largest changes. Those are made so that every beginning of
  /// the sequence is a state that recovery accepts: names go before images, images before layers.
  var transactions: [Transaction] {
    var result: [Transaction] = []
    var steps: [Operation] = []
    var bytes = 0
    for key in keys {
      let value = values[key] ?? nil
      let size = key.utf8.count + (value?.count ?? 0)
      if steps.count == Self.maximumSteps || (bytes + size > Self.maximumBytes && !steps.isEmpty) {
        result.append(Transaction(do: steps))
        (steps, bytes) = ([], 0)
      }
      steps.append(value.map { .put(Key(key), $0) } ?? .delete(Key(key)))
      bytes += size
    }
    if !steps.isEmpty { result.append(Transaction(do: steps)) }
    return result
  }
}
