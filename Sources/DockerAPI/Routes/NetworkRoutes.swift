import DockerModel
import NIOHTTP1

/// Networks.
enum NetworkRoutes {
  static func add(to routes: inout RouteTable) {
    routes.get("networks", list)
    routes.post("networks/create", create)
    routes.post("networks/prune", prune)
    routes.get("networks/{id}", inspect)
    routes.delete("networks/{id}", remove)
    routes.post("networks/{id}/connect", connect)
    routes.post("networks/{id}/disconnect", disconnect)
  }

  @Sendable private static func list(_ request: APIRequest) async throws {
    try await request.respond(
      json: request.backends.networks.list(try request.query.filters()))
  }

  @Sendable private static func inspect(_ request: APIRequest) async throws {
    var options = NetworkInspectOptions()
    options.verbose = request.query.flag("verbose")
    options.scope = request.query.nonEmpty("scope")
    if let scope = options.scope, !["local", "global", "swarm"].contains(scope) {
      throw APIError.invalidParameter("invalid scope \"\(scope)\"")
    }
    try await request.respond(
      json: request.backends.networks.inspect(network: request.name, options: options))
  }

  @Sendable private static func create(_ request: APIRequest) async throws {
    let body = try await request.json(NetworkCreateRequest.self)
    try await request.respond(.created, json: request.backends.networks.create(body))
  }

  @Sendable private static func remove(_ request: APIRequest) async throws {
    try await request.backends.networks.remove(network: request.name)
    try await request.respond(.noContent)
  }

  @Sendable private static func connect(_ request: APIRequest) async throws {
    let body = try await request.json(NetworkConnectRequest.self)
    try await request.backends.networks.connect(network: request.name, body)
    try await request.respond(.ok)
  }

  @Sendable private static func disconnect(_ request: APIRequest) async throws {
    let body = try await request.json(NetworkDisconnectRequest.self)
    try await request.backends.networks.disconnect(network: request.name, body)
    try await request.respond(.ok)
  }

  @Sendable private static func prune(_ request: APIRequest) async throws {
    try await request.respond(
      json: request.backends.networks.prune(try request.query.filters()))
  }
}
