import FoundationEssentials
import Glibc
package import Host
import Logging
import NIOCore
package import OCI

extension ImageStore {
  /// Takes in the images of a Docker archive or OCI layout, plain, gzip or zstd. Returns what was
  /// loaded: the names, or the id of an image without a name.
  @discardableResult
  package func load(
    _ stream: ByteStream, quiet: Bool = false, progress: @escaping ProgressHandler
  ) async throws -> [String] {
    let folder = blobs.incomingPath()
    let holder = pins.begin()
    do {
      let loaded = try await load(stream, folder, holder, quiet, progress)
      pins.end(holder)
      await removeFolder(folder)
      return loaded
    } catch {
      pins.end(holder)
      await removeFolder(folder)
      // Layers of images that did not come whole.
      _ = try? await collectGarbage()  // the first error counts; the next collection finds them too
      throw ImageStoreError.unpacking(error)
    }
  }

  func removeFolder(_ folder: String) async {
    do {
      try await Task { try await BlockingPool.shared.run { try TreeRemoval.remove(folder) } }.value
    } catch {
      logger.warning("a temporary folder is left", metadata: ["path": "\(folder)"])
    }
  }

  private func load(
    _ stream: ByteStream, _ folder: String, _ holder: UInt64, _ quiet: Bool,
    _ progress: @escaping ProgressHandler
  ) async throws -> [String] {
    let limits = configuration.limits
    try await blocking("a temporary folder cannot be made") {
      try Paths.makeDirectories(folder, mode: 0o700)
    }
    let archive = try await BytePipe.consume(stream) { (source: PipeSource) in
      try StagedArchive(source, folder: folder, limits: limits)
    }
    let platform = configuration.platform
    let images = try await BlockingPool.shared.run {
      try ArchiveContents(archive: archive, platform: platform).images()
    }
    var loaded: [String] = []
    let steps: ProgressHandler = { step in if !quiet { progress(step) } }
    for image in images {
      let record = try await take(image, holder, steps)
      for name in image.names {
        let familiar = (try? ImageReference(parsing: name))?.familiar ?? name  // parsed before
        progress(TransferProgress(status: "", stream: "Loaded image: \(familiar)\n"))
        loaded.append(familiar)
      }
      if image.names.isEmpty {
        progress(TransferProgress(status: "", stream: "Loaded image ID: \(record.id)\n"))
        loaded.append(record.id.description)
      }
    }
    return loaded
  }

  private func take(
    _ image: ArchivedImage, _ holder: UInt64, _ progress: @escaping ProgressHandler
  ) async throws -> ImageRecord {
    var new = try NewImage(configurationBytes: image.configurationBytes)
    let diffIDs = new.configuration.rootfs.diffIDs
    guard diffIDs.count == image.layers.count else {
      throw ImageStoreError(
        .invalidContent,
        "invalid manifest, layers length mismatch: expected \(image.layers.count), got "
          + "\(diffIDs.count)")
    }
    try checkOS(new.configuration)
    pins.hold(layers: diffIDs, by: holder)
    pins.hold(blobs: image.layers.map(\.member.digest) + [new.id], by: holder)
    for (layer, diffID) in zip(image.layers, diffIDs) {
      try await takeLayer(layer.member, layer.mediaType, diffID, progress)
    }
    if let manifest = image.manifest {
      pins.hold(blobs: [manifest.descriptor.digest], by: holder)
      let blobs = self.blobs
      try await blocking("the manifest cannot be kept") {
        try blobs.write(manifest.bytes, as: manifest.descriptor.digest)
      }
      new.manifest = manifest.descriptor
      new.layerBlobs = image.layers.map(\.member.digest)
    }
    new.names = image.names
    return try await record(new)
  }

  func checkOS(_ configuration: ImageConfiguration) throws {
    let os = configuration.os ?? ""
    guard os.isEmpty || os == "linux" else {
      throw ImageStoreError(
        .unsupported, "cannot use an image for \"\(os)\" on a host of \"linux\"")
    }
  }

  /// Unpacks a layer that lies in a file, unless it is here, and keeps the file as a blob.
  func takeLayer(
    _ member: StagedArchive.Member, _ mediaType: String?, _ diffID: Digest,
    _ progress: @escaping ProgressHandler
  ) async throws {
    let existing = catalog.state.layers[diffID]
    let (unpacker, blobs) = (self.unpacker, self.blobs)
    let hasBlob = try await blocking("blobs cannot be listed") {
      existing?.blob.map { blobs.contains($0.digest) } ?? false
    }
    var stored = existing
    if existing == nil {
      let total = member.size
      let unpacked = try await DedicatedThread.run {
        let file = try Descriptor.open(member.file, O_RDONLY)
        let throttle = ProgressThrottle()
        return try unpacker.unpack(FileSource(file), expected: diffID) { current in
          throttle.pass(current, total) {
            progress(
              TransferProgress(
                id: diffID.short, status: "Loading layer", current: current, total: total))
          }
        }
      }
      stored = StoredLayer(directory: unpacked.directory, size: unpacked.size, blob: nil)
    }
    guard var layer = stored, existing == nil || !hasBlob else { return }
    let compression = try await blocking("a layer cannot be read") {
      let file = try Descriptor.open(member.file, O_RDONLY)
      let start = try file.read(upTo: 4)
      if !blobs.contains(member.digest) { try blobs.adopt(member.file, as: member.digest) }
      return start.withUnsafeBytes { Compression.detected(in: $0) }
    }
    layer.blob = ContentDescriptor(
      mediaType: mediaType ?? Self.layerType(compression), digest: member.digest,
      size: member.size)
    try await recordLayer(layer, diffID, isNew: existing == nil)
  }

