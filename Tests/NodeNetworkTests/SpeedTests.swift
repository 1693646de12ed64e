import Glibc
import Host
import NodeNetwork
import Testing

/// Measurements, printed on demand: `MARTLET_MEASURE_NETWORK=1`.
@Suite(.enabled(if: getenv("MARTLET_MEASURE_NETWORK") != nil), .serialized) struct SpeedTests {
  @Test func stepsOfARun() async throws {
    try await withNode(subnet: 20) { node in
      let user = try await node.network.create(NetworkSpecification(name: "user"))
      let bridge = try node.network.network("bridge").id
      for (label, network, hasPort) in [
        ("bridge", bridge, false), ("bridge+port", bridge, true), ("user", user.id, false),
      ] {
        var times: [String: [Duration]] = [:]
        func timed<Value>(_ step: String, _ body: () async throws -> Value) async throws -> Value {
          let start = ContinuousClock.now
          let value = try await body()
          times[step, default: []].append(ContinuousClock.now - start)
          return value
        }
        for _ in 0..<40 {
          let id = Identifier.random()
          _ = try await timed("1 sandbox") {
            try await node.network.createSandbox(containerID: id, dns: DNSSettings())
          }
          _ = try await timed("2 attach") {
            try await node.network.attach(
              EndpointRequest(containerID: id, containerName: "c", network: network))
          }
          if hasPort {
            _ = try await timed("3 publish") {
              try await node.network.publish(
                containerID: id, networkID: network, ports: [PortMapping(containerPort: 80)])
            }
          }
          try await timed("4 remove") { await node.network.removeSandbox(containerID: id) }
        }
        for (step, durations) in times.sorted(by: { $0.key < $1.key }) {
          let sorted = durations.sorted()
          print("MEASURED", label, step, "median", sorted[20], "p90", sorted[36])
        }
      }
    }
  }

  @Test func manyAtOnce() async throws {
    try await withNode(subnet: 21) { node in
      let bridge = try node.network.network("bridge").id
      let ids = (0..<50).map { _ in Identifier.random() }
      func all(_ label: String, _ body: @escaping @Sendable (String) async throws -> Void)
        async throws
      {
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
          for id in ids { group.addTask { try await body(id) } }
          try await group.waitForAll()
        }
        print("MEASURED 50 at once", label, ContinuousClock.now - start)
      }
      let network = node.network
      try await all("sandbox") {
        _ = try await network.createSandbox(containerID: $0, dns: DNSSettings())
      }
      try await all("attach") {
        _ = try await network.attach(
          EndpointRequest(containerID: $0, containerName: $0, network: bridge))
      }
      try await all("remove") { await network.removeSandbox(containerID: $0) }
    }
  }
}
