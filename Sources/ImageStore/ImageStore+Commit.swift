import FoundationEssentials
import Glibc
import Host
package import OCI

extension ImageStore {
  /// Makes an image of a container's changes and returns its id. `tag` nil makes it dangling.
  package func commit(
    containerID: String, _ request: CommitRequest, tag: String? = nil
  ) async throws -> Digest {
    let name = try tag.map(Self.tagName)
    let paths = try roots.overlayPaths(containerID)
    let parent = try request.parentImage.map { try ReferenceLookup(catalog.state).find($0).id }
    let base = parent.flatMap { catalog.state.images[$0] }
    let folder = blobs.incomingPath()
    let holder = pins.begin()
    defer { pins.end(holder) }
    pins.hold(layers: base?.layers ?? [], by: holder)
    do {
      let staged = try await blocking("the container's changes cannot be read") {
        try Paths.makeDirectories(folder, mode: 0o700)
        return try StagedLayer(changesIn: paths.upper, folder: folder)
      }
      pins.hold(layers: [staged.diffID], by: holder)
      pins.hold(blobs: [staged.member.digest], by: holder)
      try await takeLayer(staged.member, nil, staged.diffID) { _ in }
      await removeFolder(folder)
      var new = try NewImage(
        configurationBytes: try configurationBytes(request, base, staged.diffID, containerID))
      new.parent = parent
      new.names = name.map { [$0] } ?? []
      return try await record(new).id
    } catch {
      await removeFolder(folder)
      throw ImageStoreError.unpacking(error)
    }
  }

  private func configurationBytes(
    _ request: CommitRequest, _ base: CatalogImage?, _ diffID: Digest, _ containerID: String
  ) throws -> [UInt8] {
    var image =
      base?.configuration ?? ImageConfiguration(platform: configuration.platform, diffIDs: [])
    let now = Timestamp.text(Date())
    image.created = now
    image.author = request.author ?? image.author
    image.comment = request.comment
    image.container = containerID
    image.config = request.config
    image.rootfs.diffIDs.append(diffID)
    image.history =
      (image.history ?? []) + [
        .init(
          created: now, createdBy: request.createdBy, author: request.author,
          comment: request.comment)
      ]
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(image))
  }
}

extension StagedLayer {
  /// Stages what a container's writable layer holds. Blocks.
  init(changesIn upper: String, folder: String) throws {
    let path = "\(folder)/layer"
    let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    let root = try Descriptor.open(upper, O_RDONLY | O_DIRECTORY)
    var hasher = DigestHasher()
    var size: Int64 = 0
    var pending: [UInt8] = []
    func flush() throws {
      try file.write(pending)
      pending.removeAll(keepingCapacity: true)
    }
    let writer = TarWriter { bytes in
      hasher.update(bytes)
      size += Int64(bytes.count)
      pending.append(contentsOf: bytes)
      if pending.count >= 256 << 10 { try flush() }
    }
    try TreeArchiver(writer, purpose: .overlayDifference).contents(of: root.rawValue, prefix: [])
    try writer.finish()
    try flush()
    self.init(
      member: StagedArchive.Member(file: path, size: size, digest: hasher.finalize()))
  }

  private init(member: StagedArchive.Member) { self.member = member }
}
