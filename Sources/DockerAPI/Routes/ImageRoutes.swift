import DockerModel
import NIOHTTP1

/// Images, but for what streams.
enum ImageRoutes {
  static func add(to routes: inout RouteTable) {
    routes.get("images/json", list)
    routes.get("images/search", search)
    routes.post("images/prune", prune)
    routes.get("images/{name...}/json", inspect)
    routes.get("images/{name...}/history", history)
    routes.post("images/{name...}/tag", tag)
    routes.delete("images/{name...}", remove)
    routes.get("distribution/{name...}/json", distribution)
  }

  @Sendable private static func list(_ request: APIRequest) async throws {
    let query = request.query
    var options = ImageListOptions()
    options.all = query.flag("all")
    options.sharedSize = query.flag("shared-size")
    options.digests = query.flag("digests")
    options.manifests = request.version >= APIVersion(1, 47) && query.flag("manifests")
    options.filters = try query.filters()
    // before filters there was one parameter for a reference
    if request.version < APIVersion(1, 25), let pattern = query.nonEmpty("filter") {
      options.filters.add("reference", pattern)
    }
    try await request.respond(json: request.backends.images.list(options))
  }

  @Sendable private static func inspect(_ request: APIRequest) async throws {
    try await request.respond(json: request.backends.images.inspect(image: request.name))
  }

  @Sendable private static func history(_ request: APIRequest) async throws {
    try await request.respond(json: request.backends.images.history(image: request.name))
  }

  @Sendable private static func tag(_ request: APIRequest) async throws {
    guard let repository = request.query.nonEmpty("repo") else {
      throw APIError.invalidParameter("repository name must have at least one component")
    }
    try await request.backends.images.tag(
      image: request.name, repository: repository, tag: request.query["tag"])
    try await request.respond(.created)
  }

  @Sendable private static func remove(_ request: APIRequest) async throws {
    var options = ImageRemoveOptions()
    options.force = request.query.flag("force")
    options.noPrune = request.query.flag("noprune")
    try await request.respond(
      json: request.backends.images.remove(image: request.name, options: options))
  }

  @Sendable private static func search(_ request: APIRequest) async throws {
    var options = ImageSearchOptions()
    options.term = request.query["term"]
    options.limit = try request.query.integer("limit")
    options.filters = try request.query.filters()
    options.authentication = try request.registryAuthentication()
    if let limit = options.limit, !(0...100).contains(limit) {
      throw APIError.invalidParameter("limit \(limit) is outside the range of [1, 100]")
    }
    try await request.respond(json: request.backends.images.search(options))
  }

  @Sendable private static func prune(_ request: APIRequest) async throws {
    try await request.respond(json: request.backends.images.prune(try request.query.filters()))
  }

  @Sendable private static func distribution(_ request: APIRequest) async throws {
    try await request.respond(
      json: request.backends.images.distribution(
        image: request.name, authentication: try request.registryAuthentication()))
  }
}
