import Glibc
import Host

/// Shows a container's mounts in its root file system while it does not run, for those who copy in and
/// out. All of it blocks.
enum MountPreview {
  /// Binds a mount's source at its place below a mounted root; folders of the way that are not there
  /// are made, as the start of the container would make them.
  /// - Returns: where it is mounted.
  /// - Throws: `SystemError`.
  static func show(_ mount: MountRecord, in root: String) throws -> String {
    let directory = try RootedDirectory(root)
    let target = try place(mount.destination, in: directory, like: mount.source)
    try Host.Mount.bind(mount.source, at: target, recursive: true, readOnly: false)
    return target
  }

  /// The real path of a place inside the root, made if it is not there.
  private static func place(
    _ destination: String, in root: RootedDirectory, like source: String
  ) throws -> String {
    do {
      return try PathOfDescriptor.resolve(
        try root.open(Array(destination.utf8), PathOfDescriptor.pathOnly))
    } catch let error as SystemError where error.errno == ENOENT {}
    let parent = try place(Paths.parent(of: destination), in: root, like: "/")
    let path = parent + "/" + Paths.lastComponent(of: destination)
    if Paths.isDirectory(source) {
      try Paths.makeDirectories(path)
    } else {
      try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644).close()
    }
    return path
  }
}

/// The path that an open descriptor stands for.
enum PathOfDescriptor {
  /// `O_PATH`, which the C library's headers keep behind a feature macro.
  static let pathOnly: Int32 = 0o10_000_000

  /// - Throws: `SystemError`.
  static func resolve(_ descriptor: Descriptor) throws -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = readlink("/proc/self/fd/\(descriptor.rawValue)", &buffer, Int(PATH_MAX))
    guard count > 0 else { throw SystemError.last("readlink") }
    return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
