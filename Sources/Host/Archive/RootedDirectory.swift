import CLinux
import Glibc

/// The types in `st_mode` and an open flag, which Swift imports ambiguously or not at all.
enum FileType {
  static let mask: UInt32 = 0o170000
  static let regular: UInt32 = 0o100000
  static let folder: UInt32 = 0o040000
  static let symbolicLink: UInt32 = 0o120000
  static let characterDevice: UInt32 = 0o020000
  static let blockDevice: UInt32 = 0o060000
  static let fifo: UInt32 = 0o010000
  static let socket: UInt32 = 0o140000
  /// `O_PATH` of open(2).
  static let pathOnly: Int32 = 0o10_000_000
}

/// Bytes as a C string.
func withCString<Value>(
  _ bytes: some Sequence<UInt8>, _ body: (UnsafePointer<CChar>) throws -> Value
)
  rethrows -> Value
{
  var terminated = Array(bytes)
  terminated.append(0)
  return try terminated.withUnsafeBufferPointer { buffer in
    try buffer.withMemoryRebound(to: CChar.self) { characters in
      guard let base = characters.baseAddress else { preconditionFailure("it has its NUL") }
      return try body(base)
    }
  }
}

/// A folder that paths are resolved in by the kernel, so that neither `..` nor a symbolic link nor
/// someone who swaps one for the other meanwhile leads out of it.
package final class RootedDirectory: Sendable {
  private let root: Descriptor

  /// Opens the folder that is the root; the path to it is trusted.
  /// - Throws: `SystemError`.
  package init(_ path: String) throws {
    root = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
  }

  /// The descriptor of the root itself.
  package var descriptor: Int32 { root.rawValue }

  /// Opens what a path leads to inside the root; symbolic links count from the root. With
  /// `O_NOFOLLOW` in the flags a link at the very end is not followed.
  /// - Throws: `SystemError`.
  package func open(_ path: some Sequence<UInt8>, _ flags: Int32) throws -> Descriptor {
    let number = try openNumber(path, flags)
    return Descriptor(owning: number)
  }

  func openNumber(_ path: some Sequence<UInt8>, _ flags: Int32) throws -> Int32 {
    let resolve = martlet_resolve_in_root | martlet_resolve_no_magiclinks
    return try withCString(path) { text in
      let name = text.pointee == 0 ? "." : nil
      var attempts = 0
      while true {
        let opened: Int32
        if let name {
          opened = martlet_openat2(
            root.rawValue, name, UInt64(UInt32(bitPattern: flags | O_CLOEXEC)), 0, resolve)
        } else {
          opened = martlet_openat2(
            root.rawValue, text, UInt64(UInt32(bitPattern: flags | O_CLOEXEC)), 0, resolve)
        }
        if opened >= 0 { return opened }
        // EAGAIN: something was renamed during the walk, which the kernel cannot rule on.
        attempts += 1
        guard errno == EINTR || (errno == EAGAIN && attempts < 1000) else {
          throw SystemError.last("open", String(cString: text))
        }
      }
    }
  }
}

/// Pure questions about the names of archive members.
enum ArchivePath {
  /// The components of a member's name. Throws `hostile` for absolute names and for `..`.
  static func components(
    _ path: [UInt8], allowsAbsolute: Bool
  ) throws -> [ArraySlice<UInt8>] {
    let slash = UInt8(ascii: "/")
    var result: [ArraySlice<UInt8>] = []
    for component in path.split(separator: slash) {
      if component.elementsEqual(".".utf8) { continue }
      if component.elementsEqual("..".utf8) {
        throw ArchiveError.entry(.hostile, "a name in the archive contains \"..\"", path)
      }
      guard component.count <= 255 else {
        throw ArchiveError.entry(.hostile, "a name in the archive is too long", path)
      }
      result.append(component)
    }
    // "/" alone is how some builders name the root itself.
    if path.first == slash, !result.isEmpty, !allowsAbsolute {
      throw ArchiveError.entry(.hostile, "a name in the archive is absolute", path)
    }
    return result
  }
}
