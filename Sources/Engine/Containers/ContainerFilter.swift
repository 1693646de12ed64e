import DockerModel
import ImageStore
import NodeNetwork
import OCI

/// Which containers a client asked for (`GET /containers/json?filters=`).
struct ContainerFilter: Sendable {
  private let filters: Filters
  private let imageIDs: Set<String>
  private let before: Timestamp?
  private let since: Timestamp?
  private let networks: Set<String>

  /// - Throws: `invalidParameter`, or `notFound` for a container named by `before` or `since`.
  init(_ filters: Filters, _ context: EngineContext) async throws {
    self.filters = filters
    let statuses: Set<String> = [
      "created", "running", "paused", "restarting", "removing", "exited", "dead",
    ]
    for status in filters["status"] where !statuses.contains(status) {
      throw APIError.invalidParameter("invalid filter 'status=\(status)'")
    }
    for health in filters["health"]
    where !["starting", "healthy", "unhealthy", "none"].contains(health) {
      throw APIError.invalidParameter("invalid filter 'health=\(health)'")
    }
    for code in filters["exited"] where Int(code) == nil {
      throw APIError.invalidParameter("invalid filter 'exited=\(code)'")
    }
    before = try filters["before"].first.map { try context.containers.find($0).record.created }
    since = try filters["since"].first.map { try context.containers.find($0).record.created }
    for port in filters["publish"] + filters["expose"] { _ = try PortSpecification.range(port) }
    networks = Set(
      filters["network"].flatMap { name -> [String] in
        // A network that is not there is looked for by its name alone.
        let id = (try? context.network.network(name).id).map { [$0] } ?? []
        return [name] + id
      })
    imageIDs = await Self.descendants(of: filters["ancestor"], context)
  }

  /// The ids of the images named, and of those that have all their layers.
  private static func descendants(
    of references: [String], _ context: EngineContext
  ) async -> Set<String> {
    var ids: Set<String> = []
    for reference in references {
      // No such image: no container of it.
      guard let image = try? await context.images.resolve(reference) else { continue }
      for other in context.images.list() where other.layers.starts(with: image.layers) {
        ids.insert(other.id.description)
      }
    }
    return ids
  }

  /// Whether a container is among those asked for.
  func matches(_ record: ContainerRecord) -> Bool {
    if filters.isEmpty { return true }
    let lifecycle = record.lifecycle
    return matches("id") { record.id.hasPrefix($0) }
      && matches("name") { Self.name(record.name, matches: $0) }
      && filters.matchesLabels("label", record.config.labels ?? [:])
      && matches("status") { $0 == lifecycle.status }
      && matches("exited") { lifecycle.phase == .exited && Int($0) == lifecycle.exitCode }
      && matches("health") { $0 == record.health?.status ?? "none" }
      && matches("ancestor") { _ in imageIDs.contains(record.imageID) }
      && (before.map { record.created < $0 } ?? true)
      && (since.map { record.created > $0 } ?? true)
      && matches("volume") { value in
        record.mounts.contains {
          $0.volume == value || $0.destination == value || $0.source == value
        }
      }
      && matches("network") { _ in isOnNetwork(record) }
      && matches("publish") { Self.ports(published: record, contain: $0) }
      && matches("expose") { Self.ports(exposed: record, contain: $0) }
      && matches("is-task") { $0 == "false" || $0 == "0" }
      && matches("isolation") { ["", "default"].contains($0) }
  }

  private func matches(_ name: String, _ test: (String) -> Bool) -> Bool {
    let values = filters[name]
    return values.isEmpty || values.contains(where: test)
  }

  private func isOnNetwork(_ record: ContainerRecord) -> Bool {
    record.networks.keys.contains { networks.contains($0) }
      || networks.contains(record.hostConfig.networkMode)
      || record.endpoints.contains {
        networks.contains($0.networkID) || networks.contains($0.networkName)
      }
  }

  /// A name matches a regular expression anywhere in it, with the slash in front or without.
  private static func name(_ name: String, matches pattern: String) -> Bool {
    guard let expression = try? Regex(pattern) else { return name == pattern }  // not one: a name
    return "/\(name)".firstMatch(of: expression) != nil || name.firstMatch(of: expression) != nil
  }

  private static func ports(published record: ContainerRecord, contain text: String) -> Bool {
    guard let wanted = try? PortSpecification.range(text) else { return false }  // checked before
    return record.endpoints.flatMap(\.ports).contains { port in
      wanted.contains { $0.port == port.hostPort && $0.proto == port.proto.rawValue }
    }
  }

  private static func ports(exposed record: ContainerRecord, contain text: String) -> Bool {
    guard let wanted = try? PortSpecification.range(text) else { return false }  // checked before
    return wanted.contains { record.config.exposedPorts[$0.text] != nil }
  }
}
