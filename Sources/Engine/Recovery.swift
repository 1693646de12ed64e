import ContainerRuntime
import DockerModel
import FoundationEssentials
import Host
import ImageStore
import Logging
import NodeNetwork
import StateStore
import Synchronization

extension Engine {
  private static let identityKey: Key = "/engine/identity"

  /// Brings back what the last daemon left, whatever moment it ended at: adopts what runs, learns of
  /// what ended, finishes what was being removed, and gives back what belongs to nothing.
  package func recover() async throws {
    try await loadIdentity()
    try await context.images.recover()
    try await context.volumes.recover()
    let containers = try await loadContainers()
    var ended: [(Container, ContainerExit)] = []
    for container in containers {
      if let exit = await adopt(container) { ended.append((container, exit)) }
    }
    try await recoverNetworks()
    for (container, exit) in ended {
      await container.operations.withLock { await supervisor.finish(container, exit) }
    }
    for container in containers {
      switch container.lifecycle.phase {
      case .removing, .dead: await finishRemoval(container)
      case .created, .exited, .restarting: await supervisor.launcher.releaseQuietly(container)
      case .running, .paused: break
      }
    }
    try await sweep()
    for container in containers where container.lifecycle.isRunning {
      if let handle = container.lifecycle.handle {
        supervisor.health.begin(container, handle, isAdopted: true)
      }
    }
  }

  /// Starts the containers whose policies say so.
  package func startByPolicy() async {
    let waiting = context.containers.all
      .map { ($0, $0.record) }
      .filter { $1.lifecycle.startsWithDaemon(under: $1.hostConfig.restartPolicy) }
      .sorted { $0.1.created < $1.1.created }
    await withDiscardingTaskGroup { group in
      for (container, _) in waiting {
        let supervisor = supervisor
        let logger = context.logger
        group.addTask {
          do {
            try await supervisor.start(container)
          } catch {
            logger.warning(
              "container could not be started with the daemon",
              metadata: ["container.id": "\(container.id)", "error": "\(error)"])
          }
        }
      }
    }
  }

  private func loadIdentity() async throws {
    var configuration = context.configuration
    if let stored = try await context.store.get(Self.identityKey) {
      configuration.id = String(decoding: stored.value, as: UTF8.self)
    } else {
      configuration.id = UUID().uuidString.lowercased()
      try await context.store.put(Self.identityKey, Array(configuration.id.utf8))
    }
    context.reconfigure(configuration)
  }

  /// Reads all records; one that cannot be read stays in the store and is reported.
  private func loadContainers() async throws -> [Container] {
    let items = try await context.store.list(prefix: EngineContext.containerKeys).items
    var containers: [Container] = []
    for item in items {
      do {
        let record = try JSONDecoder().decode(ContainerRecord.self, from: Data(item.value))
        guard record.format == 1 else {
          throw APIError(.system, "written by a newer version of this engine")
        }
        let container = Container(record)
        context.containers.insert(container)
        containers.append(container)
      } catch {
        context.logger.error(
          "container record cannot be read and is left alone",
          metadata: ["key": "\(item.key)", "error": "\(error)"])
        unreadable.withLock { _ = $0.insert(Paths.lastComponent(of: item.key.string)) }
      }
    }
    return containers
  }

