import FoundationEssentials
import Glibc
package import Host
package import OCI

extension ImageStore {
  /// Makes the writable layer of a container over an image (nil: over nothing).
  package func prepareRootFilesystem(
    containerID: String, imageID: Digest?
  ) async throws -> OverlayPaths {
    try roots.check(containerID)
    let state = catalog.state
    var lower = [RootFilesystems.emptyDirectory]
    if let imageID {
      guard let image = state.images[imageID] else {
        throw ReferenceLookup.notFound(imageID.description)
      }
      lower = try directories(of: image.layers, state)
      if let initial = image.stored.initialDirectory { lower.insert(initial, at: 0) }
      if lower.isEmpty { lower = [RootFilesystems.emptyDirectory] }
    }
    // Claimed before it is looked at again: a removal of the image that comes in between either
    // sees the claim or is seen here.
    try roots.claim(containerID, lower)
    let (roots, layers) = (self.roots, lower)
    do {
      if let imageID, catalog.state.images[imageID] == nil {
        throw ReferenceLookup.notFound(imageID.description)
      }
      try await BlockingPool.shared.run { try roots.create(containerID, layers) }
    } catch {
      roots.release(containerID)
      throw error
    }
    return try roots.overlayPaths(containerID)
  }

  /// Mounts a container's root file system and returns where; again while mounted is no error.
  /// - Parameter isDisposable: whether nothing in it need outlive a power cut (`--rm`): unmounting
  ///   then does not wait for the disk.
  package func mount(containerID: String, isDisposable: Bool = false) async throws -> String {
    try roots.check(containerID)
    let roots = self.roots
    return try await BlockingPool.shared.run {
      try roots.mount(containerID, isDisposable: isDisposable)
    }
  }

  /// Unmounts a container's root file system; while not mounted is no error.
  package func unmount(containerID: String) async throws {
    try roots.check(containerID)
    let roots = self.roots
    try await BlockingPool.shared.run { try roots.unmount(containerID) }
  }

  /// Unmounts and removes a container's writable layer; one that is not there is no error.
  package func removeRootFilesystem(containerID: String) async throws {
    try roots.check(containerID)
    let roots = self.roots
    let lower = (try? roots.lower(containerID)) ?? []  // absent: then only what is left is removed
    try await BlockingPool.shared.run { try roots.remove(containerID) }
    roots.release(containerID)
    // The image may have been removed by force while the container stood on it.
    let state = catalog.state
    let needed = state.neededLayers()
    let isLastUser = state.layers.contains {
      !needed.contains($0.key) && lower.contains($0.value.directory)
    }
    if isLastUser { try await collectGarbage() }
    let initials = Set(state.images.values.compactMap(\.stored.initialDirectory))
    if let first = lower.first, !initials.contains(first) {
      try await removeStrayDirectories([first])
    }
  }

  /// The folders of a container's root file system.
  package func overlayPaths(containerID: String) async throws -> OverlayPaths {
    try roots.overlayPaths(containerID)
  }

  /// Containers (ids) that have a writable layer, and whether it is mounted, for recovery.
  package func rootFilesystems() async throws -> [(containerID: String, isMounted: Bool)] {
    let roots = self.roots
    return try await blocking("the overlay folder cannot be read") {
      try Paths.entries(of: roots.overlayPath).filter { (try? roots.check($0)) != nil }
        .filter { !LayerUnpacker.isDirectoryName($0) }
        .map { ($0, RootFilesystems.isMountPoint(roots.path($0) + "/merged")) }
    }
  }

  /// What a container changed against its image, sorted by path.
  package func changes(containerID: String) async throws -> [FilesystemChange] {
    let paths = try roots.overlayPaths(containerID)
    return try await blocking("the container's changes cannot be read") {
      try FilesystemChanges(upper: paths.upper, lower: paths.lower).find()
    }
  }

  /// Bytes of a container's writable layer, and of it with its image.
  package func size(
    containerID: String
  ) async throws -> (writable: Int64, total: Int64) {
    let paths = try roots.overlayPaths(containerID)
    let writable = try await blocking("the container's files cannot be measured") {
      try FilesystemChanges.size(of: paths.upper)
    }
    let directories = Set(try roots.lower(containerID))
    let layers = catalog.state.layers.values.filter { directories.contains($0.directory) }
    return (writable, layers.reduce(writable) { $0 + $1.size })
  }

  /// The whole root file system of a container as a tar archive (`docker export`).
  package func exportRootFilesystem(containerID: String) async throws -> ByteStream {
    try roots.check(containerID)
    let roots = self.roots
    // A mount of its own, so that a container that stops meanwhile does not end the export.
    let lower = try roots.lower(containerID)
    let overlayPath = roots.overlayPath
    let holder = pins.begin()
    for directory in lower { pins.hold(directory: directory, by: holder) }
    let pins = self.pins
    return BytePipe.stream { pipe in
      defer { pins.end(holder) }
      let root = try ExportMount.open(
        lower: [containerID + "/diff"] + lower.map { $0 + "/diff" }, in: overlayPath)
      let output = PipeWriter(pipe)
      let writer = TarWriter { try output.write($0) }
      try TreeArchiver(writer).contents(of: root.rawValue, prefix: [])
      try writer.finish()
      try output.flush()
    }
  }
}

/// A read-only view of layers that no one else sees and that is gone when it is closed.
enum ExportMount {
  /// Mounts the layers (topmost first, relative to `overlayPath`) and takes the mount off its place
  /// at once; it lives on until the descriptor is closed. Blocks.
  static func open(lower: [String], in overlayPath: String) throws -> Descriptor {
    let place = "\(overlayPath)/\(LayerUnpacker.newDirectoryName())"
    try Paths.makeDirectories(place + "/merged", mode: 0o700)
    defer { try? TreeRemoval.remove(place) }  // recovery sweeps what is left
    let target = place + "/merged"
    // One layer alone cannot be mounted read-only: an empty one goes below it.
    let layers = lower.count > 1 ? lower : lower + [RootFilesystems.emptyDirectory + "/diff"]
    try Mount.overlay(
      lower: layers, upper: nil, work: nil, relativeTo: overlayPath, at: target)
    defer { try? Mount.unmount(target, lazily: true) }  // it is only taken off its place
    return try Descriptor.open(target, O_RDONLY | O_DIRECTORY)
  }
}
