import DockerModel
import NIOCore
import Synchronization

@testable import DockerAPI

/// Notes what the door asked for.
final class Recorder: Sendable {
  private let notes = Mutex<[String]>([])

  func note(_ text: String) { notes.withLock { $0.append(text) } }

  /// What was noted since the last time.
  func take() -> [String] {
    notes.withLock { notes in
      defer { notes = [] }
      return notes
    }
  }
}

/// A failure of no kind that the door knows.
struct OddFailure: Error {}

/// What all fakes do with names: some stand for failures.
private func check(_ name: String, _ kind: String) throws {
  switch name {
  case "missing": throw APIError.notFound("No such \(kind): missing")
  case "busy": throw APIError.conflict("\(kind) busy is in use")
  case "same": throw APIError(.notModified, "nothing to do")
  case "secret": throw APIError(.unauthorized, "denied")
  case "predefined": throw APIError(.forbidden, "predefined")
  case "odd": throw OddFailure()
  default: break
  }
}

/// A finite stream of values.
private func stream<Value: Sendable>(_ values: [Value]) -> AsyncThrowingStream<Value, any Error> {
  AsyncThrowingStream { continuation in
    for value in values { continuation.yield(value) }
    continuation.finish()
  }
}

/// Echoes in upper case until the client half-closes; greets with the framing.
private func converse(_ connection: any RawConnection, tty: Bool, echo: Bool) async throws {
  let framing = try await connection.begin(tty: tty)
  func write(_ text: String) async throws {
    var bytes = ByteBuffer()
    switch framing {
    case .raw: bytes.writeString(text)
    case .multiplexed: bytes.writeFrame(.output, ByteBuffer(string: text))
    }
    try await connection.write(bytes)
  }
  try await write("hello")
  guard echo else { return }
  for try await bytes in connection.input { try await write(String(buffer: bytes).uppercased()) }
  try await write("bye")
  try await connection.finishOutput()
}

struct FakeContainers: ContainerBackend {
  let recorder: Recorder

  func list(_ options: ContainerListOptions) async throws -> [ContainerSummary] {
    recorder.note(
      "all=\(options.all) size=\(options.size) limit=\(options.limit ?? -1) "
        + "status=\(options.filters["status"].sorted()) names=\(options.filters.names)")
    try options.filters.validate(accepting: ["status", "label", "name"])
    var summary = ContainerSummary()
    summary.id = "abc"
    return [summary]
  }

  func create(
    _ request: ContainerCreateRequest, name: String?, platform: String?
  ) async throws -> ContainerCreateResponse {
    recorder.note("name=\(name ?? "-") image=\(request.config.image) platform=\(platform ?? "-")")
    try check(request.config.image, "image")
    return ContainerCreateResponse()
  }

  func inspect(container: String, size: Bool) async throws -> ContainerInspectResponse {
    recorder.note("container=\(container) size=\(size)")
    try check(container, "container")
    return ContainerInspectResponse()
  }

  func top(container: String, arguments: String) async throws -> ContainerTopResponse {
    recorder.note("arguments=\(arguments)")
    return ContainerTopResponse()
  }

  func logs(container: String, options: LogsOptions, sink: any OutputSink) async throws {
    recorder.note(
      "tail=\(options.tail ?? -1) since=\(options.since?.seconds ?? -1)."
        + "\(options.since?.nanoseconds ?? -1) follow=\(options.follow)")
    try check(container, "container")
    let framing = try await sink.begin(tty: container == "tty")
    var bytes = ByteBuffer()
    if framing == .raw {
      bytes.writeString("line\n")
    } else {
      bytes.writeFrame(.error, ByteBuffer(string: "line\n"))
    }
    try await sink.write(bytes)
  }

  func changes(container: String) async throws -> [FilesystemChange] {
    try check(container, "container")
    return []
  }

  func export(container: String, sink: any ByteSink) async throws {
    try check(container, "container")
    try await sink.begin()
    try await sink.write(ByteBuffer(string: "tar"))
    if container == "cut" { throw OddFailure() }
  }

  func stats(
    container: String, options: StatsOptions
  ) async throws -> any AsyncSequence<ContainerStats, any Error> & Sendable {
    recorder.note("stream=\(options.stream) oneShot=\(options.oneShot)")
    try check(container, "container")
    return stream([ContainerStats(), ContainerStats()])
  }

