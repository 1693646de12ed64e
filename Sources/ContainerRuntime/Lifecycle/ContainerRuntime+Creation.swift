import Glibc
import Host
import OCI
import Synchronization

extension ContainerRuntime {
  /// Creates a container: when this returns its namespaces, cgroups and mounts are there, its
  /// streams can be attached to, and its program waits for `start`.
  ///
  /// - Throws: `ContainerRuntimeError`: `.invalidSetting`, `.wrongState` when the id is in use,
  ///   `.commandNotFound` or `.commandNotExecutable` for the program, `.runtimeFailed` with the OCI
  ///   runtime's own words. Nothing is left of a container that could not be created.
  package func create(_ settings: ContainerSettings) async throws -> RuntimeHandle {
    try Self.checkName(settings.id)
    try claim(settings.id)
    defer { release(settings.id) }
    let container = try await Self.launches.run { try self.createBlocking(settings) }
    supervise(container)
    return container.handle
  }

  /// Ids become file names and must not lead elsewhere.
  static func checkName(_ name: String) throws {
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
        UInt8(ascii: "."):
        true
      default: false
      }
    }
    guard isPlain, (1...128).contains(name.utf8.count), name != ".", name != ".." else {
      throw ContainerRuntimeError(
        .invalidSetting, "invalid id", metadata: ["id": String(name.prefix(128))])
    }
  }

  /// Reserves an id for one creation, adoption or deletion.
  func claim(_ id: String) throws {
    let isFree = state.withLock { state in
      state.containers[id] == nil && state.claimed.insert(id).inserted
    }
    guard isFree else {
      throw ContainerRuntimeError(
        .wrongState, "the container is in use already", metadata: ["id": id])
    }
  }

  func release(_ id: String) {
    state.withLock { _ = $0.claimed.remove(id) }
  }

  private func createBlocking(_ settings: ContainerSettings) throws -> SupervisedContainer {
    CgroupWriterLock.shared.hold()
    defer { CgroupWriterLock.shared.release() }
    let folder = folder(of: settings.id)
    guard mkdir(folder, 0o711) == 0 else {
      if errno == EEXIST {
        throw ContainerRuntimeError(
          .wrongState, "something is left of an earlier container of this id",
          metadata: ["id": settings.id])
      }
      throw SystemError.last("mkdir", folder)
    }
    let record = ContainerRecord(
      settings: settings,
      cgroupPath: SpecificationBuilder.cgroupPath(of: settings, configuration: configuration))
    do {
      try prepare(record, folder)
      let started = try launch(settings, folder).run()
      let handle = RuntimeHandle(
        id: settings.id, process: started.process, monitor: started.monitor)
      try ContainerRecord.write(handle: handle, to: folder)
      return SupervisedContainer(
        record: record, handle: handle, folder: folder,
        patience: configuration.slowReaderPatience)
    } catch {
      removeTraces(settings.id, cgroup: Cgroup(record.cgroupPath))
      throw error
    }
  }

  private func prepare(_ record: ContainerRecord, _ folder: String) throws {
    let settings = record.settings
    if case .shareable(let size) = settings.sharedMemory {
      let path = sharedMemoryPath(settings.id)
      guard mkdir(path, 0o1777) == 0 else { throw SystemError.last("mkdir", path) }
      try Mount.fileSystem(
        "tmpfs", source: "shm", at: path, flags: UInt(MS_NOSUID | MS_NODEV | MS_NOEXEC),
        options: "mode=1777,size=\(size)")
    }
    let specification = try SpecificationBuilder(
      settings: settings, configuration: configuration,
      sharedMemoryFolder: sharedMemoryPath(settings.id)
    ).build()
    try ContainerRecord.write(specification, folder + "/" + ContainerRecord.specificationFile)
    try record.write(to: folder)
  }

  private func launch(_ settings: ContainerSettings, _ folder: String) throws -> MonitorLaunch {
    var launch = MonitorLaunch(
      configuration: configuration, containerID: settings.id, sessionID: settings.id,
      folder: folder, purpose: .container)
    launch.terminal = settings.terminal
    launch.openStdin = settings.openStdin
    launch.leavesStdinOpen = settings.openStdin && (settings.terminal || !settings.stdinOnce)
    if settings.log.driver != .none {
      guard settings.log.path.hasPrefix("/"), !settings.log.path.contains(":") else {
        throw ContainerRuntimeError(
          .invalidSetting, "the log's path must be absolute and without colons",
          metadata: ["path": settings.log.path])
      }
      launch.logPath = settings.log.path
    }
    return launch
  }

  /// Watches a container's monitor from now on.
  func supervise(_ container: SupervisedContainer) {
    state.withLock { $0.containers[container.id] = container }
    rotator.add(container.id, container.record.settings.log, folder: container.folder)
    let task = Task.detached { [weak self] in
      do {
        if let monitor = container.monitor {
          try await ProcessWatcher.shared.waitForExit(of: monitor)
        }
      } catch {
        return  // abandoned: another daemon will find it
      }
      await self?.finish(container)
    }
    container.setWatch(task)
  }

  private func finish(_ container: SupervisedContainer) async {
    let exit: ContainerExit
    do {
      exit = try await BlockingPool.shared.run {
        ExitReading.container(
          container.id, folder: container.folder, cgroup: container.cgroup,
          process: container.process)
      }
    } catch {
      return  // the task was cancelled: as above
    }
    rotator.remove(container.id)
    if container.ending.finish(exit) { exitContinuation.yield(exit) }
  }

  // MARK: start

  /// Lets the program of a created container run.
  ///
  /// The OCI runtime's `start` does no more than to read a byte from a pipe that the waiting process
  /// writes; reading it here saves a process.
  /// - Throws: `ContainerRuntimeError.notFound`, `.wrongState` when it was started before or has
  ///   ended.
  package func start(_ id: String) async throws {
    let container = try liveContainer(id)
    try await BlockingPool.shared.run { try self.startBlocking(container) }
  }

  private func startBlocking(_ container: SupervisedContainer) throws {
    let path = runtimeFolder(of: container.id) + "/exec.fifo"
    let number = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard number >= 0 else {
      guard errno == ENOENT else { return try runRuntime(["start", container.id]) }
      throw ContainerRuntimeError(
        .wrongState, "the container was started before", metadata: ["id": container.id])
    }
    let fifo = Host.Descriptor(owning: number)
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      var polled = [
        pollfd(fd: number, events: Int16(POLLIN), revents: 0),
        pollfd(fd: container.process?.rawValue ?? -1, events: Int16(POLLIN), revents: 0),
      ]
      retryingInterrupts { poll(&polled, 2, 1000) }
      if polled[0].revents & Int16(POLLIN) != 0, try !fifo.read(upTo: 16).isEmpty {
        unlink(path)
        return
      }
      if polled[1].revents != 0 || container.process == nil {
        throw ContainerRuntimeError(
          .wrongState, "the container's process ended before it was started",
          metadata: ["id": container.id])
      }
    }
    throw ContainerRuntimeError(
      .timedOut, "the container's process did not start", metadata: ["id": container.id])
  }
}
