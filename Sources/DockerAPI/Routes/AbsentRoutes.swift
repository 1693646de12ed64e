import DockerModel
import NIOHTTP1

/// What this engine has not: answered the way an engine without it answers, so that clients print
/// something sensible.
enum AbsentRoutes {
  static func add(to routes: inout RouteTable) {
    addSwarm(to: &routes)
    addPlugins(to: &routes)
    addBuild(to: &routes)
  }

  private static func addSwarm(to routes: inout RouteTable) {
    routes.get("swarm", needsSwarm)
    routes.post("swarm/init", noSwarm)
    routes.post("swarm/join", noSwarm)
    routes.post("swarm/leave") { _ in
      throw APIError(.unavailable, "This node is not part of a swarm")
    }
    routes.post("swarm/update", needsSwarm)
    routes.get("swarm/unlockkey", needsSwarm)
    routes.post("swarm/unlock", needsSwarm)
    for kind in ["nodes", "services", "tasks", "secrets", "configs"] {
      routes.get(kind, needsSwarm)
      routes.get("\(kind)/{id}", needsSwarm)
      if kind == "tasks" || kind == "services" { routes.get("\(kind)/{id}/logs", needsSwarm) }
      if kind == "tasks" { continue }
      routes.delete("\(kind)/{id}", needsSwarm)
      routes.post("\(kind)/{id}/update", needsSwarm)
      if kind != "nodes" { routes.post("\(kind)/create", needsSwarm) }
    }
  }

  @Sendable static func needsSwarm(_ request: APIRequest) async throws {
    throw APIError(
      .unavailable,
      "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" "
        + "to connect this node to swarm and try again.")
  }

  @Sendable private static func noSwarm(_ request: APIRequest) async throws {
    throw APIError(.notImplemented, "swarm mode is not supported by this engine")
  }

  private static func addPlugins(to routes: inout RouteTable) {
    routes.get("plugins") { request in
      _ = try request.query.filters()
      try await request.respond(json: [String]())
    }
    for route in ["pull", "create"] { routes.post("plugins/\(route)", noPlugins) }
    routes.get("plugins/privileges", noPlugins)
    routes.get("plugins/{name...}/json", missingPlugin)
    routes.delete("plugins/{name...}", missingPlugin)
    for action in ["enable", "disable", "upgrade", "push", "set"] {
      routes.post("plugins/{name...}/\(action)", missingPlugin)
    }
  }

  @Sendable private static func noPlugins(_ request: APIRequest) async throws {
    throw APIError(.notImplemented, "plugins are not supported by this engine")
  }

  @Sendable private static func missingPlugin(_ request: APIRequest) async throws {
    throw APIError.notFound("plugin \"\(request.name)\" not found")
  }

  private static func addBuild(to routes: inout RouteTable) {
    for route in ["build", "session", "grpc"] { routes.post(route, noBuild) }
    routes.post("build/cancel", noBuild)
    // part of `docker system prune`: there is nothing to remove
    routes.post("build/prune") { request in
      _ = try request.query.filters()
      try await request.respond(json: BuildPruneResponse())
    }
  }

  private struct BuildPruneResponse: Encodable {
    private enum CodingKeys: String, CodingKey {
      case deleted = "CachesDeleted"
      case reclaimed = "SpaceReclaimed"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encodeNil(forKey: .deleted)
      try container.encode(0, forKey: .reclaimed)
    }
  }

  @Sendable private static func noBuild(_ request: APIRequest) async throws {
    throw APIError(
      .notImplemented,
      "building images is not supported by this engine yet: build elsewhere and \"docker pull\" or "
        + "\"docker load\" the image")
  }
}
