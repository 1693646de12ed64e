package import FoundationEssentials

/// What `docker cp` learns about a path before copying it (`X-Docker-Container-Path-Stat`).
package struct RootedPathStatus: Sendable, Hashable {
  /// The last component of the path.
  package var name: String
  package var size: Int64
  /// The type and permission bits as in `st_mode`; the API wants Go's bits, see ``goFileMode``.
  package var mode: UInt32
  package var modified: Date
  /// Where a symbolic link leads, absolute within the root; empty for anything else.
  package var linkTarget: String

  /// The mode in the encoding of Go's `os.FileMode`.
  package var goFileMode: UInt32 {
    var bits = mode & 0o777
    switch mode & 0o170000 {
    case 0o040000: bits |= 1 << 31
    case 0o120000: bits |= 1 << 27
    case 0o060000: bits |= 1 << 26
    case 0o010000: bits |= 1 << 25
    case 0o140000: bits |= 1 << 24
    case 0o020000: bits |= (1 << 26) | (1 << 21)
    default: break
    }
    if mode & 0o4000 != 0 { bits |= 1 << 23 }
    if mode & 0o2000 != 0 { bits |= 1 << 22 }
    if mode & 0o1000 != 0 { bits |= 1 << 20 }
    return bits
  }
}

/// How `docker cp` into a container behaves.
package struct RootedExtractionOptions: Sendable, Hashable {
  /// Refuse to replace a folder by something else or something else by a folder.
  package var refusesTypeReplacement = false
  /// Keep the owners that the archive names; otherwise everything becomes `owner`'s.
  package var keepsOwners = true
  /// The owner of everything if the archive's owners are not kept.
  package var owner: (user: UInt32, group: UInt32)? {
    get { ownerPair.map { ($0.user, $0.group) } }
    set { ownerPair = newValue.map { OwnerPair(user: $0.user, group: $0.group) } }
  }

  private struct OwnerPair: Hashable {
    var user: UInt32
    var group: UInt32
  }
  private var ownerPair: OwnerPair?

  package init() {}
}