  func resize(container: String, to size: TerminalSize) async throws {
    recorder.note("\(size.width)x\(size.height)")
  }

  func start(container: String, detachKeys: DetachKeys?) async throws {
    try check(container, "container")
  }

  func stop(container: String, options: StopOptions) async throws {
    recorder.note("signal=\(options.signal ?? "-") timeout=\(options.timeout ?? -99)")
    try check(container, "container")
  }

  func restart(container: String, options: StopOptions) async throws {
    try check(container, "container")
  }

  func kill(container: String, signal: String?) async throws {
    recorder.note("signal=\(signal ?? "-")")
    try check(container, "container")
  }

  func update(
    container: String, _ request: ContainerUpdateRequest
  ) async throws -> ContainerUpdateResponse {
    try check(container, "container")
    return ContainerUpdateResponse()
  }

  func rename(container: String, to name: String) async throws { recorder.note("to=\(name)") }
  func pause(container: String) async throws { try check(container, "container") }
  func unpause(container: String) async throws { try check(container, "container") }

  func attach(
    container: String, options: AttachOptions, connection: any RawConnection
  ) async throws {
    recorder.note("stdin=\(options.stdin) stdout=\(options.stdout) stderr=\(options.stderr)")
    try check(container, "container")
    try await converse(connection, tty: container == "tty", echo: options.stdin)
  }

  func wait(container: String, for condition: WaitCondition) async throws -> PendingWait {
    recorder.note("condition=\(condition.rawValue)")
    try check(container, "container")
    return PendingWait {
      if container == "lost" { throw APIError.notFound("gone meanwhile") }
      var response = ContainerWaitResponse()
      response.statusCode = 7
      return response
    }
  }

  func remove(container: String, options: ContainerRemoveOptions) async throws {
    recorder.note("v=\(options.volumes) force=\(options.force) link=\(options.link)")
    try check(container, "container")
  }

  func prune(_ filters: Filters) async throws -> ContainerPruneResponse {
    ContainerPruneResponse()
  }

  func statPath(container: String, path: String) async throws -> ContainerPathStat {
    try check(container, "container")
    return ContainerPathStat(name: path, size: 3, mode: 0o644, mtime: "2024-01-02T03:04:05Z")
  }

  func readArchive(container: String, path: String, sink: any ArchiveSink) async throws {
    try check(container, "container")
    try await sink.begin(try await statPath(container: container, path: path))
    try await sink.write(ByteBuffer(string: "tar"))
  }

  func writeArchive(
    container: String, options: ArchiveWriteOptions, archive: ByteStream
  ) async throws {
    var count = 0
    for try await bytes in archive { count += bytes.readableBytes }
    recorder.note(
      "path=\(options.path) bytes=\(count) own=\(options.copyOwnership) "
        + "keep=\(options.noOverwriteDirectoryWithFile)")
  }

  func commit(
    _ options: CommitOptions, configuration: ContainerConfig?
  ) async throws -> IdResponse {
    recorder.note("changes=\(options.changes) pause=\(options.pause)")
    try check(options.container, "container")
    return IdResponse()
  }
}

struct FakeExecs: ExecBackend {
  let recorder: Recorder

  func create(container: String, _ request: ExecCreateRequest) async throws -> IdResponse {
    try check(container, "container")
    return IdResponse()
  }

  func startDetached(exec: String, options: ExecStartOptions) async throws {
    recorder.note("detached")
    try check(exec, "exec instance")
  }

  func start(exec: String, options: ExecStartOptions, connection: any RawConnection) async throws {
    recorder.note("size=\(options.consoleSize.map { "\($0.width)x\($0.height)" } ?? "-")")
    try check(exec, "exec instance")
    try await converse(connection, tty: options.tty, echo: exec == "echo")
  }

  func resize(exec: String, to size: TerminalSize) async throws {}

  func inspect(exec: String) async throws -> ExecInspectResponse {
    try check(exec, "exec instance")
    return ExecInspectResponse()
  }
}

struct FakeNetworks: NetworkBackend {
  func list(_ filters: Filters) async throws -> [Network] { [] }

