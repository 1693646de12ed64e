import CLinux
import FoundationEssentials
import Glibc
import Host

/// Starts a conmon, which has the OCI runtime create a container or a process in one, and from then
/// on holds its streams and its exit status, whatever becomes of this daemon.
///
/// The daemon hears from conmon through a pipe: one line of JSON with the process id or, negative,
/// with the runtime's error. conmon forks away from us before it does anything else, so it is never
/// our child, in daemons that started it and in those that find it alike.
struct MonitorLaunch {
  /// The two things a monitor can be asked for.
  enum Purpose {
    /// `runc create` of the bundle in the folder.
    case container
    /// `runc exec` of `process.json` in the folder. With `attaches`, `connect` is called when the
    /// attach socket is ready, and the process starts after it has returned.
    case exec(attaches: Bool)
  }

  /// What came of it.
  struct Started {
    var process: ProcessIdentity
    var monitor: ProcessIdentity
  }

  let configuration: RuntimeConfiguration
  let containerID: String
  /// The exec's id, or the container's.
  let sessionID: String
  /// Where conmon keeps its sockets, its process ids and the exit status.
  let folder: String
  let purpose: Purpose
  var terminal = false
  var openStdin = false
  var leavesStdinOpen = false
  var logPath: String?
  /// After which conmon and what it started are killed.
  var timeout: Duration = .seconds(120)

  static let processFile = "pid"
  static let monitorFile = "monitor.pid"
  static let processSpecification = "process.json"
  static let exitFile = "exit"
  static let oomFile = "oom"
  private static let longestMessage = 64 << 10

  /// Root folder of the OCI runtime's state.
  static func runtimeRoot(_ configuration: RuntimeConfiguration) -> String {
    configuration.execRoot + "/runtime"
  }

  private func arguments() -> [String] {
    var arguments = [
      "--api-version", "1", "-c", containerID, "-u", sessionID,
      "-r", configuration.runtimePath,
      "--runtime-arg", "--root", "--runtime-arg", Self.runtimeRoot(configuration),
      // With a log of its own the runtime prints its error plainly, and conmon passes that on.
      "--runtime-arg", "--log", "--runtime-arg", "/dev/null",
      "-b", folder, "-0", folder, "-p", folder + "/" + Self.processFile,
      "-P", folder + "/" + Self.monitorFile, "-n", sessionID,
      "-l", logPath.map { "k8s-file:" + $0 } ?? "none",
      "--full-attach", "--no-sync-log", "--log-level", "error",
    ]
    if terminal { arguments.append("-t") }
    if openStdin { arguments.append("-i") }
    if leavesStdinOpen { arguments.append("--leave-stdin-open") }
    if case .exec(let attaches) = purpose {
      arguments += ["-e", "--exec-process-spec", folder + "/" + Self.processSpecification]
      if attaches { arguments.append("--exec-attach") }
    }
    return arguments
  }

  /// Starts the monitor and waits until the runtime is done. Blocks.
  /// - Parameter connect: called once the attach socket of an attached exec is there.
  /// - Throws: `ContainerRuntimeError`, or what `connect` throws.
  func run(connect: () throws -> Void = {}) throws -> Started {
    CgroupWriterLock.shared.hold()
    defer { CgroupWriterLock.shared.release() }
    let deadline = ContinuousClock.now + timeout
    let sync = try Descriptor.pipe()
    let errors = try Descriptor.pipe()
    var command = Command(
      configuration.monitorPath, arguments(),
      environment: [
        // The log's time stamps are in conmon's local time.
        "TZ": "UTC", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "_OCI_SYNCPIPE": "3",
      ])
    command.workingDirectory = folder
    command.descriptors = [(sync.writing, as: 3), (errors.writing, as: 2)]
    var start: (reading: Descriptor, writing: Descriptor)?
    var attach: (reading: Descriptor, writing: Descriptor)?
    if case .exec(attaches: true) = purpose {
      let pipes = (try Descriptor.pipe(), try Descriptor.pipe())
      command.descriptors += [(pipes.0.reading, as: 4), (pipes.1.writing, as: 5)]
      command.environment?["_OCI_STARTPIPE"] = "4"
      command.environment?["_OCI_ATTACHPIPE"] = "5"
      (start, attach) = pipes
    }
    let child = try spawn(command)
    command.descriptors = []
    sync.writing.close()
    errors.writing.close()
    start?.reading.close()
    attach?.writing.close()
    // conmon reads this pipe once before it forks, and again before it runs the runtime.
    try start?.writing.write([0])
    guard try child.waitBlocking().isSuccess else { throw monitorFailure(errors.reading) }
    let monitor = try monitorIdentity()
    do {
      if let attach, let start {
        _ = try line(from: attach.reading, deadline)
        try connect()
        try start.writing.write([0])
      }
      let process = try processIdentity(sync.reading, errors.reading, deadline)
      return Started(process: process, monitor: monitor)
    } catch {
      abandon(monitor)
      throw error
    }
  }

