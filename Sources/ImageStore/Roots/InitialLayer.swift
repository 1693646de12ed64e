import Glibc
import Host

/// The layer between an image and its containers with the mount points that every container needs:
/// made once per image, so that they are no change that a container has made.
struct InitialLayer {
  let overlayPath: String

  private static let folders: [(path: String, mode: UInt32)] = [
    ("proc", 0o755), ("sys", 0o755), ("dev", 0o755), ("dev/pts", 0o755), ("dev/shm", 0o755),
    ("etc", 0o755),
  ]
  private static let files = [
    "etc/hosts", "etc/hostname", "etc/resolv.conf", "dev/console", ".dockerenv",
  ]

  /// Makes the layer over the given ones (topmost first) and returns its folder's name. Blocks.
  func create(over lower: [String]) throws -> String {
    let name = LayerUnpacker.newDirectoryName()
    let path = "\(overlayPath)/\(name)"
    let merged = path + "/merged"
    do {
      for folder in ["", "/diff", "/work", "/merged"] {
        try Paths.makeDirectories(path + folder, mode: 0o755)
      }
      try Mount.overlay(
        lower: lower.map { $0 + "/diff" }, upper: name + "/diff", work: name + "/work",
        relativeTo: overlayPath, at: merged, options: ["index=off"])
      defer { try? Mount.unmount(merged, lazily: true) }  // nothing is open in it any more
      let root = try RootedDirectory(merged)
      for (folder, mode) in Self.folders { Self.makeFolder(folder, mode, in: root) }
      for file in Self.files { Self.makeFile(file, in: root) }
      Self.makeLink("etc/mtab", to: "/proc/mounts", in: root)
    } catch {
      try? Mount.unmount(merged, lazily: true)  // the first error counts
      try? TreeRemoval.remove(path)  // recovery sweeps what is left
      throw ImageStoreError(.system, "the image's layers cannot be mounted", cause: error)
    }
    for folder in ["/work", "/merged"] {
      try? TreeRemoval.remove(path + folder)  // not needed, not harmful
    }
    return name
  }

  // What cannot be made is left to the runtime, which then says what is wrong with the image.

  private static func makeFolder(_ path: String, _ mode: UInt32, in root: RootedDirectory) {
    withParent(of: path, in: root) { folder, name in
      if mkdirat(folder, name, mode) == 0 { fchmodat(folder, name, mode, 0) }
    }
  }

  private static func makeFile(_ path: String, in root: RootedDirectory) {
    withParent(of: path, in: root) { folder, name in
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
      let file = openat(folder, name, flags, 0o755)
      if file >= 0 {
        fchmod(file, path == "dev/console" || path == ".dockerenv" ? 0o755 : 0o644)
        close(file)
      }
    }
  }

  private static func makeLink(_ path: String, to target: String, in root: RootedDirectory) {
    withParent(of: path, in: root) { folder, name in symlinkat(target, folder, name) }
  }

  private static func withParent(
    of path: String, in root: RootedDirectory, _ body: (Int32, String) -> Void
  ) {
    let parent = path.contains("/") ? Paths.parent(of: path) : ""
    guard let folder = try? root.open(Array(parent.utf8), O_RDONLY | O_DIRECTORY) else {
      return  // see above
    }
    body(folder.rawValue, Paths.lastComponent(of: path))
  }
}
