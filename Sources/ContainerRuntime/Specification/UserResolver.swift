import CLinux
import Glibc
import Host
import OCI

/// Looks users and groups up in a container's own `/etc/passwd` and `/etc/group`.
///
/// The files are the image's and so are hostile: they are opened inside the root file system
/// (symbolic links cannot lead out), must be regular, and are read up to a bound.
struct UserResolver {
  /// The user and groups a process runs with.
  struct Resolution: Equatable {
    var uid: UInt32
    var gid: UInt32
    var additionalGids: [UInt32]
    var home: String?
  }

  private struct User {
    var name: Substring
    var uid: UInt32
    var gid: UInt32
    var home: Substring
  }

  private struct Group {
    var name: Substring
    var gid: UInt32
    var members: [Substring]
  }

  private static let fileLimit = 4 << 20
  private let users: [User]
  private let groups: [Group]

  /// Reads the files below `rootfs`; those that are missing or unfit count as empty.
  init(rootfs: String) {
    let root = open(rootfs, martlet_open_path_only | O_DIRECTORY | O_CLOEXEC)
    defer { if root >= 0 { close(root) } }
    self.init(
      passwd: Self.read("etc/passwd", below: root), group: Self.read("etc/group", below: root))
  }

  /// Parses the texts of the files.
  init(passwd: String, group: String) {
    users = passwd.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count >= 4, let uid = UInt32(fields[2]), let gid = UInt32(fields[3]) else {
        return nil
      }
      return User(name: fields[0], uid: uid, gid: gid, home: fields.count > 5 ? fields[5] : "")
    }
    groups = group.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count >= 3, let gid = UInt32(fields[2]) else { return nil }
      let members = fields.count > 3 ? fields[3].split(separator: ",") : []
      return Group(name: fields[0], gid: gid, members: members)
    }
  }

  private static func read(_ path: String, below root: Int32) -> String {
    guard root >= 0 else { return "" }
    let number = martlet_openat2(
      root, path, UInt64(O_RDONLY | O_NONBLOCK | O_NOCTTY), 0, martlet_resolve_in_root)
    guard number >= 0 else { return "" }
    let file = Host.Descriptor(owning: number)
    var information = stat()
    guard fstat(number, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
      return ""
    }
    var bytes: [UInt8] = []
    // An unreadable file is as good as none: numbers still work, names are reported as unknown.
    while bytes.count < fileLimit, let chunk = try? file.read(upTo: 64 << 10), !chunk.isEmpty {
      bytes.append(contentsOf: chunk)
    }
    return String(decoding: bytes.prefix(fileLimit), as: UTF8.self)
  }

  /// Resolves `user[:group]` and further groups.
  /// - Throws: `ContainerRuntimeError.invalidSetting` for names that are not in the files and
  ///   numbers out of range.
  func resolve(_ text: String, additionalGroups: [String] = []) throws -> Resolution {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let userPart = parts.first ?? ""
    let groupPart = parts.count > 1 ? parts[1] : ""
    var (result, user) = try resolveUser(userPart)
    if !groupPart.isEmpty {
      result.gid = try groupNumber(groupPart)
    } else if let user {
      result.additionalGids = groups.filter { $0.members.contains(user.name) }.map(\.gid)
    }
    let further = try additionalGroups.map { try groupNumber($0[...]) }
    // The main group is among the others too, so that giving it up does not grant access that was
    // meant to be refused to it.
    var seen: Set<UInt32> = []
    result.additionalGids = ([result.gid] + result.additionalGids + further)
      .filter { seen.insert($0).inserted }
    return result
  }

  private func resolveUser(_ part: Substring) throws -> (Resolution, User?) {
    let number = try Self.number(part, of: "user")
    let wanted: UInt32? = part.isEmpty ? 0 : number
    let user = users.first { user in
      if let wanted { return user.uid == wanted }
      return user.name == part
    }
    if let user {
      let home = user.home.isEmpty ? nil : String(user.home)
      return (Resolution(uid: user.uid, gid: user.gid, additionalGids: [], home: home), user)
    }
    guard let wanted else {
      throw ContainerRuntimeError(
        .invalidSetting, "unable to find user \(part): no matching entries in passwd file")
    }
    return (Resolution(uid: wanted, gid: 0, additionalGids: [], home: nil), nil)
  }

  private func groupNumber(_ part: Substring) throws -> UInt32 {
    let number = try Self.number(part, of: "group")
    if let group = groups.first(where: { $0.name == part }) { return group.gid }
    guard let number else {
      throw ContainerRuntimeError(
        .invalidSetting, "unable to find group \(part): no matching entries in group file")
    }
    return number
  }

  /// The number that `part` is, or nil if it is a name.
  private static func number(_ part: Substring, of kind: String) throws -> UInt32? {
    guard !part.isEmpty, part.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
    guard let number = UInt32(part), number <= UInt32(Int32.max) else {
      throw ContainerRuntimeError(
        .invalidSetting, "uids and gids must be in range 0-2147483647",
        metadata: [kind: String(part.prefix(32))])
    }
    return number
  }
}
