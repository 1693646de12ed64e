import ContainerRuntime
package import DockerModel
import ImageStore
import Logging
import NodeNetwork

extension ContainerService {
  /// Everything about one container.
  package func inspect(container: String, size: Bool) async throws -> ContainerInspectResponse {
    let container = try find(container)
    let record = container.record
    let folder = context.configuration.containerFolder(record.id)
    var response = ContainerInspectResponse()
    response.id = record.id
    response.created = record.created
    response.path = record.arguments.first ?? ""
    response.args = Array(record.arguments.dropFirst())
    response.state = Self.state(record)
    response.image = record.imageID
    response.resolvConfPath = folder + "/resolv.conf"
    response.hostnamePath = folder + "/hostname"
    response.hostsPath = folder + "/hosts"
    response.logPath = record.hostConfig.logConfig.type == "none" ? "" : folder + "/container.log"
    response.name = "/" + record.name
    response.restartCount = record.lifecycle.restartCount
    response.driver = "overlay2"
    response.platform = "linux"
    response.execIDs = context.execs.identifiers(ofContainer: record.id)
    response.hostConfig = record.hostConfig
    response.graphDriver = await graphDriver(record.id)
    response.mounts = record.mounts.map(Self.mountPoint)
    response.config = record.config
    response.networkSettings = networkSettings(record)
    if size {
      let sizes = try await translatingErrors {
        try await context.images.size(containerID: record.id)
      }
      response.sizeRw = sizes.writable
      response.sizeRootFs = sizes.total
    }
    return response
  }

  /// What a container does now, in the API's words.
  static func state(_ record: ContainerRecord) -> ContainerState {
    let lifecycle = record.lifecycle
    var state = ContainerState()
    state.status = lifecycle.status
    state.running = lifecycle.isRunning || lifecycle.phase == .restarting
    state.paused = lifecycle.isPaused
    state.restarting = lifecycle.phase == .restarting
    state.oomKilled = lifecycle.isOOMKilled
    state.dead = lifecycle.phase == .dead
    state.pid = Int(lifecycle.handle?.pid ?? 0)
    state.exitCode = lifecycle.exitCode
    state.error = lifecycle.error
    state.startedAt = lifecycle.startedAt
    state.finishedAt = lifecycle.finishedAt
    state.health = record.health
    return state
  }

  private func graphDriver(_ id: String) async -> GraphDriver {
    var driver = GraphDriver()
    driver.name = "overlay2"
    do {
      let paths = try await context.images.overlayPaths(containerID: id)
      driver.data = [
        "LowerDir": paths.lower.joined(separator: ":"), "UpperDir": paths.upper,
        "WorkDir": paths.work, "MergedDir": paths.merged,
      ]
    } catch {
      context.logger.warning(
        "root file system is not known",
        metadata: ["container.id": "\(id)", "error": "\(error)"])
    }
    return driver
  }

  static func mountPoint(_ mount: MountRecord) -> MountPoint {
    var point = MountPoint()
    point.type = mount.kind.rawValue
    point.name = mount.volume
    point.source = mount.source
    point.destination = mount.destination
    point.driver = mount.kind == .volume ? "local" : ""
    point.mode = mount.mode
    if mount.kind == .volume && mount.mode.isEmpty && !mount.isAnonymous { point.mode = "z" }
    point.isWritable = !mount.isReadOnly
    point.propagation =
      mount.kind == .bind && mount.propagation.isEmpty ? "rprivate" : mount.propagation
    return point
  }

  // MARK: - Networks

  /// A container's part in networks: its endpoints while it runs, what it asks for otherwise.
  func networkSettings(_ record: ContainerRecord) -> NetworkSettings {
    var settings = NetworkSettings()
    let mode = NetworkMode(record.hostConfig.networkMode)
    if record.lifecycle.isRunning && mode.isPrivate {
      settings.sandboxID = record.id
      settings.sandboxKey = context.sandboxPath(record.id)
    } else if record.lifecycle.isRunning && mode == .host {
      settings.sandboxKey = "/var/run/docker/netns/default"
    }
    settings.networks = networks(record)
    for port in record.config.exposedPorts.keys where record.lifecycle.isRunning {
      settings.ports.updateValue(nil, forKey: port)
    }
    for endpoint in record.endpoints {
      for binding in endpoint.ports { Self.add(binding, to: &settings.ports) }
    }
    if let primary = settings.networks["bridge"] {
      settings.endpointID = primary.endpointID
      settings.gateway = primary.gateway
      settings.ipAddress = primary.ipAddress
      settings.ipPrefixLen = primary.ipPrefixLen
      settings.ipv6Gateway = primary.ipv6Gateway
      settings.globalIPv6Address = primary.globalIPv6Address
      settings.globalIPv6PrefixLen = primary.globalIPv6PrefixLen
      settings.macAddress = primary.macAddress
    }
    return settings
  }

  /// The networks of a container by name, as clients see them.
  func networks(_ record: ContainerRecord) -> [String: EndpointSettings] {
    var networks = Self.endpoints(record)
    switch NetworkMode(record.hostConfig.networkMode) {
    case .host: networks["host"] = predefinedEndpoint("host", record)
    case .none: networks["none"] = predefinedEndpoint("none", record)
    default: break
    }
    return networks
  }

  private static func add(
    _ binding: PublishedPort, to ports: inout [String: [DockerModel.PortBinding]?]
  ) {
    var shown = DockerModel.PortBinding()
    shown.hostIp = "\(binding.hostAddress)"
    shown.hostPort = "\(binding.hostPort)"
    let key = "\(binding.containerPort)/\(binding.proto.rawValue)"
    ports[key] = ((ports[key] ?? nil) ?? []) + [shown]
  }

  private func predefinedEndpoint(_ name: String, _ record: ContainerRecord) -> EndpointSettings {
    var settings = EndpointSettings()
    settings.networkID = (try? context.network.network(name).id) ?? ""  // always there
    return settings
  }

  /// A container's endpoints by network name.
  static func endpoints(_ record: ContainerRecord) -> [String: EndpointSettings] {
    var result = record.networks
    for endpoint in record.endpoints {
      var settings =
        result[endpoint.networkName] ?? result.removeValue(forKey: endpoint.networkID)
        ?? EndpointSettings()
      settings.networkID = endpoint.networkID
      settings.endpointID = endpoint.id
      settings.gateway = endpoint.ipv4Gateway.map { "\($0)" } ?? ""
      settings.ipAddress = endpoint.ipv4Address.map { "\($0)" } ?? ""
      settings.ipPrefixLen = endpoint.ipv4PrefixLength
      settings.ipv6Gateway = endpoint.ipv6Gateway.map { "\($0)" } ?? ""
      settings.globalIPv6Address = endpoint.ipv6Address.map { "\($0)" } ?? ""
      settings.globalIPv6PrefixLen = endpoint.ipv6PrefixLength
      settings.macAddress = endpoint.macAddress
      settings.dnsNames = endpoint.dnsNames.isEmpty ? nil : endpoint.dnsNames
      result[endpoint.networkName] = settings
    }
    return result
  }
}
