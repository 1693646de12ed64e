import AsyncHTTPClient
import FoundationEssentials
import Glibc
import Host
import NIOCore
import NIOHTTP1
import OCI

/// A manifest with its bytes.
struct ManifestBytes: Sendable {
  var manifest: Manifest
  var descriptor: ContentDescriptor
  var bytes: [UInt8]

  /// A manifest of ours, its bytes the same whenever it is made.
  init(_ manifest: Manifest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    self.manifest = manifest
    bytes = Array(try encoder.encode(manifest))
    descriptor = ContentDescriptor(
      mediaType: manifest.mediaType ?? MediaType.ociManifest, digest: Digest.sha256(of: bytes),
      size: Int64(bytes.count))
  }

  /// One that was received.
  init(bytes: [UInt8], descriptor: ContentDescriptor) throws {
    let document = try ManifestDocument.parse(bytes, declared: descriptor.mediaType).document
    guard case .image(let manifest) = document else {
      throw ImageStoreError(.invalidContent, "the image's manifest is an index")
    }
    self.manifest = manifest
    self.bytes = bytes
    self.descriptor = descriptor
  }
}

extension ImageStore {
  /// Brings an image to its registry; with `allTags` every tag of the repository.
  package func push(
    _ reference: String, allTags: Bool = false, credentials: RegistryCredentials? = nil,
    progress: @escaping ProgressHandler
  ) async throws {
    let parsed = try Self.parse(reference)
    guard parsed.digest == nil else {
      throw ImageStoreError(.invalidArgument, "cannot push a digest reference")
    }
    let references = try pushed(parsed, allTags: allTags)
    progress(
      TransferProgress(status: "The push refers to repository [\(parsed.name)]"))
    do {
      try await registries.withSession(
        parsed, actions: "pull,push", credentials: credentials
      ) { session in
        for (reference, id) in references {
          try await pushOne(reference, id, session, progress)
        }
      }
    } catch let error as ImageStoreError {
      throw error
    } catch let error as CancellationError {
      throw error
    } catch {
      throw ImageStoreError.unpacking(error)
    }
  }

  private func pushed(
    _ reference: ImageReference, allTags: Bool
  ) throws -> [(ImageReference, Digest)] {
    let names = catalog.state.names
    if !allTags {
      let tagged = reference.tagged
      guard let id = names[tagged.description] else {
        throw ImageStoreError(
          .notFound, "An image does not exist locally with the tag: \(reference.familiarName)")
      }
      return [(tagged, id)]
    }
    guard reference.isNameOnly else {
      throw ImageStoreError(.invalidArgument, "tag can't be used with --all-tags/-a")
    }
    let found = names.filter { $0.key.hasPrefix(reference.name + ":") && !$0.key.contains("@") }
    guard !found.isEmpty else {
      throw ImageStoreError(
        .notFound, "An image does not exist locally with the tag: \(reference.familiarName)")
    }
    return try found.sorted { $0.key < $1.key }.map {
      (try ImageReference(parsing: $0.key), $0.value)
    }
  }

  private func pushOne(
    _ reference: ImageReference, _ id: Digest, _ session: RegistrySession,
    _ progress: @escaping ProgressHandler
  ) async throws {
    let holder = pins.begin()
    defer { pins.end(holder) }
    guard let image = catalog.state.images[id] else {
      throw ReferenceLookup.notFound(reference.familiar)
    }
    pins.hold(layers: image.layers, by: holder)
    pins.hold(blobs: catalog.state.neededBlobs(), by: holder)
    for layer in image.layers.reversed() {
      progress(TransferProgress(id: layer.short, status: "Preparing"))
    }
    let manifest = try await manifestForPush(image, holder)
    try await pushBlobs(of: manifest.manifest, image, reference, session, progress)
    var headers = HTTPHeaders()
    headers.add(name: "Content-Type", value: manifest.descriptor.mediaType)
    let tag = reference.tag ?? "latest"
    let bytes = manifest.bytes
    let response = try await session.send(.PUT, "manifests/\(tag)", headers: headers) {
      .bytes(ByteBuffer(bytes: bytes))
    }
    guard (200..<300).contains(response.status.code) else {
      throw await session.failure(response, "manifest for \(reference.familiar)")
    }
    try await notePush(manifest, image, reference)
    let digest = manifest.descriptor.digest
    progress(
      TransferProgress(status: "\(tag): digest: \(digest) size: \(bytes.count)"))
    progress(
      TransferProgress(
        status: "",
        pushed: .init(tag: tag, digest: digest, size: Int64(bytes.count))))
  }

