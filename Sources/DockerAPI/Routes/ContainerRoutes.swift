import DockerModel
import NIOHTTP1
import Transport

/// Containers, but for what streams.
enum ContainerRoutes {
  static func add(to routes: inout RouteTable) {
    routes.get("containers/json", list)
    routes.post("containers/create", create)
    routes.post("containers/prune", prune)
    routes.get("containers/{id}/json", inspect)
    routes.get("containers/{id}/top", top)
    routes.get("containers/{id}/changes", changes)
    routes.post("containers/{id}/resize", resize)
    routes.post("containers/{id}/start", start)
    routes.post("containers/{id}/stop", stop)
    routes.post("containers/{id}/restart", restart)
    routes.post("containers/{id}/kill", kill)
    routes.post("containers/{id}/update", update)
    routes.post("containers/{id}/rename", rename)
    routes.post("containers/{id}/pause", pause)
    routes.post("containers/{id}/unpause", unpause)
    routes.delete("containers/{id}", remove)
    routes.head("containers/{id}/archive", statArchive)
    routes.post("commit", commit)
  }

  @Sendable private static func list(_ request: APIRequest) async throws {
    var options = ContainerListOptions()
    options.all = request.query.flag("all")
    options.size = request.query.flag("size")
    options.limit = try request.query.integer("limit").flatMap { $0 > 0 ? $0 : nil }
    options.filters = try request.query.filters()
    let containers = try await request.backends.containers.list(options)
    try await request.respond(bytes: ContainerSummaryEncoder.encode(containers))
  }

  @Sendable private static func create(_ request: APIRequest) async throws {
    let body = try await request.json(ContainerCreateRequest.self)
    let name = try request.query.nonEmpty("name").map(containerName)
    let response = try await request.backends.containers.create(
      body, name: name, platform: request.query.nonEmpty("platform"))
    try await request.respond(.created, json: response)
  }

  /// Checks a name that a container is to get; a slash before it is dropped.
  private static func containerName(_ text: String) throws -> String {
    let name = text.hasPrefix("/") ? String(text.dropFirst()) : text
    let isPlain = name.utf8.enumerated().allSatisfy { index, byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"): index > 0
      default: false
      }
    }
    guard isPlain, name.utf8.count >= 2 else {
      throw APIError.invalidParameter(
        "Invalid container name (\(text)), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    }
    return name
  }

  @Sendable private static func inspect(_ request: APIRequest) async throws {
    try await request.respond(
      json: request.backends.containers.inspect(
        container: request.name, size: request.query.flag("size")))
  }

  @Sendable private static func top(_ request: APIRequest) async throws {
    try await request.respond(
      json: request.backends.containers.top(
        container: request.name, arguments: request.query.nonEmpty("ps_args") ?? "-ef"))
  }

  @Sendable private static func changes(_ request: APIRequest) async throws {
    try await request.respond(
      json: request.backends.containers.changes(container: request.name))
  }

  @Sendable private static func resize(_ request: APIRequest) async throws {
    try await request.backends.containers.resize(
      container: request.name, to: try request.query.terminalSize())
    try await request.respond(.ok)
  }

  @Sendable private static func start(_ request: APIRequest) async throws {
    // a body of `{}` or `null` is what old clients send
    if request.exchange.body.declaredLength.map({ $0 > 7 }) ?? true {
      throw APIError.invalidParameter(
        "starting container with non-empty request body was deprecated since API v1.22 and "
          + "removed in v1.24")
    }
    let keys = try request.query.nonEmpty("detachKeys").map { try DetachKeys($0) }
    try await request.backends.containers.start(container: request.name, detachKeys: keys)
    try await request.respond(.noContent)
  }

  private static func stopOptions(_ request: APIRequest) throws -> StopOptions {
    var options = StopOptions()
    options.signal = request.query.nonEmpty("signal")
    options.timeout = try request.query.integer("t")
    return options
  }

  @Sendable private static func stop(_ request: APIRequest) async throws {
    try await request.backends.containers.stop(
      container: request.name, options: try stopOptions(request))
    try await request.respond(.noContent)
  }

  @Sendable private static func restart(_ request: APIRequest) async throws {
    try await request.backends.containers.restart(
      container: request.name, options: try stopOptions(request))
    try await request.respond(.noContent)
  }

  @Sendable private static func kill(_ request: APIRequest) async throws {
    try await request.backends.containers.kill(
      container: request.name, signal: request.query.nonEmpty("signal"))
    try await request.respond(.noContent)
  }

  @Sendable private static func update(_ request: APIRequest) async throws {
    let body = try await request.json(ContainerUpdateRequest.self)
    try await request.respond(
      json: request.backends.containers.update(container: request.name, body))
  }

  @Sendable private static func rename(_ request: APIRequest) async throws {
    guard let name = request.query.nonEmpty("name") else {
      throw APIError.invalidParameter("Neither old nor new names may be empty")
    }
    try await request.backends.containers.rename(
      container: request.name, to: try containerName(name))
    try await request.respond(.noContent)
  }

  @Sendable private static func pause(_ request: APIRequest) async throws {
    try await request.backends.containers.pause(container: request.name)
    try await request.respond(.noContent)
  }

  @Sendable private static func unpause(_ request: APIRequest) async throws {
    try await request.backends.containers.unpause(container: request.name)
    try await request.respond(.noContent)
  }

  @Sendable private static func remove(_ request: APIRequest) async throws {
    var options = ContainerRemoveOptions()
    options.volumes = request.query.flag("v")
    options.force = request.query.flag("force")
    options.link = request.query.flag("link")
    try await request.backends.containers.remove(container: request.name, options: options)
    try await request.respond(.noContent)
  }

  @Sendable private static func prune(_ request: APIRequest) async throws {
    try await request.respond(
      json: request.backends.containers.prune(try request.query.filters()))
  }

  @Sendable private static func statArchive(_ request: APIRequest) async throws {
    let stat = try await request.backends.containers.statPath(
      container: request.name, path: try request.archivePath())
    var headers = request.headers
    headers.add(name: "X-Docker-Container-Path-Stat", value: try stat.headerValue())
    try await request.exchange.respond(.ok, headers: headers)
  }

  @Sendable private static func commit(_ request: APIRequest) async throws {
    let configuration = try await request.jsonIfPresent(ContainerConfig?.self) ?? nil
    let query = request.query
    var options = CommitOptions()
    options.container = query["container"]
    options.repository = query["repo"]
    options.tag = query["tag"]
    options.comment = query["comment"]
    options.author = query["author"]
    options.pause = query["pause"].isEmpty || query.flag("pause")
    options.changes = query.all("changes").flatMap { $0.split(separator: "\n").map(String.init) }
    guard !options.container.isEmpty else {
      throw APIError.invalidParameter("the parameter \"container\" is missing")
    }
    try await request.respond(
      .created,
      json: request.backends.containers.commit(options, configuration: configuration))
  }
}
