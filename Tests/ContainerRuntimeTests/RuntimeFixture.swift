import Glibc
import Host
import Logging
import NIOCore
import Synchronization
import Testing

@testable import ContainerRuntime

/// A runtime with an exec root, a root file system of busybox and a cgroup parent of its own, all of
/// which `close` removes, after looking for what should not be there any more.
final class RuntimeFixture: Sendable {
  let folder: String
  let cgroupParent: String
  private let current: Mutex<ContainerRuntime>
  private let counter = Mutex(0)
  private let ids = Mutex<[String]>([])

  var runtime: ContainerRuntime { current.withLock { $0 } }
  var rootfs: String { folder + "/rootfs" }

  init() async throws {
    var template = Array("/tmp/martlet-runtime-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError.last("mkdtemp") }
    folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    let folder = self.folder
    cgroupParent = "/martlet-test-" + Paths.lastComponent(of: folder).suffix(6)
    try Self.makeRootfs(folder + "/rootfs")
    current = Mutex(try await Self.makeRuntime(folder, cgroupParent))
  }

  static func makeRuntime(
    _ folder: String, _ parent: String, _ change: (inout RuntimeConfiguration) -> Void = { _ in }
  ) async throws -> ContainerRuntime {
    var logger = Logger(label: "test")
    logger.logLevel = .warning
    var configuration = RuntimeConfiguration(
      execRoot: folder + "/exec", cgroupParent: parent, logger: logger)
    change(&configuration)
    return try await ContainerRuntime(configuration: configuration)
  }

  /// Forgets the runtime as a killed daemon would, and makes another one.
  func restart(_ change: (inout RuntimeConfiguration) -> Void = { _ in }) async throws {
    runtime.shutDown()
    let new = try await Self.makeRuntime(folder, cgroupParent, change)
    current.withLock { $0 = new }
  }

  private static func makeRootfs(_ root: String) throws {
    for name in ["bin", "etc", "proc", "sys", "dev", "tmp", "sbin", "root"] {
      try Paths.makeDirectories(root + "/" + name)
    }
    let path = ["/bin/busybox", "/usr/bin/busybox"].first(where: Paths.exists) ?? ""
    try Descriptor.open(root + "/bin/busybox", O_WRONLY | O_CREAT, mode: 0o755)
      .write(try Paths.read(path))
    let applets = [
      "sh", "true", "false", "cat", "echo", "sleep", "id", "env", "pwd", "grep", "head", "stty",
      "mount", "df", "hostname", "kill", "yes", "seq", "dd", "ls", "touch", "printf", "awk", "ps",
      "wc", "stat", "sysctl", "tr", "test", "mkdir", "mknod", "readlink",
    ]
    for applet in applets { symlink("busybox", root + "/bin/" + applet) }
    try write(
      "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
      root + "/etc/passwd")
    try write("root:x:0:\nuser:x:1000:\nextra:x:2000:user\n", root + "/etc/group")
  }

  static func write(_ text: String, _ path: String) throws {
    try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).write(Array(text.utf8))
  }

  /// Settings of a container that runs `arguments`, with a log.
  func settings(_ arguments: [String]) -> ContainerSettings {
    let number = counter.withLock { counter in
      counter += 1
      return counter
    }
    let id = Paths.lastComponent(of: folder) + "-\(number)"
    ids.withLock { $0.append(id) }
    var settings = ContainerSettings(id: id, rootfs: rootfs, arguments: arguments)
    settings.namespaces.cgroup = .host
    settings.log = LogSettings(.jsonFile, path: folder + "/" + id + ".log")
    return settings
  }

  /// Settings of a container that runs a shell script.
  func shell(_ script: String) -> ContainerSettings { settings(["sh", "-c", script]) }

  /// Runs a container to its end and returns its status and output.
  func run(_ settings: ContainerSettings) async throws -> (exit: ContainerExit, output: String) {
    _ = try await runtime.create(settings)
    try await runtime.start(settings.id)
    let exit = try await runtime.waitForExit(of: settings.id)
    let output = try await text(settings)
    try await runtime.delete(settings.id)
    return (exit, output)
  }

  /// What a shell script prints to either stream.
  func output(
    of script: String, _ change: (inout ContainerSettings) -> Void = { _ in }
  ) async throws -> String {
    var settings = shell(script)
    change(&settings)
    return try await run(settings).output
  }

  /// The log of a container as text.
  func text(
    _ settings: ContainerSettings, _ options: ContainerLog.Options = .init()
  ) async throws -> String {
    var text: [UInt8] = []
    for try await frame in runtime.log(settings.log, of: settings.id).frames(options, .raw) {
      text += frame.readableBytesView
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Removes everything, and reports what `delete` should have removed before.
  func close() async throws {
    for id in ids.withLock({ $0 }) { try await runtime.delete(id) }
    let leftovers = try await runtime.leftovers(known: [])
    #expect(leftovers == [])
    runtime.shutDown()
    for id in ids.withLock({ $0 }) {
      #expect(!Cgroup(cgroupParent + "/" + id).exists, "a cgroup is left of \(id)")
    }
    #expect(try Paths.entries(of: folder + "/exec/containers") == [])
    #expect(try Paths.entries(of: folder + "/exec/runtime") == [])
    #expect(Self.processes(mentioning: folder + "/exec") == [])
    try Cgroup(cgroupParent).remove()
    try TreeRemoval.remove(folder)
  }

  static func processes(mentioning text: String) -> [String] {
    let pids = ((try? Paths.entries(of: "/proc")) ?? []).filter { Int32($0) != nil }
    return pids.compactMap { pid in
      let line = (try? Paths.readText("/proc/\(pid)/cmdline")) ?? ""
      return line.contains(text) ? line.split(separator: "\0").joined(separator: " ") : nil
    }
  }
}

/// Runs a test with a fixture of its own.
func withRuntime(_ body: (RuntimeFixture) async throws -> Void) async throws {
  let fixture = try await RuntimeFixture()
  do {
    try await body(fixture)
  } catch {
    try? await fixture.close()
    throw error
  }
  try await fixture.close()
}

/// Waits until a condition holds.
func eventually(
  _ what: String, within limit: Duration = .seconds(10), _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while ContinuousClock.now < deadline {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(5))
  }
  Issue.record("not within \(limit): \(what)")
}
