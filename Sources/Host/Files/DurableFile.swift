import CLinux
import Glibc

/// The one way files of ours come to be: a reader sees the old content or the new, and after a
/// return the new content outlives a power cut. All of it blocks.
package enum DurableFile {
  /// Replaces the file at `path` by write, sync, rename and sync of the folder.
  /// - Throws: `SystemError`; the old content then still stands.
  package static func publish(
    _ bytes: some Collection<UInt8>, to path: String, mode: UInt32 = 0o600
  ) throws {
    let temporary = path + ".tmp-" + Identifier.hexadecimal(bytes: 6)
    do {
      let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
      try file.write(bytes)
      try checked("fsync", temporary, retryingInterrupts { fsync(file.rawValue) })
      file.close()
      try checked("rename", path, rename(temporary, path))
    } catch {
      unlink(temporary)
      throw error
    }
    try syncDirectory(Paths.parent(of: path))
  }

  /// Has the disk begin to take a part of a file, so that a later `fsync` has less to wait for. That
  /// promises nothing, and where it cannot be done nothing is lost.
  package static func beginWriteback(_ file: Descriptor, offset: Int64, length: Int64) {
    _ = martlet_begin_writeback(file.rawValue, offset, length)
  }

  /// Replaces the file at `path` atomically but without waiting for the disk, for files that are
  /// made anew at each start.
  /// - Throws: `SystemError`.
  package static func replace(
    _ bytes: some Collection<UInt8>, at path: String, mode: UInt32 = 0o644
  ) throws {
    let temporary = path + ".tmp-" + Identifier.hexadecimal(bytes: 6)
    do {
      let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
      try checked("fchmod", temporary, fchmod(file.rawValue, mode))
      try file.write(bytes)
      try checked("rename", path, rename(temporary, path))
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Makes the entries of a folder durable.
  /// - Throws: `SystemError`.
  package static func syncDirectory(_ path: String) throws {
    let directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
    try checked("fsync", path, retryingInterrupts { fsync(directory.rawValue) })
  }
}
