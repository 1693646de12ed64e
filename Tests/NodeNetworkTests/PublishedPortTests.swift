import Host
import NodeNetwork
import Testing

@Suite struct PublishedPortTests {
  @Test func publishedPortsAreReachableFromEverywhere() async throws {
    try await withNode(subnet: 6) { node in
      let far = try await FarHost.make(number: 6, for: node)
      let left = try await node.network.create(NetworkSpecification(name: "left"))
      let web = try await node.container("web", on: ["bridge"])
      let neighbour = try await node.container("neighbour", on: ["bridge"])
      let stranger = try await node.container("stranger", on: [left.id])
      let servers = [try web.serve("web", port: 80), try web.serveUDP("udp", port: 53)]
      let bridge = web.endpoints[0].networkID
      let bindings = try await node.network.publish(
        containerID: web.id, networkID: bridge,
        ports: [
          PortMapping(containerPort: 80, hostPorts: 21306...21306),
          PortMapping(containerPort: 53, proto: .udp, hostAddress: "0.0.0.0"),
          PortMapping(containerPort: 80, hostAddress: "127.0.0.1", hostPorts: 21307...21309),
        ])
      #expect(bindings.map(\.hostPort).first == 21306)
      let port = 21306
      expect(try await shell(fetching("127.0.0.1", port)).output, is: "web 10.213.6.1")
      expect(try await shell(fetching("10.213.6.1", port)).output, is: "web 10.213.6.1")
      expect(try await shell(fetching(far.hostAddress, port)).output, begins: "web")
      expect(try await shell(fetching("::1", port)).output, begins: "web")
      expect(try await far.fetch(far.hostAddress, port), is: "web \(far.address)")
      expect(try await neighbour.fetch("10.213.6.1", port), is: "web 10.213.6.1")
      expect(try await web.fetch("10.213.6.1", port), is: "web 10.213.6.1")
      expect(try await stranger.fetch(far.hostAddress, port), begins: "web")
      expect(try await stranger.fetch(web.address, 80), is: "refused")
      expect(try await shell(fetching("127.0.0.1", 21307)).output, is: "web 10.213.6.1")
      expect(try await far.fetch(far.hostAddress, 21307), is: "refused")
      let udp = try #require(bindings.first { $0.proto == .udp })
      let asking =
        "timeout 2 bash -c 'exec 3<>/dev/udp/HOST/\(udp.hostPort); echo >&3; head -1 <&3'"
      #expect(
        try await far.run(asking.replacing("HOST", with: far.hostAddress)).output
          == "udp \(far.address)")
      #expect(
        try await shell(asking.replacing("HOST", with: "127.0.0.1")).output == "udp 10.213.6.1")

      await node.network.unpublish(containerID: web.id, networkID: bridge)
      expect(try await shell(fetching("127.0.0.1", port)).output, is: "refused")
      #expect(try await node.elements().isEmpty)
      withExtendedLifetime(servers) {}
    }
  }

  /// A sender that does not stop while the container behind a UDP port changes reaches the new one.
  @Test func udpFlowsFollowThePort() async throws {
    try await withNode(subnet: 14) { node in
      let far = try await FarHost.make(number: 7, for: node)
      let port: UInt16 = 21430
      func run(_ name: String) async throws -> (TestContainer, Server) {
        let container = try await node.container(name, on: ["bridge"])
        let server = try container.serveUDP(name, port: 53)
        _ = try await node.network.publish(
          containerID: container.id, networkID: container.endpoints[0].networkID,
          ports: [PortMapping(containerPort: 53, proto: .udp, hostPorts: port...port)])
        return (container, server)
      }
      let asking = """
        import socket
        s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(("0.0.0.0",4321)); s.settimeout(2)
        s.sendto(b"x",("\(far.hostAddress)",\(port))); print(s.recv(99).decode().split()[0])
        """
      let ask = "python3 -c \(quoted(asking))"
      let (first, firstServer) = try await run("first")
      expect(try await far.run(ask).output, is: "first")
      await node.network.removeSandbox(containerID: first.id)
      let (second, server) = try await run("second")
      #expect(second.address != first.address)
      expect(try await far.run(ask).output, is: "second")
      withExtendedLifetime((firstServer, server)) {}
    }
  }

  @Test func takenPortsAreRefused() async throws {
    try await withNode(subnet: 7) { node in
      let one = try await node.container("one", on: ["bridge"])
      let two = try await node.container("two", on: ["bridge"])
      let bridge = one.endpoints[0].networkID
      func publish(_ container: TestContainer, _ mapping: PortMapping) async throws -> [PortBinding]
      {
        try await node.network.publish(
          containerID: container.id, networkID: bridge, ports: [mapping])
      }
      _ = try await publish(
        one, PortMapping(containerPort: 80, hostAddress: "0.0.0.0", hostPorts: 21410...21410))
      await expectFailure("Bind for 127.0.0.1:21410 failed: port is already allocated") {
        try await publish(
          two, PortMapping(containerPort: 80, hostAddress: "127.0.0.1", hostPorts: 21410...21410))
      }
      let range = PortMapping(
        containerPort: 80, hostAddress: "0.0.0.0", hostPorts: 21410...21412)
      #expect(try await publish(two, range).map(\.hostPort) == [21411])

      let program = """
        import socket,sys,time
        s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)
        s.bind(("0.0.0.0",21420)); s.listen(1); print("ready",flush=True); time.sleep(600)
        """
      let foreign = try Server(path: "", program: program)
      await expectFailure("address already in use") {
        try await publish(one, PortMapping(containerPort: 81, hostPorts: 21420...21420))
      }
      // And the other way round: a port of a container is not to be had for a process.
      let bind = "import socket;s=socket.socket();s.bind((\"0.0.0.0\",21411))"
      #expect(try await shell("python3 -c '\(bind)'").output.contains("Address already in use"))
      withExtendedLifetime(foreign) {}
    }
  }

  @Test func randomPortsGoRound() async throws {
    try await withNode(subnet: 8, ephemeralPorts: 21500...21503) { node in
      let one = try await node.container("one", on: ["bridge"])
      let bridge = one.endpoints[0].networkID
      var seen: [UInt16] = []
      for _ in 0..<4 {
        let bindings = try await node.network.publish(
          containerID: one.id, networkID: bridge, ports: [PortMapping(containerPort: 80)])
        #expect(Set(bindings.map(\.hostPort)).count == 1)
        seen += bindings.prefix(1).map(\.hostPort)
      }
      #expect(seen == [21500, 21501, 21502, 21503])
      await expectFailure("all ports are allocated") {
        try await node.network.publish(
          containerID: one.id, networkID: bridge, ports: [PortMapping(containerPort: 80)])
      }
      await node.network.removeSandbox(containerID: one.id)
      #expect(try await node.elements().isEmpty)
    }
  }
}

/// Expects an error whose text ends so.
func expectFailure<Value>(
  _ ending: String, _ body: () async throws -> Value,
  sourceLocation: SourceLocation = #_sourceLocation
) async {
  do {
    _ = try await body()
    Issue.record("no error", sourceLocation: sourceLocation)
  } catch {
    #expect("\(error)".hasSuffix(ending), "\(error)", sourceLocation: sourceLocation)
  }
}

extension NodeFixture {
  /// The published ports in the kernel, as nft shows them.
  func elements() async throws -> [String] {
    var found: [String] = []
    for map in ["ports4", "any4", "ports6", "any6"] {
      let text = try await shell("nft list map inet \(configuration.tableName) \(map)").output
      found += text.split(separator: "\n").filter { $0.contains("elements") }.map(String.init)
    }
    return found
  }
}
