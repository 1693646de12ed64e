import ContainerRuntime
import DockerModel
import Host
import Logging

/// Runs the health checks of containers and keeps what they find.
final class HealthMonitor: Sendable {
  private let context: EngineContext

  /// How many results are kept, and how much of each one's output.
  private static let keptResults = 5
  private static let keptOutput = 4096

  init(_ context: EngineContext) { self.context = context }

  /// A container's checks with every default filled in; times in nanoseconds.
  struct Plan: Sendable {
    var arguments: [String]
    var interval: Int64
    var timeout: Int64
    var startPeriod: Int64
    var startInterval: Int64
    var retries: Int

    /// Nil when the container has no checks.
    init?(_ config: ContainerConfig) {
      guard let health = config.healthcheck, let test = health.test, let kind = test.first,
        kind != "NONE", test.count > 1
      else { return nil }
      let second: Int64 = 1_000_000_000
      if kind == "CMD-SHELL" {
        arguments = (config.shell?.values ?? ["/bin/sh", "-c"]) + [test[1]]
      } else {
        arguments = Array(test.dropFirst())
      }
      interval = health.interval > 0 ? health.interval : 30 * second
      timeout = health.timeout > 0 ? health.timeout : 30 * second
      startPeriod = health.startPeriod
      startInterval = health.startInterval > 0 ? health.startInterval : 5 * second
      retries = health.retries > 0 ? health.retries : 3
    }
  }

  /// Begins to check a container that was started, or found running.
  func begin(_ container: Container, _ handle: RuntimeHandle, isAdopted: Bool = false) {
    guard let plan = Plan(container.record.config) else {
      container.update { $0.health = nil }
      return
    }
    if !isAdopted { container.update { $0.health = Health() } }
    let task = Task { [self] in
      while !Task.isCancelled, container.lifecycle.handle == handle {
        do {
          try await Task.sleep(for: .nanoseconds(pause(container, plan)))
        } catch { return }  // the container ended
        guard case .running = container.lifecycle.phase else { continue }
        await check(container, plan)
      }
    }
    container.setTask(.health, task)
  }

  /// Ends the checks of a container that ended.
  func end(_ container: Container) {
    container.setTask(.health, nil)
    container.update { record in
      if record.health != nil { record.health?.status = "unhealthy" }
    }
  }

  /// While a container is starting up it is checked more often.
  private func pause(_ container: Container, _ plan: Plan) -> Int64 {
    isInStartPeriod(container, plan) && container.record.health?.status == "starting"
      ? min(plan.startInterval, plan.interval) : plan.interval
  }

  private func isInStartPeriod(_ container: Container, _ plan: Plan) -> Bool {
    Timestamp.now.elapsed(since: container.lifecycle.startedAt) < .nanoseconds(plan.startPeriod)
  }

  private func check(_ container: Container, _ plan: Plan) async {
    var result = HealthcheckResult()
    result.start = .now
    var settings = ExecSettings(id: Identifier.random(), arguments: plan.arguments)
    settings.attachOutput = true
    do {
      let probe = try await context.runtime.runProbe(
        containerID: container.id, settings, timeout: .nanoseconds(plan.timeout),
        outputLimit: Self.keptOutput)
      result.exitCode = Int(probe.exitCode)
      result.output = String(decoding: probe.output, as: UTF8.self)
      if probe.timedOut {
        result.exitCode = -1
        result.output = "Health check exceeded timeout (\(Self.shown(plan.timeout)))"
      }
    } catch {
      guard container.lifecycle.isRunning, !Task.isCancelled else { return }
      result.exitCode = -1
      result.output = APIError(translating: error).message
    }
    result.end = .now
    guard !Task.isCancelled else { return }
    await record(result, container, plan)
  }

  private func record(
    _ result: HealthcheckResult, _ container: Container, _ plan: Plan
  ) async {
    let isStarting = isInStartPeriod(container, plan)
    let change: String? = container.update { record in
      var health = record.health ?? Health()
      let before = health.status
      health.log.append(result)
      health.log = health.log.suffix(Self.keptResults)
      if result.exitCode == 0 {
        health.failingStreak = 0
        health.status = "healthy"
      } else if !(isStarting && before == "starting") {
        health.failingStreak += 1
        if health.failingStreak >= plan.retries { health.status = "unhealthy" }
      }
      record.health = health
      return health.status == before ? nil : health.status
    }
    guard let change else { return }
    context.publish("health_status: \(change)", container.record)
    do {
      try await context.save(container)
    } catch {
      context.logger.error(
        "health status cannot be written",
        metadata: ["container.id": "\(container.id)", "error": "\(error)"])
    }
  }

  private static func shown(_ nanoseconds: Int64) -> String {
    nanoseconds % 1_000_000_000 == 0
      ? "\(nanoseconds / 1_000_000_000)s" : "\(nanoseconds / 1_000_000)ms"
  }
}
