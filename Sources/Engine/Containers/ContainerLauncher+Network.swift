import DockerModel
import Host
import Logging
import NodeNetwork

extension ContainerLauncher {
  /// The network namespace that a container starts in: its own new one, another container's, or nil
  /// for the host's.
  func makeSandbox(_ record: ContainerRecord) async throws -> String? {
    switch NetworkMode(record.hostConfig.networkMode) {
    case .host: return nil
    case .container(let reference):
      let other = try context.containers.find(reference)
      guard other.lifecycle.isRunning else {
        throw APIError.conflict(
          "cannot join network of a non running container: \(other.id)")
      }
      switch NetworkMode(other.record.hostConfig.networkMode) {
      case .host: return nil
      case .container:
        throw APIError.conflict(
          "cannot join the network of container \(other.id), which joins another's itself")
      case .none, .network: return context.sandboxPath(other.id)
      }
    case .none, .network:
      return try await context.network.createSandbox(
        containerID: record.id, dns: Self.dnsSettings(record))
    }
  }

  /// Joins the networks of a container and writes the files that tell it of them.
  func joinNetworks(
    _ record: ContainerRecord, sandbox: String?, folder: String
  ) async throws -> [EndpointRecord] {
    var endpoints: [EndpointRecord] = []
    let mode = NetworkMode(record.hostConfig.networkMode)
    if case .network(let primary) = mode {
      for name in [primary] + record.networks.keys.filter({ $0 != primary }).sorted() {
        endpoints.append(try await join(record, name, isPrimary: name == primary))
      }
    }
    try await writeFiles(record, endpoints, folder: folder)
    return endpoints
  }

  /// Joins one network; published ports go through the primary one.
  func join(
    _ record: ContainerRecord, _ name: String, isPrimary: Bool
  ) async throws -> EndpointRecord {
    let request = try endpointRequest(record, name)
    var endpoint = try await context.network.attach(request)
    if isPrimary {
      let mappings = try Self.portMappings(record)
      if !mappings.isEmpty {
        endpoint.ports = try await context.network.publish(
          containerID: record.id, networkID: endpoint.networkID, ports: mappings)
      }
    }
    context.events.publish(
      "network", "connect", id: endpoint.networkID,
      ["container": record.id, "name": endpoint.networkName, "type": "bridge"])
    return endpoint
  }

  private func endpointRequest(
    _ record: ContainerRecord, _ name: String
  ) throws -> EndpointRequest {
    let wanted = record.networks[name] ?? EndpointSettings()
    var request = EndpointRequest(
      containerID: record.id, containerName: record.name, network: name)
    request.ipv4Address = wanted.ipamConfig?.ipv4Address
    request.ipv6Address = wanted.ipamConfig?.ipv6Address
    if request.ipv4Address?.isEmpty == true { request.ipv4Address = nil }
    if request.ipv6Address?.isEmpty == true { request.ipv6Address = nil }
    request.linkLocalAddresses = wanted.ipamConfig?.linkLocalIPs ?? []
    request.macAddress = wanted.macAddress.isEmpty ? nil : wanted.macAddress
    request.aliases = wanted.aliases ?? []
    request.gatewayPriority = wanted.gwPriority
    if record.config.hostname != record.shortID { request.aliases.append(record.config.hostname) }
    for link in (wanted.links ?? []) + (record.hostConfig.links ?? []) {
      let parts = link.split(separator: ":", maxSplits: 1).map(String.init)
      guard let target = parts.first else { continue }
      request.links[parts.count == 2 ? parts[1] : target] = target
    }
    for (key, value) in wanted.driverOpts ?? [:]
    where key == "com.docker.network.endpoint.sysctls" {
      for setting in value.split(separator: ",") {
        let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
          throw APIError.invalidParameter("invalid sysctl setting: \(setting)")
        }
        request.sysctls[parts[0]] = parts[1]
      }
    }
    return request
  }

  /// The ports a container asks to be published: those bound, and with `PublishAllPorts` all that it
  /// exposes.
  static func portMappings(_ record: ContainerRecord) throws -> [PortMapping] {
    var mappings: [PortMapping] = []
    let bindings = record.hostConfig.portBindings ?? [:]
    for (text, list) in bindings.sorted(by: { $0.key < $1.key }) {
      let port = try PortSpecification(text)
      // A port with an empty list is published anywhere.
      let wanted = (list ?? []).isEmpty ? [DockerModel.PortBinding()] : (list ?? [])
      for binding in wanted {
        mappings.append(
          PortMapping(
            containerPort: port.port, proto: PortProtocol(rawValue: port.proto) ?? .tcp,
            hostAddress: binding.hostIp.isEmpty ? nil : binding.hostIp,
            hostPorts: try PortSpecification.hostPorts(binding.hostPort)))
      }
    }
    guard record.hostConfig.publishAllPorts else { return mappings }
    for text in record.config.exposedPorts.keys.sorted() {
      for port in try PortSpecification.range(text) where bindings[port.text] == nil {
        mappings.append(
          PortMapping(containerPort: port.port, proto: PortProtocol(rawValue: port.proto) ?? .tcp))
      }
    }
    return mappings
  }

  /// Publishes a container's ports through its default route's network if that by which they were
  /// published is gone.
  func republishPorts(_ container: Container) async throws {
    let record = container.record
    let mappings = try Self.portMappings(record)
    guard !mappings.isEmpty, record.endpoints.allSatisfy({ $0.ports.isEmpty }),
      let network = context.network.gatewayNetwork(containerID: record.id)
    else { return }
    let ports = try await context.network.publish(
      containerID: record.id, networkID: network, ports: mappings)
    container.update { record in
      for index in record.endpoints.indices where record.endpoints[index].networkID == network {
        record.endpoints[index].ports = ports
      }
    }
  }

  /// Leaves all networks of a container and lets go of its namespace.
  func leaveNetworks(_ record: ContainerRecord) async {
    if NetworkMode(record.hostConfig.networkMode).isPrivate {
      await context.network.removeSandbox(containerID: record.id)
    }
    for endpoint in record.endpoints {
      context.events.publish(
        "network", "disconnect", id: endpoint.networkID,
        ["container": record.id, "name": endpoint.networkName, "type": "bridge"])
    }
  }
}

