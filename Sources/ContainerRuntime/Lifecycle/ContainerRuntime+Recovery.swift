import Glibc
import Host
import Synchronization

extension ContainerRuntime {
  /// Picks up a container that this or an earlier daemon created.
  ///
  /// Call it once for each known container after a start, before anything else is done with it. A
  /// container whose creation was interrupted is removed and counts as gone. Processes are told
  /// from later ones of the same id by when they started.
  /// - Throws: `ContainerRuntimeError.wrongState` when it was adopted or created here before.
  package func adopt(_ id: String) async throws -> Adoption {
    try Self.checkName(id)
    try claim(id)
    defer { release(id) }
    let (adoption, container) = try await BlockingPool.shared.run { try self.adoptBlocking(id) }
    if let container {
      switch adoption {
      case .exited(let exit):
        _ = container.ending.finish(exit)
        state.withLock { $0.containers[id] = container }
      default: supervise(container)
      }
    }
    return adoption
  }

  private func adoptBlocking(_ id: String) throws -> (Adoption, SupervisedContainer?) {
    let folder = folder(of: id)
    guard Paths.isDirectory(folder) else { return (.gone, nil) }
    guard let record = ContainerRecord(folder: folder),
      let handle = ContainerRecord.handle(RuntimeHandle.self, in: folder)
    else {
      try cleanUpBlocking(id)
      return (.gone, nil)
    }
    let container = SupervisedContainer(
      record: record, handle: handle, folder: folder, patience: configuration.slowReaderPatience)
    guard container.monitor != nil else {
      let exit = ExitReading.container(
        id, folder: folder, cgroup: container.cgroup, process: container.process)
      return (.exited(exit), container)
    }
    let fifo = runtimeFolder(of: id) + "/exec.fifo"
    if Paths.exists(fifo) {
      if waitsForStart(handle) { return (.created(handle), container) }
      // Started, by a daemon that was killed before it could say so to the OCI runtime.
      unlink(fifo)
    }
    if container.cgroup.exists, container.cgroup.isFrozen { return (.paused(handle), container) }
    return (.running(handle), container)
  }

  /// Whether process 1 is still the OCI runtime's own, which waits to become the container's.
  private func waitsForStart(_ handle: RuntimeHandle) -> Bool {
    let arguments = handle.process.commandLine.split(separator: "\0")
    let runtime = Paths.lastComponent(of: configuration.runtimePath)
    return arguments.count == 2 && arguments[1] == "init"
      && (Paths.lastComponent(of: String(arguments[0])) == runtime
        || arguments[0] == "/proc/self/exe")
  }

  /// Picks up an exec that an earlier daemon started in a container that was adopted.
  /// - Throws: `ContainerRuntimeError.invalidSetting` for an impossible id.
  package func adoptExec(containerID: String, execID: String) async throws -> ExecAdoption {
    try Self.checkName(containerID)
    try Self.checkName(execID)
    let key = ExecKey(containerID: containerID, execID: execID)
    let exec = try await BlockingPool.shared.run { () -> SupervisedExec? in
      let folder = self.execFolder(key)
      guard let record = ContainerRecord.handle(ExecRecord.self, in: folder) else { return nil }
      // Its streams belonged to clients of the daemon that is gone.
      return SupervisedExec(key: key, record: record, folder: folder, hub: nil)
    }
    guard let exec else { return .gone }
    if exec.monitor != nil {
      supervise(exec)
      return .running(pid: exec.record.process.pid)
    }
    let exit = try await BlockingPool.shared.run {
      defer { try? TreeRemoval.remove(exec.folder) }  // goes with the container at the latest
      return Self.exit(of: key, folder: exec.folder, process: exec.process)
    }
    return .exited(exit)
  }

  // MARK: leftovers

  /// What lies in the exec root of containers that are neither in `known` nor in use here.
  /// - Throws: `SystemError`.
  package func leftovers(known: Set<String>) async throws -> [Leftover] {
    let inUse = state.withLock { Set($0.containers.keys).union($0.claimed) }
    return try await BlockingPool.shared.run {
      let configuration = self.configuration
      var traces: [String: [String]] = [:]
      for folder in [
        Self.containersFolder(configuration), MonitorLaunch.runtimeRoot(configuration),
      ] {
        for id in try Paths.entries(of: folder) {
          traces[id, default: []].append(folder + "/" + id)
        }
      }
      for (pid, id) in self.monitors() { traces[id, default: []].append("/proc/\(pid)") }
      return traces.filter { !known.contains($0.key) && !inUse.contains($0.key) }
        .map { Leftover(id: $0.key, traces: $0.value.sorted()) }
        .sorted { $0.id < $1.id }
    }
  }

  /// Kills and removes what `leftovers` found of a container.
  /// - Throws: `ContainerRuntimeError`.
  package func cleanUp(_ id: String) async throws {
    try Self.checkName(id)
    try claim(id)
    defer { release(id) }
    try await BlockingPool.shared.run { try self.cleanUpBlocking(id) }
  }

  private func cleanUpBlocking(_ id: String) throws {
    let folder = folder(of: id)
    if let handle = ContainerRecord.handle(RuntimeHandle.self, in: folder) {
      _ = handle.process.open()?.signal(SIGKILL)
    }
    // A monitor works in that folder. At a daemon's start this is asked for every container at rest.
    for (pid, owner) in Paths.exists(folder) ? monitors() : [] where owner == id {
      // Opened first and looked at again, lest another process has got the number.
      guard let identity = try? ProcessIdentity(current: pid), let process = identity.open(),
        Self.monitoredContainer(identity.commandLine, configuration) == id
      else { continue }
      _ = process.signal(SIGKILL)
      _ = process.waitForExit(milliseconds: 5000)
    }
    let record = ContainerRecord(folder: folder)
    if Paths.exists(runtimeFolder(of: id) + "/state.json") {
      try runRuntime(["delete", "--force", id])
    }
    let path = record?.cgroupPath ?? Paths.cleaned("/\(configuration.cgroupParent)/\(id)")
    guard removeTraces(id, cgroup: Cgroup(path)) else {
      throw ContainerRuntimeError(
        .system, "not all of the container could be removed", metadata: ["id": id])
    }
  }

  /// The monitors that work in this exec root, with their containers.
  private func monitors() -> [(pid: Int32, id: String)] {
    // A process that ends while it is looked at is none.
    let pids = ((try? Paths.entries(of: "/proc")) ?? []).compactMap { Int32($0) }
    return pids.compactMap { pid in
      let line = (try? Paths.readText("/proc/\(pid)/cmdline")) ?? ""  // as above
      return Self.monitoredContainer(line, configuration).map { (pid, $0) }
    }
  }

  private static func monitoredContainer(
    _ commandLine: String, _ configuration: RuntimeConfiguration
  ) -> String? {
    let arguments = commandLine.split(separator: "\0", omittingEmptySubsequences: false)
    guard arguments.first == configuration.monitorPath[...],
      let option = arguments.firstIndex(of: "-b"), option + 1 < arguments.count
    else { return nil }
    let root = containersFolder(configuration) + "/"
    guard arguments[option + 1].hasPrefix(root) else { return nil }
    return arguments[option + 1].dropFirst(root.count).split(separator: "/").first.map(String.init)
  }
}
