import Glibc

/// Removes trees that strangers made: names need not be text, and folders may lie in one another
/// deeper than there are descriptors or stack. Blocks.
package enum TreeRemoval {
  private static let maximumDepth = 128

  /// Removes what is at the path and all in it, following no link; nothing there is no error.
  /// - Throws: `SystemError`.
  package static func remove(_ path: String) throws {
    if unlink(path) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw SystemError.last("unlink", path) }
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
    let top: Descriptor
    do {
      top = try Descriptor.open(path, flags)
    } catch let error as SystemError where error.errno == ENOENT {
      return
    }
    // What lies too deep was brought up into the top and is there for another round.
    while try !empty(top.rawValue, top: top.rawValue, depth: 0, path) {}
    if rmdir(path) != 0, errno != ENOENT { throw SystemError.last("rmdir", path) }
  }

  /// Removes a folder in an open folder. Throws `SystemError`.
  static func removeFolder(_ name: [UInt8], in folder: Int32) throws {
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let text = String(decoding: name, as: UTF8.self)
    let opened = try checked("open", text, withCString(name) { openat(folder, $0, flags) })
    let top = Descriptor(owning: opened)
    while try !empty(opened, top: opened, depth: 0, text) {}
    top.close()
    if withCString(name, { unlinkat(folder, $0, AT_REMOVEDIR) }) != 0, errno != ENOENT {
      throw SystemError.last("rmdir", text)
    }
  }

  /// Empties an open folder; whether all of it is gone and nothing was brought up into the top.
  private static func empty(
    _ folder: Int32, top: Int32, depth: Int, _ path: String
  ) throws -> Bool {
    var isComplete = true
    let listed = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    for name in try DirectoryListing.names(owning: try checked("open", path, listed)) {
      let status = withCString(name) { unlinkat(folder, $0, 0) }
      if status == 0 || errno == ENOENT { continue }
      guard errno == EISDIR || errno == EPERM else { throw SystemError.last("unlink", path) }
      if depth >= maximumDepth {
        let place = Array(("deep-" + Identifier.hexadecimal(bytes: 8)).utf8)
        let moved = withCString(name) { from in
          withCString(place) { renameat(folder, from, top, $0) }
        }
        try checked("rename", path, moved)
        isComplete = false
        continue
      }
      let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
      let child = try checked("open", path, withCString(name) { openat(folder, $0, flags) })
      defer { close(child) }
      if try !empty(child, top: top, depth: depth + 1, path) { isComplete = false }
      if withCString(name, { unlinkat(folder, $0, AT_REMOVEDIR) }) != 0, errno != ENOENT {
        throw SystemError.last("rmdir", path)
      }
    }
    return isComplete
  }
}
