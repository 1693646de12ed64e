import DockerModel
import NIOHTTP1
import Transport

/// Commands run in containers beside their main process.
enum ExecRoutes {
  static func add(to routes: inout RouteTable) {
    routes.post("containers/{id}/exec", create)
    routes.post("exec/{id}/start", start)
    routes.post("exec/{id}/resize", resize)
    routes.get("exec/{id}/json", inspect)
  }

  @Sendable private static func create(_ request: APIRequest) async throws {
    let body = try await request.json(ExecCreateRequest.self)
    guard body.cmd?.values.isEmpty == false else {
      throw APIError.invalidParameter("No exec command specified")
    }
    if !body.detachKeys.isEmpty { _ = try DetachKeys(body.detachKeys) }
    try await request.respond(
      .created, json: request.backends.execs.create(container: request.name, body))
  }

  @Sendable private static func start(_ request: APIRequest) async throws {
    let body = try await request.jsonIfPresent(ExecStartConfig?.self) ?? nil
    var options = ExecStartOptions()
    options.tty = body?.tty ?? false
    // a size means nothing without a terminal
    if options.tty, request.version >= APIVersion(1, 42), let size = body?.consoleSize {
      guard size.count == 2, let height = UInt16(exactly: size[0]),
        let width = UInt16(exactly: size[1])
      else {
        throw APIError.invalidParameter("invalid ConsoleSize: not a height and a width")
      }
      options.consoleSize = TerminalSize(height: height, width: width)
    }
    if body?.detach == true {
      try await request.backends.execs.startDetached(exec: request.name, options: options)
      return try await request.respond(.ok)
    }
    try await request.backends.execs.start(
      exec: request.name, options: options, connection: HijackedConnection(request))
  }

  @Sendable private static func resize(_ request: APIRequest) async throws {
    try await request.backends.execs.resize(
      exec: request.name, to: try request.query.terminalSize())
    try await request.respond(.ok)
  }

  @Sendable private static func inspect(_ request: APIRequest) async throws {
    try await request.respond(json: request.backends.execs.inspect(exec: request.name))
  }
}
