import ContainerRuntime
import DockerModel
import Host
import ImageStore
import Logging
import NodeNetwork

/// Takes what a container needs to run, starts its process, and gives everything back after its end.
/// Whoever calls holds the container's lock.
final class ContainerLauncher: Sendable {
  let context: EngineContext

  init(_ context: EngineContext) { self.context = context }

  /// Starts a container; on failure nothing of the attempt is left.
  /// - Returns: what the runtime made. The record says "running", durably.
  func launch(_ container: Container) async throws -> RuntimeHandle {
    do {
      return try await attempt(container)
    } catch {
      await release(container)
      throw error
    }
  }

  private func attempt(_ container: Container) async throws -> RuntimeHandle {
    let record = container.record
    let folder = context.configuration.containerFolder(record.id)
    try await acquireVolumes(record)
    // What a container that removes itself writes need not outlive it.
    async let mounted = context.images.mount(
      containerID: record.id, isDisposable: record.hostConfig.autoRemove)
    async let namespace = makeSandbox(record)
    async let prepared: Void = ContainerFiles.prepare(in: folder, record)
    let (rootfs, sandbox) = try await (mounted, namespace)
    let settings = try self.settings(
      for: record, rootfs: rootfs, sandbox: sandbox, folder: folder)
    try await prepared

    async let created = context.runtime.create(settings)
    async let joined = joinNetworks(record, sandbox: sandbox, folder: folder)
    let endpoints: [EndpointRecord]
    do {
      endpoints = try await joined
    } catch {
      _ = try? await created  // what was created is released with everything else
      throw error
    }
    container.update { $0.endpoints = endpoints }
    let handle = try await created
    try await attachWaiting(container)

    container.update { _ = $0.lifecycle.apply(.started(handle, at: .now)) }
    do {
      async let saved: Void = context.save(container)
      try await context.runtime.start(record.id)
      try await saved
    } catch {
      container.update { $0.lifecycle.phase = record.lifecycle.phase }
      throw error
    }
    return handle
  }

  /// Joins those who attached before the start to the streams, so that they miss nothing.
  private func attachWaiting(_ container: Container) async throws {
    for attacher in container.takeAttachers() {
      let stream = try await context.runtime.attach(container.id)
      attacher.yield(stream)
      attacher.finish()
    }
  }

  private func acquireVolumes(_ record: ContainerRecord) async throws {
    let volumes = context.volumes
    let names = Set(record.mounts.filter { $0.kind == .volume }.map(\.volume)).sorted()
    guard !names.isEmpty else { return }
    try await volumes.operations.withLock {
      for name in names {
        guard volumes.volume(name) != nil else {
          throw APIError.notFound("get \(name): no such volume")
        }
        try await volumes.acquire(name, for: record.id)
        context.events.publish(
          "volume", "mount", id: name, ["container": record.id, "driver": "local"])
      }
    }
  }

  // MARK: - Release

  /// Gives everything back that a start takes. What was not taken is no error; what cannot be given
  /// back is reported and found again by the next start's recovery.
  func release(_ container: Container) async {
    let record = container.record
    async let runtime: Void = report("runtime state", record.id) {
      try await self.context.runtime.delete(record.id)
    }
    async let network: Void = leaveNetworks(record)
    await runtime
    await report("root file system", record.id) {
      try await self.context.images.unmount(containerID: record.id)
    }
    await network
    await releaseVolumes(record)
  }

  private func releaseVolumes(_ record: ContainerRecord) async {
    let volumes = context.volumes
    for name in Set(record.mounts.filter { $0.kind == .volume }.map(\.volume)).sorted() {
      await report("volume", record.id) {
        try await volumes.operations.withLock {
          try await volumes.release(name, for: record.id)
        }
      }
      context.events.publish(
        "volume", "unmount", id: name, ["container": record.id, "driver": "local"])
    }
  }

  /// Does a step of a release and reports its failure.
  func report(_ what: String, _ id: String, _ step: @Sendable () async throws -> Void) async {
    do {
      try await step()
    } catch {
      context.logger.error(
        "could not be released",
        metadata: ["what": "\(what)", "container.id": "\(id)", "error": "\(error)"])
    }
  }
}
