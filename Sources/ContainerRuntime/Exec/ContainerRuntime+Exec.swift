import FoundationEssentials
import Glibc
import Host
import NIOCore
import OCI
import Synchronization

extension ContainerRuntime {
  /// Runs a process in a container beside its main one. Its end is among `execExits`, also when a
  /// later daemon adopts it.
  ///
  /// With anything attached, the process starts after the stream is connected: nothing is lost.
  /// - Throws: `ContainerRuntimeError`: `.notFound`, `.wrongState` when the container does not run,
  ///   `.invalidSetting`, `.commandNotFound` (127), `.commandNotExecutable` (126), `.runtimeFailed`.
  package func exec(containerID: String, _ settings: ExecSettings) async throws -> ExecHandle {
    let (exec, stream) = try await startExec(containerID, settings, isReported: true)
    return ExecHandle(
      containerID: containerID, execID: settings.id, pid: exec.record.process.pid, stream: stream)
  }

  /// Sets the size of an exec's terminal.
  /// - Throws: `ContainerRuntimeError.notFound` or `.wrongState`.
  package func resizeExec(
    containerID: String, execID: String, to size: TerminalSize
  ) async throws {
    let exec = try exec(containerID, execID)
    try await BlockingPool.shared.run { try Self.resize(exec.folder, size) }
  }

  /// Sends a signal to an exec's process.
  /// - Throws: `ContainerRuntimeError.notFound`, or `.wrongState` when it has ended.
  package func killExec(containerID: String, execID: String, signal: Int32) async throws {
    guard try exec(containerID, execID).process?.signal(signal) == true else {
      throw ContainerRuntimeError(.wrongState, "the process has ended", metadata: ["exec": execID])
    }
  }

  /// Waits for the end of an exec.
  /// - Throws: `ContainerRuntimeError.notFound`.
  package func waitForExecExit(containerID: String, execID: String) async throws -> ExecExit {
    await (try exec(containerID, execID)).ending.wait()
  }

  /// Runs a process to its end and returns the start of what it wrote. It is killed after
  /// `timeout`. Its end is not among `execExits`.
  /// - Throws: as `exec`, or `CancellationError`, which kills the process too.
  package func runProbe(
    containerID: String, _ settings: ExecSettings, timeout: Duration, outputLimit: Int = 4096
  ) async throws -> ProbeResult {
    var settings = settings
    settings.attachStdin = false
    settings.attachOutput = true
    let (exec, stream) = try await startExec(containerID, settings, isReported: false)
    let watchdog = Task {
      try await Task.sleep(for: timeout)
      return exec.process?.signal(SIGKILL) ?? false
    }
    defer { watchdog.cancel() }
    var output: [UInt8] = []
    do {
      while let stream, let chunk = try await stream.next() {
        output += chunk.bytes.readableBytesView.prefix(max(0, outputLimit - output.count))
      }
    } catch {
      _ = exec.process?.signal(SIGKILL)
      throw error
    }
    let exit = await exec.ending.wait()
    watchdog.cancel()
    let timedOut = await watchdog.result
    return ProbeResult(
      exitCode: exit.code, output: output, timedOut: (try? timedOut.get()) ?? false)  // cancelled
  }

  /// The supervised exec.
  private func exec(_ containerID: String, _ execID: String) throws -> SupervisedExec {
    let key = ExecKey(containerID: containerID, execID: execID)
    guard let exec = state.withLock({ $0.execs[key] }) else {
      throw ContainerRuntimeError(
        .notFound, "no such exec is known to the runtime", metadata: ["exec": execID])
    }
    return exec
  }

  func execFolder(_ key: ExecKey) -> String {
    folder(of: key.containerID) + "/exec/" + key.execID
  }

  // MARK: start

  private func startExec(
    _ containerID: String, _ settings: ExecSettings, isReported: Bool
  ) async throws -> (SupervisedExec, AttachStream?) {
    try Self.checkName(settings.id)
    let container = try liveContainer(containerID)
    let key = ExecKey(containerID: containerID, execID: settings.id)
    let (exec, stream) = try await Self.launches.run {
      try self.startExecBlocking(container, settings, key, isReported)
    }
    supervise(exec)
    return (exec, stream)
  }

