package import DockerModel
import NodeNetwork

/// The networks of this engine, as the API sees them.
package final class NetworkService: Sendable {
  let context: EngineContext
  private let launcher: ContainerLauncher

  init(_ context: EngineContext, _ launcher: ContainerLauncher) {
    self.context = context
    self.launcher = launcher
  }

  /// Networks that match, without their containers.
  package func list(_ filters: Filters) async throws -> [Network] {
    try filters.validate(
      accepting: ["dangling", "driver", "id", "label", "name", "scope", "type"])
    for type in filters["type"] where !["custom", "builtin"].contains(type) {
      throw APIError.invalidParameter("invalid filter: 'type'='\(type)'")
    }
    let dangling = try filters.boolean("dangling")
    return context.network.networks().filter { record in
      matches(record, filters)
        && (dangling.map { $0 == (!record.isPredefined && users(of: record).isEmpty) } ?? true)
    }.map { shown($0, withContainers: false) }
  }

  private func matches(_ record: NetworkRecord, _ filters: Filters) -> Bool {
    func any(_ name: String, _ test: (String) -> Bool) -> Bool {
      filters[name].isEmpty || filters[name].contains(where: test)
    }
    return any("driver") { $0 == record.driver.rawValue } && any("id") { record.id.hasPrefix($0) }
      && any("name") { record.name.contains(substring: $0) } && any("scope") { $0 == "local" }
      && any("type") { ($0 == "builtin") == record.isPredefined }
      && filters.matchesLabels("label", record.labels)
  }

  /// The containers that join a network at their starts, running or not.
  private func users(of network: NetworkRecord) -> [Container] {
    context.containers.all.filter { container in
      let names = container.record.networks.keys
      return names.contains(network.name) || names.contains(network.id)
    }
  }

  private func shown(_ record: NetworkRecord, withContainers: Bool) -> Network {
    var network = Network()
    network.name = record.name
    network.id = record.id
    network.created = Timestamp(nanosecondsSinceEpoch: record.createdAt)
    network.driver = record.driver.rawValue
    network.enableIPv4 = record.enableIPv4
    network.enableIPv6 = record.enableIPv6
    network.ipam.driver = record.ipamDriver.isEmpty ? "default" : record.ipamDriver
    network.ipam.options = record.ipamOptions
    network.ipam.config = record.ipam.map { pool in
      var config = DockerModel.IPAMConfig()
      config.subnet = pool.subnet ?? ""
      config.ipRange = pool.range ?? ""
      config.gateway = pool.gateway ?? ""
      config.auxiliaryAddresses = pool.auxiliaryAddresses.isEmpty ? nil : pool.auxiliaryAddresses
      return config
    }
    network.internal = record.isInternal
    network.attachable = record.isAttachable
    network.options = record.options
    network.labels = record.labels
    guard withContainers else { return network }
    for endpoint in context.network.endpoints(on: record.id) {
      var member = NetworkContainer()
      member.name = endpoint.containerName
      member.endpointID = endpoint.id
      member.macAddress = endpoint.macAddress
      member.ipv4Address = endpoint.ipv4Address.map { "\($0)/\(endpoint.ipv4PrefixLength)" } ?? ""
      member.ipv6Address = endpoint.ipv6Address.map { "\($0)/\(endpoint.ipv6PrefixLength)" } ?? ""
      network.containers[endpoint.containerID] = member
    }
    if record.driver == .host || record.driver == .none {
      for container in context.containers.all.map(\.record)
      where container.lifecycle.isRunning && container.hostConfig.networkMode == record.name {
        var member = NetworkContainer()
        member.name = container.name
        // There is no interface of its own; the container's id tells it from others all the same.
        member.endpointID = container.id
        network.containers[container.id] = member
      }
    }
    return network
  }

  /// One network with the containers on it.
  package func inspect(network: String, options: NetworkInspectOptions) async throws -> Network {
    if let scope = options.scope, !scope.isEmpty, scope != "local" {
      throw APIError.notFound("network \(network) not found")
    }
    return try await translatingErrors {
      shown(try context.network.network(network), withContainers: true)
    }
  }

  /// Makes a network.
  package func create(_ request: NetworkCreateRequest) async throws -> NetworkCreateResponse {
    if request.configOnly || request.configFrom != nil && request.configFrom?.network != "" {
      throw APIError.invalidParameter("configuration-only networks are not supported")
    }
    if request.ingress || request.scope == "swarm" || request.driver == "overlay" {
      throw APIError(
        .unavailable,
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to "
          + "connect this node to swarm and try again.")
    }
    var specification = NetworkSpecification(name: request.name)
    if !request.driver.isEmpty { specification.driver = request.driver }
    specification.enableIPv4 = request.enableIPv4 ?? true
    specification.enableIPv6 = request.enableIPv6 ?? false
    specification.ipamDriver = request.ipam?.driver ?? "default"
    specification.ipamOptions = request.ipam?.options ?? [:]
    specification.ipam = (request.ipam?.config ?? []).map { pool in
      IPAMConfiguration(
        subnet: pool.subnet.isEmpty ? nil : pool.subnet,
        range: pool.ipRange.isEmpty ? nil : pool.ipRange,
        gateway: pool.gateway.isEmpty ? nil : pool.gateway,
        auxiliaryAddresses: pool.auxiliaryAddresses ?? [:])
    }
    specification.isInternal = request.internal
    specification.isAttachable = request.attachable
    specification.options = request.options ?? [:]
    specification.labels = request.labels ?? [:]
    let wanted = specification
    let context = context
    let record = try await shielded {
      try await translatingErrors { try await context.network.create(wanted) }
    }
    publish("create", record)
    var response = NetworkCreateResponse()
    response.id = record.id
    return response
  }

  private func publish(
    _ action: String, _ record: NetworkRecord, _ attributes: [String: String] = [:]
  ) {
    context.events.publish(
      "network", action, id: record.id,
      ["name": record.name, "type": record.driver.rawValue].merging(attributes) { $1 })
  }

  /// Removes a network that no running container is on.
  package func remove(network: String) async throws {
    let context = context
    let record = try await shielded {
      try await translatingErrors { try await context.network.remove(network) }
    }
    publish("destroy", record)
  }

  /// Removes networks that no container joins and that match.
  package func prune(_ filters: Filters) async throws -> NetworkPruneResponse {
    try filters.validate(accepting: ["label", "label!", "until"])
    let bound = try PruneBound(filters)
    let unused = Set(
      context.network.networks().filter { record in
        users(of: record).isEmpty
          && bound.includes(created: Timestamp(nanosecondsSinceEpoch: record.createdAt))
          && bound.includes(labels: record.labels)
      }.map(\.id))
    let removed = try await translatingErrors {
      try await context.network.prune { unused.contains($0.id) }
    }
    for record in removed { publish("destroy", record) }
    context.events.publish("network", "prune", id: "", ["reclaimed": "0"])
    var response = NetworkPruneResponse()
    response.networksDeleted = removed.isEmpty ? nil : removed.map(\.name)
    return response
  }

  // MARK: - Membership

  /// Joins a container to a network; a running one at once.
  package func connect(network: String, _ request: NetworkConnectRequest) async throws {
    let container = try context.containers.find(request.container)
    let settings = request.endpointConfig ?? EndpointSettings()
    let context = context
    let launcher = launcher
    try await shielded {
      try await translatingErrors {
        let network = try context.network.network(network)
        try await container.operations.withLock {
          try Self.checkConnectable(container, network)
          container.update { $0.networks[network.name] = settings }
          do {
            if container.lifecycle.isRunning {
              let endpoint = try await launcher.join(
                container.record, network.name, isPrimary: false)
              container.update { $0.endpoints.append(endpoint) }
              try await launcher.rewriteFiles(container)
            }
            try await context.save(container)
          } catch {
            container.update { $0.networks[network.name] = nil }
            throw error
          }
        }
      }
    }
  }

  private static func checkConnectable(
    _ container: Container, _ network: NetworkRecord
  ) throws {
    let record = container.record
    guard record.lifecycle.phase != .removing, record.lifecycle.phase != .dead else {
      throw APIError.conflict("container is marked for removal and cannot be connected")
    }
    switch NetworkMode(record.hostConfig.networkMode) {
    case .host:
      throw APIError(
        .forbidden,
        "container sharing network namespace with another container or host cannot be connected "
          + "to any other network")
    case .container:
      throw APIError(
        .forbidden,
        "container sharing network namespace with another container or host cannot be connected "
          + "to any other network")
    case .none:
      throw APIError(
        .forbidden,
        "container cannot be connected to multiple networks with one of the networks in "
          + "private (none) mode")
    case .network: break
    }
    if network.driver == .host || network.driver == .none {
      throw APIError(
        .forbidden, "container cannot be connected to \(network.name) network")
    }
    if record.networks[network.name] != nil || record.networks[network.id] != nil {
      throw APIError(
        .forbidden, "endpoint with name \(record.name) already exists in network \(network.name)")
    }
  }

  /// Takes a container off a network.
  package func disconnect(network: String, _ request: NetworkDisconnectRequest) async throws {
    let container = try context.containers.find(request.container)
    let context = context
    let launcher = launcher
    try await shielded {
      try await translatingErrors {
        let network = try context.network.network(network)
        try await container.operations.withLock {
          let record = container.record
          let key = [network.name, network.id].first { record.networks[$0] != nil }
          guard let key else {
            throw APIError(
              .forbidden, "container \(record.id) is not connected to network \(network.name)")
          }
          if let endpoint = record.endpoints.first(where: { $0.networkID == network.id }) {
            try await context.network.detach(
              containerID: endpoint.containerID, networkID: endpoint.networkID)
            context.events.publish(
              "network", "disconnect", id: network.id,
              ["container": record.id, "name": network.name, "type": network.driver.rawValue])
          }
          container.update { record in
            record.networks[key] = nil
            record.endpoints.removeAll { $0.networkID == network.id }
          }
          if container.lifecycle.isRunning {
            try await launcher.republishPorts(container)
            try await launcher.rewriteFiles(container)
          }
          try await context.save(container)
        }
      }
    }
  }
}
