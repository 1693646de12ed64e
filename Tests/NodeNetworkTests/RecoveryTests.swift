import Host
import Logging
import NodeNetwork
import StateStore
import Testing

@Suite struct RecoveryTests {
  @Test func aSuccessorTakesOverWhatLivesAndRemovesTheRest() async throws {
    try await withNode(subnet: 11) { node in
      let net = try await node.network.create(NetworkSpecification(name: "net"))
      let web = try await node.container("web", on: ["net"])
      let dead = try await node.container("dead", on: ["net"])
      let server = try web.serve("web", port: 80)
      for (container, port) in [(web, UInt16(21611)), (dead, 21612)] {
        _ = try await node.network.publish(
          containerID: container.id, networkID: net.id,
          ports: [PortMapping(containerPort: 80, hostPorts: port...port)])
      }
      let endpoint = try #require(node.network.endpoint(containerID: web.id, networkID: net.id))
      // A crash closes what the process had open and leaves everything else.
      await node.network.shutdown()
      expect(try await shell(fetching("127.0.0.1", 21611)).output, begins: "web")

      let next = node.successor()
      try await next.start(
        live: [
          SandboxState(
            containerID: web.id, path: web.path, endpoints: [endpoint], dns: DNSSettings())
        ])
      #expect(next.networks().map(\.name) == ["bridge", "host", "net", "none"])
      #expect(try next.network("bridge").id == node.network.network("bridge").id)
      expect(try await shell(fetching("127.0.0.1", 21611)).output, begins: "web")
      #expect(try await node.elements().allSatisfy { !$0.contains("21612") })
      #expect(try await node.hostLinks() == 1)
      #expect(try await shell("ls /run/mtn-\(node.tag)/netns").output == web.id)
      expect(try await web.dig("web").output, is: web.address)
      let bind = "import socket;s=socket.socket();s.bind((\"0.0.0.0\",21611))"
      #expect(try await shell("python3 -c '\(bind)'").output.contains("Address already in use"))

      // Addresses in use are known, and freed ones are not handed out at once.
      let id = Identifier.random()
      _ = try await next.createSandbox(containerID: id, dns: DNSSettings())
      let fresh = try await next.attach(
        EndpointRequest(containerID: id, containerName: "fresh", network: "net"))
      #expect(fresh.ipv4Address != web.endpoints[0].ipv4Address)
      for container in [web.id, id] { await next.removeSandbox(containerID: container) }
      await next.settle()
      #expect(try await node.hostLinks() == 0)
      #expect(try await node.elements().isEmpty)
      try await next.remove("net")
      #expect(try await shell("ip link show \(net.interface ?? "")").status != 0)
      await next.shutdown()
      withExtendedLifetime(server) {}
    }
  }

  @Test func aNetworkThatWasNeverStoredIsRemoved() async throws {
    try await withNode(subnet: 15) { node in
      let net = try await node.network.create(NetworkSpecification(name: "net"))
      let kept = try await node.network.create(NetworkSpecification(name: "kept"))
      // As if the daemon had died before it wrote the network down.
      try await node.store.delete(Key("/networks/" + net.id))
      await node.network.shutdown()
      let next = node.successor()
      try await next.start(live: [])
      #expect(throws: NodeNetworkError.self) { try next.network("net") }
      #expect(try await shell("ip link show \(net.interface ?? "")").status != 0)
      #expect(try await shell("ip link show \(kept.interface ?? "")").status == 0)
      let again = try await next.create(NetworkSpecification(name: "net"))
      #expect(again.ipam == net.ipam)
      await next.shutdown()
    }
  }

  @Test func aLostBridgeIsMadeAgain() async throws {
    try await withNode(subnet: 12) { node in
      let net = try await node.network.create(NetworkSpecification(name: "net"))
      let web = try await node.container("web", on: ["net"])
      let server = try web.serve("web", port: 80)
      await node.network.shutdown()
      try await shell("ip link del \(net.interface ?? ""); nft delete table inet mtn_\(node.tag)")
      let next = node.successor()
      try await next.start(
        live: [
          SandboxState(
            containerID: web.id, path: web.path, endpoints: web.endpoints, dns: DNSSettings())
        ])
      expect(try await shell(fetching(web.address, 80)).output, begins: "web")
      await next.removeSandbox(containerID: web.id)
      await next.shutdown()
      withExtendedLifetime(server) {}
    }
  }

  @Test func nothingIsLeftWhenAnAttachmentFails() async throws {
    try await withNode(subnet: 13) { node in
      _ = try await node.network.create(NetworkSpecification(name: "net"))
      let id = Identifier.random()
      _ = try await node.network.createSandbox(containerID: id, dns: DNSSettings())
      for index in 0..<3 {
        var request = EndpointRequest(containerID: id, containerName: "one", network: "net")
        request.sysctls = ["net.ipv4.conf.IFNAME.no_such_setting": "1"]
        request.ipv4Address = index == 2 ? "10.213.13.137" : nil
        await #expect(throws: NodeNetworkError.self) { try await node.network.attach(request) }
      }
      #expect(try await node.hostLinks() == 0)
      var request = EndpointRequest(containerID: id, containerName: "one", network: "net")
      request.ipv4Address = "10.213.13.137"
      request.sysctls = ["net.ipv4.conf.IFNAME.log_martians": "1"]
      #expect(try await node.network.attach(request).ipv4Address == IPAddress(10, 213, 13, 137))
    }
  }
}

extension NodeFixture {
  /// How many host ends of containers' links this node has.
  func hostLinks() async throws -> Int {
    try await BlockingPool.shared.run {
      try RouteSocket().links().filter {
        $0.alias.hasPrefix(self.configuration.tableName + ":") && $0.kind == "veth"
      }.count
    }
  }
}