  /// Finds out what became of a container.
  /// - Returns: its end, if it ended while nobody looked.
  private func adopt(_ container: Container) async -> ContainerExit? {
    let recorded = container.lifecycle
    do {
      let found = try await context.runtime.adopt(container.id)
      switch (found, recorded.isRunning) {
      case (.running(let handle), true), (.paused(let handle), true):
        let isPaused = if case .paused = found { true } else { false }
        container.update { $0.lifecycle.phase = isPaused ? .paused(handle) : .running(handle) }
        adoptVolumes(container)
        return nil
      case (.exited(let exit), true): return exit
      case (.created, true), (.gone, true):
        // The machine went down, or the daemon died between writing "running" and starting.
        return ContainerExit(
          id: container.id, code: 255, oomKilled: false,
          finishedAt: Timestamp.now.nanosecondsSinceEpoch, error: nil)
      case (_, false):
        // A start that was not recorded did not happen: `release` ends what there is of it.
        return nil
      }
    } catch {
      context.logger.error(
        "container cannot be adopted",
        metadata: ["container.id": "\(container.id)", "error": "\(error)"])
      guard recorded.isRunning else { return nil }
      return ContainerExit(
        id: container.id, code: 255, oomKilled: false,
        finishedAt: Timestamp.now.nanosecondsSinceEpoch, error: "\(error)")
    }
  }

  private func adoptVolumes(_ container: Container) {
    for mount in container.record.mounts where mount.kind == .volume {
      context.volumes.adopt(mount.volume, for: container.id)
    }
  }

  private func recoverNetworks() async throws {
    let running = context.containers.all.map(\.record).filter { record in
      record.lifecycle.isRunning && NetworkMode(record.hostConfig.networkMode).isPrivate
    }
    try await context.network.start(
      live: running.map { record in
        SandboxState(
          containerID: record.id,
          path: context.sandboxPath(record.id),
          endpoints: record.endpoints, dns: ContainerLauncher.dnsSettings(record))
      })
  }

  private func finishRemoval(_ container: Container) async {
    await container.operations.withLock {
      await supervisor.launcher.releaseQuietly(container)
      do {
        try await supervisor.discard(container, withVolumes: container.record.hostConfig.autoRemove)
      } catch {
        context.logger.error(
          "removal could not be finished",
          metadata: ["container.id": "\(container.id)", "error": "\(error)"])
      }
    }
  }

  /// Looks again, a while after the start, for what belongs to no container: a monitor that the last
  /// daemon had just spawned when it was killed may show itself only after the first look.
  func sweepLatecomers() async {
    for pause in [Duration.seconds(2), .seconds(10), .seconds(60)] {
      do {
        try await Task.sleep(for: pause)
        for leftover in try await context.runtime.leftovers(known: unreadable.withLock { $0 }) {
          // Between the look and this step the container may have been started: then it stays.
          try? await context.runtime.cleanUp(leftover.id)
        }
      } catch {
        // The daemon ends, or the folder cannot be read: the next start looks again.
        return
      }
    }
  }

  /// Gives back what belongs to no container. What belongs to a record that cannot be read stays.
  private func sweep() async throws {
    let known = Set(context.containers.all.map(\.id)).union(unreadable.withLock { $0 })
    for leftover in try await context.runtime.leftovers(known: known) {
      context.logger.warning(
        "removing what is left of an unknown container",
        metadata: ["container.id": "\(leftover.id)", "traces": "\(leftover.traces)"])
      try await context.runtime.cleanUp(leftover.id)
    }
    for (id, _) in try await context.images.rootFilesystems() where !known.contains(id) {
      await context.removeRootFilesystem(id)
    }
    let folder = context.configuration.dataRoot + "/containers"
    let stale = try await BlockingPool.shared.run {
      try Paths.makeDirectories(folder, mode: 0o711)
      return try Paths.entries(of: folder).filter { !known.contains($0) }
    }
    for id in stale { await context.removeFolder(of: id) }
  }
}

extension ContainerLauncher {
  /// Gives back what a container at rest may still hold after a crash.
  func releaseQuietly(_ container: Container) async {
    let record = container.record
    await report("runtime state", record.id) {
      // What was adopted is deleted; of what was not, traces may be left.
      try await self.context.runtime.delete(record.id)
      try await self.context.runtime.cleanUp(record.id)
    }
    await report("root file system", record.id) {
      try await self.context.images.unmount(containerID: record.id)
    }
    if !record.endpoints.isEmpty {
      container.update { $0.endpoints = [] }
      await report("record", record.id) { try await self.context.save(container) }
    }
  }
}
