import DockerModel
import Glibc
import Host

/// Mounts what a volume's options name on the folder of its content. All of it blocks.
enum VolumeMounter {
  /// Mounts; the caller knows that it is not mounted yet.
  /// - Throws: `SystemError`, or `invalidParameter` for a host that has no address.
  static func mount(_ wanted: VolumeMountOptions, at target: String) throws {
    if wanted.isBind {
      try Mount.bind(
        wanted.device, at: target, recursive: wanted.options.contains("rbind"),
        readOnly: wanted.options.contains("ro"))
      return
    }
    var flags: UInt = 0
    var data: [String] = []
    for option in wanted.options {
      if let flag = flag(option) {
        flags |= flag
      } else if option != "rw" && option != "defaults" {
        data.append(
          wanted.type.hasPrefix("nfs") && option.hasPrefix("addr=")
            ? "addr=" + (try address(String(option.dropFirst(5)))) : option)
      }
    }
    try Mount.fileSystem(
      wanted.type, source: wanted.device, at: target, flags: flags,
      options: data.joined(separator: ","))
  }

  private static func flag(_ option: String) -> UInt? {
    switch option {
    case "ro": UInt(MS_RDONLY)
    case "nosuid": UInt(MS_NOSUID)
    case "nodev": UInt(MS_NODEV)
    case "noexec": UInt(MS_NOEXEC)
    case "sync": UInt(MS_SYNCHRONOUS)
    case "noatime": UInt(MS_NOATIME)
    case "nodiratime": UInt(MS_NODIRATIME)
    case "relatime": UInt(MS_RELATIME)
    case "strictatime": UInt(MS_STRICTATIME)
    default: nil
    }
  }

  /// The kernel takes only numeric addresses of NFS servers.
  private static func address(_ host: String) throws -> String {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &list) == 0, let first = list else {
      throw APIError.invalidParameter("error resolving NFS server address: \(host)")
    }
    defer { freeaddrinfo(list) }
    var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let status = getnameinfo(
      first.pointee.ai_addr, first.pointee.ai_addrlen, &buffer, socklen_t(buffer.count), nil, 0,
      NI_NUMERICHOST)
    guard status == 0 else {
      throw APIError.invalidParameter("error resolving NFS server address: \(host)")
    }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
