package import DockerModel
import Host

/// The volumes of this engine, as the API sees them.
package final class VolumeService: Sendable {
  private let context: EngineContext

  init(_ context: EngineContext) { self.context = context }

  /// Volumes that match.
  package func list(_ filters: Filters) async throws -> VolumeListResponse {
    try filters.validate(accepting: ["dangling", "driver", "label", "name"])
    let dangling = try filters.boolean("dangling")
    var response = VolumeListResponse()
    response.volumes = context.volumes.all.filter { record in
      matches(record, filters)
        && (dangling.map { $0 == context.users(ofVolume: record.name).isEmpty } ?? true)
    }.map(shown)
    return response
  }

  private func matches(_ record: VolumeRecord, _ filters: Filters) -> Bool {
    let names = filters["name"]
    return filters.matchesLabels("label", record.labels ?? [:])
      && filters.matchesExactly("driver", "local")
      && (names.isEmpty || names.contains { record.name.contains(substring: $0) })
  }

  private func shown(_ record: VolumeRecord) -> Volume {
    var volume = Volume()
    volume.name = record.name
    volume.createdAt = record.createdAt
    volume.mountpoint = context.volumes.mountpoint(record.name)
    volume.labels = record.labels
    volume.options = record.options
    return volume
  }

  /// One volume.
  /// - Throws: `notFound`.
  package func inspect(volume: String) async throws -> Volume {
    guard let record = context.volumes.volume(volume) else {
      throw APIError.notFound("get \(volume): no such volume")
    }
    return shown(record)
  }

  /// Makes a volume, or answers the one of that name when it agrees with the request.
  package func create(_ request: VolumeCreateOptions) async throws -> Volume {
    guard ["", "local"].contains(request.driver) else {
      throw APIError.notFound(
        "create \(request.name): error looking up volume plugin \(request.driver): "
          + "plugin \"\(request.driver)\" not found")
    }
    let isAnonymous = request.name.isEmpty
    var record = VolumeRecord(
      name: isAnonymous ? Identifier.random() : request.name, createdAt: .now,
      labels: request.labels, options: request.driverOpts)
    if isAnonymous {
      record.labels = (record.labels ?? [:]).merging(["com.docker.volume.anonymous": ""]) {
        own, _ in own
      }
      record.isAnonymous = true
    }
    let wanted = record
    let context = context
    return try await shielded { [self] in
      try await translatingErrors {
        let (made, isNew) = try await context.volumes.operations.withLock {
          try await context.volumes.create(wanted)
        }
        if isNew {
          context.events.publish("volume", "create", id: made.name, ["driver": "local"])
        }
        return shown(made)
      }
    }
  }

  /// Removes a volume.
  /// - Throws: `conflict` when a container uses it, running or not.
  package func remove(volume: String, force: Bool) async throws {
    let context = context
    try await shielded {
      try await translatingErrors {
        try await context.volumes.operations.withLock {
          guard context.volumes.volume(volume) != nil else {
            if force { return }
            throw APIError.notFound("get \(volume): no such volume")
          }
          let users = context.users(ofVolume: volume)
          guard users.isEmpty else {
            throw APIError.conflict(
              "remove \(volume): volume is in use - [\(users.map(\.id).joined(separator: ", "))]")
          }
          try await context.volumes.remove(volume)
          context.events.publish("volume", "destroy", id: volume, ["driver": "local"])
        }
      }
    }
  }

  /// Removes volumes that no container uses: anonymous ones, and with `all` named ones, too.
  package func prune(_ filters: Filters) async throws -> VolumePruneResponse {
    try filters.validate(accepting: ["all", "label", "label!"])
    let includesNamed = try filters.boolean("all") ?? false
    let bound = try PruneBound(filters)
    var response = VolumePruneResponse()
    for record in context.volumes.all {
      guard record.isAnonymous || includesNamed, bound.includes(labels: record.labels ?? [:]),
        context.users(ofVolume: record.name).isEmpty
      else { continue }
      let size = await context.volumes.size(record.name)
      do {
        try await remove(volume: record.name, force: true)
        response.volumesDeleted = (response.volumesDeleted ?? []) + [record.name]
        response.spaceReclaimed += max(0, size)
      } catch let error as APIError where error.code == .conflict {
        continue  // a container took it meanwhile
      }
    }
    context.events.publish(
      "volume", "prune", id: "", ["reclaimed": "\(response.spaceReclaimed)"])
    return response
  }

  /// All volumes with their sizes and use counts (`docker system df`).
  func usage() async -> [Volume] {
    var volumes: [Volume] = []
    for record in context.volumes.all {
      var volume = shown(record)
      var usage = VolumeUsageData()
      usage.refCount = Int64(context.users(ofVolume: record.name).count)
      usage.size = await context.volumes.size(record.name)
      volume.usageData = usage
      volumes.append(volume)
    }
    return volumes
  }
}

extension String {
  /// Whether other text occurs in this one, byte for byte. (Foundation's `contains` would bring in
  /// the whole of its internationalisation.)
  func contains(substring other: String) -> Bool {
    let needle = Array(other.utf8)
    guard !needle.isEmpty else { return true }
    let hay = Array(utf8)
    guard hay.count >= needle.count else { return false }
    return (0...(hay.count - needle.count)).contains { hay[$0...].starts(with: needle) }
  }
}
