import CLinux
import Glibc

/// Writes folders as tar archives. Blocks.
package final class TreeArchiver {
  /// What the tree is.
  package enum Purpose: Sendable {
    /// An ordinary tree.
    case plain
    /// The writable layer of an overlay mount, whose whiteouts become those of image layers.
    case overlayDifference
  }

  private let writer: TarWriter
  private let purpose: Purpose
  /// Where files with several links were written first.
  private var links: [LinkIdentity: [UInt8]] = [:]
  private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
  /// How many folders are open above the one being written.
  private var depth = 0
  private static let maximumDepth = 768
  /// Bytes of all regular files written.
  package private(set) var bytes: Int64 = 0

  private struct LinkIdentity: Hashable {
    var device: UInt64
    var node: UInt64
  }

  /// Writes to `writer`.
  package init(_ writer: TarWriter, purpose: Purpose = .plain) {
    self.writer = writer
    self.purpose = purpose
  }

  deinit { memory.deallocate() }

  /// Writes what is in an open folder, names counted from `prefix` (empty, or ending in a slash).
  /// - Throws: `SystemError`, or what the writer's sink throws.
  package func contents(of folder: Int32, prefix: [UInt8]) throws {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else {
      throw ArchiveError(.unsupported, "folders are nested too deeply to be archived")
    }
    let copy = try checked("dup", nil, fcntlDuplicate(folder))
    for name in try DirectoryListing.names(owning: copy) {
      try member(name, in: folder, as: prefix + name)
    }
  }

  /// Writes one thing in an open folder under the name `path`, with all that is in it.
  /// - Throws: `SystemError`, or what the writer's sink throws.
  package func member(_ name: [UInt8], in folder: Int32, as path: [UInt8]) throws {
    var information = stat()
    let status = withCString(name) { fstatat(folder, $0, &information, AT_SYMLINK_NOFOLLOW) }
    if status != 0 {
      if errno == ENOENT { return }
      throw SystemError.last("stat", String(decoding: path, as: UTF8.self))
    }
    let type = information.st_mode & FileType.mask
    if case .overlayDifference = purpose, type == FileType.characterDevice, information.st_rdev == 0
    {
      try whiteout(path, information)
      return
    }
    switch type {
    case FileType.folder:
      let child = withCString(name) {
        openat(folder, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      }
      guard child >= 0 else {
        throw SystemError.last("open", String(decoding: path, as: UTF8.self))
      }
      defer { close(child) }
      try self.folder(child, information, as: path + [UInt8(ascii: "/")])
    case FileType.socket: return
    default: try leaf(name, in: folder, information, as: path)
    }
  }

  /// Writes an open folder itself, under a name that ends in a slash, and all that is in it.
  func folder(_ folder: Int32, _ information: stat, as path: [UInt8]) throws {
    var entry = Self.entry(path, .directory, information)
    entry.attributes = Self.attributes(of: folder)
    let isOpaque = entry.attributes.removeValue(forKey: "trusted.overlay.opaque") != nil
    entry.attributes = entry.attributes.filter { !$0.key.hasPrefix("trusted.overlay.") }
    try writer.header(entry)
    if case .overlayDifference = purpose, isOpaque {
      try writer.file(
        String(decoding: path, as: UTF8.self) + ".wh..wh..opq", [],
        seconds: Int64(information.st_mtim.tv_sec))
    }
    try contents(of: folder, prefix: path)
  }

  private func whiteout(_ path: [UInt8], _ information: stat) throws {
    let slash = path.lastIndex(of: UInt8(ascii: "/"))
    let split = slash.map { $0 + 1 } ?? 0
    var entry = TarEntry(
      path: Array(path[..<split]) + Array(".wh.".utf8) + Array(path[split...]), kind: .file,
      mode: 0)
    entry.seconds = Int64(information.st_mtim.tv_sec)
    try writer.header(entry)
  }

  private func leaf(
    _ name: [UInt8], in folder: Int32, _ information: stat, as path: [UInt8]
  ) throws {
    let identity = LinkIdentity(
      device: UInt64(information.st_dev), node: UInt64(information.st_ino))
    if information.st_nlink > 1, let first = links[identity] {
      var entry = Self.entry(path, .hardLink, information)
      entry.linkPath = first
      try writer.header(entry)
      return
    }
    switch information.st_mode & FileType.mask {
    case FileType.regular: try file(name, in: folder, information, as: path)
    case FileType.symbolicLink:
      var entry = Self.entry(path, .symbolicLink, information)
      entry.linkPath = try Self.linkTarget(name, in: folder)
      try writer.header(entry)
    case FileType.fifo: try writer.header(Self.entry(path, .fifo, information))
    case FileType.characterDevice, FileType.blockDevice:
      let kind: TarEntry.Kind =
        information.st_mode & FileType.mask == FileType.characterDevice
        ? .characterDevice : .blockDevice
      var entry = Self.entry(path, kind, information)
      entry.deviceMajor = martlet_major(UInt64(information.st_rdev))
      entry.deviceMinor = martlet_minor(UInt64(information.st_rdev))
      try writer.header(entry)
    default: return
    }
    if information.st_nlink > 1 { links[identity] = path }
  }

  private func file(
    _ name: [UInt8], in folder: Int32, _ information: stat, as path: [UInt8]
  ) throws {
    let file = withCString(name) {
      openat(folder, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    }
    if file < 0 {
      if errno == ENOENT { return }
      throw SystemError.last("open", String(decoding: path, as: UTF8.self))
    }
    defer { close(file) }
    var opened = stat()
    try checked("stat", nil, fstat(file, &opened))
    guard opened.st_mode & FileType.mask == FileType.regular else { return }
    var entry = Self.entry(path, .file, opened)
    entry.size = Int64(opened.st_size)
    entry.attributes = Self.attributes(of: file).filter { !$0.key.hasPrefix("trusted.overlay.") }
    try writer.header(entry)
    bytes += entry.size
    var remaining = entry.size
    while remaining > 0 {
      let wanted = Int(min(remaining, Int64(memory.count)))
      let count = retryingInterrupts { read(file, memory.baseAddress, wanted) }
      guard count >= 0 else { throw SystemError.last("read", entry.name) }
      if count == 0 {
        // It shrank meanwhile; the header has promised more.
        memory.baseAddress.map { _ = memset($0, 0, wanted) }
      }
      let size = count == 0 ? wanted : count
      try writer.data(UnsafeRawBufferPointer(rebasing: memory[..<size]))
      remaining -= Int64(size)
    }
    try writer.endData(of: entry)
  }

  // MARK: - What is known of a file

  static func entry(_ path: [UInt8], _ kind: TarEntry.Kind, _ information: stat) -> TarEntry {
    var entry = TarEntry(path: path, kind: kind, mode: information.st_mode & 0o7777)
    entry.user = information.st_uid
    entry.group = information.st_gid
    entry.seconds = Int64(information.st_mtim.tv_sec)
    return entry
  }

  static func linkTarget(_ name: [UInt8], in folder: Int32) throws -> [UInt8] {
    var target = [UInt8](repeating: 0, count: 4096)
    let count = withCString(name) { text in
      target.withUnsafeMutableBytes { buffer in
        buffer.assumingMemoryBound(to: CChar.self).baseAddress.map {
          readlinkat(folder, text, $0, buffer.count)
        } ?? 0
      }
    }
    guard count >= 0 else { throw SystemError.last("readlink") }
    return Array(target.prefix(count))
  }

  /// The extended attributes of something open that belong into archives.
  static func attributes(of descriptor: Int32) -> [String: [UInt8]] {
    var names = [UInt8](repeating: 0, count: 65_536)
    let length = names.withUnsafeMutableBytes { buffer in
      buffer.assumingMemoryBound(to: CChar.self).baseAddress.map {
        flistxattr(descriptor, $0, buffer.count)
      } ?? 0
    }
    guard length > 0 else { return [:] }
    var found: [String: [UInt8]] = [:]
    for bytes in names.prefix(length).split(separator: 0) {
      let name = String(decoding: bytes, as: UTF8.self)
      guard name == "security.capability" || name.hasPrefix("user.") || name.hasPrefix("trusted.")
      else { continue }
      var value = [UInt8](repeating: 0, count: 65_536)
      let count = fgetxattr(descriptor, name, &value, value.count)
      if count >= 0 { found[name] = Array(value.prefix(count)) }
    }
    return found
  }
}

/// A second descriptor for the same open folder, with its own position for listing.
private func fcntlDuplicate(_ folder: Int32) -> Int32 {
  openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
}
