import ContainerRuntime
package import DockerModel
import Host
import NIOCore

/// Commands run in containers beside their main one, as the API sees them.
package final class ExecService: Sendable {
  private let context: EngineContext

  /// How long an ended command is remembered for those who ask for its exit code.
  private static let memory = Duration.seconds(300)

  init(_ context: EngineContext) { self.context = context }

  /// Prepares a command in a running container.
  /// - Throws: `conflict` when the container is paused or does not run.
  package func create(
    container: String, _ request: ExecCreateRequest
  ) async throws -> IdResponse {
    let container = try context.containers.find(container)
    try Self.check(container)
    guard let command = request.cmd?.values, !command.isEmpty, !command[0].isEmpty else {
      throw APIError.invalidParameter("No exec command specified")
    }
    for variable in request.env ?? [] where variable.isEmpty || variable.hasPrefix("=") {
      throw APIError.invalidParameter("invalid environment variable: \(variable)")
    }
    if !request.detachKeys.isEmpty { _ = try DetachKeys(request.detachKeys) }
    if !request.workingDir.isEmpty && !request.workingDir.hasPrefix("/") {
      throw APIError.invalidParameter(
        "the working directory '\(request.workingDir)' is invalid, it needs to be an absolute path")
    }
    let record = ExecRecord(id: Identifier.random(), container: container, request: request)
    context.execs.insert(record)
    publish("exec_create: " + command.joined(separator: " "), record)
    var response = IdResponse()
    response.id = record.id
    return response
  }

  private static func check(_ container: Container) throws {
    let lifecycle = container.lifecycle
    guard lifecycle.isRunning else {
      throw APIError.conflict(
        lifecycle.phase == .restarting
          ? "Container \(container.id) is restarting, wait until the container is running"
          : "Container \(container.id) is not running")
    }
    if lifecycle.isPaused {
      throw APIError.conflict(
        "Container \(container.name) is paused, unpause the container before exec")
    }
  }

  /// Starts a command with nobody attached.
  package func startDetached(exec: String, options: ExecStartOptions) async throws {
    let record = try context.execs.find(exec)
    try Self.check(record.container)
    try context.execs.claimStart(record.id)
    _ = try await launch(record, options, attaches: false)
  }

  /// Starts a command and joins the client to its streams until they end or the client leaves.
  package func start(
    exec: String, options: ExecStartOptions, connection: any RawConnection
  ) async throws {
    let record = try context.execs.find(exec)
    try Self.check(record.container)
    try context.execs.claimStart(record.id)
    // Clients take the connection over before they look for an answer: a start that fails is told in
    // the stream, and in the exit code.
    let framing = try await connection.begin(tty: record.request.tty)
    let handle: ExecHandle
    do {
      handle = try await launch(record, options, attaches: true)
    } catch {
      try await Self.tell(error, to: connection, framing)
      return
    }
    guard let stream = handle.stream else { return }
    var relay = ClientRelay(connection: connection, stream: stream, framing: framing)
    relay.wantsInput = record.request.attachStdin
    relay.wantsOutput = record.request.attachStdout
    relay.wantsErrors = record.request.attachStderr
    if record.request.tty {
      relay.detachKeys =
        record.request.detachKeys.isEmpty
        ? .standard : try DetachKeys(record.request.detachKeys)
    }
    relay.onStreamsEnded = { [self] in
      // Clients ask for the exit code as soon as the stream ends: it must be known by then.
      let exit = try? await context.runtime.waitForExecExit(
        containerID: record.container.id, execID: record.id)  // unknown: the exit event tells
      if let exit { finish(exit) }
    }
    if await relay.run() == .detached { publish("exec_detach", record) }
  }

  private func launch(
    _ record: ExecRecord, _ options: ExecStartOptions, attaches: Bool
  ) async throws -> ExecHandle {
    let request = record.request
    var settings = ExecSettings(id: record.id, arguments: request.cmd?.values ?? [])
    settings.environment = request.env ?? []
    settings.workingDirectory = request.workingDir.isEmpty ? nil : request.workingDir
    settings.user = request.user.isEmpty ? nil : request.user
    settings.terminal = request.tty
    settings.privileged = request.privileged
    settings.attachStdin = attaches && request.attachStdin
    settings.attachOutput = attaches
    if let size = options.consoleSize {
      settings.terminalSize = RuntimeTerminalSize(height: size.height, width: size.width)
    } else if let size = request.consoleSize, size.count == 2,
      let height = UInt16(exactly: size[0]),
      let width = UInt16(exactly: size[1]), height > 0, width > 0
    {
      settings.terminalSize = RuntimeTerminalSize(height: height, width: width)
    }
    let context = context
    let wanted = settings
    do {
      let handle = try await shielded {
        try await context.runtime.exec(containerID: record.container.id, wanted)
      }
      context.execs.set(.running(pid: handle.pid), of: record.id)
      publish("exec_start: " + wanted.arguments.joined(separator: " "), record)
      return handle
    } catch {
      let code = (error as? ContainerRuntimeError)?.exitCode ?? 126
      context.execs.set(.ended(code: code), of: record.id)
      publish("exec_die", record, ["exitCode": "\(code)"])
      throw Self.startError(error)
    }
  }

  private static func tell(
    _ error: any Error, to connection: any RawConnection, _ framing: StreamFraming
  ) async throws {
    let text = Array((APIError(translating: error).message + "\r\n").utf8)
    var bytes = ByteBuffer()
    switch framing {
    case .raw: bytes.writeBytes(text)
    case .multiplexed: bytes.writeFrame(.error, bytes: text)
    }
    try await connection.write(bytes)
    try await connection.finishOutput()
  }

  private static func startError(_ error: any Error) -> APIError {
    var result = APIError(translating: error)
    if let error = error as? ContainerRuntimeError,
      [.commandNotFound, .commandNotExecutable].contains(error.code)
    {
      result.code = .invalidParameter
    }
    return result
  }

  /// Takes note of a command's end, which may be reported twice.
  func finish(_ exit: ExecExit) {
    guard let record = context.execs.set(.ended(code: exit.code), of: exit.execID) else { return }
    publish("exec_die", record, ["exitCode": "\(exit.code)"])
    let execs = context.execs
    Task {
      try? await Task.sleep(for: Self.memory)  // cancelled: the process ends anyway
      execs.remove(exit.execID)
    }
  }

  private func publish(
    _ action: String, _ record: ExecRecord, _ attributes: [String: String] = [:]
  ) {
    context.publish(
      action, record.container.record,
      attributes.merging(["execID": record.id]) { old, _ in old })
  }

  /// Resizes a command's terminal.
  package func resize(exec: String, to size: DockerModel.TerminalSize) async throws {
    let record = try context.execs.find(exec)
    guard case .running = record.phase else {
      throw APIError.conflict("Exec \(record.id) is not running")
    }
    try await translatingErrors {
      try await context.runtime.resizeExec(
        containerID: record.container.id, execID: record.id,
        to: RuntimeTerminalSize(height: size.height, width: size.width))
    }
  }

  /// What is known of a command.
  package func inspect(exec: String) async throws -> ExecInspectResponse {
    let record = try context.execs.find(exec)
    let request = record.request
    var response = ExecInspectResponse()
    response.id = record.id
    response.containerID = record.container.id
    switch record.phase {
    case .created, .starting: break
    case .running(let pid):
      response.running = true
      response.pid = Int(pid)
    case .ended(let code):
      response.exitCode = Int(code)
      response.canRemove = true
    }
    response.openStdin = request.attachStdin
    response.openStdout = request.attachStdout
    response.openStderr = request.attachStderr
    response.detachKeys = request.detachKeys
    response.processConfig.tty = request.tty
    response.processConfig.entrypoint = request.cmd?.values.first ?? ""
    response.processConfig.arguments = Array((request.cmd?.values ?? []).dropFirst())
    response.processConfig.privileged = request.privileged
    response.processConfig.user = request.user
    return response
  }
}
