package import ContainerRuntime
package import DockerModel

/// The state machine of a container: what it is, what may happen to it, and what must then be done.
///
/// ```
///            start                    exit, policy: no restart
///  created ────────▶ running ◀─────▶ paused ──────────────▶ exited ──▶ (start again)
///     │                 │ exit, policy: restart                │
///     │                 ▼                                      │
///     │             restarting ──▶ running                     │
///     └────────────────┴──────────── remove ───────────────────┴──▶ removing ──▶ gone
/// ```
///
/// It decides and keeps account; whoever holds it performs the actions it returns.
package struct ContainerLifecycle: Codable, Sendable, Equatable {
  /// What a container is doing.
  package enum Phase: Codable, Sendable, Equatable {
    /// Made and never started, or its only start failed.
    case created
    /// Its process runs.
    case running(RuntimeHandle)
    /// Its processes are frozen.
    case paused(RuntimeHandle)
    /// It ended and will be started again by its restart policy.
    case restarting
    /// It ended.
    case exited
    /// It is being removed; after a crash the removal is finished.
    case removing
    /// Its removal failed; only another removal is possible.
    case dead
  }

  /// What happens to a container.
  package enum Event: Sendable {
    case started(RuntimeHandle, at: Timestamp)
    case startFailed(exitCode: Int, message: String, at: Timestamp)
    case paused
    case resumed
    /// A user or a shutdown asked it to stop: its restart policy rests until the next start.
    case stopRequested
    case exited(ContainerExit, policy: RestartPolicy)
    case removalBegan
    case removalFailed(String)
  }

  /// What must be done about it.
  package enum Action: Sendable, Equatable {
    /// Start it again after a pause.
    case restart(after: Duration)
    /// Remove it if it asked for that (`AutoRemove`).
    case removeIfAutomatic
  }

  /// What it is doing.
  package var phase = Phase.created
  /// When it was last started.
  package var startedAt = Timestamp.zero
  /// When it last ended.
  package var finishedAt = Timestamp.zero
  /// The status it last ended with.
  package var exitCode = 0
  /// Whether it last ended for want of memory.
  package var isOOMKilled = false
  /// Why its last start failed.
  package var error = ""
  /// How often its policy started it again since a user last did.
  package var restartCount = 0
  /// Whether a user stopped it: `unless-stopped` then leaves it so.
  package var isStoppedByUser = false
  /// The pause before the next restart, in milliseconds.
  package var restartDelay = ContainerLifecycle.firstRestartDelay

  private static let firstRestartDelay: Int64 = 100
  private static let longestRestartDelay: Int64 = 60_000
  /// A container that ran this long has earned a short pause again.
  private static let steadyRun = Duration.seconds(10)

  /// A container that was just made.
  package init() {}

  /// The process, while there is one.
  package var handle: RuntimeHandle? {
    switch phase {
    case .running(let handle), .paused(let handle): handle
    case .created, .restarting, .exited, .removing, .dead: nil
    }
  }

  /// Whether it has a process; a paused one has.
  package var isRunning: Bool { handle != nil }

  /// Whether its processes are frozen.
  package var isPaused: Bool {
    if case .paused = phase { return true }
    return false
  }

  /// The word clients know the phase by.
  package var status: String {
    switch phase {
    case .created: "created"
    case .running: "running"
    case .paused: "paused"
    case .restarting: "restarting"
    case .exited: "exited"
    case .removing: "removing"
    case .dead: "dead"
    }
  }

  /// Takes an event into account.
  /// - Returns: what must be done. An event that the phase does not allow changes nothing.
  package mutating func apply(_ event: Event) -> [Action] {
    switch event {
    case .started(let handle, let time):
      guard phase != .removing, phase != .dead, !isRunning else { return [] }
      phase = .running(handle)
      startedAt = time
      (exitCode, isOOMKilled, error, isStoppedByUser) = (0, false, "", false)
      return []
    case .startFailed(let code, let message, let time):
      guard phase != .removing, phase != .dead, !isRunning else { return [] }
      if phase != .created {
        phase = .exited
        finishedAt = time
      }
      exitCode = code
      error = message
      return [.removeIfAutomatic]
    case .paused:
      if case .running(let handle) = phase { phase = .paused(handle) }
      return []
    case .resumed:
      if case .paused(let handle) = phase { phase = .running(handle) }
      return []
    case .stopRequested:
      isStoppedByUser = true
      if phase == .restarting { phase = .exited }
      return []
    case .exited(let exit, let policy):
      guard isRunning else { return [] }
      return finish(exit, policy)
    case .removalBegan:
      phase = .removing
      return []
    case .removalFailed(let message):
      phase = .dead
      error = message
      return []
    }
  }

  private mutating func finish(_ exit: ContainerExit, _ policy: RestartPolicy) -> [Action] {
    finishedAt = Timestamp(nanosecondsSinceEpoch: exit.finishedAt)
    exitCode = Int(exit.code)
    isOOMKilled = exit.oomKilled
    error = exit.error ?? ""
    guard restarts(under: policy) else {
      phase = .exited
      return [.removeIfAutomatic]
    }
    if finishedAt.elapsed(since: startedAt) >= Self.steadyRun {
      restartDelay = Self.firstRestartDelay
    }
    let pause = Duration.milliseconds(restartDelay)
    restartDelay = min(restartDelay * 2, Self.longestRestartDelay)
    restartCount += 1
    phase = .restarting
    return [.restart(after: pause)]
  }

  /// Takes into account that a restart by policy failed: it counts as one more end.
  package mutating func applyFailedRestart(
    _ exit: ContainerExit, policy: RestartPolicy
  ) -> [Action] {
    guard !isRunning, phase != .removing, phase != .dead else { return [] }
    return finish(exit, policy).filter { $0 != .removeIfAutomatic }
  }

  /// Whether the policy starts a container again that ended as this one did.
  private func restarts(under policy: RestartPolicy) -> Bool {
    if isStoppedByUser { return false }
    switch policy.name {
    case "always", "unless-stopped": return true
    case "on-failure":
      let mayRetry = policy.maximumRetryCount == 0 || restartCount < policy.maximumRetryCount
      return exitCode != 0 && mayRetry
    default: return false
    }
  }

  /// Whether a daemon that starts should start the container, by its policy.
  package func startsWithDaemon(under policy: RestartPolicy) -> Bool {
    guard !isRunning, phase != .removing, phase != .dead else { return false }
    switch policy.name {
    case "always": return phase != .created || startedAt != .zero
    case "unless-stopped": return !isStoppedByUser && startedAt != .zero
    case "on-failure": return phase == .restarting
    default: return false
    }
  }

  /// Forgets the restarts so far, as when a user starts the container.
  package mutating func resetRestarts() {
    restartCount = 0
    restartDelay = Self.firstRestartDelay
  }
}