  private func spawn(_ command: Command) throws -> ChildProcess {
    do {
      return try command.spawn()
    } catch {
      throw ContainerRuntimeError(
        .system, "cannot start the container monitor",
        metadata: ["path": configuration.monitorPath], cause: error)
    }
  }

  private func monitorIdentity() throws -> ProcessIdentity {
    let text = try Paths.readText(folder + "/" + Self.monitorFile)
    guard let pid = Int32(text) else {
      throw ContainerRuntimeError(.system, "the container monitor left no process id")
    }
    do {
      return try ProcessIdentity(current: pid)
    } catch {
      // It has ended already; its line in the pipe says why.
      return ProcessIdentity(pid: pid, startTime: 0)
    }
  }

  /// Ends a monitor that did not get as far as it should, and the runtime with it.
  private func abandon(_ monitor: ProcessIdentity) {
    guard monitor.startTime != 0, let descriptor = monitor.open() else { return }
    // The runtime asked to be killed with its parent.
    martlet_pidfd_send_signal(descriptor.rawValue, SIGKILL)
    var poller = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    retryingInterrupts { poll(&poller, 1, 5000) }
  }

  // MARK: messages

  private struct Message: Decodable {
    var data: Int32
    var message: String?
  }

  private func processIdentity(
    _ sync: Descriptor, _ errors: Descriptor, _ deadline: ContinuousClock.Instant
  ) throws -> ProcessIdentity {
    guard let line = try line(from: sync, deadline) else { throw monitorFailure(errors) }
    let message: Message
    do {
      message = try JSONDecoder().decode(Message.self, from: Data(line))
    } catch {
      throw ContainerRuntimeError(
        .runtimeFailed, "the container monitor sent an unknown message",
        metadata: ["message": String(decoding: line.prefix(1000), as: UTF8.self)], cause: error)
    }
    guard message.data > 0 else {
      throw RuntimeFailure.error(saying: message.message ?? "", during: purpose)
    }
    do {
      return try ProcessIdentity(current: message.data)
    } catch {
      // It has ended already, and conmon has its status: no process has this identity.
      return ProcessIdentity(pid: message.data, startTime: 0)
    }
  }

  /// One line without its newline; nil when the pipe was closed without one.
  private func line(
    from pipe: Descriptor, _ deadline: ContinuousClock.Instant
  ) throws -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < Self.longestMessage {
      let left = ContinuousClock.now.duration(to: deadline)
      guard left > .zero else { break }
      var poller = pollfd(fd: pipe.rawValue, events: Int16(POLLIN), revents: 0)
      retryingInterrupts { poll(&poller, 1, Int32(clamping: left.components.seconds * 1000 + 999)) }
      guard poller.revents != 0 else { break }
      let chunk = try pipe.read(upTo: 8192)
      if chunk.isEmpty { return nil }
      bytes += chunk
      if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) { return Array(bytes[..<end]) }
    }
    throw ContainerRuntimeError(
      .timedOut, "the OCI runtime did not answer in time", metadata: ["id": sessionID])
  }

  private func monitorFailure(_ errors: Descriptor) -> ContainerRuntimeError {
    var poller = pollfd(fd: errors.rawValue, events: Int16(POLLIN), revents: 0)
    var text = ""
    if poll(&poller, 1, 100) == 1, let bytes = try? errors.read(upTo: 4096) {  // best effort
      text = String(decoding: bytes, as: UTF8.self)
    }
    return ContainerRuntimeError(
      .runtimeFailed, "the container monitor failed",
      metadata: text.isEmpty ? [:] : ["output": text])
  }
}
