import ContainerRuntime
import DockerModel
import Glibc

extension ContainerSupervisor {
  /// Seconds that a container gets to stop when nobody says.
  private static let defaultStopTimeout = 10

  /// Stops a container because a user asked for it.
  /// - Throws: `notModified` when it does not run.
  func stop(_ container: Container, _ options: StopOptions) async throws {
    let lifecycle = container.lifecycle
    if lifecycle.phase == .restarting {
      try await container.operations.withLock {
        container.setTask(.restart, nil)
        container.update { _ = $0.lifecycle.apply(.stopRequested) }
        try await context.save(container)
      }
      if !container.lifecycle.isRunning {
        context.publish("stop", container.record)
        container.announceExit()
        return
      }
    }
    guard container.lifecycle.isRunning else {
      throw APIError(.notModified, "container \(container.id) is already stopped")
    }
    try await end(container, options)
    context.publish("stop", container.record)
  }

  /// Sends the stop signal, waits, and kills what is left. The exit itself is handled where all exits
  /// are, so the lock is not held while waiting.
  private func end(_ container: Container, _ options: StopOptions) async throws {
    let record = container.record
    let wait = container.registerWait(for: .notRunning)
    let name = options.signal ?? record.config.stopSignal
    let signal = try Signals.number(name.isEmpty ? "TERM" : name)
    container.update { _ = $0.lifecycle.apply(.stopRequested) }
    try await signalOrIgnoreEnded(container, signal)
    let timeout = options.timeout ?? record.config.stopTimeout ?? Self.defaultStopTimeout
    if timeout < 0 {
      _ = try await wait.result()
      return
    }
    if await hasEnded(wait, within: .seconds(timeout)) { return }
    let last = container.registerWait(for: .notRunning)
    try await signalOrIgnoreEnded(container, SIGKILL)
    if await hasEnded(last, within: .seconds(30)) { return }
    throw APIError(
      .system, "tried to kill container, but did not receive an exit event")
  }

  private func signalOrIgnoreEnded(_ container: Container, _ signal: Int32) async throws {
    do {
      try await context.runtime.kill(container.id, signal: signal)
      context.publish("kill", container.record, ["signal": "\(signal)"])
      if container.lifecycle.isPaused && signal == SIGKILL {
        // A frozen process dies only when it thaws.
        try await context.runtime.resume(container.id)
      }
    } catch {
      if container.lifecycle.isRunning { throw APIError(translating: error) }
    }
  }

  private func hasEnded(_ wait: PendingWait, within limit: Duration) async -> Bool {
    await withTaskGroup(of: Bool.self) { group in
      group.addTask { (try? await wait.result()) != nil }  // cancelled: it has not ended in time
      group.addTask {
        try? await Task.sleep(for: limit)  // cancelled: the other came first
        return false
      }
      let first = await group.next() ?? false
      group.cancelAll()
      return first
    }
  }

  /// Stops a container if it runs, and starts it.
  func restart(_ container: Container, _ options: StopOptions) async throws {
    if container.lifecycle.isPaused {
      throw APIError.conflict(
        "cannot restart container \(container.id): container is paused, unpause it first")
    }
    let keepsItself = container.record.hostConfig.autoRemove
    if container.lifecycle.isRunning || container.lifecycle.phase == .restarting {
      // A container that removes itself at its end must outlive this one.
      if keepsItself { container.update { $0.hostConfig.autoRemove = false } }
      defer { if keepsItself { container.update { $0.hostConfig.autoRemove = true } } }
      do {
        try await stop(container, options)
      } catch let error as APIError where error.code == .notModified {}  // it ended meanwhile
    }
    do {
      try await start(container)
    } catch let error as APIError where error.code == .notModified {}  // its policy was faster
    context.publish("restart", container.record)
  }

  /// Sends a signal to a container's first process.
  /// - Throws: `conflict` when it does not run.
  func kill(_ container: Container, _ signal: Int32) async throws {
    guard container.lifecycle.isRunning else {
      throw APIError.conflict(
        "Cannot kill container: \(container.id): Container \(container.id) is not running")
    }
    let record = container.record
    let stopSignal = (try? Signals.number(record.config.stopSignal)) ?? SIGTERM  // empty: the usual
    if signal == SIGKILL || signal == stopSignal {
      container.update { _ = $0.lifecycle.apply(.stopRequested) }
    }
    let wait = container.registerWait(for: .notRunning)
    try await signalOrIgnoreEnded(container, signal)
    guard signal == SIGKILL else { return }
    if await !hasEnded(wait, within: .seconds(10)) {
      throw APIError(
        .system,
        "Cannot kill container: \(container.id): tried to kill container, but did not receive an exit event"
      )
    }
  }
}