  func inspect(network: String, options: NetworkInspectOptions) async throws -> Network {
    try check(network, "network")
    return Network()
  }

  func create(_ request: NetworkCreateRequest) async throws -> NetworkCreateResponse {
    NetworkCreateResponse()
  }

  func remove(network: String) async throws { try check(network, "network") }
  func connect(network: String, _ request: NetworkConnectRequest) async throws {}
  func disconnect(network: String, _ request: NetworkDisconnectRequest) async throws {}
  func prune(_ filters: Filters) async throws -> NetworkPruneResponse { NetworkPruneResponse() }
}

struct FakeVolumes: VolumeBackend {
  let recorder: Recorder

  func list(_ filters: Filters) async throws -> VolumeListResponse { VolumeListResponse() }

  func inspect(volume: String) async throws -> Volume {
    try check(volume, "volume")
    return Volume()
  }

  func create(_ request: VolumeCreateOptions) async throws -> Volume { Volume() }
  func remove(volume: String, force: Bool) async throws { try check(volume, "volume") }

  func prune(_ filters: Filters) async throws -> VolumePruneResponse {
    recorder.note("all=\(filters["all"])")
    return VolumePruneResponse()
  }
}

struct FakeImages: ImageBackend {
  let recorder: Recorder

  func list(_ options: ImageListOptions) async throws -> [ImageSummary] { [] }

  func inspect(image: String) async throws -> ImageInspect {
    recorder.note("image=\(image)")
    try check(image, "image")
    return ImageInspect()
  }

  func history(image: String) async throws -> [ImageHistoryResponseItem] { [] }

  func pull(_ options: ImagePullOptions, progress: @escaping ProgressReporter) async throws {
    recorder.note(
      "image=\(options.fromImage) tag=\(options.tag) user=\(options.authentication?.username ?? "-")"
    )
    try check(options.fromImage, "image")
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<20 {
        group.addTask { await progress(JSONMessage(status: "Pulling", id: "\(number)")) }
      }
    }
    if options.fromImage == "late" { throw APIError.notFound("manifest unknown") }
  }

  func importImage(
    _ options: ImageImportOptions, body: ByteStream, progress: @escaping ProgressReporter
  ) async throws {
    for try await _ in body {}
  }

  func push(
    image: String, options: ImagePushOptions, progress: @escaping ProgressReporter
  ) async throws {
    recorder.note("image=\(image) tag=\(options.tag)")
    try check(image, "image")
  }

  func tag(image: String, repository: String, tag: String) async throws {
    recorder.note("image=\(image) repository=\(repository) tag=\(tag)")
  }

  func remove(
    image: String, options: ImageRemoveOptions
  ) async throws -> [ImageDeleteResponseItem] {
    try check(image, "image")
    return []
  }

  func search(_ options: ImageSearchOptions) async throws -> [ImageSearchResult] { [] }
  func prune(_ filters: Filters) async throws -> ImagePruneResponse { ImagePruneResponse() }

  func save(images: [String], sink: any ByteSink) async throws {
    recorder.note("images=\(images)")
    try await sink.begin()
  }

  func load(
    _ archive: ByteStream, quiet: Bool, progress: @escaping ProgressReporter
  ) async throws {
    var count = 0
    for try await bytes in archive { count += bytes.readableBytes }
    await progress(JSONMessage(stream: "\(count)"))
  }

  func distribution(
    image: String, authentication: AuthConfig?
  ) async throws -> DistributionInspect {
    try check(image, "image")
    return DistributionInspect()
  }
}

struct FakeSystem: SystemBackend {
  func info() async throws -> SystemInfo { SystemInfo() }
  func version() async throws -> SystemVersion { SystemVersion() }

  func diskUsage(_ options: DiskUsageOptions) async throws -> SystemDataUsageResponse {
    SystemDataUsageResponse()
  }

  func authenticate(_ credentials: AuthConfig) async throws -> SystemAuthResponse {
    try check(credentials.username, "user")
    return SystemAuthResponse()
  }

  func events(
    _ options: EventsOptions
  ) async throws -> any AsyncSequence<EventMessage, any Error> & Sendable {
    stream([EventMessage(), EventMessage()])
  }
}
