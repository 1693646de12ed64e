import CLinux
import Glibc

/// One line of /proc/self/mountinfo (proc(5)).
package struct MountEntry: Hashable, Sendable {
  /// Where it is mounted.
  package var target: String
  /// The kind of file system, as in "overlay".
  package var type: String
  /// What is mounted: a device or a name.
  package var source: String
  /// The options of the file system itself.
  package var superOptions: String
  /// The optional fields, as in "shared:12".
  package var propagation: [String]
}

/// Mounting and unmounting. All of it blocks: call it from `BlockingPool`.
package enum Mount {
  /// Mounts layers over one another (overlayfs).
  ///
  /// The kernel takes at most one page of options, so lower folders may be given relative to
  /// `relativeTo`: the call is made on a thread whose working directory that is.
  /// - Parameters:
  ///   - lower: the read-only folders, topmost first.
  ///   - upper: the writable folder; nil for a read-only mount.
  ///   - work: overlayfs's own folder, on the file system of `upper`.
  ///   - options: further options, as "volatile".
  /// - Throws: `SystemError`.
  package static func overlay(
    lower: [String], upper: String?, work: String?, relativeTo: String, at target: String,
    options: [String] = []
  ) throws {
    var parts = ["lowerdir=" + lower.map(escapedForOverlay).joined(separator: ":")]
    if let upper, let work {
      parts.append("upperdir=" + escapedForOverlay(upper))
      parts.append("workdir=" + escapedForOverlay(work))
    }
    let data = (parts + options).joined(separator: ",")
    guard data.utf8.count < 4096 else { throw SystemError(E2BIG, "mount overlay", target) }
    try ScratchThread.run {
      try checked("unshare", nil, martlet_unshare_filesystem())
      try checked("chdir", relativeTo, chdir(relativeTo))
      try checked("mount overlay", target, mount("overlay", target, "overlay", 0, data))
    }
  }

  private static func escapedForOverlay(_ path: String) -> String {
    var escaped = ""
    for character in path {
      if character == ":" || character == "\\" || character == "," { escaped.append("\\") }
      escaped.append(character)
    }
    return escaped
  }

  /// Mounts a file system.
  /// - Throws: `SystemError`.
  package static func fileSystem(
    _ type: String, source: String, at target: String, flags: UInt = 0, options: String = ""
  ) throws {
    try checked("mount \(type)", target, mount(source, target, type, flags, options))
  }

  /// Makes `source` visible at `target` as well.
  /// - Throws: `SystemError`.
  package static func bind(
    _ source: String, at target: String, recursive: Bool = false, readOnly: Bool = false
  ) throws {
    let recursion = recursive ? UInt(MS_REC) : 0
    try checked("bind", target, mount(source, target, nil, UInt(MS_BIND) | recursion, nil))
    if readOnly {
      let flags = UInt(MS_BIND) | UInt(MS_REMOUNT) | UInt(MS_RDONLY) | recursion
      do {
        try checked("bind read-only", target, mount(nil, target, nil, flags, nil))
      } catch {
        umount2(target, Int32(MNT_DETACH))
        throw error
      }
    }
  }

  /// Makes a mount point private, so that what is mounted below it stays there.
  /// - Throws: `SystemError`.
  package static func makePrivate(_ target: String) throws {
    try checked("mount private", target, mount(nil, target, nil, UInt(MS_PRIVATE), nil))
  }

  /// Unmounts; what is not mounted or not there is no error.
  /// - Parameter lazily: whether the mount leaves at once and is given up when last used.
  /// - Throws: `SystemError`, with `EBUSY` while in use.
  package static func unmount(_ target: String, lazily: Bool = false) throws {
    let flags = lazily ? Int32(MNT_DETACH) : 0
    if umount2(target, flags | Int32(UMOUNT_NOFOLLOW)) == 0 { return }
    guard errno == EINVAL || errno == ENOENT else { throw SystemError.last("unmount", target) }
  }

  /// All mounts that this process sees.
  /// - Throws: `SystemError`.
  package static func table() throws -> [MountEntry] {
    try Paths.readText("/proc/self/mountinfo").split(separator: "\n").compactMap(parse)
  }

  /// Reads one line of mountinfo: `36 35 98:0 /root /target options shared:1 - type source super`.
  static func parse(_ line: Substring) -> MountEntry? {
    let fields = line.split(separator: " ")
    guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count >= dash + 4 else {
      return nil
    }
    return MountEntry(
      target: unescaped(fields[4]), type: String(fields[dash + 1]),
      source: unescaped(fields[dash + 2]), superOptions: String(fields[dash + 3]),
      propagation: fields[6..<dash].map(String.init))
  }

  /// Undoes the octal escapes of mountinfo, as in `\040` for a space.
  private static func unescaped(_ field: Substring) -> String {
    guard field.utf8.contains(UInt8(ascii: "\\")) else { return String(field) }
    var bytes: [UInt8] = []
    var rest = Array(field.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      if byte == UInt8(ascii: "\\"), digits.count == 3,
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      {
        bytes.append(value)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
