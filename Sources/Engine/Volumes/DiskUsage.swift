import Glibc
import Host

/// How much room files take. Blocks.
enum DiskUsage {
  /// Bytes of all files below a folder; a file with several links counts once.
  /// - Throws: `SystemError`.
  static func bytes(below path: String) throws -> Int64 {
    var seen: Set<Inode> = []
    return try add(path, &seen)
  }

  private struct Inode: Hashable {
    var device: UInt64
    var number: UInt64
  }

  private static func add(_ path: String, _ seen: inout Set<Inode>) throws -> Int64 {
    var information = stat()
    guard lstat(path, &information) == 0 else {
      // Files come and go while we count.
      if errno == ENOENT { return 0 }
      throw SystemError.last("lstat", path)
    }
    if information.st_mode & S_IFMT != S_IFDIR {
      if information.st_nlink > 1 {
        let inode = Inode(
          device: UInt64(information.st_dev), number: UInt64(information.st_ino))
        guard seen.insert(inode).inserted else { return 0 }
      }
      return Int64(information.st_size)
    }
    var sum: Int64 = 0
    for name in try Paths.entries(of: path) { sum += try add(path + "/" + name, &seen) }
    return sum
  }
}
