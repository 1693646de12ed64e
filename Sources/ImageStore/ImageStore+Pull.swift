import FoundationEssentials
import Host
import Logging
package import OCI

extension ImageStore {
  /// Brings an image from its registry; with `allTags` every tag of the repository. Returns the
  /// image (the last one for all tags).
  @discardableResult
  package func pull(
    _ reference: String, platform: Platform? = nil, credentials: RegistryCredentials? = nil,
    allTags: Bool = false, progress: @escaping ProgressHandler
  ) async throws -> ImageRecord {
    let parsed = try Self.parse(reference)
    do {
      return try await registries.withSession(
        parsed, actions: "pull", credentials: credentials
      ) { session in
        guard allTags else {
          return try await pullOne(parsed.tagged, platform, session, progress)
        }
        guard parsed.isNameOnly else {
          throw ImageStoreError(
            .invalidArgument, "tag can't be used with --all-tags/-a")
        }
        var last: ImageRecord?
        for tag in try await session.tags().sorted() where ImageReference.isTag(tag) {
          last = try await pullOne(parsed.with(tag: tag), platform, session, progress)
        }
        guard let last else {
          throw ImageStoreError(.notFound, "No tags found for \(parsed.familiarName)")
        }
        return last
      }
    } catch let error as ImageStoreError {
      throw Self.explain(error, parsed)
    } catch let error as CancellationError {
      throw error
    } catch {
      throw ImageStoreError.unpacking(error)
    }
  }

  static func parse(_ reference: String) throws -> ImageReference {
    do {
      return try ImageReference(parsing: reference)
    } catch let error as OCIError {
      throw ImageStoreError(.invalidArgument, error.description)
    }
  }

  /// Registries say "denied" and "not found" alike when a repository is not there for us.
  private static func explain(
    _ error: ImageStoreError, _ reference: ImageReference
  ) -> ImageStoreError {
    guard error.code == .denied || error.code == .unauthorized else { return error }
    var explained = error
    explained.message =
      "pull access denied for \(reference.familiarName), repository does not exist or may "
      + "require 'docker login': \(error.message)"
    return explained
  }

  private func pullOne(
    _ reference: ImageReference, _ explicit: Platform?, _ session: RegistrySession,
    _ progress: @escaping ProgressHandler
  ) async throws -> ImageRecord {
    let label = reference.tag ?? reference.digest?.description ?? ""
    progress(
      TransferProgress(id: label, status: "Pulling from \(reference.path)"))
    let found = try await session.image(
      reference, platform: explicit ?? configuration.platform)
    let holder = pins.begin()
    do {
      let record = try await pullImage(found, reference, explicit, session, holder, progress)
      pins.end(holder)
      return record
    } catch {
      pins.end(holder)
      await discardUnfinished(found.manifest)
      throw error
    }
  }

  private typealias Found = (manifest: Manifest, fetched: FetchedManifest, top: FetchedManifest)

  private func pullImage(
    _ found: Found, _ reference: ImageReference, _ explicit: Platform?,
    _ session: RegistrySession, _ holder: UInt64, _ progress: @escaping ProgressHandler
  ) async throws -> ImageRecord {
    let manifest = found.manifest
    pins.hold(blobs: manifest.layers.map(\.digest) + [manifest.config.digest], by: holder)
    pins.hold(
      blobs: [found.fetched.descriptor.digest, found.top.descriptor.digest], by: holder)
    let bytes = try await configurationBytes(manifest.config, session)
    var image = try NewImage(configurationBytes: bytes)
    image.id = manifest.config.digest
    let diffIDs = image.configuration.rootfs.diffIDs
    guard diffIDs.count == manifest.layers.count else {
      throw ImageStoreError(
        .invalidContent, "layers from manifest don't match image configuration",
        metadata: ["layers": "\(manifest.layers.count)", "diffs": "\(diffIDs.count)"])
    }
    try checkOS(image.configuration)
    if let explicit, explicit.preference(for: image.configuration.platform) == nil {
      throw ImageStoreError(
        .notFound,
        "image with reference \(reference.familiar) was found but does not match the specified "
          + "platform: wanted \(explicit), actual: \(image.configuration.platform)")
    }
    guard diffIDs.count <= Self.maximumLayers else {
      throw ImageStoreError(
        .unsupported, "max depth exceeded: the image has more than \(Self.maximumLayers) layers")
    }
    pins.hold(layers: diffIDs, by: holder)
    try await fetchLayers(zip(manifest.layers, diffIDs).map { ($0, $1) }, session, progress)

    let blobs = self.blobs
    try await blocking("the manifest cannot be kept") {
      try blobs.write(found.fetched.bytes, as: found.fetched.descriptor.digest)
      try blobs.write(found.top.bytes, as: found.top.descriptor.digest)
    }
    image.manifest = found.fetched.descriptor
    image.documents = [found.top.descriptor.digest]
    image.layerBlobs = manifest.layers.map(\.digest)
    image.names = [reference.with(digest: found.top.descriptor.digest).description]
    if let tag = reference.tag, reference.digest == nil {
      image.names.append(reference.with(tag: tag).description)
    }
    let names = catalog.state.names
    let isNew = !image.names.allSatisfy { names[$0] == image.id }
    let record = try await self.record(image)
    let repository = reference.name
    try await catalog.update { state in
      for layer in manifest.layers { try state.addSource(repository, of: layer.digest) }
      try state.addSource(repository, of: manifest.config.digest)
    }
    progress(TransferProgress(status: "Digest: \(found.top.descriptor.digest)"))
    progress(
      TransferProgress(
        status: isNew
          ? "Status: Downloaded newer image for \(reference.familiar)"
          : "Status: Image is up to date for \(reference.familiar)"))
    return record
  }

