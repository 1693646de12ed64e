import ContainerRuntime
import DockerModel
import Host
import Logging
import Synchronization

/// Does what the state machine of containers decides: starts, stops, notices ends, restarts,
/// removes. Every method that changes a container holds its lock.
final class ContainerSupervisor: Sendable {
  let context: EngineContext
  let launcher: ContainerLauncher
  let health: HealthMonitor

  init(_ context: EngineContext) {
    self.context = context
    launcher = ContainerLauncher(context)
    health = HealthMonitor(context)
  }

  // MARK: - Start

  /// Starts a container because a user asked for it.
  /// - Throws: `notModified` when it runs already, `conflict`, or why it cannot start.
  func start(_ container: Container) async throws {
    try await container.operations.withLock {
      container.setTask(.restart, nil)
      try Self.checkStartable(container)
      container.update { $0.lifecycle.resetRestarts() }
      try await launch(container)
    }
  }

  private static func checkStartable(_ container: Container) throws {
    if container.isGone { throw APIError.notFound("No such container: \(container.id)") }
    switch container.lifecycle.phase {
    case .created, .exited, .restarting: return
    case .running: throw APIError(.notModified, "container \(container.id) is already running")
    case .paused:
      throw APIError.conflict("cannot start a paused container, try unpause instead")
    case .removing, .dead:
      throw APIError.conflict("container is marked for removal and cannot be started")
    }
  }

  /// Starts a container whose lock is held; a failure is recorded with it.
  private func launch(_ container: Container) async throws {
    do {
      let handle = try await launcher.launch(container)
      context.publish("start", container.record)
      health.begin(container, handle)
    } catch {
      await noteFailedStart(container, error)
      throw Self.startError(error)
    }
  }

  private func noteFailedStart(_ container: Container, _ error: any Error) async {
    let code = (error as? ContainerRuntimeError)?.exitCode ?? 128
    let message = APIError(translating: error).message
    let actions = container.update {
      $0.endpoints = []
      return $0.lifecycle.apply(
        .startFailed(exitCode: Int(code), message: message, at: .now))
    }
    for attacher in container.takeAttachers() { attacher.finish() }
    await saveOrReport(container)
    context.publish("die", container.record, ["exitCode": "\(code)"])
    container.announceExit()
    if actions.contains(.removeIfAutomatic) && container.record.hostConfig.autoRemove {
      await removeAutomatically(container)
    }
  }

  private static func startError(_ error: any Error) -> APIError {
    var result = APIError(translating: error)
    if error is ContainerRuntimeError && result.code != .invalidParameter { result.code = .system }
    return result
  }

  // MARK: - Exit

  /// Takes note of a container's end, which the runtime reports once.
  func handle(_ exit: ContainerExit) async {
    guard let container = context.containers.container(id: exit.id) else { return }
    await container.operations.withLock { await finish(container, exit) }
  }

  /// Takes note of the end of a container whose lock is held.
  func finish(_ container: Container, _ exit: ContainerExit) async {
    guard container.lifecycle.isRunning else { return }
    health.end(container)
    let record = container.record
    let actions = container.update {
      $0.lifecycle.apply(.exited(exit, policy: $0.hostConfig.restartPolicy))
    }
    if exit.oomKilled { context.publish("oom", record) }
    context.publish(
      "die", record,
      [
        "exitCode": "\(exit.code)",
        "execDuration":
          "\(container.lifecycle.finishedAt.seconds - record.lifecycle.startedAt.seconds)",
      ])
    let removesItself =
      actions.contains(.removeIfAutomatic) && record.hostConfig.autoRemove
    await launcher.release(container)
    container.update { $0.endpoints = [] }
    // A container that removes itself is written once, by its removal: until then the record says
    // that it runs, and a start after a crash finds that it does not.
    if !removesItself { await saveOrReport(container) }
    container.announceExit()
    for case .restart(let pause) in actions { scheduleRestart(container, after: pause) }
    if removesItself { await removeAutomatically(container) }
  }

  private func scheduleRestart(_ container: Container, after pause: Duration) {
    let task = Task { [self] in
      do {
        try await Task.sleep(for: pause)
      } catch { return }  // a start, stop or removal came first
      await container.operations.withLock {
        guard container.lifecycle.phase == .restarting, !Task.isCancelled else { return }
        do {
          try await launch(container)
        } catch {
          context.logger.warning(
            "container could not be restarted",
            metadata: ["container.id": "\(container.id)", "error": "\(error)"])
          retryRestart(container)
        }
      }
    }
    container.setTask(.restart, task)
  }

  /// A restart that failed counts as one more end, so that the policy decides whether to try again.
  private func retryRestart(_ container: Container) {
    let record = container.record
    guard record.hostConfig.restartPolicy.name != "no", !container.isGone else { return }
    let exit = ContainerExit(
      id: container.id, code: Int32(clamping: record.lifecycle.exitCode), oomKilled: false,
      finishedAt: Timestamp.now.nanosecondsSinceEpoch, error: record.lifecycle.error)
    let actions = container.update { record in
      record.lifecycle.applyFailedRestart(exit, policy: record.hostConfig.restartPolicy)
    }
    for case .restart(let pause) in actions { scheduleRestart(container, after: pause) }
  }

  // MARK: - Pause

  /// Freezes a container's processes.
  func pause(_ container: Container) async throws {
    try await container.operations.withLock {
      let lifecycle = container.lifecycle
      guard lifecycle.isRunning else { throw Self.notRunning(container) }
      if lifecycle.isPaused {
        throw APIError.conflict("Container \(container.id) is already paused")
      }
      try await translatingErrors { try await context.runtime.pause(container.id) }
      container.update { _ = $0.lifecycle.apply(.paused) }
      try await context.save(container)
      context.publish("pause", container.record)
    }
  }

  /// Lets a container's processes go on.
  func unpause(_ container: Container) async throws {
    try await container.operations.withLock {
      guard container.lifecycle.isPaused else {
        throw APIError.conflict("Container \(container.id) is not paused")
      }
      try await translatingErrors { try await context.runtime.resume(container.id) }
      container.update { _ = $0.lifecycle.apply(.resumed) }
      try await context.save(container)
      context.publish("unpause", container.record)
    }
  }

  static func notRunning(_ container: Container) -> APIError {
    .conflict("Container \(container.id) is not running")
  }

  // MARK: - Helpers of the extensions

  /// Writes a record where nobody waits for the answer; a failure is logged.
  func saveOrReport(_ container: Container) async {
    guard !container.isGone else { return }
    do {
      try await context.save(container)
    } catch {
      context.logger.error(
        "container record cannot be written",
        metadata: ["container.id": "\(container.id)", "error": "\(error)"])
    }
  }
}
