import Glibc
import Host

/// The file of a unix socket. The server binds under another name first, so that the socket has its
/// owner and mode by the time clients can see it.
struct UnixSocketFile: Sendable {
  let path: String
  let temporaryPath: String

  /// Looks at what is there (blocking). Throws `addressInUse` when another server answers there, and
  /// `badConfiguration` when the path is too long or names something that is no socket.
  init(path: String) throws {
    self.path = path
    let name = path.lastIndex(of: "/").map { path[...$0] } ?? ""
    temporaryPath = name + ".s" + String(UInt32.random(in: .min ... .max), radix: 36)
    guard max(path.utf8.count, temporaryPath.utf8.count) <= 107 else {
      throw TransportError(
        code: .badConfiguration, message: "path too long for a unix socket",
        metadata: ["path": path])
    }
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw TransportError(
        code: .badConfiguration, message: "not a socket: will not be replaced",
        metadata: ["path": path])
    }
    if Self.isAnswered(path) {
      throw TransportError(
        code: .addressInUse, message: "another server listens there", metadata: ["path": path])
    }
  }

  private static func isAnswered(_ path: String) -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
  }

  /// Gives the bound socket its group and mode and moves it to its name, in place of a stale one
  /// (blocking). Throws `badConfiguration` for an unknown group that was asked for.
  func publish(group: SocketGroup) throws {
    if let identifier = try group.identifier() {
      try check("chown", chown(temporaryPath, 0, identifier))
    }
    try check("chmod", chmod(temporaryPath, 0o660))
    try check("rename", rename(temporaryPath, path))
  }

  private func check(_ operation: String, _ result: Int32) throws {
    if result != 0 { throw SystemError(errno, operation, path) }
  }

  /// Tells one socket file from another.
  struct Identity: Sendable, Equatable {
    let device: UInt
    let inode: UInt
  }

  /// What is at the path now.
  func identity() -> Identity? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    return Identity(device: status.st_dev, inode: status.st_ino)
  }
}

/// The group that may use a unix socket.
package enum SocketGroup: Sendable, Hashable {
  /// A group by name or number; the server does not start without it.
  case named(String)
  /// `docker` where the system has it, else root alone.
  case dockerIfPresent

  func identifier() throws -> gid_t? {
    switch self {
    case .dockerIfPresent: return Self.lookUp("docker")
    case .named(let name):
      guard let identifier = Self.lookUp(name) ?? gid_t(name) else {
        throw TransportError(
          code: .badConfiguration, message: "no such group", metadata: ["group": name])
      }
      return identifier
    }
  }

  private static func lookUp(_ name: String) -> gid_t? {
    var entry = group()
    var result: UnsafeMutablePointer<group>?
    var buffer = [CChar](repeating: 0, count: 64 * 1024)
    let status = getgrnam_r(name, &entry, &buffer, buffer.count, &result)
    return status == 0 && result != nil ? entry.gr_gid : nil
  }
}
