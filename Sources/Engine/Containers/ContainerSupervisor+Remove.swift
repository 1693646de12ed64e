import DockerModel
import Glibc
import Host
import ImageStore
import Logging

extension ContainerSupervisor {
  /// Removes a container because a user asked for it.
  /// - Throws: `conflict` while it runs and `force` is not given.
  func remove(_ container: Container, _ options: ContainerRemoveOptions) async throws {
    if container.lifecycle.isRunning || container.lifecycle.phase == .restarting {
      guard options.force else {
        let state = container.lifecycle.status
        throw APIError.conflict(
          "cannot remove container \"\(container.name)\": container is \(state): "
            + (container.lifecycle.isPaused
              ? "unpause and stop before removal or force remove"
              : "stop the container before removal or force remove"))
      }
      try await endForRemoval(container)
    }
    try await container.operations.withLock {
      if container.isGone { return }
      if container.lifecycle.isRunning {
        throw APIError.conflict("container \(container.id) was started again, try again")
      }
      try await translatingErrors {
        try await discard(container, withVolumes: options.volumes)
      }
    }
  }

  private func endForRemoval(_ container: Container) async throws {
    container.setTask(.restart, nil)
    do {
      if container.lifecycle.isRunning {
        try await kill(container, SIGKILL)
      } else {
        try await stop(container, StopOptions())
      }
    } catch let error as APIError where error.code == .conflict || error.code == .notModified {
      // It ended by itself meanwhile.
      if container.lifecycle.isRunning { throw error }
    }
  }

  /// Removes a container whose lock is held because its end asks for that.
  func removeAutomatically(_ container: Container) async {
    do {
      try await discard(container, withVolumes: true)
    } catch {
      context.logger.error(
        "container could not be removed",
        metadata: ["container.id": "\(container.id)", "error": "\(error)"])
    }
  }

  /// Removes a container that does not run and whose lock is held: the record last, so that a crash
  /// in between is repaired by the next start.
  func discard(_ container: Container, withVolumes: Bool) async throws {
    container.setTask(.restart, nil)
    let record = container.record
    let wasRecorded = container.update { record in
      let before = record.lifecycle.phase
      _ = record.lifecycle.apply(.removalBegan)
      return before
    }
    do {
      // A record that says "exited" would after a crash be a container without files. One that
      // removes itself is still recorded as running, which start-up finishes as well.
      if !(record.hostConfig.autoRemove && wasRecorded == .exited) {
        try await context.save(container)
      }
      try await context.images.removeRootFilesystem(containerID: container.id)
      await context.removeFolder(of: container.id)
      try await context.forget(container)
    } catch {
      container.update { _ = $0.lifecycle.apply(.removalFailed("\(error)")) }
      await saveOrReport(container)
      throw error
    }
    context.containers.remove(container)
    context.publish("destroy", record)
    container.announceRemoval()
    if withVolumes { await removeAnonymousVolumes(of: record) }
  }

  private func removeAnonymousVolumes(of record: ContainerRecord) async {
    for mount in record.mounts where mount.kind == .volume && mount.isAnonymous {
      await context.removeVolumeQuietly(mount.volume)
    }
  }
}

extension EngineContext {
  /// Removes a container's writable layer where a failure can only be reported.
  func removeRootFilesystem(_ id: String) async {
    do {
      try await images.removeRootFilesystem(containerID: id)
    } catch {
      logger.error(
        "root file system cannot be removed",
        metadata: ["container.id": "\(id)", "error": "\(error)"])
    }
  }

  /// Removes a container's own folder where a failure can only be reported.
  func removeFolder(of id: String) async {
    let folder = configuration.containerFolder(id)
    do {
      try await BlockingPool.shared.run { try TreeRemoval.remove(folder) }
    } catch {
      logger.error(
        "container folder cannot be removed",
        metadata: ["container.id": "\(id)", "error": "\(error)"])
    }
  }

  /// Removes a volume unless a container uses it; a failure can only be reported.
  func removeVolumeQuietly(_ name: String) async {
    await volumes.operations.withLock {
      guard volumes.volume(name) != nil, users(ofVolume: name).isEmpty else { return }
      do {
        try await volumes.remove(name)
        events.publish("volume", "destroy", id: name, ["driver": "local"])
      } catch {
        logger.error(
          "volume cannot be removed", metadata: ["volume": "\(name)", "error": "\(error)"])
      }
    }
  }

  /// The containers, running or not, that mount a volume.
  func users(ofVolume name: String) -> [Container] {
    containers.all.filter { container in
      container.record.mounts.contains { $0.kind == .volume && $0.volume == name }
    }
  }
}
