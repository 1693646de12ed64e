import ContainerRuntime
package import DockerModel

extension ContainerService {
  /// Changes a container's limits and restart policy; of a running one at once.
  package func update(
    container: String, _ request: ContainerUpdateRequest
  ) async throws -> ContainerUpdateResponse {
    let container = try find(container)
    let wanted = request.resources
    try HostConfigValidation.checkResources(Self.forChecking(wanted, container.record.hostConfig))
    if !wanted.restartPolicy.name.isEmpty {
      var probe = HostConfig()
      probe.restartPolicy = wanted.restartPolicy
      probe.autoRemove = container.record.hostConfig.autoRemove
      try HostConfigValidation.check(probe)
    }
    let context = context
    try await shielded {
      try await container.operations.withLock {
        if container.lifecycle.phase == .removing || container.lifecycle.phase == .dead {
          throw APIError.conflict(
            "Container is marked for removal and cannot be \"update\".")
        }
        let merged = Self.merged(wanted, into: container.record.hostConfig)
        if container.lifecycle.isRunning {
          try await translatingErrors {
            try await context.runtime.update(
              container.id, ContainerLauncher.resources(merged))
          }
        }
        container.update { $0.hostConfig = merged }
        try await context.save(container)
      }
    }
    context.publish("update", container.record)
    return ContainerUpdateResponse()
  }

  /// What the checks must see: limits that stay count, too.
  private static func forChecking(_ wanted: HostConfig, _ current: HostConfig) -> HostConfig {
    var result = merged(wanted, into: current)
    if wanted.memory > 0 && wanted.memorySwap == 0 && current.memorySwap > 0
      && wanted.memory > current.memorySwap
    {
      // The check's own message tells the user to set both.
      result.memorySwap = current.memorySwap
    }
    return result
  }

  private static func merged(_ wanted: HostConfig, into current: HostConfig) -> HostConfig {
    var result = current
    func take<Value: Equatable>(_ path: WritableKeyPath<HostConfig, Value>, unless unset: Value) {
      if wanted[keyPath: path] != unset { result[keyPath: path] = wanted[keyPath: path] }
    }
    take(\.cpuShares, unless: 0)
    take(\.memory, unless: 0)
    take(\.cgroupParent, unless: "")
    take(\.blkioWeight, unless: 0)
    take(\.cpuRealtimePeriod, unless: 0)
    take(\.cpuRealtimeRuntime, unless: 0)
    take(\.cpusetCpus, unless: "")
    take(\.cpusetMems, unless: "")
    take(\.memoryReservation, unless: 0)
    take(\.memorySwap, unless: 0)
    take(\.memorySwappiness, unless: nil)
    take(\.oomKillDisable, unless: nil)
    take(\.pidsLimit, unless: nil)
    if wanted.nanoCpus != 0 {
      result.nanoCpus = wanted.nanoCpus
      (result.cpuPeriod, result.cpuQuota) = (0, 0)
    }
    if wanted.cpuPeriod != 0 || wanted.cpuQuota != 0 {
      result.nanoCpus = 0
      take(\.cpuPeriod, unless: 0)
      take(\.cpuQuota, unless: 0)
    }
    if let limits = wanted.ulimits, !limits.isEmpty { result.ulimits = limits }
    if !wanted.restartPolicy.name.isEmpty { result.restartPolicy = wanted.restartPolicy }
    return result
  }
}
