import Glibc

/// Names in a folder as bytes.
enum DirectoryListing {
  /// The name of a directory entry.
  static func name(of entry: UnsafeMutablePointer<dirent>) -> [UInt8] {
    withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      pointer.withMemoryRebound(to: UInt8.self, capacity: 256) { bytes in
        Array(UnsafeBufferPointer(start: bytes, count: strlen(entry.nameStart)))
      }
    }
  }

  /// The names in an open folder without `.` and `..`, sorted. Takes over the descriptor.
  static func names(owning folder: Int32) throws -> [[UInt8]] {
    guard let listing = fdopendir(folder) else {
      close(folder)
      throw SystemError.last("fdopendir")
    }
    defer { closedir(listing) }
    var names: [[UInt8]] = []
    while let entry = readdir(listing) {
      let name = name(of: entry)
      if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { continue }
      names.append(name)
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }
}

extension UnsafeMutablePointer<dirent> {
  /// The first byte of the name inside the entry itself.
  fileprivate var nameStart: UnsafePointer<CChar> {
    let offset = MemoryLayout<dirent>.offset(of: \dirent.d_name) ?? 0
    return UnsafeRawPointer(self).advanced(by: offset).assumingMemoryBound(to: CChar.self)
  }
}
