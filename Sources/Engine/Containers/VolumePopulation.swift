import DockerModel
import Glibc
import Host
import ImageStore

extension ContainerSupervisor {
  /// Copies what the image has at the places of new, empty volumes into them, as dockerd does.
  func populateVolumes(_ record: ContainerRecord, merged: String) async throws {
    let wanted = record.mounts.filter { mount in
      mount.kind == .volume && !mount.isNoCopy && mount.subpath.isEmpty
        && (context.volumes.volume(mount.volume)?.options ?? [:]).isEmpty
    }
    guard !wanted.isEmpty, !record.imageID.isEmpty else { return }
    let root = try await context.images.mount(containerID: record.id)
    do {
      for mount in wanted { try await populate(mount, from: root) }
    } catch {
      try await context.images.unmount(containerID: record.id)
      throw error
    }
    try await context.images.unmount(containerID: record.id)
  }

  private func populate(_ mount: MountRecord, from root: String) async throws {
    let isEmpty = try await BlockingPool.shared.run { try Paths.entries(of: mount.source).isEmpty }
    guard isEmpty else { return }
    do {
      try await BlockingPool.shared.run {
        try Self.copyOwner(of: mount.destination, in: root, to: mount.source)
      }
      let source = mount.destination + "/."
      let (_, archive) = try await RootedCopy.archive(root: root, path: source)
      var options = RootedExtractionOptions()
      options.keepsOwners = true
      try await RootedCopy.extract(archive, root: mount.source, path: "/", options: options)
    } catch let error as SystemError where error.errno == ENOENT || error.errno == ENOTDIR {
      return  // the image has nothing there
    }
  }

  /// Gives a volume the owner and mode of the folder it takes the place of.
  /// - Throws: `SystemError`, with `ENOTDIR` when that is no folder.
  private static func copyOwner(of path: String, in root: String, to volume: String) throws {
    let folder = try RootedDirectory(root).open(Array(path.utf8), O_RDONLY | O_DIRECTORY)
    var information = stat()
    try checked("stat", path, fstat(folder.rawValue, &information))
    let target = try Descriptor.open(volume, O_RDONLY | O_DIRECTORY)
    try checked(
      "chown", volume, fchown(target.rawValue, information.st_uid, information.st_gid))
    try checked("chmod", volume, fchmod(target.rawValue, information.st_mode & 0o7777))
  }
}