  private func startExecBlocking(
    _ container: SupervisedContainer, _ settings: ExecSettings, _ key: ExecKey, _ isReported: Bool
  ) throws -> (SupervisedExec, AttachStream?) {
    let folder = execFolder(key)
    try Paths.makeDirectories(container.folder + "/exec", mode: 0o700)
    guard mkdir(folder, 0o700) == 0 else {
      throw ContainerRuntimeError(
        .wrongState, "the exec was started before", metadata: ["exec": settings.id],
        cause: SystemError.last("mkdir", folder))
    }
    do {
      let process = try specification(of: settings, in: container)
      try ContainerRecord.write(
        process, folder + "/" + MonitorLaunch.processSpecification)
      let attaches = settings.attachStdin || settings.attachOutput
      var launch = MonitorLaunch(
        configuration: configuration, containerID: key.containerID, sessionID: key.execID,
        folder: folder, purpose: .exec(attaches: attaches))
      launch.terminal = settings.terminal
      launch.openStdin = settings.attachStdin
      launch.leavesStdinOpen = settings.attachStdin && settings.terminal
      let hub =
        attaches
        ? AttachHub(
          folder: folder, acceptsInput: settings.attachStdin, closesInput: !settings.terminal,
          patience: configuration.slowReaderPatience) : nil
      var stream: AttachStream?
      let started = try launch.run { stream = try hub?.attach() }
      let record = ExecRecord(
        process: started.process, monitor: started.monitor, terminal: settings.terminal)
      try ContainerRecord.write(handle: record, to: folder)
      let exec = SupervisedExec(
        key: key, record: record, folder: folder, hub: hub, isReported: isReported)
      return (exec, stream)
    } catch {
      try? TreeRemoval.remove(folder)  // goes with the container at the latest
      throw error
    }
  }

  /// The process that settings ask for, on the ground of the container's own.
  private func specification(
    of settings: ExecSettings, in container: SupervisedContainer
  ) throws -> RuntimeSpecification.Process {
    let base = container.record.settings
    guard let program = settings.arguments.first, !program.isEmpty else {
      throw ContainerRuntimeError(.invalidSetting, "no exec command specified")
    }
    try SpecificationBuilder.checkText(settings.arguments + settings.environment)
    let user = settings.user ?? ""
    let resolution = try UserResolver(rootfs: base.rootfs).resolve(
      user.isEmpty ? base.user : user, additionalGroups: base.additionalGroups)
    let folder = settings.workingDirectory ?? ""
    let own = base.workingDirectory.isEmpty ? "/" : base.workingDirectory
    var process = RuntimeSpecification.Process(
      args: settings.arguments,
      user: .init(
        uid: resolution.uid, gid: resolution.gid, additionalGids: resolution.additionalGids),
      cwd: folder.isEmpty ? own : folder)
    guard process.cwd.hasPrefix("/") else {
      throw ContainerRuntimeError(
        .invalidSetting,
        "the working directory '\(process.cwd)' is invalid, it needs to be absolute")
    }
    var environment = SpecificationBuilder.defaultEnvironment(of: base)
    environment.removeAll { $0.hasPrefix("TERM=") }
    if settings.terminal { environment.append("TERM=xterm") }
    process.env = SpecificationBuilder.merged(environment + base.environment, settings.environment)
    process.terminal = settings.terminal
    if let size = settings.terminalSize, settings.terminal {
      process.consoleSize = .init(height: UInt(size.height), width: UInt(size.width))
    }
    var security = base.security
    if settings.privileged { security.privileged = true }
    process.capabilities = .init(try CapabilitySet.resolved(for: security))
    process.noNewPrivileges = base.security.noNewPrivileges
    process.rlimits = try base.limits.map(SpecificationBuilder.limit)
    process.oomScoreAdj = base.oomScoreAdjustment
    return process
  }

  // MARK: end

  /// Watches an exec's monitor from now on.
  func supervise(_ exec: SupervisedExec) {
    state.withLock { $0.execs[exec.key] = exec }
    let task = Task.detached { [weak self] in
      do {
        if let monitor = exec.monitor {
          try await ProcessWatcher.shared.waitForExit(of: monitor)
        }
      } catch {
        return  // abandoned: another daemon will find it
      }
      await self?.finish(exec)
    }
    exec.setWatch(task)
  }

  private func finish(_ exec: SupervisedExec) async {
    let exit: ExecExit
    do {
      exit = try await BlockingPool.shared.run {
        defer { try? TreeRemoval.remove(exec.folder) }  // goes with the container at the latest
        return Self.exit(of: exec.key, folder: exec.folder, process: exec.process)
      }
    } catch {
      return  // the task was cancelled: as above
    }
    state.withLock { _ = $0.execs.removeValue(forKey: exec.key) }
    if exec.ending.finish(exit), exec.isReported { execExitContinuation.yield(exit) }
  }

  /// How an exec ended whose monitor has ended. Without a status it is killed.
  static func exit(of key: ExecKey, folder: String, process: Host.Descriptor?) -> ExecExit {
    if let status = ExitReading.status(in: folder) {
      return ExecExit(
        containerID: key.containerID, execID: key.execID, code: status.code, finishedAt: status.at)
    }
    _ = process?.signal(SIGKILL)
    return ExecExit(
      containerID: key.containerID, execID: key.execID, code: 137, finishedAt: ExitReading.now())
  }

  /// Stops watching the execs of a container that is deleted; all have ended with it.
  func abandonExecs(of containerID: String) {
    let execs = state.withLock { state in
      let execs = state.execs.filter { $0.key.containerID == containerID }
      for key in execs.keys { state.execs.removeValue(forKey: key) }
      return execs
    }
    for (key, exec) in execs {
      exec.abandon()
      let exit = Self.exit(of: key, folder: exec.folder, process: exec.process)
      if exec.ending.finish(exit), exec.isReported { execExitContinuation.yield(exit) }
    }
  }
}
