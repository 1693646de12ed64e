import Glibc
import Host
import Logging
import StateStore
import Synchronization
import Testing

@testable import NodeNetwork

/// A node of its own on this machine: own table, own names, own address range (10.213.0.0/16), and
/// nothing left behind.
final class NodeFixture: Sendable {
  let tag: String
  let store: any StateStore
  let configuration: NodeNetworkConfiguration
  let network: NodeNetwork

  private let ends = Mutex<[@Sendable () async throws -> Void]>([])

  /// Has something done when the node is stopped.
  func atEnd(_ body: @escaping @Sendable () async throws -> Void) {
    ends.withLock { $0.append(body) }
  }

  fileprivate init(subnet: UInt8, ephemeralPorts: ClosedRange<UInt16>?) {
    tag = "t\(getpid() % 10000)x\(subnet)"
    var configuration = NodeNetworkConfiguration(executionRoot: "/run/mtn-\(tag)")
    configuration.defaultBridge?.name = "mtn-\(tag)"
    configuration.defaultBridge?.address = InterfaceAddress(
      IPAddress(10, 213, subnet, 1), prefixLength: 25)
    configuration.addressPools = [
      .init(
        base: Subnet(containing: IPAddress(10, 213, subnet, 128), prefixLength: 25), size: 28)
    ]
    configuration.tableName = "mtn_\(tag)"
    configuration.bridgePrefix = "mb-"
    configuration.ephemeralPorts = ephemeralPorts
    self.configuration = configuration
    store = InMemoryStateStore()
    network = NodeNetwork(
      configuration: configuration, store: store, logger: Logger(label: "test"))
  }

  /// A second daemon on the same state, as after a crash of the first.
  func successor() -> NodeNetwork {
    NodeNetwork(configuration: configuration, store: store, logger: Logger(label: "test"))
  }

  /// Runs a container without processes: a namespace on some networks.
  func container(
    _ name: String, on networks: [String], dns: DNSSettings = DNSSettings(),
    change: (inout EndpointRequest) -> Void = { _ in }
  ) async throws -> TestContainer {
    let id = Identifier.random()
    let path = try await network.createSandbox(containerID: id, dns: dns)
    var endpoints: [EndpointRecord] = []
    for reference in networks {
      var request = EndpointRequest(containerID: id, containerName: name, network: reference)
      change(&request)
      endpoints.append(try await network.attach(request))
    }
    return TestContainer(id: id, name: name, path: path, endpoints: endpoints)
  }

  /// Removes everything this node made.
  func stop() async {
    for end in ends.withLock({ $0 }) { try? await end() }  // clearing up goes on
    await network.shutdown()
    let last = NodeNetwork(
      configuration: configuration, store: InMemoryStateStore(), logger: Logger(label: "test"))
    // Clearing up: what fails here shows in the leak checks of the tests themselves.
    try? await last.start(live: [])
    await last.shutdown()
    let owner = configuration.tableName
    try? await BlockingPool.shared.run { try ForeignForwarding(owner: owner).pass([]) }  // as above
    _ = try? await shell(
      """
      ip link del mtn-\(tag) 2>/dev/null; nft delete table inet mtn_\(tag) 2>/dev/null
      rm -rf /run/mtn-\(tag)
      """)
  }
}

/// Runs a test with a node that is stopped whatever happens.
/// - Parameter subnet: the third byte of its addresses: the default bridge's subnet is the lower
///   half of 10.213.N.0/24, user-defined networks get blocks of /28 of the upper. No two tests may
///   share one, since they run at the same time.
func withNode(
  subnet: UInt8, ephemeralPorts: ClosedRange<UInt16>? = nil,
  _ body: (NodeFixture) async throws -> Void
) async throws {
  let node = NodeFixture(subnet: subnet, ephemeralPorts: ephemeralPorts)
  do {
    try await node.network.start(live: [])
    try await body(node)
  } catch {
    await node.stop()
    throw error
  }
  await node.stop()
}

/// A namespace with its endpoints.
struct TestContainer: Sendable {
  var id: String
  var name: String
  var path: String
  var endpoints: [EndpointRecord]

  /// Its first IPv4 address.
  var address: String { endpoints.first?.ipv4Address.map { "\($0)" } ?? "" }

  /// Runs a shell script in the namespace.
  @discardableResult
  func run(_ script: String) async throws -> ShellResult {
    try await shell("exec nsenter --net=\(path) /bin/sh -c \(quoted(script))")
  }

  /// Serves `text` to whoever connects to a TCP port, until the namespace's test ends.
  func serve(_ text: String, port: Int, ipv6: Bool = false) throws -> Server {
    let family = ipv6 ? "socket.AF_INET6" : "socket.AF_INET"
    let program = """
      import socket,sys
      s=socket.socket(\(family)); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)
      s.bind(("\(ipv6 ? "::" : "0.0.0.0")",\(port))); s.listen(16)
      sys.stdout.write("ready\\n"); sys.stdout.flush()
      while True:
        c,a=s.accept(); c.sendall(("\(text) "+a[0]+"\\n").encode()); c.close()
      """
    return try Server(path: path, program: program)
  }

  /// Echoes UDP packets with the sender's address.
  func serveUDP(_ text: String, port: Int) throws -> Server {
    let program = """
      import socket,sys
      s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(("0.0.0.0",\(port)))
      sys.stdout.write("ready\\n"); sys.stdout.flush()
      while True:
        d,a=s.recvfrom(2000); s.sendto(("\(text) "+a[0]+"\\n").encode(),a)
      """
    return try Server(path: path, program: program)
  }
}

/// A Python program running in a namespace; ends with this value.
final class Server: Sendable {
  private let child: ChildProcess

  init(path: String, program: String) throws {
    let pipe = try Descriptor.pipe()
    var command = Command(
      "/usr/bin/env",
      path.isEmpty
        ? ["python3", "-c", program] : ["nsenter", "--net=\(path)", "python3", "-c", program])
    command.descriptors = [(pipe.writing, as: 1)]
    child = try command.spawn()
    pipe.writing.close()
    _ = try pipe.reading.read(upTo: 6)
  }

  deinit { kill(child.pid, SIGKILL) }
}

/// What a shell said.
struct ShellResult: Sendable {
  var status: Int32
  var output: String
}

/// Runs a script; the output has both streams, without white space around.
@discardableResult
func shell(_ script: String) async throws -> ShellResult {
  let result = try await Command("/bin/sh", ["-c", "exec 2>&1\n" + script])
    .run(timeout: .seconds(30))
  guard case .exited(let status) = result.status else { return ShellResult(status: -1, output: "") }
  let text = String(decoding: result.output, as: UTF8.self)
  return ShellResult(
    status: status,
    output: String(
      text.trimmingPrefix { $0.isWhitespace }.reversed()
        .trimmingPrefix { $0.isWhitespace }.reversed()))
}

func quoted(_ text: String) -> String {
  "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
    + "'"
}

/// Compares what was said with what should have been, showing both.
func expect(
  _ got: String, is wanted: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(got == wanted, sourceLocation: sourceLocation)
}

/// Compares the beginning of what was said, showing all of it.
func expect(
  _ got: String, begins wanted: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(got.hasPrefix(wanted), "\(got)", sourceLocation: sourceLocation)
}
