import FoundationEssentials
import Glibc
import Logging
import StateStore
import StateStoreEtcd
import Synchronization

/// What a test helper could not do.
struct HelperFailure: Error, CustomStringConvertible {
  let description: String
}

/// Keeps what stores have to say out of the tests' output.
let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// An etcd of a test's own, with a folder of its own, that is ended with the test.
final class EtcdProcess: Sendable {
  /// How many run at once; the others wait.
  static let turns = Turns(4)

  /// Where a member of a cluster is.
  private struct Place {
    var name = "default"
    var client = 0
    var peer = 0
    /// All members of the cluster, as etcd's option names them.
    var cluster = ""

    var peerURL: String { "http://127.0.0.1:\(peer)" }
  }

  private struct State {
    var pid: pid_t = 0
    var place = Place()
  }

  let folder: TemporaryFolder
  private let security: [String]
  private let state = Mutex(State())

  /// Starts an etcd that answers, secured with these options if there are any.
  static func start(security: [String] = []) async throws -> EtcdProcess {
    for _ in 0..<10 {
      // An etcd whose port was taken meanwhile ends by itself.
      if let etcd = try await tryStart(1, security: security).first { return etcd }
    }
    throw HelperFailure(description: "etcd does not start")
  }

  /// Starts a cluster of three members.
  static func startCluster() async throws -> [EtcdProcess] {
    for _ in 0..<10 {
      let members = try await tryStart(3, security: [])
      if !members.isEmpty { return members }
    }
    throw HelperFailure(description: "the cluster does not start")
  }

  private static func tryStart(_ count: Int, security: [String]) async throws -> [EtcdProcess] {
    let ports = try freePorts(2 * count)
    var places = (0..<count).map { number in
      Place(name: "m\(number)", client: ports[2 * number], peer: ports[2 * number + 1])
    }
    let cluster = places.map { "\($0.name)=\($0.peerURL)" }.joined(separator: ",")
    for index in places.indices { places[index].cluster = cluster }
    let members = try places.map { try EtcdProcess(place: $0, security: security) }
    for member in members { try member.spawn() }
    for member in members where try await !member.waitUntilListening() { return [] }
    return members
  }

  private init(place: Place, security: [String]) throws {
    folder = try TemporaryFolder()
    self.security = security
    state.withLock { $0.place = place }
  }

  deinit {
    kill()
  }

  var endpoint: String {
    let scheme = security.isEmpty ? "http" : "https"
    return "\(scheme)://127.0.0.1:\(state.withLock { $0.place.client })"
  }

  /// A new store on the process.
  func open(
    prefix: String = EtcdSettings.defaultPrefix,
    configure: (inout EtcdSettings) -> Void = { _ in }
  ) async throws -> EtcdStateStore {
    var settings = EtcdSettings(
      endpoints: [endpoint], prefix: prefix, dialTimeout: .seconds(30),
      requestTimeout: .seconds(30))
    configure(&settings)
    return try await EtcdStateStore.open(
      settings: settings, logger: quietLogger)
  }

  /// Ends the process at once, as a crash of the machine would.
  func kill() {
    let pid = state.withLock { state in
      defer { state.pid = 0 }
      return state.pid
    }
    guard pid > 0 else { return }
    _ = Glibc.kill(pid, SIGKILL)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
  }

  /// Starts the killed process again, with its data and on its ports, and waits for it.
  func startAgain() async throws {
    for _ in 0..<10 {
      try spawn()
      if try await waitUntilListening() { return }
    }
    throw HelperFailure(description: "etcd does not start again")
  }

  func pause() { signal(SIGSTOP) }

  func goOn() { signal(SIGCONT) }

  private func signal(_ number: Int32) {
    let pid = state.withLock { $0.pid }
    if pid > 0 { _ = Glibc.kill(pid, number) }
  }

  private func spawn() throws {
    let place = state.withLock { $0.place }
    let pid = try Command.spawn(
      [
        "etcd", "--name", place.name, "--data-dir", folder.path + "/data",
        "--listen-client-urls", endpoint, "--advertise-client-urls", endpoint,
        "--listen-peer-urls", place.peerURL, "--initial-advertise-peer-urls", place.peerURL,
        "--initial-cluster", place.cluster, "--heartbeat-interval", "50",
        "--election-timeout", "500", "--logger", "zap", "--log-level", "error",
      ] + security, output: folder.path + "/log")
    state.withLock { $0.pid = pid }
  }

  /// Waits for the port to take connections; false when the process ended.
  private func waitUntilListening() async throws -> Bool {
    let (pid, port) = state.withLock { ($0.pid, $0.place.client) }
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      var status: Int32 = 0
      if waitpid(pid, &status, WNOHANG) == pid {
        state.withLock { $0.pid = 0 }
        return false
      }
      // Looks first at the process, so that nobody else's port is taken for its own.
      if try connects(to: port) { return waitpid(pid, &status, WNOHANG) == 0 }
      try await Task.sleep(for: .milliseconds(20))
    }
    kill()
    throw HelperFailure(description: "etcd does not listen")
  }
}

/// Ports of the loopback interface that nobody has, and that no connection gets by itself: a killed
/// etcd wants its own again.
func freePorts(_ count: Int) throws -> [Int] {
  var sockets: [(descriptor: Int32, port: Int)] = []
  defer { for (descriptor, _) in sockets { close(descriptor) } }
  for _ in 0..<1_000 where sockets.count < count {
    let port = Int.random(in: 10_000..<32_000)
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw HelperFailure(description: "no socket: \(errno)") }
    if withLoopback(port: UInt16(port), { bind(descriptor, $0, $1) == 0 }) {
      sockets.append((descriptor, port))
    } else {
      close(descriptor)
    }
  }
  guard sockets.count == count else { throw HelperFailure(description: "no ports are free") }
  return sockets.map(\.port)
}

private func connects(to port: Int) throws -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  guard descriptor >= 0 else { throw HelperFailure(description: "no socket: \(errno)") }
  defer { close(descriptor) }
  return withLoopback(port: UInt16(port)) { connect(descriptor, $0, $1) == 0 }
}

private func withLoopback<Result>(
  port: UInt16, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
) -> Result {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
}

/// Programs that tests run.
enum Command {
  /// Starts a program of the search path, with its output in a file.
  static func spawn(_ arguments: [String], output: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var pointers = arguments.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, arguments[0], &actions, nil, &pointers, environ)
    guard code == 0 else {
      throw HelperFailure(description: "\(arguments[0]) cannot be run: \(code)")
    }
    return pid
  }

  /// Runs a program and waits for it.
  static func run(_ arguments: [String], output: String) async throws {
    let pid = try spawn(arguments, output: output)
    var status: Int32 = 0
    while waitpid(pid, &status, WNOHANG) == 0 { try await Task.sleep(for: .milliseconds(5)) }
    guard status == 0 else {
      let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
      throw HelperFailure(description: "\(arguments) ended with \(status): \(text)")
    }
  }
}

/// Lets some at a time through.
actor Turns {
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) { free = count }

  func take<Result: Sendable>(
    _ body: @Sendable () async throws -> Result
  ) async rethrows -> Result {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
    defer { pass() }
    return try await body()
  }

  private func pass() {
    if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
  }
}

/// A folder of the test's own that goes with it.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    var bytes = Array("/tmp/martlet-etcd-XXXXXX".utf8CString)
    guard mkdtemp(&bytes) != nil else { throw HelperFailure(description: "no folder: \(errno)") }
    path = String(decoding: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    // A folder that cannot be removed is left to the system's cleaning of /tmp.
    try? FileManager.default.removeItem(atPath: path)
  }
}
