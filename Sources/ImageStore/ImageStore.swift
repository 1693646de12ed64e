import Glibc
import Host
package import Logging
import OCI
package import StateStore
import Synchronization

/// The images of one machine: blobs as received, layers unpacked for overlayfs, names, and the
/// client that pulls from and pushes to registries. All errors are ``ImageStoreError``.
package final class ImageStore: Sendable {
  let catalog: Catalog
  let blobs: BlobDirectory
  let roots: RootFilesystems
  let registries: RegistryClient
  let barrier: DurabilityBarrier
  let logger: Logger
  let downloads: AsyncSemaphore
  let uploads: AsyncSemaphore
  let layerFetches = SharedWork<LayerFetch.Outcome>()
  /// What running transfers need and nothing else may remove.
  let pins = Pins()
  private let settings: Mutex<ImageStoreConfiguration>

  var configuration: ImageStoreConfiguration { settings.withLock { $0 } }

  /// Opens nothing yet: call ``recover()`` before anything else.
  package init(
    configuration: ImageStoreConfiguration, state: any StateStore, logger: Logger
  ) {
    settings = Mutex(configuration)
    catalog = Catalog(store: state)
    let blobs = BlobDirectory(configuration.imagesPath)
    self.blobs = blobs
    roots = RootFilesystems(overlayPath: configuration.overlayPath)
    registries = RegistryClient(configuration: configuration, logger: logger)
    let overlayPath = configuration.overlayPath
    barrier = DurabilityBarrier { try blobs.synchronize(with: overlayPath) }
    downloads = AsyncSemaphore(configuration.maximumConcurrentDownloads)
    uploads = AsyncSemaphore(configuration.maximumConcurrentUploads)
    self.logger = logger
  }

  /// Takes over what a reload may change: mirrors, insecure registries, certificate folders,
  /// limits and numbers of transfers. Paths stay as they were.
  package func updateConfiguration(_ configuration: ImageStoreConfiguration) {
    let merged = settings.withLock { current in
      var merged = configuration
      merged.imagesPath = current.imagesPath
      merged.overlayPath = current.overlayPath
      current = merged
      return merged
    }
    registries.update(merged)
    downloads.setLimit(merged.maximumConcurrentDownloads)
    uploads.setLimit(merged.maximumConcurrentUploads)
  }

  /// Closes connections to registries. Running transfers fail.
  package func shutdown() async { await registries.shutdown() }

  /// Reads the state, sets aside what cannot be read, and removes what was half written. To be
  /// called once, before anything else.
  @discardableResult
  package func recover() async throws -> ImageRecoveryReport {
    let (blobs, overlayPath) = (self.blobs, configuration.overlayPath)
    try await blocking("the image store's folders cannot be made") {
      try blobs.prepare()
      try Paths.makeDirectories(overlayPath, mode: 0o711)
      try Paths.makeDirectories("\(overlayPath)/\(RootFilesystems.emptyDirectory)/diff")
    }
    var report = ImageRecoveryReport()
    report.setAside = try await catalog.load { id in
      try await BlockingPool.shared.run {
        try blobs.read(id, limit: ImageConfiguration.maximumBytes)
      }
    }
    let roots = self.roots
    let containers = try await blocking("the overlay folder cannot be read") { try roots.load() }
    // A record that cannot be read may own any of the folders: then none is removed.
    let keeps = report.setAside.isEmpty ? usedDirectories() : nil
    let removed = try await blocking("the image store cannot be cleaned") {
      try Self.sweep(overlayPath, keeping: keeps) + blobs.clearIncoming()
    }
    report.removed = removed
    report.mountedContainers = try await blocking("mounts cannot be listed") {
      containers.filter { RootFilesystems.isMountPoint(roots.path($0) + "/merged") }.sorted()
    }
    if report.setAside.isEmpty {
      // What a pull had brought whole before the process ended is kept for its next try.
      try await blocking("the image store cannot be cleaned") {
        try blobs.removePartials(olderThanDays: 7)
      }
      try await collectGarbage(keepingForRetry: Set(try await allBlobs()))
    }
    if !report.setAside.isEmpty {
      logger.error(
        "some records of images cannot be read and were left out",
        metadata: ["keys": "\(report.setAside.joined(separator: " "))"])
    }
    return report
  }

  private func allBlobs() async throws -> [Digest] {
    let blobs = self.blobs
    return try await blocking("blobs cannot be listed") { try blobs.all().map(\.digest) }
  }

  /// Folders in the overlay folder that something stands on.
  func usedDirectories() -> Set<String> {
    let state = catalog.state
    var used = roots.usedDirectories()
    used.formUnion(state.layers.values.map(\.directory))
    used.formUnion(state.images.values.compactMap(\.stored.initialDirectory))
    used.formUnion(pins.directories())
    used.insert(RootFilesystems.emptyDirectory)
    return used
  }

  /// Removes folders of layers that nobody recorded, and of containers that were being removed.
  private static func sweep(_ overlayPath: String, keeping kept: Set<String>?) throws -> [String] {
    var removed: [String] = []
    for name in try Paths.entries(of: overlayPath) {
      let isStray = LayerUnpacker.isDirectoryName(name) && !(kept?.contains(name) ?? true)
      guard isStray || name.hasPrefix("removing-") else { continue }
      try Mount.unmount("\(overlayPath)/\(name)/merged", lazily: true)
      try TreeRemoval.remove("\(overlayPath)/\(name)")
      removed.append(name)
    }
    return removed.sorted()
  }

  /// Runs blocking work and puts its system errors into this module's words.
  func blocking<Value: Sendable>(
    _ message: String, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    do {
      return try await BlockingPool.shared.run(body)
    } catch let error as SystemError {
      throw ImageStoreError(.system, message, cause: error)
    } catch let error as ArchiveError {
      throw ImageStoreError.unpacking(error)
    }
  }
}

/// What running transfers and creations hold on to: layers by diff id, blobs, folders.
final class Pins: Sendable {
  private struct State {
    var next: UInt64 = 0
    var layers: [UInt64: Set<Digest>] = [:]
    var blobs: [UInt64: Set<Digest>] = [:]
    var directories: [UInt64: Set<String>] = [:]
  }

  private let state = Mutex(State())

  /// A new holder.
  func begin() -> UInt64 {
    state.withLock { state in
      state.next += 1
      return state.next
    }
  }

  func hold(layers: some Sequence<Digest>, by holder: UInt64) {
    state.withLock { $0.layers[holder, default: []].formUnion(layers) }
  }

  func hold(blobs: some Sequence<Digest>, by holder: UInt64) {
    state.withLock { $0.blobs[holder, default: []].formUnion(blobs) }
  }

  func hold(directory: String, by holder: UInt64) {
    state.withLock { _ = $0.directories[holder, default: []].insert(directory) }
  }

  /// Lets go of everything that the holder holds.
  func end(_ holder: UInt64) {
    state.withLock { state in
      state.layers[holder] = nil
      state.blobs[holder] = nil
      state.directories[holder] = nil
    }
  }

  func layers() -> Set<Digest> {
    state.withLock { $0.layers.values.reduce(into: []) { $0.formUnion($1) } }
  }

  func blobs() -> Set<Digest> {
    state.withLock { $0.blobs.values.reduce(into: []) { $0.formUnion($1) } }
  }

  func directories() -> Set<String> {
    state.withLock { $0.directories.values.reduce(into: []) { $0.formUnion($1) } }
  }
}
