import CLinux
import Glibc

/// What became of an unpacked archive.
package struct ExtractionSummary: Sendable, Hashable {
  /// Bytes of all regular files, hard links counted once.
  package var bytes: Int64 = 0
  package var entries = 0
}

/// Unpacks a tar archive into a folder. Blocks.
///
/// Each member's folder is opened once by `openat2` inside the root and kept open while members of
/// it follow, so that a long archive costs a handful of calls per file and a link inside the
/// archive can lead nowhere else.
package final class Extractor {
  /// What the archive is.
  package enum Purpose: Sendable {
    /// An image layer: whiteouts become what overlayfs understands.
    case layer
    /// An ordinary archive into a live tree.
    case copy(RootedExtractionOptions)
  }

  /// What an archive may cost at most.
  package struct Limits: Sendable, Hashable {
    package var maximumBytes: Int64 = .max
    package var maximumEntries = Int.max

    package init() {}
  }

  let root: RootedDirectory
  let purpose: Purpose
  private let limits: Limits
  /// Components that every name is put behind.
  private let prefix: [ArraySlice<UInt8>]
  private var summary = ExtractionSummary()
  /// Open folders by their names in the archive.
  private var folders: [[UInt8]: Int32] = [:]
  private var lastFolder: (path: [UInt8], descriptor: Int32)?
  /// Times of folders, set last since unpacking into them changes them.
  var folderTimes: [(path: [UInt8], seconds: Int64, nanoseconds: Int64)] = []
  /// Names that were whited out before something else was put in their place.
  private var whiteouts: Set<[UInt8]> = []

  private static let maximumOpenFolders = 64
  private static let maximumDepth = 512

  /// Unpacks into `root`, or into the folder that the components of `prefix` lead to in it.
  package init(
    root: RootedDirectory, purpose: Purpose, limits: Limits = Limits(),
    prefix: [ArraySlice<UInt8>] = []
  ) {
    self.root = root
    self.purpose = purpose
    self.limits = limits
    self.prefix = prefix
  }

  deinit { closeFolders() }

  /// Unpacks everything.
  /// - Throws: `ArchiveError`, `SystemError`; what was unpacked so far stays.
  package func extract(_ archive: TarReader) throws -> ExtractionSummary {
    defer { closeFolders() }
    while let entry = try archive.next() {
      summary.entries += 1
      guard summary.entries <= limits.maximumEntries else {
        throw ArchiveError(
          .hostile, "the archive has more entries than are allowed",
          metadata: ["limit": "\(limits.maximumEntries)"])
      }
      do {
        try extract(entry, from: archive)
      } catch let error as SystemError where error.errno != ENOSPC {
        throw ArchiveError(
          [EXDEV, ELOOP, ENOTDIR].contains(error.errno) ? .hostile : .malformed,
          "an entry of the archive cannot be unpacked",
          metadata: ["entry": String(entry.name.prefix(200))], cause: error)
      }
    }
    try applyFolderTimes()
    return summary
  }

  private func extract(_ entry: TarEntry, from archive: TarReader) throws {
    var allowsAbsolute = false
    if case .copy = purpose { allowsAbsolute = true }
    let own = try ArchivePath.components(entry.path, allowsAbsolute: allowsAbsolute)
    let components = prefix + own
    guard let name = own.last else {
      if entry.kind == .directory, case .layer = purpose { try applyToRoot(entry) }
      return
    }
    let folder = Array(components.dropLast().joined(separator: [UInt8(ascii: "/")]))
    let place = Place(
      folder: try openFolder(folder), folderPath: folder, name: Array(name), entry: entry)
    if case .layer = purpose, try handleWhiteout(place) { return }
    try makeRoom(for: place)
    try create(place, from: archive)
  }

  /// Where a member goes: an open folder and a name in it.
  struct Place {
    let folder: Int32
    let folderPath: [UInt8]
    let name: [UInt8]
    let entry: TarEntry

    /// The whole name, cleaned.
    var path: [UInt8] {
      folderPath.isEmpty ? name : folderPath + [UInt8(ascii: "/")] + name
    }
  }

  // MARK: - Creating

  private func create(_ place: Place, from archive: TarReader) throws {
    let entry = place.entry
    switch entry.kind {
    case .file: try createFile(place, from: archive)
    case .directory: try createFolder(place)
    case .hardLink: try createHardLink(place)
    case .symbolicLink:
      guard !entry.linkPath.isEmpty else {
        throw ArchiveError.entry(.malformed, "a symbolic link leads nowhere", entry.path)
      }
      try withCString(entry.linkPath) { target in
        _ = try withCString(place.name) {
          try checked("symlink", entry.name, symlinkat(target, place.folder, $0))
        }
      }
      try applyWithoutOpening(place)
    case .characterDevice, .blockDevice, .fifo: try createSpecial(place)
    }
  }

  private func createFile(_ place: Place, from archive: TarReader) throws {
    let entry = place.entry
    let (total, overflow) = summary.bytes.addingReportingOverflow(entry.size)
    guard !overflow, total <= limits.maximumBytes else {
      throw ArchiveError.entry(.hostile, "the archive unpacks to more than is allowed", entry.path)
    }
    summary.bytes = total
    let file = try withCString(place.name) { name in
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
      return try checked(
        "create", entry.name, retryingInterrupts { openat(place.folder, name, flags, 0o600) })
    }
    defer { close(file) }
    var position: Int64 = 0
    try archive.readData { bytes, offset in
      if offset != position {
        try checked("seek", nil, lseek(file, Int(offset), SEEK_SET) < 0 ? -1 : 0)
      }
      try Self.write(bytes, to: file)
      position = offset + Int64(bytes.count)
    }
    if position < entry.size {
      try checked("truncate", entry.name, ftruncate(file, Int(entry.size)))
    }
    try apply(entry, to: file)
    try setTimes(of: file, entry)
  }

  private static func write(_ bytes: UnsafeRawBufferPointer, to file: Int32) throws {
    var done = 0
    while done < bytes.count {
      let count = retryingInterrupts {
        Glibc.write(file, bytes.baseAddress.map { $0 + done }, bytes.count - done)
      }
      guard count >= 0 else { throw SystemError.last("write") }
      done += count
    }
  }

  private func createFolder(_ place: Place) throws {
    let entry = place.entry
    try withCString(place.name) { name in
      if mkdirat(place.folder, name, 0o700) != 0, errno != EEXIST {
        throw SystemError.last("mkdir", entry.name)
      }
      let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
      let folder = try checked(
        "open", entry.name, retryingInterrupts { openat(place.folder, name, flags) })
      defer { close(folder) }
      try apply(entry, to: folder)
      if whiteouts.contains(place.path) { try Self.makeOpaque(folder) }
    }
    folderTimes.append((place.path, entry.seconds, entry.nanoseconds))
  }

  private func createHardLink(_ place: Place) throws {
    let entry = place.entry
    let own = try ArchivePath.components(entry.linkPath, allowsAbsolute: true)
    let components = prefix + own
    guard let targetName = own.last else {
      throw ArchiveError.entry(.hostile, "a hard link leads to the root", entry.path)
    }
    let folder = components.dropLast().joined(separator: [UInt8(ascii: "/")])
    let target = try root.openNumber(Array(folder), O_RDONLY | O_DIRECTORY)
    defer { close(target) }
    try withCString(targetName) { from in
      _ = try withCString(place.name) { to in
        try checked("link", entry.name, linkat(target, from, place.folder, to, 0))
      }
    }
  }

  private func createSpecial(_ place: Place) throws {
    let entry = place.entry
    let type: UInt32 =
      switch entry.kind {
      case .characterDevice: FileType.characterDevice
      case .blockDevice: FileType.blockDevice
      default: FileType.fifo
      }
    // A 0:0 device is overlayfs's whiteout: in a layer it could only be there to deceive.
    if case .layer = purpose, entry.kind == .characterDevice, entry.deviceMajor == 0,
      entry.deviceMinor == 0
    {
      throw ArchiveError.entry(.hostile, "the archive contains a raw overlay whiteout", entry.path)
    }
    let device = martlet_makedev(entry.deviceMajor, entry.deviceMinor)
    _ = try withCString(place.name) { name in
      try checked("mknod", entry.name, mknodat(place.folder, name, type | 0o600, UInt(device)))
    }
    try applyWithoutOpening(place)
  }

  // MARK: - What is in the way

  private func makeRoom(for place: Place) throws {
    var information = stat()
    let status = withCString(place.name) {
      fstatat(place.folder, $0, &information, AT_SYMLINK_NOFOLLOW)
    }
    guard status == 0 else {
      if errno == ENOENT { return }
      throw SystemError.last("stat", place.entry.name)
    }
    let isFolder = information.st_mode & FileType.mask == FileType.folder
    if isFolder && place.entry.kind == .directory { return }
    if case .copy(let options) = purpose, options.refusesTypeReplacement,
      isFolder || place.entry.kind == .directory
    {
      let message =
        isFolder
        ? "cannot overwrite directory with non-directory"
        : "cannot overwrite non-directory with directory"
      throw ArchiveError.entry(.typeConflict, message, place.entry.path)
    }
    if isFolder {
      closeFolders(except: place.folder)
      try TreeRemoval.removeFolder(place.name, in: place.folder)
    } else {
      _ = try withCString(place.name) {
        try checked("unlink", place.entry.name, unlinkat(place.folder, $0, 0))
      }
    }
  }

  // MARK: - Whiteouts

  private static let whiteoutPrefix = Array(".wh.".utf8)
  private static let opaqueName = Array(".wh..wh..opq".utf8)
  private static let reservedPrefix = Array(".wh..wh.".utf8)

  /// Carries out a whiteout; whether the member was one.
  private func handleWhiteout(_ place: Place) throws -> Bool {
    guard place.name.starts(with: Self.whiteoutPrefix) else { return false }
    if place.name == Self.opaqueName {
      try Self.makeOpaque(place.folder)
      return true
    }
    if place.name.starts(with: Self.reservedPrefix) { return true }
    let hidden = Array(place.name.dropFirst(Self.whiteoutPrefix.count))
    guard !hidden.isEmpty, !hidden.elementsEqual(".".utf8), !hidden.elementsEqual("..".utf8) else {
      throw ArchiveError.entry(.hostile, "a whiteout names nothing", place.entry.path)
    }
    let path =
      place.folderPath.isEmpty
      ? hidden : place.folderPath + [UInt8(ascii: "/")] + hidden
    whiteouts.insert(path)
    try withCString(hidden) { name in
      if mknodat(place.folder, name, FileType.characterDevice, 0) == 0 { return }
      guard errno == EEXIST else { throw SystemError.last("mknod", place.entry.name) }
      // The same layer has something of this name, which a whiteout does not hide; but what lies
      // below a folder it does.
      let folder = openat(place.folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard folder >= 0 else { return }
      defer { close(folder) }
      try Self.makeOpaque(folder)
    }
    return true
  }

  private static func makeOpaque(_ folder: Int32) throws {
    try checked("setxattr", nil, fsetxattr(folder, "trusted.overlay.opaque", "y", 1, 0))
  }

  // MARK: - Folders

  private func openFolder(_ path: [UInt8]) throws -> Int32 {
    if path.isEmpty { return root.descriptor }
    if let lastFolder, lastFolder.path == path { return lastFolder.descriptor }
    if let known = folders[path] {
      lastFolder = (path, known)
      return known
    }
    if folders.count >= Self.maximumOpenFolders { closeFolders() }
    let opened: Int32
    do {
      opened = try root.openNumber(path, O_RDONLY | O_DIRECTORY)
    } catch let error as SystemError where error.errno == ENOENT || error.errno == ENOTDIR {
      opened = try makeFolder(path, after: error)
    }
    folders[path] = opened
    try checkDepth(of: opened, path)
    lastFolder = (path, opened)
    return opened
  }

  /// Links inside the archive can build on one another to nest folders deeper than any name is
  /// long; whoever walks the tree later would pay for it.
  private func checkDepth(of folder: Int32, _ path: [UInt8]) throws {
    let place: [UInt8]
    do {
      place = try TreeArchiver.linkTarget(Array("/proc/self/fd/\(folder)".utf8), in: AT_FDCWD)
    } catch let error as SystemError where error.errno == ENAMETOOLONG {
      throw ArchiveError.entry(.hostile, "the archive nests folders too deeply", path)
    }
    let depth = place.reduce(0) { $0 + ($1 == UInt8(ascii: "/") ? 1 : 0) }
    guard depth <= Self.maximumDepth else {
      throw ArchiveError.entry(.hostile, "the archive nests folders too deeply", path)
    }
  }

  /// Makes a folder that the archive has members in but does not name itself.
  private func makeFolder(_ path: [UInt8], after error: SystemError) throws -> Int32 {
    let components = path.split(separator: UInt8(ascii: "/"))
    let parentPath = Array(components.dropLast().joined(separator: [UInt8(ascii: "/")]))
    let parent = try openFolder(parentPath)
    try withCString(components.last ?? []) { name in
      if mkdirat(parent, name, 0o755) == 0 {
        fchmodat(parent, name, 0o755, 0)
        return
      }
      guard errno == EEXIST else { throw SystemError.last("mkdir", String(cString: name)) }
      // A whiteout of this layer gives way to a folder that hides what lies below.
      if case .layer = purpose, whiteouts.contains(path), unlinkat(parent, name, 0) == 0 {
        try checked("mkdir", String(cString: name), mkdirat(parent, name, 0o755))
        let folder = try checked(
          "open", nil, openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        defer { close(folder) }
        try Self.makeOpaque(folder)
        return
      }
      throw error
    }
    return try root.openNumber(path, O_RDONLY | O_DIRECTORY)
  }

  private func closeFolders(except kept: Int32 = -1) {
    for (path, descriptor) in folders where descriptor != kept {
      close(descriptor)
      folders[path] = nil
    }
    lastFolder = nil
  }
}