  private func pushBlobs(
    of manifest: Manifest, _ image: CatalogImage, _ reference: ImageReference,
    _ session: RegistrySession, _ progress: @escaping ProgressHandler
  ) async throws {
    let sources = catalog.state.sources
    let prefix = reference.domain + "/"
    let (blobs, uploads, attempts) =
      (self.blobs, self.uploads, configuration.maximumDownloadAttempts)
    let upload = { @Sendable (descriptor: ContentDescriptor, id: String?) in
      let known = (sources[descriptor.digest] ?? []).filter { $0.hasPrefix(prefix) }
      let work = BlobUpload(
        session: session, blobs: blobs, descriptor: descriptor,
        sources: known.map { String($0.dropFirst(prefix.count)) }, id: id,
        maximumAttempts: attempts, progress: progress)
      if !uploads.tryEnter() {
        if let id { progress(TransferProgress(id: id, status: "Waiting")) }
        try await uploads.enter()
      }
      defer { uploads.leave() }
      try await work.run()
    }
    var seen: Set<Digest> = []
    let layers = zip(manifest.layers, image.layers).filter { seen.insert($0.0.digest).inserted }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (descriptor, diffID) in layers {
        group.addTask { try await upload(descriptor, diffID.short) }
      }
      group.addTask { try await upload(manifest.config, nil) }
      try await group.waitForAll()
    }
  }

  private func notePush(
    _ manifest: ManifestBytes, _ image: CatalogImage, _ reference: ImageReference
  ) async throws {
    let blobs = self.blobs
    try await blocking("the manifest cannot be kept") {
      try blobs.write(manifest.bytes, as: manifest.descriptor.digest)
    }
    try await catalog.update { state in
      guard var current = state.images[image.stored.id] else { return }
      if current.stored.manifest?.digest != manifest.descriptor.digest {
        current.stored.manifest = manifest.descriptor
        current.stored.documents = []
        current.stored.layerBlobs = manifest.manifest.layers.map(\.digest)
        try state.set(current)
      }
      try state.setName(
        reference.with(digest: manifest.descriptor.digest).description, image.stored.id)
      for layer in manifest.manifest.layers + [manifest.manifest.config] {
        try state.addSource(reference.name, of: layer.digest)
      }
    }
  }

  // MARK: - Manifests

  /// The manifest as it was received; for an image that was made here, one over compressed layers.
  private func manifestForPush(
    _ image: CatalogImage, _ holder: UInt64
  ) async throws -> ManifestBytes {
    if let received = try await receivedManifest(image) { return received }
    var layers: [ContentDescriptor] = []
    let processors = AsyncSemaphore(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    let made = try await withThrowingTaskGroup(of: (Digest, ContentDescriptor).self) { group in
      for diffID in Set(image.layers) {
        group.addTask {
          (diffID, try await processors.within { try await self.compressedLayer(diffID, holder) })
        }
      }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for diffID in image.layers { if let layer = made[diffID] { layers.append(layer) } }
    let isDocker = layers.allSatisfy { $0.mediaType == MediaType.dockerLayerGzip }
    if !isDocker {
      layers = layers.map { layer in
        var layer = layer
        if layer.mediaType == MediaType.dockerLayerGzip { layer.mediaType = MediaType.ociLayerGzip }
        return layer
      }
    }
    let configuration = ContentDescriptor(
      mediaType: isDocker ? MediaType.dockerConfiguration : MediaType.ociConfiguration,
      digest: image.stored.id, size: Int64(image.configurationBytes.count))
    return try ManifestBytes(
      Manifest(
        mediaType: isDocker ? MediaType.dockerManifest : MediaType.ociManifest,
        config: configuration, layers: layers))
  }

  /// The manifest that came with the image; nil if there is none or its blobs are not all here.
  func receivedManifest(_ image: CatalogImage) async throws -> ManifestBytes? {
    guard let descriptor = image.stored.manifest else { return nil }
    let blobs = self.blobs
    return try await blocking("the manifest cannot be read") {
      let bytes = try blobs.read(descriptor.digest, limit: ManifestDocument.maximumBytes)
      let manifest: ManifestBytes
      do {
        manifest = try ManifestBytes(bytes: bytes, descriptor: descriptor)
      } catch {
        throw ImageStoreError.unpacking(error)
      }
      return manifest.manifest.layers.allSatisfy { blobs.contains($0.digest) } ? manifest : nil
    }
  }

  /// A layer's archive as kept; one that is kept plain is compressed, always to the same bytes,
  /// and from then on kept like that.
  private func compressedLayer(_ diffID: Digest, _ holder: UInt64) async throws -> ContentDescriptor
  {
    guard let layer = catalog.state.layers[diffID], let blob = layer.blob else {
      throw ImageStoreError(
        .notFound, "a layer's archive is missing from the store", metadata: ["layer": "\(diffID)"])
    }
    switch blob.mediaType {
    case MediaType.ociLayerGzip, MediaType.dockerLayerGzip:
      return ContentDescriptor(
        mediaType: MediaType.dockerLayerGzip, digest: blob.digest, size: blob.size)
    case MediaType.ociLayerZstd: return blob
    default: break
    }
    let blobs = self.blobs
    let compressed = try await DedicatedThread.run { try blobs.compress(blob.digest) }
    pins.hold(blobs: [compressed.digest], by: holder)
    try await barrier.pass()
    try await catalog.update { state in
      guard var current = state.layers[diffID] else { return }
      current.blob = compressed
      try state.set(current, for: diffID)
    }
    return compressed
  }
}

extension BlobDirectory {
  /// Compresses a plain blob with gzip into another blob. Blocks.
  func compress(_ digest: Digest) throws -> ContentDescriptor {
    let source = FileSource(try open(digest))
    let path = incomingPath()
    let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    do {
      var hasher = DigestHasher()
      var size: Int64 = 0
      let writer = try GzipWriter { bytes in
        hasher.update(bytes)
        size += Int64(bytes.count)
        try file.write(bytes)
      }
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
      defer { memory.deallocate() }
      while true {
        let count = try source.read(into: memory)
        if count == 0 { break }
        try writer.write(UnsafeRawBufferPointer(rebasing: memory[..<count]))
      }
      try writer.finish()
      let compressed = hasher.finalize()
      try adopt(path, as: compressed)
      return ContentDescriptor(
        mediaType: MediaType.dockerLayerGzip, digest: compressed, size: size)
    } catch {
      unlink(path)
      throw error
    }
  }
}
