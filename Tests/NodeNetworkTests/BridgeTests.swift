import Host
import Testing

@testable import NodeNetwork

@Suite struct BridgeTests {
  @Test func containersOfOneBridgeReachEachOther() async throws {
    try await withNode(subnet: 0) { node in
      let one = try await node.container("one", on: ["bridge"])
      let two = try await node.container("two", on: ["bridge"])
      let server = try two.serve("hello", port: 8000)
      #expect(one.address == "10.213.0.2")
      #expect(one.endpoints[0].macAddress == "02:42:0a:d5:00:02")
      #expect(one.endpoints[0].interfaceName == "eth0")
      expect(try await one.fetch(two.address, 8000), is: "hello 10.213.0.2")
      expect(try await one.run("ip route").output, begins: "default via 10.213.0.1 dev eth0")
      expect(try await shell(fetching(two.address, 8000)).output, is: "hello 10.213.0.1")
      let counters = try await node.network.statistics(containerID: one.id)
      #expect(counters.map(\.name) == ["eth0"])
      #expect(counters[0].transmittedBytes > 0 && counters[0].receivedPackets > 0)
      withExtendedLifetime(server) {}
    }
  }

  @Test func bridgesAreIsolatedFromOneAnother() async throws {
    try await withNode(subnet: 1) { node in
      _ = try await node.network.create(NetworkSpecification(name: "left"))
      var specification = NetworkSpecification(name: "quiet")
      specification.options = ["com.docker.network.bridge.enable_icc": "false"]
      _ = try await node.network.create(specification)
      specification = NetworkSpecification(name: "inside")
      specification.isInternal = true
      _ = try await node.network.create(specification)

      let bridge = try await node.container("bridge", on: ["bridge"])
      let left = try await node.container("left", on: ["left"])
      let servers = [try bridge.serve("bridge", port: 80), try left.serve("left", port: 80)]
      expect(try await left.fetch(bridge.address, 80), is: "refused")
      expect(try await bridge.fetch(left.address, 80), is: "refused")
      expect(try await shell(fetching(left.address, 80)).output, begins: "left")

      let quiet1 = try await node.container("quiet1", on: ["quiet"])
      let quiet2 = try await node.container("quiet2", on: ["quiet"])
      let quietServer = try quiet2.serve("quiet", port: 80)
      expect(try await quiet1.fetch(quiet2.address, 80), is: "refused")
      expect(try await shell(fetching(quiet2.address, 80)).output, begins: "quiet")

      let inside1 = try await node.container("inside1", on: ["inside"])
      let inside2 = try await node.container("inside2", on: ["inside"])
      let insideServer = try inside2.serve("inside", port: 80)
      expect(try await inside1.fetch(inside2.address, 80), begins: "inside")
      #expect(inside1.endpoints[0].ipv4Gateway == nil)
      try await inside1.run("ip route add default via \(gateway(of: inside1))")
      expect(try await inside1.fetch(left.address, 80), is: "refused")
      withExtendedLifetime((servers, quietServer, insideServer)) {}
    }
  }

  @Test func outgoingTrafficIsMasqueraded() async throws {
    try await withNode(subnet: 2) { node in
      let far = try await FarHost.make(number: 2, for: node)
      let server = try far.serve("far", port: 80)
      let container = try await node.container("one", on: ["bridge"])
      expect(try await container.fetch(far.address, 80), is: "far \(far.hostAddress)")
      var specification = NetworkSpecification(name: "inside")
      specification.isInternal = true
      _ = try await node.network.create(specification)
      let inside = try await node.container("inside", on: ["inside"])
      try await inside.run("ip route add default via \(gateway(of: inside))")
      expect(try await inside.fetch(far.address, 80), is: "refused")
      // Other hosts reach a container's own address only where it is published.
      let own = try container.serve("own", port: 80)
      try await far.run("ip route add 10.213.2.0/25 via \(far.hostAddress)")
      expect(try await far.fetch(container.address, 80), is: "refused")
      withExtendedLifetime((server, own)) {}
    }
  }

