import DockerModel
import Transport

/// What streams out of, or into, the image store.
enum ImageStreamRoutes {
  static func add(to routes: inout RouteTable) {
    routes.post("images/create", create)
    routes.post("images/load", load)
    routes.get("images/get", saveSeveral)
    routes.get("images/{name...}/get", save)
    routes.post("images/{name...}/push", push)
  }

  @Sendable private static func create(_ request: APIRequest) async throws {
    let query = request.query
    if let name = query.nonEmpty("fromImage") {
      var options = ImagePullOptions()
      options.fromImage = name
      options.tag = query["tag"]
      options.platform = query.nonEmpty("platform")
      options.authentication = try request.registryAuthentication()
      let pull = options
      return try await ProgressStream(request).run { progress in
        try await request.backends.images.pull(pull, progress: progress)
      }
    }
    guard let source = query.nonEmpty("fromSrc") else {
      throw APIError.invalidParameter(
        "one of the parameters \"fromImage\" and \"fromSrc\" is needed")
    }
    var options = ImageImportOptions()
    options.source = source
    options.repository = query["repo"]
    options.tag = query["tag"]
    options.message = query["message"]
    options.platform = query.nonEmpty("platform")
    options.changes = query.all("changes").flatMap { $0.split(separator: "\n").map(String.init) }
    let given = options
    try await ProgressStream(request).run { progress in
      try await request.backends.images.importImage(
        given, body: request.exchange.body, progress: progress)
    }
  }

  @Sendable private static func push(_ request: APIRequest) async throws {
    var options = ImagePushOptions()
    options.tag = request.query["tag"]
    options.platform = request.query.nonEmpty("platform")
    options.authentication = try request.registryAuthentication()
    let push = options
    try await ProgressStream(request).run { progress in
      try await request.backends.images.push(
        image: request.name, options: push, progress: progress)
    }
  }

  @Sendable private static func load(_ request: APIRequest) async throws {
    let quiet = request.query.flag("quiet", default: true)
    try await ProgressStream(request).run { progress in
      try await request.backends.images.load(
        request.exchange.body, quiet: quiet, progress: progress)
    }
  }

  @Sendable private static func save(_ request: APIRequest) async throws {
    try await send([request.name], request)
  }

  @Sendable private static func saveSeveral(_ request: APIRequest) async throws {
    let names = request.query.all("names").filter { !$0.isEmpty }
    guard !names.isEmpty else {
      throw APIError.invalidParameter("the parameter \"names\" is missing")
    }
    try await send(names, request)
  }

  private static func send(_ names: [String], _ request: APIRequest) async throws {
    let sink = HTTPByteSink(
      exchange: request.exchange, headers: request.headers(contentType: "application/x-tar"))
    try await request.backends.images.save(images: names, sink: sink)
    try await sink.finish()
  }
}