  private func configurationBytes(
    _ descriptor: ContentDescriptor, _ session: RegistrySession
  ) async throws -> [UInt8] {
    let blobs = self.blobs
    let known = try await blocking("the image's configuration cannot be read") {
      blobs.contains(descriptor.digest)
        ? try blobs.read(descriptor.digest, limit: ImageConfiguration.maximumBytes) : nil
    }
    if let known { return known }
    guard descriptor.size <= Int64(ImageConfiguration.maximumBytes) else {
      throw ImageStoreError(.invalidContent, "the image's configuration is too large")
    }
    return try await session.blob(descriptor, limit: ImageConfiguration.maximumBytes)
  }

  private func fetchLayers(
    _ layers: [(descriptor: ContentDescriptor, diffID: Digest)], _ session: RegistrySession,
    _ progress: @escaping ProgressHandler
  ) async throws {
    // The same layer may stand in an image more than once.
    var seen: Set<Digest> = []
    let wanted = layers.filter { seen.insert($0.descriptor.digest).inserted }
    for layer in wanted {
      guard MediaType.isLayer(layer.descriptor.mediaType) else {
        throw ImageStoreError(
          .unsupported, "the image has a layer of an unknown type",
          metadata: ["type": layer.descriptor.mediaType])
      }
      progress(
        TransferProgress(id: layer.descriptor.digest.short, status: "Pulling fs layer"))
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for layer in wanted {
        group.addTask {
          try await self.fetchLayer(layer.descriptor, layer.diffID, session, progress)
        }
      }
      try await group.waitForAll()
    }
  }

  private func fetchLayer(
    _ descriptor: ContentDescriptor, _ diffID: Digest, _ session: RegistrySession,
    _ progress: @escaping ProgressHandler
  ) async throws {
    let id = descriptor.digest.short
    let blobs = self.blobs
    let known = catalog.state.layers[diffID]
    let hasBlob = try await BlockingPool.shared.run { blobs.contains(descriptor.digest) }
    if known != nil, hasBlob {
      progress(TransferProgress(id: id, status: "Already exists"))
      return
    }
    let settings = configuration
    _ = try await layerFetches.run(
      "\(descriptor.digest) \(diffID)", progress: progress
    ) { report in
      let fetch = LayerFetch(
        session: session, blobs: blobs, unpacker: self.unpacker, slots: self.downloads,
        maximumAttempts: settings.maximumDownloadAttempts,
        localRegistriesPath: settings.localRegistriesPath, descriptor: descriptor,
        diffID: diffID, progress: report)
      let existing = self.catalog.state.layers[diffID]
      let outcome = try await fetch.run(needsLayer: existing == nil)
      if Task.isCancelled, let unpacked = outcome.unpacked {
        await self.removeFolder("\(settings.overlayPath)/\(unpacked.directory)")
        throw CancellationError()
      }
      if let unpacked = outcome.unpacked {
        try await self.recordLayer(
          StoredLayer(directory: unpacked.directory, size: unpacked.size, blob: descriptor),
          diffID, isNew: true)
      } else if var layer = existing {
        layer.blob = descriptor
        try await self.recordLayer(layer, diffID, isNew: false)
      }
      return outcome
    }
    progress(TransferProgress(id: id, status: "Pull complete"))
  }

  /// After a pull that did not end well: layers go, blobs become beginnings for the next try.
  private func discardUnfinished(_ manifest: Manifest) async {
    let resumable = Set(manifest.layers.map(\.digest))
    do {
      try await Task { _ = try await self.collectGarbage(keepingForRetry: resumable) }.value
    } catch {
      logger.warning(
        "what an interrupted pull has left could not be removed", metadata: ["error": "\(error)"])
    }
  }
}