  /// What dockerd does when it starts on the same machine, here in a machine of its own.
  @Test func otherProgramsMayDropWhatTheyDoNotKnow() async throws {
    let scratch = "/run/mtn-foreign"
    try await shell("umount \(scratch) 2>/dev/null; rm -f \(scratch)")
    try await BlockingPool.shared.run { try NetworkNamespace.create(at: scratch) }
    let machine = TestContainer(id: "", name: "", path: scratch, endpoints: [])
    try await machine.run(
      """
      nft add table ip filter; nft add chain ip filter DOCKER-USER; ip link add mtn-a type bridge
      nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
      nft add rule ip filter FORWARD jump DOCKER-USER; nft add rule ip filter DOCKER-USER return
      nft insert rule ip filter DOCKER-USER iifname mtn-go accept comment '"martlet:other:mtn-go"'
      nft insert rule ip filter DOCKER-USER iifname mtn-a accept comment '"martlet:other:mtn-a"'
      """)
    func pass(_ bridges: Set<String>) async throws -> [String] {
      try await BlockingPool.shared.run {
        try NetworkNamespace.run(in: scratch) { try ForeignForwarding(owner: "own").pass(bridges) }
      }
      return try await machine.run("nft list chain ip filter DOCKER-USER | grep accept").output
        .split(separator: "\n").map(String.init)
    }
    for _ in 0..<2 {
      let rules = try await pass(["mtn-b"])
      #expect(rules.count == 3 && rules.filter { $0.contains("own:mtn-b") }.count == 2)
    }
    #expect(try await pass([]).count == 1)
    try await machine.run(
      "nft flush chain ip filter FORWARD; nft delete chain ip filter DOCKER-USER")
    _ = try await pass(["mtn-b"])
    expect(
      try await machine.run("nft list chain ip filter FORWARD | grep -c mtn-b").output, is: "2")
    try await shell("umount \(scratch); rm -f \(scratch)")
  }

  @Test func ipv6NetworksWork() async throws {
    try await withNode(subnet: 3) { node in
      var specification = NetworkSpecification(name: "six")
      specification.enableIPv6 = true
      specification.ipam = [IPAMConfiguration(subnet: "fd00:10:213::/64")]
      let record = try await node.network.create(specification)
      #expect(record.ipam.map(\.gateway) == ["fd00:10:213::1", "10.213.3.129"])
      let one = try await node.container("one", on: ["six"])
      let two = try await node.container("two", on: ["six"])
      let server = try two.serve("six", port: 80, ipv6: true)
      let address = two.endpoints[0].ipv6Address.map { "\($0)" } ?? ""
      #expect(address == "fd00:10:213::3")
      expect(try await one.fetch(address, 80), is: "six fd00:10:213::2")
      #expect(try await one.run("ip -6 route show default").output.contains("fd00:10:213::1"))
      expect(try await one.dig("two AAAA").output, is: "fd00:10:213::3")
      let bindings = try await node.network.publish(
        containerID: two.id, networkID: record.id, ports: [PortMapping(containerPort: 80)])
      #expect(bindings.map { "\($0.hostAddress)" } == ["0.0.0.0", "::"])
      let port = Int(bindings[0].hostPort)
      expect(try await shell(fetching("::1", port)).output, begins: "six")
      expect(try await shell(fetching("fd00:10:213::1", port)).output, begins: "six")
      withExtendedLifetime(server) {}
    }
  }

  @Test func macvlanContainersReachEachOther() async throws {
    try await withNode(subnet: 4) { node in
      var specification = NetworkSpecification(name: "lan")
      specification.driver = "macvlan"
      specification.ipam = [IPAMConfiguration(subnet: "10.213.250.0/24", gateway: "10.213.250.254")]
      let record = try await node.network.create(specification)
      let one = try await node.container("one", on: ["lan"])
      let two = try await node.container("two", on: ["lan"])
      let server = try two.serve("lan", port: 80)
      expect(try await one.fetch(two.address, 80), is: "lan 10.213.250.1")
      #expect(try await one.run("ip route").output.contains("default via 10.213.250.254"))
      expect(try await one.dig("two").output, is: two.address)
      try await node.network.detach(containerID: one.id, networkID: record.id)
      #expect(try await one.run("ip -br link").output.contains("eth0") == false)
      for container in [one, two] { await node.network.removeSandbox(containerID: container.id) }
      try await node.network.remove("lan")
      #expect(try await shell("ip link show \(record.interface ?? "")").status != 0)
      withExtendedLifetime(server) {}
    }
  }

