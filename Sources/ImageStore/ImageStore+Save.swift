import FoundationEssentials
import Glibc
package import Host
import OCI

/// What goes into an archive: images with the tags to save them under.
private struct SavedImage: Sendable {
  var image: CatalogImage
  var manifest: ManifestBytes
  /// Tagged names.
  var names: [ImageReference]
}

extension ImageStore {
  /// An archive of images that both `docker load` and readers of OCI layouts take. A name without
  /// a tag stands for all tags of the repository.
  package func save(_ references: [String]) async throws -> ByteStream {
    var order: [Digest] = []
    var names: [Digest: [ImageReference]] = [:]
    let state = catalog.state
    for reference in references {
      for (id, name) in try Self.saved(reference, state) {
        if names[id] == nil {
          order.append(id)
          names[id] = []
        }
        if let name, !(names[id] ?? []).contains(name) { names[id]?.append(name) }
      }
    }
    var images: [SavedImage] = []
    for id in order {
      guard let image = state.images[id] else { throw ReferenceLookup.notFound(id.description) }
      images.append(
        SavedImage(image: image, manifest: try await manifestForSave(image), names: names[id] ?? [])
      )
    }
    let holder = pins.begin()
    pins.hold(blobs: state.neededBlobs(), by: holder)
    let (pins, blobs, saved) = (self.pins, self.blobs, images)
    return BytePipe.stream { pipe in
      defer { pins.end(holder) }
      let output = PipeWriter(pipe)
      let writer = ArchiveWriter(TarWriter { try output.write($0) }, blobs)
      try writer.write(saved)
      try output.flush()
    }
  }

  private static func saved(
    _ text: String, _ state: CatalogState
  ) throws -> [(Digest, ImageReference?)] {
    if let reference = try? ImageReference(parsing: text), reference.isNameOnly {
      let all = state.names.filter {
        $0.key.hasPrefix(reference.name + ":") && !$0.key.contains("@")
      }
      if !all.isEmpty {
        return try all.sorted { $0.key < $1.key }.map {
          ($0.value, try ImageReference(parsing: $0.key))
        }
      }
    }
    let (id, name) = try ReferenceLookup(state).find(text)
    let reference = try name.map { try ImageReference(parsing: $0) }
    return [(id, reference?.tag == nil ? nil : reference)]
  }

  private func manifestForSave(_ image: CatalogImage) async throws -> ManifestBytes {
    if let received = try await receivedManifest(image) { return received }
    let state = catalog.state
    let layers = try image.layers.map { diffID in
      guard let blob = state.layers[diffID]?.blob else {
        throw ImageStoreError(
          .notFound, "a layer's archive is missing from the store",
          metadata: ["layer": "\(diffID)"])
      }
      return ContentDescriptor(
        mediaType: blob.mediaType == MediaType.dockerLayerGzip
          ? MediaType.ociLayerGzip : blob.mediaType, digest: blob.digest, size: blob.size)
    }
    return try ManifestBytes(
      Manifest(
        mediaType: MediaType.ociManifest,
        config: ContentDescriptor(
          mediaType: MediaType.ociConfiguration, digest: image.stored.id,
          size: Int64(image.configurationBytes.count)),
        layers: layers))
  }
}

/// Writes images as an OCI layout that is a Docker archive as well. Blocks.
private final class ArchiveWriter {
  private let tar: TarWriter
  private let blobs: BlobDirectory
  private var written: Set<Digest> = []

  init(_ tar: TarWriter, _ blobs: BlobDirectory) {
    self.tar = tar
    self.blobs = blobs
  }

  private struct DockerItem: Encodable {
    var config: String
    var repoTags: [String]?
    var layers: [String]

    enum CodingKeys: String, CodingKey {
      case config = "Config"
      case repoTags = "RepoTags"
      case layers = "Layers"
    }
  }

  func write(_ images: [SavedImage]) throws {
    for folder in ["blobs/", "blobs/sha256/"] {
      try tar.header(TarEntry(path: Array(folder.utf8), kind: .directory, mode: 0o755))
    }
    var items: [DockerItem] = []
    var manifests: [ContentDescriptor] = []
    var repositories: [String: [String: String]] = [:]
    for saved in images {
      for layer in saved.manifest.manifest.layers { try blob(layer.digest) }
      try document(saved.image.configurationBytes, saved.image.stored.id)
      try document(saved.manifest.bytes, saved.manifest.descriptor.digest)
      items.append(
        DockerItem(
          config: Self.path(saved.image.stored.id),
          repoTags: saved.names.isEmpty ? nil : saved.names.map(\.familiar),
          layers: saved.manifest.manifest.layers.map { Self.path($0.digest) }))
      manifests += Self.entries(saved)
      for name in saved.names {
        repositories[name.familiarName, default: [:]][name.tag ?? "latest"] =
          saved.image.layers.last?.hex ?? saved.image.stored.id.hex
      }
    }
    let index = ImageIndex(mediaType: MediaType.ociIndex, manifests: manifests)
    try tar.file("index.json", try Self.json(index))
    try tar.file("manifest.json", try Self.json(items))
    try tar.file("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
    if !repositories.isEmpty { try tar.file("repositories", try Self.json(repositories)) }
    try tar.finish()
  }

  /// One entry of the index for each name, or one without a name.
  private static func entries(_ saved: SavedImage) -> [ContentDescriptor] {
    var plain = saved.manifest.descriptor
    plain.platform = saved.image.configuration.platform
    if saved.names.isEmpty { return [plain] }
    return saved.names.map { name in
      var entry = plain
      entry.annotations = [
        "io.containerd.image.name": name.description,
        "org.opencontainers.image.ref.name": name.tag ?? "latest",
      ]
      return entry
    }
  }

  private static func path(_ digest: Digest) -> String {
    "blobs/\(digest.algorithm.rawValue)/\(digest.hex)"
  }

  private static func json(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
  }

  private func document(_ bytes: [UInt8], _ digest: Digest) throws {
    guard written.insert(digest).inserted else { return }
    try tar.file(Self.path(digest), bytes)
  }

  private func blob(_ digest: Digest) throws {
    guard written.insert(digest).inserted else { return }
    guard let size = blobs.size(digest) else {
      throw ImageStoreError(
        .notFound, "content is missing from the store", metadata: ["digest": "\(digest)"])
    }
    var entry = TarEntry(path: Array(Self.path(digest).utf8), kind: .file, mode: 0o644)
    entry.size = size
    try tar.header(entry)
    let source = FileSource(try blobs.open(digest), count: size)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
    defer { memory.deallocate() }
    while true {
      let count = try source.read(into: memory)
      if count == 0 { break }
      try tar.data(UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }
    try tar.endData(of: entry)
  }
}
