import CLinux
import Glibc

/// Paths and folders, by plain system calls. All but the pure functions block.
package enum Paths {
  /// The folder a path lies in.
  package static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The last component of a path.
  package static func lastComponent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return path }
    return String(path[path.index(after: slash)...])
  }

  /// A path with `.`, `..` and doubled slashes resolved as text, always absolute.
  package static func cleaned(_ path: String) -> String {
    var components: [Substring] = []
    for component in path.split(separator: "/") where component != "." {
      if component == ".." {
        _ = components.popLast()
      } else {
        components.append(component)
      }
    }
    return "/" + components.joined(separator: "/")
  }

  /// Makes a folder and those above it; one that is there already is left as it is.
  /// - Throws: `SystemError`.
  package static func makeDirectories(_ path: String, mode: UInt32 = 0o755) throws {
    if mkdir(path, mode) == 0 { return }
    if errno == ENOENT {
      try makeDirectories(parent(of: path), mode: mode)
      if mkdir(path, mode) == 0 { return }
    }
    guard errno == EEXIST, isDirectory(path) else { throw SystemError.last("mkdir", path) }
  }

  /// Whether something is at the path, a dangling symbolic link included.
  package static func exists(_ path: String) -> Bool {
    var information = stat()
    return lstat(path, &information) == 0
  }

  /// Whether the path leads to a folder.
  package static func isDirectory(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
  }

  /// The names in a folder, without `.` and `..`, unsorted.
  /// - Throws: `SystemError`.
  package static func entries(of path: String) throws -> [String] {
    guard let directory = opendir(path) else { throw SystemError.last("opendir", path) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// The whole of a small file.
  /// - Throws: `SystemError`, with `EFBIG` beyond `limit` bytes.
  package static func read(_ path: String, limit: Int = 16 << 20) throws -> [UInt8] {
    let file = try Descriptor.open(path, O_RDONLY)
    var bytes: [UInt8] = []
    while true {
      let chunk = try file.read(upTo: 64 << 10)
      if chunk.isEmpty { return bytes }
      bytes.append(contentsOf: chunk)
      if bytes.count > limit { throw SystemError(EFBIG, "read", path) }
    }
  }

  /// The whole of a small text file, invalid bytes replaced.
  /// - Throws: `SystemError`.
  package static func readText(_ path: String) throws -> String {
    String(decoding: try read(path), as: UTF8.self)
  }

  /// Writes to a file that exists, as those in /proc and /sys are written.
  /// - Throws: `SystemError`.
  package static func write(_ text: String, toExisting path: String) throws {
    try Descriptor.open(path, O_WRONLY | O_TRUNC).write(Array(text.utf8))
  }
}