  @Test func connectingAndDisconnectingMovesTheDefaultRoute() async throws {
    try await withNode(subnet: 5) { node in
      let a = try await node.network.create(NetworkSpecification(name: "aa"))
      let b = try await node.network.create(NetworkSpecification(name: "bb"))
      let one = try await node.container("one", on: ["bb", "aa"])
      #expect(one.endpoints.map(\.interfaceName) == ["eth0", "eth1"])
      #expect(try await one.run("ip route show default").output.contains("dev eth1"))
      #expect(node.network.gatewayNetwork(containerID: one.id) == a.id)
      try await node.network.detach(containerID: one.id, networkID: a.id)
      #expect(try await one.run("ip route show default").output.contains("dev eth0"))
      #expect(node.network.gatewayNetwork(containerID: one.id) == b.id)
      await #expect(throws: NodeNetworkError.self) {
        try await node.network.remove("bb")
      }
      try await node.network.detach(containerID: one.id, networkID: b.id)
      await node.network.removeSandbox(containerID: one.id)
      try await node.network.remove("bb")
      #expect(throws: NodeNetworkError.self) { try node.network.network("bb") }
    }
  }
}

/// The gateway a container's network would have.
func gateway(of container: TestContainer) -> String {
  container.endpoints[0].ipv4Address.map {
    "\(Subnet(containing: $0, prefixLength: 28).network.advanced(by: 1))"
  } ?? ""
}

/// A script that prints what a TCP server says, or "refused" if there is none within a second.
func fetching(_ address: String, _ port: Int) -> String {
  "timeout 1 bash -c 'head -1 < /dev/tcp/\(address)/\(port)' 2>/dev/null || echo refused"
}

extension TestContainer {
  /// What a TCP server says to this container, or "refused".
  func fetch(_ address: String, _ port: Int) async throws -> String {
    try await run(fetching(address, port)).output
  }

  /// Asks the container's name server.
  func dig(_ question: String) async throws -> ShellResult {
    try await run("dig +short +tries=1 +time=5 @127.0.0.11 \(question)")
  }
}

/// Another machine: a namespace joined to this one by a cable.
struct FarHost: Sendable {
  let name: String
  let address: String
  let hostAddress: String

  static func make(number: Int, for node: NodeFixture) async throws -> FarHost {
    let far = FarHost(
      name: "mtn-far\(number)", address: "10.213.24\(number).2",
      hostAddress: "10.213.24\(number).1")
    try await far.remove()
    node.atEnd { try await far.remove() }
    let result = try await shell(
      """
      set -e
      ip netns add \(far.name)
      ip link add \(far.name) type veth peer name eth0 netns \(far.name)
      ip addr add \(far.hostAddress)/24 dev \(far.name); ip link set \(far.name) up
      ip -n \(far.name) addr add \(far.address)/24 dev eth0
      ip -n \(far.name) link set eth0 up; ip -n \(far.name) link set lo up
      """)
    try #require(result.status == 0, "\(result.output)")
    return far
  }

  @discardableResult
  func run(_ script: String) async throws -> ShellResult {
    try await shell("exec nsenter --net=/run/netns/\(name) /bin/sh -c \(quoted(script))")
  }

  func fetch(_ address: String, _ port: Int) async throws -> String {
    try await run(fetching(address, port)).output
  }

  func serve(_ text: String, port: Int) throws -> Server {
    try TestContainer(id: "", name: "", path: "/run/netns/\(name)", endpoints: [])
      .serve(text, port: port)
  }

  func remove() async throws {
    try await shell("ip netns del \(name) 2>/dev/null; ip link del \(name) 2>/dev/null; true")
  }
}