  static func layerType(_ compression: Compression) -> String {
    switch compression {
    case .none: MediaType.ociLayer
    case .gzip: MediaType.ociLayerGzip
    case .zstd: MediaType.ociLayerZstd
    }
  }

  var unpacker: LayerUnpacker {
    let configuration = configuration
    return LayerUnpacker(overlayPath: configuration.overlayPath, limits: configuration.limits)
  }

  /// Makes an unpacked layer known, once it is on the disk. If the same layer was recorded
  /// meanwhile the folder of this one goes.
  func recordLayer(_ layer: StoredLayer, _ diffID: Digest, isNew: Bool) async throws {
    let holder = pins.begin()
    pins.hold(directory: layer.directory, by: holder)
    defer { pins.end(holder) }
    do {
      try await barrier.pass()
      let wasFirst = try await catalog.update { state -> Bool in
        if isNew, var other = state.layers[diffID] {
          other.blob = other.blob ?? layer.blob
          try state.set(other, for: diffID)
          return false
        }
        try state.set(layer, for: diffID)
        return true
      }
      if wasFirst || !isNew { return }
    } catch {
      if isNew { await removeFolder("\(configuration.overlayPath)/\(layer.directory)") }
      throw error
    }
    await removeFolder("\(configuration.overlayPath)/\(layer.directory)")
  }

  /// Makes an image of one layer out of a tar archive (`docker import`) and returns its id.
  package func importImage(
    _ stream: ByteStream, config: ExecutionConfiguration, comment: String? = nil,
    platform: Platform? = nil, tag: String? = nil
  ) async throws -> Digest {
    let name = try tag.map(Self.tagName)
    let folder = blobs.incomingPath()
    let holder = pins.begin()
    defer { pins.end(holder) }
    do {
      try await blocking("a temporary folder cannot be made") {
        try Paths.makeDirectories(folder, mode: 0o700)
      }
      let limits = configuration.limits
      let staged = try await BytePipe.consume(stream) { (source: PipeSource) in
        try StagedLayer(source, folder: folder, limits: limits)
      }
      pins.hold(layers: [staged.diffID], by: holder)
      pins.hold(blobs: [staged.member.digest], by: holder)
      try await takeLayer(staged.member, nil, staged.diffID) { _ in }
      await removeFolder(folder)
      var image = ImageConfiguration(
        platform: platform ?? configuration.platform, diffIDs: [staged.diffID])
      let now = Timestamp.text(Date())
      image.created = now
      image.config = config
      image.comment = comment
      image.history = [.init(created: now, comment: comment)]
      let bytes = Array(try JSONEncoder().encode(image))
      var new = try NewImage(configurationBytes: bytes)
      new.names = name.map { [$0] } ?? []
      return try await record(new).id
    } catch {
      await removeFolder(folder)
      throw ImageStoreError.unpacking(error)
    }
  }
}

/// The plain archive of one layer in a file, with its digest.
struct StagedLayer: Sendable {
  let member: StagedArchive.Member
  var diffID: Digest { member.digest }

  /// Stages a layer, decompressing it. Blocks.
  init(_ source: any ByteSource, folder: String, limits: UnpackingLimits) throws {
    let expansion = ExpansionLimit(
      maximumBytes: limits.maximumBytes, maximumRatio: limits.maximumRatio,
      floor: limits.ratioFloor)
    let reader = BufferedReader(try Compression.decompressing(source, limit: expansion).source)
    let path = "\(folder)/layer"
    let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    var hasher = DigestHasher()
    var size: Int64 = 0
    while true {
      let bytes = try reader.take(upTo: 1 << 20)
      if bytes.isEmpty { break }
      hasher.update(bytes)
      try file.write(bytes)
      size += Int64(bytes.count)
    }
    member = StagedArchive.Member(file: path, size: size, digest: hasher.finalize())
  }
}

/// Lets through as many steps of a progress as someone can see.
final class ProgressThrottle {
  private var next: Int64 = 0

  /// Runs `report` if the transfer has come a good step further or is at its end.
  func pass(_ current: Int64, _ total: Int64, _ report: () -> Void) {
    guard current >= next || current == total else { return }
    next = current + max(512 << 10, total / 100)
    report()
  }
}
