import Host
import Synchronization

extension NodeNetwork {
  /// The text of a container's /etc/resolv.conf.
  ///
  /// Settings of the container come before the daemon's, those before the host's.
  /// - Parameters:
  ///   - dns: the container's settings.
  ///   - userDefined: whether any of its networks serves names: the server is then 127.0.0.11.
  ///   - keepsLoopback: whether servers on the host's loopback are kept, as for a container on the
  ///     host's own network.
  package func resolvConf(
    dns: DNSSettings, userDefined: Bool, keepsLoopback: Bool = false
  ) async throws -> String {
    let path = configuration.hostResolvConf
    let host = try await BlockingPool.shared.run { HostResolver.read(path) }
    return ResolvConf(container: dns, daemon: configuration.dns, host: host)
      .text(userDefined: userDefined, keepsLoopback: keepsLoopback)
  }

  /// The text of a container's /etc/hosts.
  /// - Parameters:
  ///   - hostname: the container's own name.
  ///   - domain: its domain, or nothing.
  ///   - endpoints: its endpoints, whose addresses get its name.
  ///   - extraHosts: `NAME:ADDRESS` or `NAME=ADDRESS`; the address may be `host-gateway`.
  /// - Throws: `invalidParameter` for an extra host that cannot be read.
  package func hosts(
    hostname: String, domain: String, endpoints: [EndpointRecord], extraHosts: [String]
  ) throws -> String {
    var lines = [
      "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback", "fe00::\tip6-localnet",
      "ff00::\tip6-mcastprefix", "ff02::1\tip6-allnodes", "ff02::2\tip6-allrouters",
    ]
    for extra in extraHosts {
      guard let separator = extra.firstIndex(where: { $0 == "=" || $0 == ":" }),
        separator != extra.startIndex
      else { throw badExtraHost(extra) }
      let name = extra[..<separator]
      var text = String(extra[extra.index(after: separator)...])
      if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
      if text == "host-gateway" {
        let gateways = hostGateways()
        guard !gateways.isEmpty else {
          throw NodeNetworkError(
            .invalidParameter,
            "unable to derive the IP value for host-gateway")
        }
        for gateway in gateways { lines.append("\(gateway)\t\(name)") }
        continue
      }
      guard let address = IPAddress(text) else { throw badExtraHost(extra) }
      lines.append("\(address)\t\(name)")
    }
    let names = domain.isEmpty || hostname.isEmpty ? hostname : "\(hostname).\(domain) \(hostname)"
    if !names.isEmpty {
      for address in endpoints.flatMap({ [$0.ipv4Address, $0.ipv6Address] }) {
        if let address { lines.append("\(address)\t\(names)") }
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What `host-gateway` stands for.
  func hostGateways() -> [IPAddress] {
    if !configuration.hostGateways.isEmpty { return configuration.hostGateways }
    return state.withLock { state in
      let bridge = state.networks.values.first { $0.record.name == "bridge" }
      return (bridge?.gatewayAddresses ?? []).map(\.address)
    }
  }

  private func badExtraHost(_ text: String) -> NodeNetworkError {
    NodeNetworkError(.invalidParameter, "invalid extra host: \"\(text)\"")
  }
}

/// Makes a container's resolv.conf from what three parties say.
struct ResolvConf {
  let container: DNSSettings
  let daemon: DNSSettings
  let host: HostResolver

  func text(userDefined: Bool, keepsLoopback: Bool) -> String {
    var lines = ["# Made by the container engine from the settings of container, daemon and host."]
    let asked = first(container.servers, daemon.servers)
    var servers = asked ?? host.servers
    if userDefined {
      servers = [ResolverSockets.address.description]
    } else if asked == nil && !keepsLoopback {
      servers.removeAll(where: HostResolver.isLoopback)
      // As dockerd does where the host has none a container could reach.
      if servers.isEmpty { servers = ["8.8.8.8", "8.8.4.4"] }
    }
    lines += servers.map { "nameserver \($0)" }
    let domains = (first(container.searchDomains, daemon.searchDomains) ?? host.searchDomains)
      .filter { $0 != "." }
    if !domains.isEmpty { lines.append("search " + domains.joined(separator: " ")) }
    var options = first(container.options, daemon.options) ?? host.options
    if userDefined && !options.contains(where: { $0.hasPrefix("ndots:") }) {
      options.append("ndots:0")
    }
    if !options.isEmpty { lines.append("options " + options.joined(separator: " ")) }
    return lines.joined(separator: "\n") + "\n"
  }

  private func first(_ lists: [String]...) -> [String]? { lists.first { !$0.isEmpty } }
}
