import Glibc
import Host
import Logging
import Synchronization

/// Runs containers: drives the OCI runtime and a monitor (conmon) for each container, and reports
/// what becomes of them.
///
/// Containers do not depend on this object or its process. What a later daemon must know lies in the
/// exec root, and `adopt` picks a container up where another left it. So that containers outlive a
/// daemon that is stopped by systemd, its unit needs `KillMode=process`.
///
/// The caller keeps calls about one container in order; calls about different ones run side by side.
package final class ContainerRuntime: Sendable {
  struct State {
    var containers: [String: SupervisedContainer] = [:]
    var claimed: Set<String> = []
    var execs: [ExecKey: SupervisedExec] = [:]
  }

  /// What the runtime was made with.
  package let configuration: RuntimeConfiguration
  /// The end of each container that was created or adopted here, each exactly once, except those
  /// that `adopt` returned as ended. For one consumer.
  package let exits: AsyncStream<ContainerExit>
  /// The end of each exec that was started or adopted here, likewise. For one consumer.
  package let execExits: AsyncStream<ExecExit>

  /// The threads that wait for the OCI runtime. Others have theirs to themselves, and so many
  /// containers that are started at once do not all contend for the processors.
  static let launches = BlockingPool(threads: max(8, 4 * sysconf(Int32(_SC_NPROCESSORS_ONLN))))

  let state = Mutex(State())
  let rotator: LogRotator
  let exitContinuation: AsyncStream<ContainerExit>.Continuation
  let execExitContinuation: AsyncStream<ExecExit>.Continuation
  var logger: Logger { configuration.logger }

  /// Prepares the exec root. Containers that are there already are found by `adopt`.
  /// - Throws: `ContainerRuntimeError.system` when a program is missing or a folder cannot be made.
  package init(configuration: RuntimeConfiguration) async throws {
    self.configuration = configuration
    (exits, exitContinuation) = AsyncStream.makeStream()
    (execExits, execExitContinuation) = AsyncStream.makeStream()
    rotator = LogRotator(logger: configuration.logger)
    try await BlockingPool.shared.run {
      for path in [configuration.runtimePath, configuration.monitorPath]
      where access(path, X_OK) != 0 {
        throw ContainerRuntimeError(
          .system, "a program that containers need is missing", metadata: ["path": path],
          cause: SystemError.last("access", path))
      }
      try Paths.makeDirectories(Self.containersFolder(configuration), mode: 0o711)
      try Paths.makeDirectories(MonitorLaunch.runtimeRoot(configuration), mode: 0o711)
    }
  }

  /// Stops watching and detaches all clients; containers go on. The object is of no use afterwards.
  package func shutDown() {
    let (containers, execs) = state.withLock { state in
      defer {
        state.containers = [:]
        state.execs = [:]
      }
      return (Array(state.containers.values), Array(state.execs.values))
    }
    for container in containers { container.abandon() }
    for exec in execs { exec.abandon() }
    rotator.stop()
    exitContinuation.finish()
    execExitContinuation.finish()
  }

  // MARK: places

  static func containersFolder(_ configuration: RuntimeConfiguration) -> String {
    configuration.execRoot + "/containers"
  }

  /// The folder of a container's bundle, sockets and exit status.
  func folder(of id: String) -> String {
    Self.containersFolder(configuration) + "/" + id
  }

  /// The OCI runtime's own folder for a container.
  func runtimeFolder(of id: String) -> String {
    MonitorLaunch.runtimeRoot(configuration) + "/" + id
  }

  /// The folder at `/dev/shm` of a container that was created with `.shareable`.
  package func sharedMemoryPath(_ id: String) -> String { folder(of: id) + "/shm" }

  // MARK: look-up

  /// The supervised container `id`.
  /// - Throws: `ContainerRuntimeError.notFound`.
  func container(_ id: String) throws -> SupervisedContainer {
    guard let container = state.withLock({ $0.containers[id] }) else {
      throw ContainerRuntimeError(
        .notFound, "no such container is known to the runtime", metadata: ["id": id])
    }
    return container
  }

  /// The supervised container `id`, which has not ended.
  /// - Throws: `ContainerRuntimeError.notFound` or `.wrongState`.
  func liveContainer(_ id: String) throws -> SupervisedContainer {
    let container = try container(id)
    guard container.exit == nil else {
      throw ContainerRuntimeError(.wrongState, "container is not running", metadata: ["id": id])
    }
    return container
  }

  /// Waits for the end of a container that was created or adopted here and not yet deleted.
  /// - Throws: `ContainerRuntimeError.notFound`.
  package func waitForExit(of id: String) async throws -> ContainerExit {
    await (try container(id)).ending.wait()
  }

  // MARK: signals

  /// Sends a signal to process 1 of a container, or to all its processes.
  ///
  /// `SIGKILL` also thaws a paused container, which could not die otherwise.
  /// - Throws: `ContainerRuntimeError.notFound`, or `.wrongState` when it no longer runs.
  package func kill(_ id: String, signal: Int32, all: Bool = false) async throws {
    let container = try liveContainer(id)
    try await BlockingPool.shared.run {
      if all {
        container.cgroup.signalAll(signal)
      } else if !container.signal(signal) {
        throw ContainerRuntimeError(.wrongState, "container is not running", metadata: ["id": id])
      }
      if signal == SIGKILL, container.cgroup.isFrozen { try container.cgroup.setFrozen(false) }
    }
  }

  /// Freezes all processes of a container.
  /// - Throws: `ContainerRuntimeError.notFound`, `.wrongState` or `.system`.
  package func pause(_ id: String) async throws { try await setFrozen(id, true) }

  /// Lets the processes of a paused container go on.
  /// - Throws: `ContainerRuntimeError.notFound`, `.wrongState` or `.system`.
  package func resume(_ id: String) async throws { try await setFrozen(id, false) }

  private func setFrozen(_ id: String, _ frozen: Bool) async throws {
    let container = try liveContainer(id)
    do {
      try await BlockingPool.shared.run { try container.cgroup.setFrozen(frozen) }
    } catch let error as SystemError {
      throw ContainerRuntimeError(
        .system, frozen ? "cannot pause the container" : "cannot resume the container",
        metadata: ["id": id], cause: error)
    }
  }

  // MARK: the OCI runtime

  /// Runs the OCI runtime with arguments after `--root`. Blocks.
  /// - Throws: `ContainerRuntimeError.runtimeFailed` with its words when it fails.
  func runRuntime(_ arguments: [String], input: [UInt8] = []) throws {
    let root = MonitorLaunch.runtimeRoot(configuration)
    let command = Command(
      configuration.runtimePath, ["--root", root, "--log", "/dev/null"] + arguments,
      environment: ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
    let result = try command.runBlocking(input: input, timeout: .seconds(60))
    guard result.status.isSuccess else {
      let words = String(decoding: result.errorOutput.prefix(4096), as: UTF8.self)
      throw ContainerRuntimeError(
        .runtimeFailed, "the OCI runtime failed",
        metadata: ["command": arguments.first ?? "", "output": words])
    }
  }
}
