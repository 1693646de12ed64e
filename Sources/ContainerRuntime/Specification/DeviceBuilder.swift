import CLinux
import Glibc
import Host
import OCI

/// The device nodes and device rules of a container.
struct DeviceBuilder {
  let settings: ContainerSettings

  private static let mostDevices = 4096

  /// Nodes to make and rules in force.
  /// - Throws: `ContainerRuntimeError.invalidSetting`.
  func build() throws -> (
    nodes: [RuntimeSpecification.Device], rules: [RuntimeSpecification.DeviceRule]
  ) {
    if settings.security.privileged {
      var nodes: [RuntimeSpecification.Device] = []
      try Self.collect(hostFolder: "/dev", containerFolder: "/dev", into: &nodes)
      let mapped = try devices().map(\.node).filter { device in
        !nodes.contains { $0.path == device.path }
      }
      return (nodes + mapped, [.init(allow: true, access: "rwm")])
    }
    let wanted = try devices()
    var rules = Self.usualRules
    rules += wanted.map {
      .init(
        allow: true, type: $0.node.type, major: $0.node.major, minor: $0.node.minor,
        access: $0.permissions)
    }
    rules += try settings.deviceCgroupRules.map(Self.rule)
    return (wanted.map(\.node), rules)
  }

  private struct Wanted {
    var node: RuntimeSpecification.Device
    var permissions: String
  }

  private static let usualRules: [RuntimeSpecification.DeviceRule] =
    [.init(allow: false, access: "rwm")]
    + [(1, 5), (1, 3), (1, 9), (1, 8), (5, 0), (5, 1)].map {
      .init(allow: true, type: "c", major: $0.0, minor: $0.1, access: "rwm")
    } + [.init(allow: false, type: "c", major: 10, minor: 229, access: "rwm")]

  private func devices() throws -> [Wanted] {
    try settings.devices.flatMap { device -> [Wanted] in
      let permissions = device.permissions.isEmpty ? "rwm" : device.permissions
      guard permissions.allSatisfy("rwm".contains), Set(permissions).count == permissions.count
      else {
        throw ContainerRuntimeError(.invalidSetting, "invalid device mode: \(permissions)")
      }
      guard device.containerPath.hasPrefix("/"), device.hostPath.hasPrefix("/") else {
        throw ContainerRuntimeError(
          .invalidSetting, "\(device.containerPath) is not an absolute path")
      }
      let nodes = try Self.nodes(device.hostPath, device.containerPath)
      return nodes.map { Wanted(node: $0, permissions: permissions) }
    }
  }

  private static func nodes(
    _ hostPath: String, _ containerPath: String
  ) throws -> [RuntimeSpecification.Device] {
    // Links such as /dev/cdrom stand for what they lead to; the node gets the name asked for.
    if let node = node(hostPath, containerPath, followsLinks: true) { return [node] }
    var nodes: [RuntimeSpecification.Device] = []
    if Paths.isDirectory(hostPath) {
      try collect(hostFolder: hostPath, containerFolder: containerPath, into: &nodes)
    }
    guard !nodes.isEmpty else {
      throw ContainerRuntimeError(
        .invalidSetting,
        "error gathering device information while adding custom device \"\(hostPath)\": "
          + (Paths.exists(hostPath) ? "not a device node" : "no such file or directory"))
    }
    return nodes
  }

  /// The device node at a path, or nil if there is something else or nothing.
  static func node(
    _ hostPath: String, _ containerPath: String, followsLinks: Bool = false
  ) -> RuntimeSpecification.Device? {
    var information = stat()
    let status = followsLinks ? stat(hostPath, &information) : lstat(hostPath, &information)
    guard status == 0 else { return nil }
    let type: String
    switch information.st_mode & S_IFMT {
    case S_IFCHR: type = "c"
    case S_IFBLK: type = "b"
    default: return nil
    }
    return .init(
      type: type, path: containerPath, major: Int64(martlet_major(UInt64(information.st_rdev))),
      minor: Int64(martlet_minor(UInt64(information.st_rdev))),
      fileMode: information.st_mode & 0o7777,
      uid: information.st_uid, gid: information.st_gid)
  }

  /// Every device below a folder, leaving out what the container has of its own.
  private static func collect(
    hostFolder: String, containerFolder: String, into nodes: inout [RuntimeSpecification.Device]
  ) throws {
    let own: Set<String> = [
      "pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console",
    ]
    // What cannot be listed (gone, or a network file system's whim) holds no devices for us.
    let names = (try? Paths.entries(of: hostFolder)) ?? []
    for name in names.sorted() where !own.contains(name) {
      guard nodes.count < mostDevices else {
        throw ContainerRuntimeError(
          .invalidSetting, "more than \(mostDevices) devices", metadata: ["folder": hostFolder])
      }
      let path = hostFolder + "/" + name
      if let node = node(path, containerFolder + "/" + name) {
        nodes.append(node)
      } else {
        var information = stat()
        guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
          continue
        }
        try collect(hostFolder: path, containerFolder: containerFolder + "/" + name, into: &nodes)
      }
    }
  }

  /// Reads a rule such as `c 1:3 mr` or `a *:* rwm`.
  static func rule(_ text: String) throws -> RuntimeSpecification.DeviceRule {
    let fields = text.split(separator: " ")
    let numbers =
      fields.count == 3 ? fields[1].split(separator: ":", omittingEmptySubsequences: false) : []
    guard fields.count == 3, ["a", "b", "c"].contains(fields[0]), numbers.count == 2,
      numbers.allSatisfy({ $0 == "*" || UInt32($0) != nil }),
      (1...3).contains(fields[2].count), fields[2].allSatisfy("rwm".contains)
    else {
      throw ContainerRuntimeError(.invalidSetting, "invalid device cgroup rule format: '\(text)'")
    }
    return .init(
      allow: true, type: String(fields[0]), major: Int64(numbers[0]), minor: Int64(numbers[1]),
      access: String(fields[2]))
  }
}
