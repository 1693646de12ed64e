import Host
import Logging
import StateStore
import Testing

@testable import NodeNetwork

@Suite struct FileTextTests {
  let host = HostResolver(
    parsing: """
      # comment
      nameserver 127.0.0.53
      nameserver 192.0.2.1 # trailing
      search a.test b.test
      options edns0 trust-ad
      """)

  @Test func theDefaultBridgeGetsWhatItCanReach() {
    let text = ResolvConf(container: DNSSettings(), daemon: DNSSettings(), host: host)
      .text(userDefined: false, keepsLoopback: false)
    #expect(
      lines(text) == ["nameserver 192.0.2.1", "search a.test b.test", "options edns0 trust-ad"])
    let kept = ResolvConf(container: DNSSettings(), daemon: DNSSettings(), host: host)
      .text(userDefined: false, keepsLoopback: true)
    #expect(lines(kept).prefix(2) == ["nameserver 127.0.0.53", "nameserver 192.0.2.1"])
    let nothing = ResolvConf(container: DNSSettings(), daemon: DNSSettings(), host: HostResolver())
      .text(userDefined: false, keepsLoopback: false)
    #expect(lines(nothing) == ["nameserver 8.8.8.8", "nameserver 8.8.4.4"])
  }

  @Test func userDefinedNetworksGetTheirOwnServer() {
    let container = DNSSettings(servers: ["192.0.2.9"], searchDomains: ["."], options: ["ndots:2"])
    let daemon = DNSSettings(servers: ["192.0.2.8"], searchDomains: ["d.test"])
    #expect(
      lines(
        ResolvConf(container: container, daemon: daemon, host: host)
          .text(userDefined: true, keepsLoopback: false))
        == ["nameserver 127.0.0.11", "options ndots:2"])
    #expect(
      lines(
        ResolvConf(container: DNSSettings(), daemon: daemon, host: host)
          .text(userDefined: true, keepsLoopback: false))
        == ["nameserver 127.0.0.11", "search d.test", "options edns0 trust-ad ndots:0"])
    #expect(
      lines(
        ResolvConf(container: container, daemon: daemon, host: host)
          .text(userDefined: false, keepsLoopback: false))
        == ["nameserver 192.0.2.9", "options ndots:2"])
  }

  @Test func hostsFilesListOwnAndExtraNames() throws {
    let network = NodeNetwork(
      configuration: configuration, store: InMemoryStateStore(), logger: Logger(label: "test"))
    var endpoint = EndpointRecord(
      id: "e", containerID: "c", containerName: "n", networkID: "i", networkName: "net")
    endpoint.ipv4Address = IPAddress(10, 0, 0, 2)
    endpoint.ipv6Address = IPAddress("fd00::2")
    let text = try network.hosts(
      hostname: "box", domain: "test", endpoints: [endpoint],
      extraHosts: ["a:10.1.1.1", "b=fd00::5", "c:[::1]", "d:::2", "up:host-gateway"])
    #expect(
      text.split(separator: "\n").suffix(7) == [
        "10.1.1.1\ta", "fd00::5\tb", "::1\tc", "::2\td", "192.0.2.200\tup",
        "10.0.0.2\tbox.test box", "fd00::2\tbox.test box",
      ])
    for bad in ["a", "a:", ":1.2.3.4", "a:b"] {
      #expect(throws: NodeNetworkError.self) {
        try network.hosts(hostname: "box", domain: "", endpoints: [], extraHosts: [bad])
      }
    }
  }

  @Test func rulesAreWrittenOnceAndLeaveElementsAlone() throws {
    let text = FirewallRules.text(table: "golden")
    #expect(!text.contains("elements") && !text.contains("delete"))
    for set in FirewallRules.sets { #expect(text.contains(" \(set) {")) }
    let binding = PortBinding(
      containerPort: 80, proto: .udp, hostAddress: .anyIPv4, hostPort: 8080)
    let (map, element) = FirewallRules.element(binding, target: IPAddress(10, 0, 0, 2))
    #expect(map == "any4")
    #expect(element.key == [17, 0, 0, 0, 0x1f, 0x90, 0, 0])
    #expect(element.data == [10, 0, 0, 2, 0, 80, 0, 0])
  }

  private var configuration: NodeNetworkConfiguration {
    var configuration = NodeNetworkConfiguration(executionRoot: "/x")
    configuration.hostGateways = [IPAddress(192, 0, 2, 200)]
    return configuration
  }

  private func lines(_ text: String) -> [String] {
    text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
  }
}
