import Glibc
import Host
import Logging
import Synchronization

extension ContainerRuntime {
  /// Removes all that is left of a container, killing it first if it runs. One that is not there is
  /// no error.
  /// - Throws: `ContainerRuntimeError.system` when something cannot be removed; call again later.
  package func delete(_ id: String) async throws {
    try Self.checkName(id)
    let container = state.withLock { $0.containers[id] }
    if let container, container.exit == nil {
      // Ended meanwhile is as good as killed.
      try? await kill(id, signal: SIGKILL)
      try await waitForDeath(of: container)
    }
    container?.abandon()
    rotator.remove(id)
    abandonExecs(of: id)
    let cgroup =
      container?.cgroup ?? ContainerRecord(folder: folder(of: id)).map { Cgroup($0.cgroupPath) }
    let isClean = try await BlockingPool.shared.run { self.removeTraces(id, cgroup: cgroup) }
    state.withLock { _ = $0.containers.removeValue(forKey: id) }
    guard isClean else {
      throw ContainerRuntimeError(
        .system, "not all of the container could be removed", metadata: ["id": id])
    }
  }

  /// A process that waits for a disk or a network file system does not die, and is not waited for
  /// for ever.
  private func waitForDeath(of container: SupervisedContainer) async throws {
    let signal = ChangeSignal()
    let token = container.ending.observe { _ in signal.set() }
    await signal.wait(for: .seconds(30))
    container.ending.remove(token)
    guard container.exit != nil else {
      throw ContainerRuntimeError(
        .timedOut, "the container's process does not end", metadata: ["id": container.id])
    }
  }

  /// Removes cgroups, the OCI runtime's state and the bundle. The runtime's `delete` does the same
  /// at the cost of a process, and is the fallback. Blocks.
  @discardableResult
  func removeTraces(_ id: String, cgroup: Cgroup?) -> Bool {
    let runtimeFolder = runtimeFolder(of: id)
    do {
      if let cgroup, cgroup.exists {
        try endProcesses(in: cgroup)
        try cgroup.remove()
      }
      if Paths.exists(runtimeFolder) {
        try unmountAll(below: runtimeFolder)
        try TreeRemoval.remove(runtimeFolder)
      }
    } catch {
      logger.warning(
        "removing a container by the OCI runtime",
        metadata: ["id": "\(id)", "reason": "\(error)"])
      do {
        try runRuntime(["delete", "--force", id])
        try cgroup?.remove()
        try TreeRemoval.remove(runtimeFolder)
      } catch {
        logger.error("cannot remove a container", metadata: ["id": "\(id)", "error": "\(error)"])
        return false
      }
    }
    return removeFolder(of: id)
  }

  /// The OCI runtime binds itself there for a moment, and may be killed in it. What would be in the
  /// way of removal shows in the number of entries: usually there is nothing but `state.json`.
  private func unmountAll(below folder: String) throws {
    let names = try Paths.entries(of: folder)
    guard names.contains(where: { $0 != "state.json" && $0 != "exec.fifo" }) else { return }
    for mount in try Mount.table() where mount.target.hasPrefix(folder + "/") {
      try Mount.unmount(mount.target, lazily: true)
    }
  }

  private func removeFolder(of id: String) -> Bool {
    do {
      let shared = sharedMemoryPath(id)
      if Paths.exists(shared) { try Mount.unmount(shared, lazily: true) }
      try TreeRemoval.remove(folder(of: id))
      return true
    } catch {
      logger.error(
        "cannot remove a container's folder", metadata: ["id": "\(id)", "error": "\(error)"])
      return false
    }
  }

  /// Kills what is left in a cgroup, as with a process id namespace that is shared.
  private func endProcesses(in cgroup: Cgroup) throws {
    let deadline = ContinuousClock.now + .seconds(10)
    var delay: UInt32 = 200
    while !cgroup.processes().isEmpty {
      cgroup.signalAll(SIGKILL)
      if cgroup.isFrozen { try cgroup.setFrozen(false) }
      guard ContinuousClock.now < deadline else {
        throw SystemError(EBUSY, "kill", cgroup.path)
      }
      usleep(delay)
      delay = min(delay * 2, 50_000)
    }
  }
}
