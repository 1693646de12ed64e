import Glibc
import Host
import Synchronization

/// The writable layers of containers: `overlay/<container>/{diff,work,merged}`, and a symbolic link
/// `lower` whose target lists the folders of the layers below, topmost first. A link costs one
/// call, comes whole or not at all, and is written with the folder's own metadata.
final class RootFilesystems: Sendable {
  let overlayPath: String
  /// Folders of layers by container, topmost first.
  private let lowers = Mutex<[String: [String]]>([:])

  /// The folder that stands in for an image where there is none.
  static let emptyDirectory = "empty"

  init(overlayPath: String) { self.overlayPath = overlayPath }

  func path(_ containerID: String) -> String { "\(overlayPath)/\(containerID)" }

  /// Throws `invalidArgument` unless the text can be a container's folder: hexadecimal digits,
  /// more of them than a layer's folder has.
  func check(_ containerID: String) throws {
    let isHexadecimal = containerID.utf8.allSatisfy {
      (48...57).contains($0) || (97...102).contains($0)
    }
    guard isHexadecimal, (12...64).contains(containerID.utf8.count) else {
      throw ImageStoreError(
        .invalidArgument, "not a container's id", metadata: ["id": String(containerID.prefix(80))])
    }
  }

  /// Reads what is there; returns the containers found. Blocks.
  func load() throws -> [String] {
    var found: [String: [String]] = [:]
    for name in try Paths.entries(of: overlayPath) where (try? check(name)) != nil {
      found[name] = try? readLower(name)  // without it the folder belongs to nobody
    }
    let names = Array(found.keys)
    let result = found
    lowers.withLock { $0 = result }
    return names
  }

  /// Folders of layers that some container stands on.
  func usedDirectories() -> Set<String> {
    lowers.withLock { $0.values.reduce(into: []) { $0.formUnion($1) } }
  }

  private func readLower(_ containerID: String) throws -> [String] {
    var target = [CChar](repeating: 0, count: 4096)
    let link = path(containerID) + "/lower"
    let count = readlink(link, &target, target.count)
    guard count >= 0 else { throw SystemError.last("readlink", link) }
    let text = String(
      decoding: target.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    return text.split(separator: ":").map(String.init)
  }

  /// The layers of a container. Throws `notFound`.
  func lower(_ containerID: String) throws -> [String] {
    if let known = lowers.withLock({ $0[containerID] }) { return known }
    throw ImageStoreError(
      .notFound, "the container has no root file system", metadata: ["container": containerID])
  }

  /// Claims layers for a container before its folders are there. Throws `conflict` if it has a
  /// root file system.
  func claim(_ containerID: String, _ lower: [String]) throws {
    let isNew = lowers.withLock { lowers in
      guard lowers[containerID] == nil else { return false }
      lowers[containerID] = lower
      return true
    }
    guard isNew else {
      throw ImageStoreError(
        .conflict, "the container has a root file system", metadata: ["container": containerID])
    }
  }

  /// Gives up a claim.
  func release(_ containerID: String) {
    lowers.withLock { $0[containerID] = nil }
  }

  /// Makes a container's folders. Blocks.
  func create(_ containerID: String, _ lower: [String]) throws {
    let path = path(containerID)
    guard mkdir(path, 0o710) == 0 else {
      throw ImageStoreError(
        .system, "the container's root file system cannot be made",
        cause: SystemError.last("mkdir", path))
    }
    do {
      for folder in ["/diff", "/work", "/merged"] {
        try checked("mkdir", path + folder, mkdir(path + folder, 0o755))
      }
      try Self.copyRootAttributes(of: lower, in: overlayPath, to: path + "/diff")
      try checked("symlink", path, symlink(lower.joined(separator: ":"), path + "/lower"))
    } catch {
      try? TreeRemoval.remove(path)  // the first error counts
      throw ImageStoreError(
        .system, "the container's root file system cannot be made", cause: error)
    }
  }

  /// The root folder of a mount has the owner and mode of the topmost layer's.
  private static func copyRootAttributes(
    of lower: [String], in overlayPath: String, to path: String
  ) throws {
    var information = stat()
    guard let top = lower.first else { return }
    try checked("stat", top, stat("\(overlayPath)/\(top)/diff", &information))
    try checked("chown", path, chown(path, information.st_uid, information.st_gid))
    try checked("chmod", path, chmod(path, information.st_mode & 0o7777))
  }

  /// Mounts a container's layers. Blocks.
  func mount(_ containerID: String, isDisposable: Bool) throws -> String {
    let path = path(containerID)
    let merged = path + "/merged"
    if Self.isMountPoint(merged) { return merged }
    var options = ["index=off"]
    if isDisposable { options.append("volatile") }
    // A volatile mount that the machine went down under leaves this note, which forbids another.
    if Paths.exists(path + "/work/work/incompat") {
      try TreeRemoval.remove(path + "/work/work/incompat")
    }
    let lower = try lower(containerID)
    do {
      try Mount.overlay(
        lower: lower.map { $0 + "/diff" }, upper: containerID + "/diff",
        work: containerID + "/work", relativeTo: overlayPath, at: merged, options: options)
    } catch {
      throw ImageStoreError(
        .system, "the container's root file system cannot be mounted",
        metadata: ["container": containerID], cause: error)
    }
    return merged
  }

  /// Unmounts; while not mounted is no error. Blocks.
  func unmount(_ containerID: String) throws {
    do {
      try Mount.unmount(path(containerID) + "/merged", lazily: true)
    } catch {
      throw ImageStoreError(
        .system, "the container's root file system cannot be unmounted",
        metadata: ["container": containerID], cause: error)
    }
  }

  /// Removes a container's folders. Blocks.
  func remove(_ containerID: String) throws {
    try unmount(containerID)
    let path = path(containerID)
    // Set aside first: a crash in the middle then leaves nothing that looks like a container.
    let doomed = "\(overlayPath)/removing-\(containerID)"
    if rename(path, doomed) != 0, errno != ENOENT {
      let reason = SystemError.last("rename", path)
      throw ImageStoreError(
        .system, "the container's root file system cannot be removed", cause: reason)
    }
    do {
      try TreeRemoval.remove(doomed)
    } catch {
      throw ImageStoreError(
        .system, "the container's root file system cannot be removed", cause: error)
    }
  }

  /// Where the parts lie.
  func overlayPaths(_ containerID: String) throws -> OverlayPaths {
    let path = path(containerID)
    return OverlayPaths(
      lower: try lower(containerID).map { "\(overlayPath)/\($0)/diff" }, upper: path + "/diff",
      work: path + "/work", merged: path + "/merged")
  }

  /// Whether the folder is the root of a mount: it is then on another device than its parent.
  static func isMountPoint(_ path: String) -> Bool {
    var inner = stat()
    var outer = stat()
    guard lstat(path, &inner) == 0, lstat(path + "/..", &outer) == 0 else { return false }
    // lstat of "merged/.." leaves the mount: the kernel resolves the parent of the mount point.
    return inner.st_dev != outer.st_dev
  }
}
