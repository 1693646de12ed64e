import CLinux
import FoundationEssentials
import Glibc

/// Copies in and out of a container's root file system as tar archives (`docker cp`). Every path is
/// resolved by the kernel inside the root, so that links made in the container lead nowhere else.
/// Errors are ``ArchiveError`` and `SystemError` (`ENOENT`, `ENOTDIR`, …).
package enum RootedCopy {
  /// What is at `path` inside `root`; a link at the end is not followed unless the path ends in a
  /// slash.
  package static func status(root: String, path: String) async throws -> RootedPathStatus {
    try await BlockingPool.shared.run {
      let directory = try RootedDirectory(root)
      return try Self.status(of: try Target(directory, path, followsLink: false), in: directory)
    }
  }

  /// What is at `path` and an archive of it, with names that begin with its last component. With
  /// `followsLink` a link at the end is followed; a path ending in `/.` stands for what is inside.
  package static func archive(
    root: String, path: String, followsLink: Bool = false
  ) async throws -> (status: RootedPathStatus, archive: ByteStream) {
    let (status, target) = try await BlockingPool.shared.run {
      let directory = try RootedDirectory(root)
      let target = try Target(directory, path, followsLink: followsLink)
      return (try Self.status(of: target, in: directory), target)
    }
    let stream = BytePipe.stream { pipe in
      let output = PipeWriter(pipe)
      let writer = TarWriter { try output.write($0) }
      try target.write(TreeArchiver(writer))
      try writer.finish()
      try output.flush()
    }
    return (status, stream)
  }

  /// Unpacks an archive (plain, gzip or zstd) into the folder at `path` inside `root`.
  /// - Throws: `SystemError` (`ENOENT`, `ENOTDIR`) if there is no such folder; `ArchiveError`.
  package static func extract(
    _ stream: ByteStream, root: String, path: String, options: RootedExtractionOptions
  ) async throws {
    // Links count from the container's root all along, also in the archive, so the destination is
    // a prefix of each member's name and not a root of its own.
    let prefix = try await BlockingPool.shared.run {
      let directory = try RootedDirectory(root)
      let opened = try directory.open(Array(path.utf8), O_RDONLY | O_DIRECTORY)
      return try PathInside(directory, opened).components
    }
    try await BytePipe.consume(stream) { source in
      let plain = try Compression.decompressing(source).source
      let reader = TarReader(plain)
      let extractor = Extractor(
        root: try RootedDirectory(root), purpose: .copy(options), prefix: prefix)
      _ = try extractor.extract(reader)
      try reader.drain()
    }
  }

  // MARK: - The thing to copy

  /// The place of something inside the root: an open folder, and a name in it unless it is the
  /// folder itself that is meant.
  private struct Target: Sendable {
    let folder: Descriptor
    let name: [UInt8]?
    /// The name in the archive.
    let archiveName: [UInt8]
    let path: String

    init(_ root: RootedDirectory, _ path: String, followsLink: Bool) throws {
      self.path = path
      let cleaned = Paths.cleaned(path)
      let base = Array(Paths.lastComponent(of: cleaned).utf8)
      let wantsContents = path.hasSuffix("/.") || cleaned == "/"
      archiveName = wantsContents ? [UInt8(ascii: ".")] : base
      if path.hasSuffix("/") || wantsContents {
        folder = try root.open(Array(cleaned.utf8), O_RDONLY | O_DIRECTORY)
        name = nil
        return
      }
      let parent = try root.open(Array(Paths.parent(of: cleaned).utf8), O_RDONLY | O_DIRECTORY)
      var information = stat()
      let status = withCString(base) {
        fstatat(parent.rawValue, $0, &information, AT_SYMLINK_NOFOLLOW)
      }
      guard status == 0 else { throw SystemError.last("stat", path) }
      if followsLink, information.st_mode & FileType.mask == FileType.symbolicLink {
        let opened = try root.open(Array(cleaned.utf8), FileType.pathOnly)
        let components = try PathInside(root, opened).components
        let real = Array(components.dropLast().joined(separator: [UInt8(ascii: "/")]))
        folder = try root.open(real, O_RDONLY | O_DIRECTORY)
        name = components.last.map(Array.init)
      } else {
        folder = parent
        name = base
      }
    }

    func information() throws -> stat {
      var information = stat()
      let status =
        name.map { name in
          withCString(name) {
            fstatat(folder.rawValue, $0, &information, AT_SYMLINK_NOFOLLOW)
          }
        } ?? fstat(folder.rawValue, &information)
      guard status == 0 else { throw SystemError.last("stat", path) }
      return information
    }

    func write(_ archiver: TreeArchiver) throws {
      if let name {
        try archiver.member(name, in: folder.rawValue, as: archiveName)
      } else {
        try archiver.folder(
          folder.rawValue, try information(), as: archiveName + [UInt8(ascii: "/")])
      }
    }
  }

  private static func status(
    of target: Target, in root: RootedDirectory
  ) throws -> RootedPathStatus {
    let information = try target.information()
    var link = ""
    if information.st_mode & FileType.mask == FileType.symbolicLink, let name = target.name {
      let raw = String(
        decoding: try TreeArchiver.linkTarget(name, in: target.folder.rawValue), as: UTF8.self)
      link =
        raw.hasPrefix("/")
        ? Paths.cleaned(raw)
        : Paths.cleaned(Paths.parent(of: Paths.cleaned(target.path)) + "/" + raw)
    }
    let base = Paths.lastComponent(of: Paths.cleaned(target.path))
    let time = information.st_mtim
    return RootedPathStatus(
      name: base.isEmpty ? "/" : base, size: Int64(information.st_size),
      mode: information.st_mode,
      modified: Date(
        timeIntervalSince1970: Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000),
      linkTarget: link)
  }
}

/// Where something open lies inside a root, links resolved.
private struct PathInside {
  let components: [ArraySlice<UInt8>]

  init(_ root: RootedDirectory, _ opened: Descriptor) throws {
    let base = try Self.path(of: root.descriptor)
    let whole = try Self.path(of: opened.rawValue)
    let slash = UInt8(ascii: "/")
    let rootComponents = base.split(separator: slash)
    let components = whole.split(separator: slash)
    guard components.starts(with: rootComponents, by: { $0.elementsEqual($1) }) else {
      throw SystemError(EXDEV, "resolve", String(decoding: whole, as: UTF8.self))
    }
    self.components = Array(components.dropFirst(rootComponents.count))
  }

  private static func path(of descriptor: Int32) throws -> [UInt8] {
    try TreeArchiver.linkTarget(Array("/proc/self/fd/\(descriptor)".utf8), in: AT_FDCWD)
  }
}
