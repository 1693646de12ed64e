import FoundationEssentials
import Host
import OCI

/// An image whose parts are all here and that is to be made known.
struct NewImage: Sendable {
  var configuration: ImageConfiguration
  var configurationBytes: [UInt8]
  var id: Digest
  var manifest: ContentDescriptor?
  var documents: [Digest] = []
  /// The blobs that the manifest names as layers.
  var layerBlobs: [Digest] = []
  var parent: Digest?
  /// Full references that shall name it.
  var names: [String] = []

  /// Reads a configuration. Throws ``ImageStoreError``.
  init(configurationBytes: [UInt8]) throws {
    do {
      configuration = try ImageConfiguration(parsing: configurationBytes)
    } catch {
      throw ImageStoreError.unpacking(error)
    }
    self.configurationBytes = configurationBytes
    id = Digest.sha256(of: configurationBytes)
  }
}

extension ImageStore {
  /// Layers that an image may have: more would not fit one mount.
  static let maximumLayers = 127

  /// Makes an image known under its names, once its configuration and layers are here.
  func record(_ image: NewImage) async throws -> ImageRecord {
    guard image.configuration.rootfs.diffIDs.count <= Self.maximumLayers else {
      throw ImageStoreError(
        .unsupported, "max depth exceeded: the image has more than \(Self.maximumLayers) layers")
    }
    let blobs = self.blobs
    try await blocking("the image's configuration cannot be kept") {
      try blobs.write(image.configurationBytes, as: image.id)
    }
    let holder = pins.begin()
    defer { pins.end(holder) }
    let initial = try await initialLayer(for: image, holder)
    return try await catalog.update { state in
      var stored = state.images[image.id]?.stored ?? StoredImage(id: image.id)
      if let manifest = image.manifest {
        stored.manifest = manifest
        stored.documents = image.documents
        stored.layerBlobs = image.layerBlobs
      }
      stored.parent = stored.parent ?? image.parent
      stored.initialDirectory = stored.initialDirectory ?? initial
      if !image.names.isEmpty { stored.lastTagTime = Date().timeIntervalSince1970 }
      try state.set(
        CatalogImage(
          stored: stored, configuration: image.configuration,
          configurationBytes: image.configurationBytes))
      for name in image.names { try state.setName(name, image.id) }
      guard let record = RecordBuilder(state).record(image.id) else {
        throw ImageStoreError(.system, "the image was not recorded")
      }
      return record
    }
  }

  /// The folder with the mount points for containers of the image, made unless it is there.
  private func initialLayer(for image: NewImage, _ holder: UInt64) async throws -> String {
    let state = catalog.state
    if let known = state.images[image.id]?.stored.initialDirectory { return known }
    let lower = try directories(of: image.configuration.rootfs.diffIDs, state)
    let overlayPath = configuration.overlayPath
    let name = try await blocking("the image's layers cannot be mounted") {
      try InitialLayer(overlayPath: overlayPath).create(
        over: lower.isEmpty ? [RootFilesystems.emptyDirectory] : lower)
    }
    pins.hold(directory: name, by: holder)
    return name
  }

  /// Folders of layers, topmost first. Throws `notFound` if one is missing.
  func directories(of layers: [Digest], _ state: CatalogState) throws -> [String] {
    var directories: [String] = []
    for diffID in layers.reversed() {
      guard let layer = state.layers[diffID] else {
        throw ImageStoreError(
          .notFound, "a layer is missing from the store", metadata: ["layer": "\(diffID)"])
      }
      // The same empty layer may stand in an image several times; a folder may be mounted once.
      if !directories.contains(layer.directory) { directories.append(layer.directory) }
    }
    return directories
  }

  /// Removes layers, folders and blobs that no image, container or transfer needs. Returns the
  /// layers that went, and the bytes freed.
  /// - Parameter resumable: blobs that are kept for another try instead of being removed.
  @discardableResult
  func collectGarbage(
    keepingForRetry resumable: Set<Digest> = []
  ) async throws -> (layers: [Digest], bytes: Int64) {
    let (pins, roots) = (self.pins, self.roots)
    let (gone, abandoned) = try await catalog.update {
      state -> ([Digest: StoredLayer], [String]) in
      let pinned = pins.layers()
      let used = roots.usedDirectories()
      let needed = state.neededLayers()
      var gone: [Digest: StoredLayer] = [:]
      for (diffID, layer) in state.layers
      where !needed.contains(diffID) && !pinned.contains(diffID)
        && !used.contains(layer.directory)
      {
        gone[diffID] = layer
        state.removeLayer(diffID)
      }
      return (gone, state.takeAbandoned())
    }
    let overlayPath = configuration.overlayPath
    // A container that stands on one of these takes it along when it goes.
    let doomed = Set(gone.values.map(\.directory)).union(abandoned).subtracting(usedDirectories())
    try await blocking("layers cannot be removed") {
      for name in doomed { try TreeRemoval.remove("\(overlayPath)/\(name)") }
    }
    let freed = try await removeUnneededBlobs(resumable)
    return (gone.keys.sorted(), gone.values.reduce(freed) { $0 + $1.size })
  }

  private func removeUnneededBlobs(_ resumable: Set<Digest>) async throws -> Int64 {
    let (blobs, catalog, pins) = (self.blobs, self.catalog, self.pins)
    let removed = try await blocking("blobs cannot be listed") {
      let pinned = pins.blobs()
      let needed = catalog.state.neededBlobs()
      var removed: [(digest: Digest, size: Int64)] = []
      for blob in try blobs.all()
      where !needed.contains(blob.digest) && !pinned.contains(blob.digest) {
        if resumable.contains(blob.digest) {
          blobs.setBack(blob.digest)
        } else {
          blobs.remove(blob.digest)
        }
        removed.append(blob)
      }
      return removed
    }
    if !removed.isEmpty {
      try await catalog.update { state in
        for blob in removed { state.removeSources(of: blob.digest) }
      }
    }
    return removed.reduce(0) { $0 + $1.size }
  }

  /// Folders of initial layers that lost their image when a container removed its claim.
  func removeStrayDirectories(_ candidates: [String]) async throws {
    let used = usedDirectories()
    let doomed = candidates.filter { LayerUnpacker.isDirectoryName($0) && !used.contains($0) }
    guard !doomed.isEmpty else { return }
    let known = Set(catalog.state.layers.values.map(\.directory))
    let overlayPath = configuration.overlayPath
    try await blocking("layers cannot be removed") {
      for name in doomed where !known.contains(name) {
        try TreeRemoval.remove("\(overlayPath)/\(name)")
      }
    }
  }
}
