import CLinux
import Glibc

/// Calls about file systems that Swift's own view of the C library leaves out. All of it blocks.
package enum FileSystemCalls {
  /// Waits until all that was written to the file system of an open file is on the disk.
  /// - Throws: `SystemError`.
  package static func synchronize(_ file: Descriptor) throws {
    try checked("syncfs", nil, martlet_syncfs(file.rawValue))
  }

  /// The value of an extended attribute of what is at the path, links not followed; nil if it has
  /// none of that name or if that cannot be learned.
  package static func attribute(_ name: String, of path: String) -> [UInt8]? {
    var value = [UInt8](repeating: 0, count: 256)
    let count = lgetxattr(path, name, &value, value.count)
    return count >= 0 ? Array(value.prefix(count)) : nil
  }
}
