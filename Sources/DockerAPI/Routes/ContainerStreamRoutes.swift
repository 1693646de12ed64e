import DockerModel
import FoundationEssentials
import NIOHTTP1
import Transport

/// What streams out of, or into, containers.
enum ContainerStreamRoutes {
  static func add(to routes: inout RouteTable) {
    routes.get("containers/{id}/logs", logs)
    routes.get("containers/{id}/export", export)
    routes.get("containers/{id}/stats", stats)
    routes.post("containers/{id}/attach", attach)
    routes.get("containers/{id}/attach/ws", attachWebSocket)
    routes.post("containers/{id}/wait", wait)
    routes.get("containers/{id}/archive", readArchive)
    routes.put("containers/{id}/archive", writeArchive)
  }

  @Sendable private static func logs(_ request: APIRequest) async throws {
    let query = request.query
    var options = LogsOptions()
    options.follow = query.flag("follow")
    options.stdout = query.flag("stdout")
    options.stderr = query.flag("stderr")
    options.since = try query.timestamp("since")
    options.until = try query.timestamp("until")
    options.timestamps = query.flag("timestamps")
    options.details = query.flag("details")
    // as ever, anything but a count of lines means all of them
    options.tail = Int(query["tail"]).flatMap { $0 < 0 ? nil : $0 }
    guard options.stdout || options.stderr else {
      throw APIError.invalidParameter("Bad parameters: you must choose at least one stream")
    }
    try await request.backends.containers.logs(
      container: request.name, options: options, sink: HTTPOutputSink(request: request))
    try await request.exchange.finish()
  }

  @Sendable private static func export(_ request: APIRequest) async throws {
    let sink = HTTPByteSink(
      exchange: request.exchange,
      headers: request.headers(contentType: "application/octet-stream"))
    try await request.backends.containers.export(container: request.name, sink: sink)
    try await sink.finish()
  }

  @Sendable private static func stats(_ request: APIRequest) async throws {
    var options = StatsOptions()
    options.stream = request.query.flag("stream", default: true)
    options.oneShot = request.query.flag("one-shot")
    guard !(options.stream && options.oneShot) else {
      throw APIError.invalidParameter("cannot have stream=true and one-shot=true")
    }
    let samples = try await request.backends.containers.stats(
      container: request.name, options: options)
    let lines = JSONLines(request: request)
    if options.stream { try await lines.begin() }
    for try await sample in samples {
      guard options.stream else { return try await request.respond(json: sample) }
      try await lines.send(sample)
    }
    try await request.exchange.finish()
  }

  private static func attachOptions(_ request: APIRequest) throws -> AttachOptions {
    let query = request.query
    var options = AttachOptions()
    options.logs = query.flag("logs")
    options.stream = query.flag("stream")
    options.stdin = query.flag("stdin")
    options.stdout = query.flag("stdout")
    options.stderr = query.flag("stderr")
    options.detachKeys = try query.nonEmpty("detachKeys").map { try DetachKeys($0) }
    return options
  }

  @Sendable private static func attach(_ request: APIRequest) async throws {
    try await request.backends.containers.attach(
      container: request.name, options: try attachOptions(request),
      connection: HijackedConnection(request))
  }

  @Sendable private static func attachWebSocket(_ request: APIRequest) async throws {
    var options = try attachOptions(request)
    // a WebSocket without a choice of streams gets them all
    if !options.stdin, !options.stdout, !options.stderr {
      (options.stdin, options.stdout, options.stderr) = (true, true, true)
    }
    try await request.backends.containers.attach(
      container: request.name, options: options,
      connection: HijackedConnection(request, isWebSocket: true))
  }

  @Sendable private static func wait(_ request: APIRequest) async throws {
    var condition = WaitCondition.notRunning
    if let text = request.query.nonEmpty("condition") {
      guard let given = WaitCondition(rawValue: text) else {
        throw APIError.invalidParameter("invalid condition: \"\(text)\"")
      }
      condition = given
    }
    let pending = try await request.backends.containers.wait(
      container: request.name, for: condition)
    // the head tells the client that nothing is missed from now on
    let lines = JSONLines(request: request)
    try await lines.begin()
    var response = ContainerWaitResponse()
    do {
      response = try await pending.result()
    } catch let error as CancellationError {
      throw error
    } catch {
      var failure = ContainerWaitExitError()
      failure.message = "\(error)"
      response.statusCode = -1
      response.error = failure
    }
    try await lines.send(response)
    try await request.exchange.finish()
  }

  @Sendable private static func readArchive(_ request: APIRequest) async throws {
    try await request.backends.containers.readArchive(
      container: request.name, path: try request.archivePath(),
      sink: HTTPArchiveSink(request: request))
    try await request.exchange.finish()
  }

  @Sendable private static func writeArchive(_ request: APIRequest) async throws {
    var options = ArchiveWriteOptions()
    options.path = try request.archivePath()
    options.noOverwriteDirectoryWithFile = request.query.flag("noOverwriteDirNonDir")
    options.copyOwnership = request.query.flag("copyUIDGID")
    try await request.backends.containers.writeArchive(
      container: request.name, options: options, archive: request.exchange.body)
    try await request.respond(.ok)
  }
}

extension APIRequest {
  func archivePath() throws -> String {
    guard let path = query.nonEmpty("path") else {
      throw APIError.invalidParameter("bad parameter: path cannot be empty")
    }
    return path
  }
}

extension ContainerPathStat {
  /// The value of `X-Docker-Container-Path-Stat`.
  func headerValue() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return try encoder.encode(self).base64EncodedString()
  }
}
