import FoundationEssentials
import Host
import OCI

extension ImageStore {
  /// The image of a name (`busybox`, `busybox:1`, `x@sha256:…`), an id or the beginning of one.
  /// Throws `notFound` ("No such image: x") or `conflict` if the beginning fits several.
  package func resolve(_ reference: String) async throws -> ImageRecord {
    let state = catalog.state
    let (id, _) = try ReferenceLookup(state).find(reference)
    guard let record = RecordBuilder(state).record(id) else {
      throw ReferenceLookup.notFound(reference)
    }
    return record
  }

  /// All images, newest first. Answers from memory.
  package func list() -> [ImageRecord] { catalog.records() }

  /// The steps that made an image, newest first.
  package func history(_ reference: String) async throws -> [ImageHistoryItem] {
    let record = try await resolve(reference)
    let state = catalog.state
    var items: [ImageHistoryItem] = []
    var layers = record.layers[...]
    for entry in record.configuration.history ?? [] {
      var size: Int64 = 0
      if entry.emptyLayer != true, let layer = layers.popFirst() {
        size = state.layers[layer]?.size ?? 0
      }
      items.append(
        ImageHistoryItem(
          id: nil, created: entry.created.flatMap(Timestamp.parse),
          createdBy: entry.createdBy ?? "", comment: entry.comment ?? "", size: size, tags: []))
    }
    // Layers without a history line still take room.
    for layer in layers {
      items.append(
        ImageHistoryItem(
          id: nil, created: record.created, createdBy: "", comment: "",
          size: state.layers[layer]?.size ?? 0, tags: []))
    }
    if items.isEmpty {
      items = [
        ImageHistoryItem(
          id: nil, created: record.created, createdBy: "", comment: "", size: 0, tags: [])
      ]
    }
    items.reverse()
    items[0].id = record.id
    items[0].tags = record.repoTags
    return items
  }

  /// The disk that images take.
  package func usage() async throws -> ImageUsage {
    let blobs = self.blobs
    let sizes = try await blocking("blobs cannot be listed") { try blobs.all().map(\.size) }
    let state = catalog.state
    return ImageUsage(
      layersSize: state.layers.values.reduce(0) { $0 + $1.size },
      blobsSize: sizes.reduce(0, +), images: catalog.records())
  }
}

/// Finds images by what people call them.
struct ReferenceLookup {
  private let state: CatalogState

  init(_ state: CatalogState) { self.state = state }

  static func notFound(_ reference: String) -> ImageStoreError {
    ImageStoreError(.notFound, "No such image: \(reference)")
  }

  /// The image, and the full reference if it was found by a name.
  func find(_ text: String) throws -> (id: Digest, name: String?) {
    if let digest = Digest(text) ?? Digest(sha256Hex: text) {
      if state.images[digest] != nil { return (digest, nil) }
      throw Self.notFound(text)
    }
    if let reference = try? ImageReference(parsing: text), let found = named(reference) {
      return found
    }
    if let id = try byPrefix(text) { return (id, nil) }
    let isWellFormed = (try? ImageReference(parsing: text)) != nil  // only to choose the message
    guard isWellFormed || text.isEmpty else {
      throw ImageStoreError(.invalidArgument, "invalid reference format")
    }
    // docker names the tag that it looked for.
    let looked = (try? ImageReference(parsing: text).tagged.familiar) ?? text
    throw Self.notFound(looked)
  }

  private func named(_ reference: ImageReference) -> (id: Digest, name: String?)? {
    if let digest = reference.digest {
      let name = reference.with(digest: digest).description
      if let id = state.names[name] { return (id, name) }
      // name@id is an image, too, if the name is one of its names.
      if state.images[digest] != nil,
        state.references(to: digest).contains(where: {
          $0.hasPrefix(reference.name + ":") || $0.hasPrefix(reference.name + "@")
        })
      {
        return (digest, nil)
      }
      return nil
    }
    let name = reference.tagged.description
    return state.names[name].map { ($0, name) }
  }

  private func byPrefix(_ text: String) throws -> Digest? {
    let prefix = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
    guard prefix.utf8.count >= 1, prefix.utf8.count < 64,
      prefix.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
    else { return nil }
    let matches = state.images.keys.filter { $0.hex.hasPrefix(prefix) }
    if matches.count > 1 {
      throw ImageStoreError(
        .conflict, "image id prefix \(prefix) is ambiguous: it fits \(matches.count) images")
    }
    return matches.first
  }
}
