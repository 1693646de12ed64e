import Glibc
import Host
import Testing

/// A server started for a test, ended with it.
final class ServerProcess: Sendable {
  let port: Int
  private let child: ChildProcess
  var host: String { "127.0.0.1:\(port)" }

  private init(_ child: ChildProcess, port: Int) {
    self.child = child
    self.port = port
  }

  deinit {
    child.signal(SIGKILL)
    _ = try? child.waitBlocking()  // it is gone either way
  }

  /// A port that was free a moment ago.
  static func freePort() throws -> Int {
    let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try checked("socket", nil, number)
    defer { close(number) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(number, generic, length) == 0 && getsockname(number, generic, &length) == 0
      }
    }
    try checked("bind", nil, bound ? 0 : -1)
    return Int(UInt16(bigEndian: address.sin_port))
  }

  private static func isListening(_ port: Int) -> Bool {
    let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(number) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    address.sin_port = UInt16(port).bigEndian
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  private static func start(_ command: Command, port: Int) async throws -> ServerProcess {
    let null = try Descriptor.open("/dev/null", O_RDWR)
    var command = command
    command.descriptors = [(null, as: 0), (null, as: 1), (null, as: 2)]
    let server = ServerProcess(try command.spawn(), port: port)
    let deadline = ContinuousClock.now + .seconds(20)
    while !isListening(port) {
      try #require(ContinuousClock.now < deadline, "the server did not start")
      try await Task.sleep(for: .milliseconds(20))
    }
    return server
  }

  /// ann with the password "s3cret".
  private static let passwordLine =
    "ann:$2b$04$B6YssxRn0TqCMpwc4uJJnOAuvjMzeoFMOckKM.DujViNCEVPrzIyW\n"

  /// Debian's docker-registry over a scratch folder.
  static func registry(_ scratch: Scratch, wantsPassword: Bool = false, tls: Bool = false)
    async throws -> ServerProcess
  {
    let port = try freePort()
    let folder = "\(scratch.path)/registry-\(port)"
    try Paths.makeDirectories(folder)
    var lines = [
      "version: 0.1", "log:", "  level: error", "storage:", "  filesystem:",
      "    rootdirectory: \(folder)/data", "  delete:", "    enabled: true", "http:",
      "  addr: 127.0.0.1:\(port)",
    ]
    if tls {
      try await certificate(in: folder)
      lines += ["  tls:", "    certificate: \(folder)/server.crt", "    key: \(folder)/server.key"]
    }
    if wantsPassword {
      try Descriptor.open(folder + "/htpasswd", O_WRONLY | O_CREAT, mode: 0o600)
        .write(Array(passwordLine.utf8))
      lines += ["auth:", "  htpasswd:", "    realm: test", "    path: \(folder)/htpasswd"]
    }
    try Descriptor.open(folder + "/config.yml", O_WRONLY | O_CREAT, mode: 0o600)
      .write(Array(lines.joined(separator: "\n").utf8))
    return try await start(
      Command("/usr/bin/docker-registry", ["serve", folder + "/config.yml"]), port: port)
  }

  /// A certificate for 127.0.0.1 that signs itself.
  static func certificate(in folder: String) async throws {
    let result = try await Command(
      "/usr/bin/openssl",
      [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder + "/server.key", "-out",
        folder + "/server.crt",
      ]
    ).run()
    try #require(result.status.isSuccess)
  }

  /// A registry of our own with faults to order; see its file.
  static func fake(_ arguments: [String] = []) async throws -> ServerProcess {
    let port = try freePort()
    let script =
      Paths.parent(of: Paths.parent(of: #filePath))
      + "/Fixtures/ImageStore/fake_registry.py"
    return try await start(
      Command("/usr/bin/env", ["python3", script, "\(port)"] + arguments), port: port)
  }
}