extension ContainerLauncher {
  /// Writes a running container's files anew after its networks have changed.
  func rewriteFiles(_ container: Container) async throws {
    let record = container.record
    try await writeFiles(
      record, record.endpoints, folder: context.configuration.containerFolder(record.id))
  }

  /// Writes `hosts` and `resolv.conf`.
  func writeFiles(
    _ record: ContainerRecord, _ endpoints: [EndpointRecord], folder: String
  ) async throws {
    switch NetworkMode(record.hostConfig.networkMode) {
    case .container(let reference):
      let other = try context.containers.find(reference)
      let source = context.configuration.containerFolder(other.id)
      try await BlockingPool.shared.run {
        for name in ["hosts", "resolv.conf", "hostname"] {
          try ContainerFiles.write(
            try Paths.readText(source + "/" + name), to: folder + "/" + name)
        }
      }
    case .host where record.hostConfig.dns.isEmpty && (record.hostConfig.extraHosts ?? []).isEmpty:
      try await BlockingPool.shared.run {
        for name in ["hosts", "resolv.conf"] {
          let text = (try? Paths.readText("/etc/" + name)) ?? ""  // a host without one: empty
          try ContainerFiles.write(text, to: folder + "/" + name)
        }
      }
    default:
      let network = context.network
      let isHost = record.hostConfig.networkMode == "host"
      let servesNames = endpoints.contains { endpoint in
        (try? network.network(endpoint.networkID).servesNames) ?? false  // removed: serves nothing
      }
      let resolver = try await network.resolvConf(
        dns: Self.dnsSettings(record), userDefined: servesNames, keepsLoopback: isHost)
      let hosts = try network.hosts(
        hostname: record.config.hostname, domain: record.config.domainname, endpoints: endpoints,
        extraHosts: (record.hostConfig.extraHosts ?? []) + (try linkedHosts(record)))
      try await BlockingPool.shared.run {
        try ContainerFiles.write(resolver, to: folder + "/resolv.conf")
        try ContainerFiles.write(hosts, to: folder + "/hosts")
      }
    }
  }

  /// Links on the default bridge, where no names are served, are lines of the hosts file.
  private func linkedHosts(_ record: ContainerRecord) throws -> [String] {
    guard record.hostConfig.networkMode == "bridge" else { return [] }
    return try (record.hostConfig.links ?? []).flatMap { link -> [String] in
      let parts = link.split(separator: ":", maxSplits: 1).map(String.init)
      guard let reference = parts.first else { return [] }
      let target = try context.containers.find(reference).record
      guard target.lifecycle.isRunning else {
        throw APIError.conflict(
          "Cannot link to a non running container: /\(target.name) AS /\(record.name)/\(parts.last ?? "")"
        )
      }
      let bridge = target.endpoints.first { $0.networkName == "bridge" }
      guard let address = bridge?.ipv4Address else { return [] }
      var names: [String] = []
      for name in [parts.last ?? target.name, target.shortID, target.name]
      where !names.contains(name) {
        names.append(name)
      }
      return names.map { "\($0):\(address)" }
    }
  }

  /// A container's resolver settings.
  static func dnsSettings(_ record: ContainerRecord) -> DNSSettings {
    DNSSettings(
      servers: record.hostConfig.dns, searchDomains: record.hostConfig.dnsSearch,
      options: record.hostConfig.dnsOptions)
  }
}
