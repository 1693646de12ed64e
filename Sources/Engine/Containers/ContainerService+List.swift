package import DockerModel
import ImageStore
import NodeNetwork

extension ContainerService {
  private static let filterNames: Set<String> = [
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label",
    "name", "network", "publish", "since", "status", "volume",
  ]

  /// Containers that match, newest first.
  package func list(_ options: ContainerListOptions) async throws -> [ContainerSummary] {
    try options.filters.validate(accepting: Self.filterNames)
    let filter = try await ContainerFilter(options.filters, context)
    let limit = options.limit.flatMap { $0 > 0 ? $0 : nil }
    let showsStopped =
      options.all || limit != nil || options.filters.contains("status")
      || options.filters.contains("exited")
      || options.filters.contains("before") || options.filters.contains("since")
    // Records are large: with a thousand containers their copies would take most of the time.
    var matches = context.containers.all.compactMap { container in
      container.read { record -> (created: Timestamp, container: Container)? in
        let isShown =
          showsStopped || record.lifecycle.isRunning || record.lifecycle.phase == .restarting
        return isShown && filter.matches(record) ? (record.created, container) : nil
      }
    }
    matches.sort { ($0.created, $0.container.id) > ($1.created, $1.container.id) }
    if let limit { matches = Array(matches.prefix(limit)) }
    var summaries = matches.map { $0.container.read(summary) }
    if options.size {
      for index in summaries.indices {
        let sizes = try await translatingErrors {
          try await context.images.size(containerID: summaries[index].id)
        }
        summaries[index].sizeRw = sizes.writable
        summaries[index].sizeRootFs = sizes.total
      }
    }
    return summaries
  }

  /// One container as the list shows it.
  func summary(_ record: ContainerRecord) -> ContainerSummary {
    var summary = ContainerSummary()
    summary.id = record.id
    summary.names = ["/" + record.name]
    summary.image = record.config.image.isEmpty ? record.imageID : record.config.image
    summary.imageID = record.imageID
    summary.command = Self.shown(record.arguments)
    summary.created = record.created.seconds
    summary.ports = Self.ports(record)
    summary.labels = record.config.labels ?? [:]
    summary.state = record.lifecycle.status
    summary.status = StatusText.describe(record, at: .now)
    summary.hostConfig.networkMode = record.hostConfig.networkMode
    summary.hostConfig.annotations = record.hostConfig.annotations
    summary.networkSettings.networks = networks(record)
    summary.mounts = record.mounts.map(Self.mountPoint)
    return summary
  }

  private static func shown(_ arguments: [String]) -> String {
    arguments.map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " ")
  }

  private static func ports(_ record: ContainerRecord) -> [Port] {
    var ports: [Port] = []
    var published: Set<String> = []
    for binding in record.endpoints.flatMap(\.ports) {
      var port = Port()
      port.ip = "\(binding.hostAddress)"
      port.privatePort = Int(binding.containerPort)
      port.publicPort = Int(binding.hostPort)
      port.type = binding.proto.rawValue
      published.insert("\(binding.containerPort)/\(binding.proto.rawValue)")
      ports.append(port)
    }
    guard record.lifecycle.isRunning else { return ports }
    for text in record.config.exposedPorts.keys.sorted() where !published.contains(text) {
      // A range is not shown.
      guard let specification = try? PortSpecification(text) else { continue }
      var port = Port()
      port.privatePort = Int(specification.port)
      port.type = specification.proto
      ports.append(port)
    }
    return ports
  }

  /// Removes containers that do not run and match.
  package func prune(_ filters: Filters) async throws -> ContainerPruneResponse {
    try filters.validate(accepting: ["label", "label!", "until"])
    let bound = try PruneBound(filters)
    var response = ContainerPruneResponse()
    for container in context.containers.all {
      let record = container.record
      guard !record.lifecycle.isRunning, record.lifecycle.phase != .restarting,
        bound.includes(created: record.created), bound.includes(labels: record.config.labels ?? [:])
      else { continue }
      // Only a figure: a container whose size is not known goes all the same.
      let size = (try? await context.images.size(containerID: record.id).writable) ?? 0
      do {
        try await shielded { [supervisor] in
          try await supervisor.remove(container, ContainerRemoveOptions())
        }
        response.containersDeleted = (response.containersDeleted ?? []) + [record.id]
        response.spaceReclaimed += size
      } catch let error as APIError where error.code == .conflict {
        continue  // it was started meanwhile
      }
    }
    context.events.publish(
      "container", "prune", id: "", ["reclaimed": "\(response.spaceReclaimed)"])
    return response
  }
}
