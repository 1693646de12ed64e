import CLinux
import Glibc

/// Owners, modes, attributes and times of what is unpacked.
extension Extractor {
  /// Sets everything but times, in the order in which nothing undoes what went before: a change of
  /// owner clears set-id bits and capabilities.
  func apply(_ entry: TarEntry, to descriptor: Int32) throws {
    let owner = self.owner(of: entry)
    try checked("chown", entry.name, fchown(descriptor, owner.user, owner.group))
    try checked("chmod", entry.name, fchmod(descriptor, entry.mode))
    for (name, value) in entry.attributes where Self.isAllowed(attribute: name) {
      if fsetxattr(descriptor, name, value, value.count, 0) != 0 { try tolerate(name, entry) }
    }
  }

  /// The same for what cannot or must not be opened: links, devices, fifos.
  func applyWithoutOpening(_ place: Place) throws {
    let entry = place.entry
    let owner = self.owner(of: entry)
    try withCString(place.name) { name in
      try checked(
        "chown", entry.name,
        fchownat(place.folder, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW))
      if entry.kind != .symbolicLink || !entry.attributes.isEmpty {
        let handle = try checked(
          "open", entry.name,
          retryingInterrupts {
            openat(place.folder, name, FileType.pathOnly | O_NOFOLLOW | O_CLOEXEC)
          })
        defer { close(handle) }
        let magic = "/proc/self/fd/\(handle)"
        if entry.kind != .symbolicLink {
          try checked("chmod", entry.name, chmod(magic, entry.mode))
        }
        for (key, value) in entry.attributes where Self.isAllowed(attribute: key) {
          if setxattr(magic, key, value, value.count, 0) != 0 { try tolerate(key, entry) }
        }
      }
      var times = Self.times(entry.seconds, entry.nanoseconds)
      try checked("utimes", entry.name, utimensat(place.folder, name, &times, AT_SYMLINK_NOFOLLOW))
    }
  }

  /// Attributes that a file system does not know are left out, as other engines do; capabilities
  /// are part of what the file is.
  private func tolerate(_ attribute: String, _ entry: TarEntry) throws {
    let reason = errno
    if (reason == ENOTSUP || reason == EPERM) && attribute != "security.capability" { return }
    throw SystemError(reason, "setxattr \(attribute)", entry.name)
  }

  /// overlayfs keeps its own notes in attributes; an archive must not write those.
  private static func isAllowed(attribute: String) -> Bool {
    !attribute.hasPrefix("trusted.overlay.") && !attribute.hasPrefix("user.overlay.")
      && !attribute.utf8.contains(0)
  }

  private func owner(of entry: TarEntry) -> (user: UInt32, group: UInt32) {
    if case .copy(let options) = purpose, !options.keepsOwners {
      return options.owner ?? (0, 0)
    }
    return (entry.user, entry.group)
  }

  private static func times(_ seconds: Int64, _ nanoseconds: Int64) -> [timespec] {
    let time = timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds))
    return [time, time]
  }

  func setTimes(of descriptor: Int32, _ entry: TarEntry) throws {
    var times = Self.times(entry.seconds, entry.nanoseconds)
    try checked("utimes", entry.name, futimens(descriptor, &times))
  }

  func applyToRoot(_ entry: TarEntry) throws {
    try apply(entry, to: root.descriptor)
    folderTimes.append(([], entry.seconds, entry.nanoseconds))
  }

  /// Innermost folders come last in an archive, so going backwards a parent's time is set after
  /// nothing changes it any more.
  func applyFolderTimes() throws {
    for (path, seconds, nanoseconds) in folderTimes.reversed() {
      let folder: Int32
      do {
        folder = try root.openNumber(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.errno) {
        continue  // a later member took its place
      }
      defer { close(folder) }
      var times = Self.times(seconds, nanoseconds)
      try checked("utimes", nil, futimens(folder, &times))
    }
  }
}
