import DockerModel
import NIOHTTP1

/// Volumes.
enum VolumeRoutes {
  static func add(to routes: inout RouteTable) {
    routes.get("volumes", list)
    routes.post("volumes/create", create)
    routes.post("volumes/prune", prune)
    routes.get("volumes/{name}", inspect)
    routes.put("volumes/{name}", AbsentRoutes.needsSwarm)
    routes.delete("volumes/{name}", remove)
  }

  @Sendable private static func list(_ request: APIRequest) async throws {
    try await request.respond(json: request.backends.volumes.list(try request.query.filters()))
  }

  @Sendable private static func inspect(_ request: APIRequest) async throws {
    try await request.respond(json: request.backends.volumes.inspect(volume: request.name))
  }

  @Sendable private static func create(_ request: APIRequest) async throws {
    let body = try await request.jsonIfPresent(VolumeCreateOptions.self) ?? VolumeCreateOptions()
    try await request.respond(.created, json: request.backends.volumes.create(body))
  }

  @Sendable private static func remove(_ request: APIRequest) async throws {
    try await request.backends.volumes.remove(
      volume: request.name, force: request.query.flag("force"))
    try await request.respond(.noContent)
  }

  @Sendable private static func prune(_ request: APIRequest) async throws {
    var filters = try request.query.filters()
    // Before 1.42 named volumes went, too.
    if request.version < APIVersion(1, 42) { filters.add("all", "true") }
    try await request.respond(json: request.backends.volumes.prune(filters))
  }
}
