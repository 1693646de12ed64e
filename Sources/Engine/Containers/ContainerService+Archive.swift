import ContainerRuntime
package import DockerModel
import FoundationEssentials
import Glibc
import Host
import ImageStore

extension ContainerService {
  /// What a path in a container is.
  package func statPath(container: String, path: String) async throws -> ContainerPathStat {
    let container = try find(container)
    return try await withRoot(of: container, path) { root, path in
      Self.stat(try await RootedCopy.status(root: root, path: path))
    }
  }

  /// Sends what is at a path of a container.
  package func readArchive(
    container: String, path: String, sink: any ArchiveSink
  ) async throws {
    let container = try find(container)
    try await withRoot(of: container, path) { root, path in
      let (status, archive) = try await RootedCopy.archive(root: root, path: path)
      try await sink.begin(Self.stat(status))
      for try await bytes in archive { try await sink.write(bytes) }
    }
    context.publish("archive-path", container.record)
  }

  /// Unpacks an archive into a folder of a container.
  package func writeArchive(
    container: String, options: ArchiveWriteOptions, archive: DockerModel.ByteStream
  ) async throws {
    let container = try find(container)
    let record = container.record
    if record.hostConfig.readonlyRootfs && !Self.isInWritableMount(options.path, record) {
      throw APIError(.forbidden, "container rootfs is marked read-only")
    }
    var extraction = RootedExtractionOptions()
    extraction.refusesTypeReplacement = options.noOverwriteDirectoryWithFile
    try await withRoot(of: container, options.path) { root, path in
      if options.copyOwnership {
        extraction.keepsOwners = true
      } else {
        extraction.keepsOwners = false
        extraction.owner = try await ownership(of: record, root: root)
      }
      try await RootedCopy.extract(archive, root: root, path: path, options: extraction)
    }
    context.publish("extract-to-dir", record)
  }

  /// Without the wish to keep owners, what is copied belongs to root, as dockerd has it.
  private func ownership(
    of record: ContainerRecord, root: String
  ) async throws -> (user: UInt32, group: UInt32) {
    (0, 0)
  }

  private static func isInWritableMount(_ path: String, _ record: ContainerRecord) -> Bool {
    let cleaned = Paths.cleaned(path)
    return record.mounts.contains { mount in
      !mount.isReadOnly
        && (cleaned == mount.destination || cleaned.hasPrefix(mount.destination + "/"))
    }
  }

  private static func stat(_ status: RootedPathStatus) -> ContainerPathStat {
    let time = Timestamp(
      nanosecondsSinceEpoch: Int64(status.modified.timeIntervalSince1970 * 1e9))
    return ContainerPathStat(
      name: status.name, size: status.size,
      mode: ContainerPathStat.goMode(fromStat: status.mode), mtime: time.rfc3339,
      linkTarget: status.linkTarget)
  }

  /// Runs `body` with a folder of the host that is the container's root, with its volumes and binds
  /// in their places, and the path in it.
  private func withRoot<Value: Sendable>(
    of container: Container, _ path: String,
    _ body: (_ root: String, _ path: String) async throws -> Value
  ) async throws -> Value {
    do {
      // The path of a running container's root shows its mounts as it sees them itself.
      if let handle = container.lifecycle.handle {
        return try await body("/proc/\(handle.pid)/root", path)
      }
      return try await container.operations.withLock {
        try await withMountedRoot(container, path, body)
      }
    } catch let error as SystemError {
      throw Self.translated(error, path, container)
    } catch let error as ArchiveError {
      throw APIError.invalidParameter("\(error)")
    } catch {
      throw APIError(translating: error)
    }
  }

  private func withMountedRoot<Value: Sendable>(
    _ container: Container, _ path: String,
    _ body: (_ root: String, _ path: String) async throws -> Value
  ) async throws -> Value {
    let root = try await context.images.mount(containerID: container.id)
    let mounts = container.record.mounts.filter { $0.kind != .tmpfs }
    let result: Result<Value, any Error>
    var shown: [String] = []
    do {
      for mount in mounts {
        try await acquireIfVolume(mount, for: container)
        shown.append(
          try await BlockingPool.shared.run { try MountPreview.show(mount, in: root) })
      }
      result = .success(try await body(root, path))
    } catch {
      result = .failure(error)
    }
    let toHide = shown
    try await BlockingPool.shared.run {
      for target in toHide.reversed() { try Mount.unmount(target, lazily: true) }
    }
    for mount in mounts where mount.kind == .volume {
      try await context.volumes.operations.withLock {
        try await context.volumes.release(mount.volume, for: container.id)
      }
    }
    try await context.images.unmount(containerID: container.id)
    return try result.get()
  }

  private func acquireIfVolume(_ mount: MountRecord, for container: Container) async throws {
    guard mount.kind == .volume else { return }
    try await context.volumes.operations.withLock {
      try await context.volumes.acquire(mount.volume, for: container.id)
    }
  }

  private static func translated(
    _ error: SystemError, _ path: String, _ container: Container
  ) -> APIError {
    switch error.errno {
    case ENOENT:
      APIError(
        .notFound, "Could not find the file \(path) in container \(container.id)", cause: error)
    case ENOTDIR, EISDIR, EEXIST, ELOOP, ENAMETOOLONG, EINVAL:
      APIError(.invalidParameter, error.description, cause: error)
    case EROFS: APIError(.forbidden, "the destination is mounted read-only", cause: error)
    default: APIError(.system, error.description, cause: error)
    }
  }
}
