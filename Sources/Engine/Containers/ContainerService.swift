import ContainerRuntime
package import DockerModel
import ImageStore
import NodeNetwork

/// The containers of this engine, as the API sees them.
package final class ContainerService: Sendable {
  let context: EngineContext
  let supervisor: ContainerSupervisor

  init(_ context: EngineContext, _ supervisor: ContainerSupervisor) {
    self.context = context
    self.supervisor = supervisor
  }

  /// The container a client names.
  /// - Throws: `notFound`.
  func find(_ reference: String) throws -> Container { try context.containers.find(reference) }

  // MARK: - Life

  /// Starts a container.
  /// - Throws: `notModified` when it runs already, `conflict`, or why it cannot start.
  package func start(container: String, detachKeys: DetachKeys?) async throws {
    let container = try find(container)
    try await shielded { [supervisor] in try await supervisor.start(container) }
  }

  /// Stops a container.
  /// - Throws: `notModified` when it does not run.
  package func stop(container: String, options: StopOptions) async throws {
    let container = try find(container)
    try await shielded { [supervisor] in try await supervisor.stop(container, options) }
  }

  /// Stops a container if it runs, and starts it.
  package func restart(container: String, options: StopOptions) async throws {
    let container = try find(container)
    try await shielded { [supervisor] in try await supervisor.restart(container, options) }
  }

  /// Sends a signal to a container's first process.
  /// - Throws: `conflict` when it does not run, `invalidParameter` for a signal there is not.
  package func kill(container: String, signal: String?) async throws {
    let container = try find(container)
    let number = try Signals.number(signal ?? "KILL")
    try await shielded { [supervisor] in try await supervisor.kill(container, number) }
  }

  /// Freezes a container's processes.
  package func pause(container: String) async throws {
    let container = try find(container)
    try await shielded { [supervisor] in try await supervisor.pause(container) }
  }

  /// Lets a container's processes go on.
  package func unpause(container: String) async throws {
    let container = try find(container)
    try await shielded { [supervisor] in try await supervisor.unpause(container) }
  }

  /// Removes a container.
  package func remove(container: String, options: ContainerRemoveOptions) async throws {
    if options.link {
      throw APIError.invalidParameter("links are not kept here and cannot be removed")
    }
    let container = try find(container)
    try await shielded { [supervisor] in try await supervisor.remove(container, options) }
  }

  /// Waits for a container.
  package func wait(
    container: String, for condition: WaitCondition
  ) async throws -> PendingWait {
    try find(container).registerWait(for: condition)
  }

  /// Gives a container another name.
  package func rename(container: String, to name: String) async throws {
    let container = try find(container)
    let name = name.hasPrefix("/") ? String(name.dropFirst()) : name
    guard !name.isEmpty else {
      throw APIError.invalidParameter("Neither old nor new names may be empty")
    }
    guard ContainerName.isValid(name) else { throw Self.invalidName(name) }
    let context = context
    try await shielded {
      try await container.operations.withLock {
        let old = container.name
        guard old != name else {
          throw APIError.invalidParameter(
            "Renaming a container with the same name as its current name")
        }
        try context.containers.reserve(name: name, for: container.id)
        do {
          container.update { $0.name = name }
          try await context.save(container)
          context.network.rename(containerID: container.id, to: name)
        } catch {
          container.update { $0.name = old }
          context.containers.release(name: name, of: container.id)
          throw APIError(translating: error)
        }
        context.containers.release(name: old, of: container.id)
        context.publish("rename", container.record, ["oldName": "/" + old])
      }
    }
  }

  static func invalidName(_ name: String) -> APIError {
    .invalidParameter(
      "Invalid container name (\(name)), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
  }

  // MARK: - Its terminal and processes

  /// Resizes a container's terminal.
  package func resize(container: String, to size: DockerModel.TerminalSize) async throws {
    let container = try find(container)
    guard container.lifecycle.isRunning else {
      throw APIError.conflict("Container \(container.id) is not running")
    }
    try await translatingErrors {
      try await context.runtime.resize(
        container.id, to: RuntimeTerminalSize(height: size.height, width: size.width))
    }
    context.publish(
      "resize", container.record, ["height": "\(size.height)", "width": "\(size.width)"])
  }

  /// The processes of a container, as `ps` shows them.
  package func top(container: String, arguments: String) async throws -> ContainerTopResponse {
    let container = try find(container)
    guard container.lifecycle.isRunning else {
      throw APIError.conflict("Container \(container.id) is not running")
    }
    let table = try await translatingErrors {
      try await context.runtime.top(
        container.id, psArguments: arguments.split(separator: " ").map(String.init))
    }
    context.publish("top", container.record)
    var response = ContainerTopResponse()
    response.titles = table.titles
    response.processes = table.processes
    return response
  }

  // MARK: - Its file system

  /// What a container changed against its image.
  package func changes(
    container: String
  ) async throws -> [DockerModel.FilesystemChange] {
    let container = try find(container)
    return try await translatingErrors {
      try await context.images.changes(containerID: container.id).map { change in
        var result = DockerModel.FilesystemChange()
        result.path = change.path
        result.kind = change.kind.rawValue
        return result
      }
    }
  }

  /// Sends a container's whole file system.
  package func export(container: String, sink: any ByteSink) async throws {
    let container = try find(container)
    let stream = try await translatingErrors {
      try await context.images.exportRootFilesystem(containerID: container.id)
    }
    try await sink.begin()
    for try await bytes in stream { try await sink.write(bytes) }
    context.publish("export", container.record)
  }
}
