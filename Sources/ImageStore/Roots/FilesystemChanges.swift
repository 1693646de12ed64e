import Glibc
import Host

/// Finds what a container changed by walking its writable layer.
struct FilesystemChanges {
  /// The writable layer's folder.
  let upper: String
  /// The folders of the layers below, topmost first.
  let lower: [String]

  /// All changes, sorted by path. Blocks.
  func find() throws -> [FilesystemChange] {
    var changes: [FilesystemChange] = []
    try walk("", isHidingLower: false, &changes)
    return changes.sorted { $0.path < $1.path }
  }

  /// - Parameter isHidingLower: whether nothing of the layers below shows in this folder.
  private func walk(
    _ path: String, isHidingLower: Bool, _ changes: inout [FilesystemChange]
  ) throws {
    for name in try Paths.entries(of: upper + path) {
      let child = path + "/" + name
      var information = stat()
      guard lstat(upper + child, &information) == 0 else { continue }
      let below = isHidingLower ? nil : statusBelow(child)
      let existed = below != nil
      let type = information.st_mode & S_IFMT
      if type == 0o020000, information.st_rdev == 0 {
        if existed { changes.append(FilesystemChange(path: child, kind: .deleted)) }
        continue
      }
      // A folder is copied up as soon as something in it changes; that alone is no change of it.
      if let below, type == S_IFDIR, Self.looksSame(information, below) {
        try walk(child, isHidingLower: Self.isOpaque(upper + child), &changes)
        continue
      }
      changes.append(FilesystemChange(path: child, kind: existed ? .modified : .added))
      if type == S_IFDIR {
        let hides = isHidingLower || !existed || Self.isOpaque(upper + child)
        try walk(child, isHidingLower: hides, &changes)
        if existed, hides, !isHidingLower {
          try addDeleted(child, &changes)
        }
      }
    }
  }

  /// What the layers below have in a folder that hides them, and the writable layer has not.
  private func addDeleted(_ path: String, _ changes: inout [FilesystemChange]) throws {
    var names: Set<String> = []
    for layer in lower where Paths.isDirectory(layer + path) {
      names.formUnion(try Paths.entries(of: layer + path))
      if Self.isOpaque(layer + path) { break }
    }
    for name in names where !Paths.exists(upper + path + "/" + name) {
      let child = path + "/" + name
      if existsBelow(child) { changes.append(FilesystemChange(path: child, kind: .deleted)) }
    }
  }

  private static func looksSame(_ one: stat, _ other: stat) -> Bool {
    one.st_mode == other.st_mode && one.st_uid == other.st_uid && one.st_gid == other.st_gid
      && one.st_mtim.tv_sec == other.st_mtim.tv_sec
      && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec
  }

  private func existsBelow(_ path: String) -> Bool { statusBelow(path) != nil }

  /// What the path shows in the layers below, each of which may hide those under it.
  private func statusBelow(_ path: String) -> stat? {
    let components = path.split(separator: "/")
    for layer in lower {
      var place = layer
      var isHiding = false
      for (index, component) in components.enumerated() {
        if Self.isOpaque(place) { isHiding = true }
        place += "/" + component
        var information = stat()
        guard lstat(place, &information) == 0 else { break }
        let type = information.st_mode & S_IFMT
        if type == 0o020000, information.st_rdev == 0 { return nil }
        if index == components.count - 1 { return information }
        if type != S_IFDIR { return nil }
      }
      if isHiding { return nil }
    }
    return nil
  }

  private static func isOpaque(_ path: String) -> Bool {
    FileSystemCalls.attribute("trusted.overlay.opaque", of: path) == [UInt8(ascii: "y")]
  }

  /// Bytes of all regular files in a folder, hard links counted once. Blocks.
  static func size(of folder: String) throws -> Int64 {
    var seen: Set<UInt64> = []
    func measure(_ path: String) throws -> Int64 {
      var total: Int64 = 0
      for name in try Paths.entries(of: path) {
        let child = path + "/" + name
        var information = stat()
        guard lstat(child, &information) == 0 else { continue }
        switch information.st_mode & S_IFMT {
        case S_IFDIR: total += try measure(child)
        case S_IFREG:
          if information.st_nlink > 1, !seen.insert(UInt64(information.st_ino)).inserted {
            continue
          }
          total += Int64(information.st_size)
        default: continue
        }
      }
      return total
    }
    return try measure(folder)
  }
}
