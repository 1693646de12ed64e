import DockerModel
import NIOCore
import NIOHTTP1
import Transport

/// The engine as a whole.
enum SystemRoutes {
  static func add(to routes: inout RouteTable) {
    routes.get("_ping", ping)
    routes.head("_ping", ping)
    routes.get("info", info)
    routes.get("version", version)
    routes.get("events", events)
    routes.get("system/df", diskUsage)
    routes.post("auth", authenticate)
  }

  @Sendable private static func ping(_ request: APIRequest) async throws {
    var headers = request.headers
    headers.add(contentsOf: [
      "Builder-Version": "1", "Swarm": "inactive",
      "Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache",
      "Content-Type": "text/plain; charset=utf-8",
    ])
    let isHead = request.exchange.request.method == .HEAD
    try await request.exchange.respond(
      .ok, headers: headers, body: ByteBuffer(string: isHead ? "" : "OK"))
  }

  @Sendable private static func info(_ request: APIRequest) async throws {
    try await request.respond(json: request.backends.system.info())
  }

  @Sendable private static func version(_ request: APIRequest) async throws {
    try await request.respond(json: request.backends.system.version())
  }

  @Sendable private static func events(_ request: APIRequest) async throws {
    var options = EventsOptions()
    options.since = try request.query.timestamp("since")
    options.until = try request.query.timestamp("until")
    options.filters = try request.query.filters()
    if let since = options.since, let until = options.until, since > until {
      throw APIError.invalidParameter(
        "`since` time (\(request.query["since"])) cannot be after `until` time "
          + "(\(request.query["until"]))")
    }
    let events = try await request.backends.system.events(options)
    let lines = JSONLines(request: request)
    try await lines.begin()
    for try await event in events { try await lines.send(event) }
    try await request.exchange.finish()
  }

  @Sendable private static func diskUsage(_ request: APIRequest) async throws {
    var options = DiskUsageOptions()
    let names = request.query.all("type")
    if !names.isEmpty {
      options.kinds = Set(
        try names.map { name in
          guard let kind = DiskUsageOptions.Kind(rawValue: name) else {
            throw APIError.invalidParameter("unknown object type: \(name)")
          }
          return kind
        })
    }
    try await request.respond(json: request.backends.system.diskUsage(options))
  }

  @Sendable private static func authenticate(_ request: APIRequest) async throws {
    let credentials = try await request.json(AuthConfig.self)
    try await request.respond(json: request.backends.system.authenticate(credentials))
  }
}
