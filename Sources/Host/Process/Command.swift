import CLinux
import Glibc

/// How a process ended.
package enum ExitStatus: Hashable, Sendable {
  case exited(Int32)
  case signaled(Int32)

  /// Decodes the status word of waitpid(2).
  package init(waitStatus: Int32) {
    let signal = waitStatus & 0x7f
    self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signaled(signal)
  }

  /// The code a shell would show: the exit code, or 128 plus the signal.
  package var code: Int32 {
    switch self {
    case .exited(let code): code
    case .signaled(let signal): 128 + signal
    }
  }

  /// Whether the process ended by itself with code 0.
  package var isSuccess: Bool { self == .exited(0) }
}

/// What a finished command left.
package struct CommandResult: Sendable {
  /// How it ended.
  package var status: ExitStatus
  /// What it wrote to standard output, up to the command's limit.
  package var output: [UInt8]
  /// What it wrote to standard error, up to the command's limit.
  package var errorOutput: [UInt8]
}

/// A program to run: it inherits nothing but what is listed here.
package struct Command: Sendable {
  /// The path of the program.
  package var executable: String
  /// The arguments after the program's name.
  package var arguments: [String]
  /// The whole environment; that of this process when nil.
  package var environment: [String: String]?
  /// The folder to run in; that of this process when nil.
  package var workingDirectory: String?
  /// Descriptors the program gets, with the number each has there. 0, 1 and 2 are /dev/null unless
  /// listed.
  package var descriptors: [(Descriptor, as: Int32)] = []
  /// Whether the program leads a session of its own.
  package var startsSession = false
  /// How many bytes of each output stream `run` keeps.
  package var outputLimit = 16 << 20

  /// Describes a program run with arguments.
  package init(
    _ executable: String, _ arguments: [String], environment: [String: String]? = nil
  ) {
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
  }

  /// Starts the program without copying this process's memory (posix_spawn).
  ///
  /// Whoever calls this must call `wait` on the child, or it stays a zombie. Blocks shortly, until the
  /// program is executed.
  /// - Throws: `SystemError`, with `ENOENT` when there is no such program.
  package func spawn() throws -> ChildProcess {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let copies = try addDescriptors(to: &actions)
    defer { withExtendedLifetime(copies) {} }
    if let workingDirectory {
      martlet_spawn_change_directory(&actions, workingDirectory)
    }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    var flags = Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
    if startsSession { flags |= martlet_spawn_setsid }
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var process: pid_t = 0
    let status = withCStrings([executable] + arguments) { argv in
      guard let environment else {
        return posix_spawn(&process, executable, &actions, &attributes, argv, environ)
      }
      return withCStrings(environment.map { "\($0.key)=\($0.value)" }) { environment in
        posix_spawn(&process, executable, &actions, &attributes, argv, environment)
      }
    }
    guard status == 0 else { throw SystemError(status, "spawn", executable) }
    // The child cannot be reaped by anyone but us, so its id still means it here.
    return ChildProcess(
      pid: process, descriptor: try ProcessWatcher.descriptor(ofProcess: process))
  }

  /// Copies the listed descriptors out of the way of the numbers they are to have, then maps them.
  private func addDescriptors(to actions: inout posix_spawn_file_actions_t) throws -> [Descriptor] {
    let highest = descriptors.map { $0.as }.max() ?? 2
    var copies: [Descriptor] = []
    for standard in Int32(0)...2 where !descriptors.contains(where: { $0.as == standard }) {
      posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_RDWR, 0)
    }
    for (descriptor, number) in descriptors {
      let copy = fcntl(descriptor.rawValue, F_DUPFD_CLOEXEC, max(highest, 2) + 1)
      copies.append(Descriptor(owning: try checked("dup", nil, copy)))
      posix_spawn_file_actions_adddup2(&actions, copy, number)
    }
    martlet_spawn_close_from(&actions, max(highest, 2) + 1)
    return copies
  }

  /// Runs the program to its end and collects what it writes.
  /// - Parameters:
  ///   - input: what it reads from standard input.
  ///   - timeout: after which it is killed.
  /// - Throws: `SystemError`, with `ETIMEDOUT` after the timeout.
  package func run(input: [UInt8] = [], timeout: Duration? = nil) async throws -> CommandResult {
    try await BlockingPool.shared.run { try runBlocking(input: input, timeout: timeout) }
  }

  /// `run`, for callers that are on a thread that may block.
  /// - Throws: as `run`.
  package func runBlocking(
    input: [UInt8] = [], timeout: Duration? = nil
  ) throws -> CommandResult {
    var command = self
    let output = try Descriptor.pipe()
    let errors = try Descriptor.pipe()
    command.descriptors += [(output.writing, as: 1), (errors.writing, as: 2)]
    var feed: Descriptor?
    if !input.isEmpty {
      let pipe = try Descriptor.pipe()
      command.descriptors.append((pipe.reading, as: 0))
      feed = pipe.writing
    }
    let child = try command.spawn()
    command.descriptors = []
    output.writing.close()
    errors.writing.close()
    var exchange = PipeExchange(
      input: input, feed: feed, output: output.reading, errors: errors.reading, limit: outputLimit)
    feed = nil
    do {
      try exchange.run(until: timeout.map { ContinuousClock.now + $0 })
    } catch {
      child.signal(SIGKILL)
      _ = try? child.waitBlocking()  // the first error is the one to report
      throw error
    }
    return CommandResult(
      status: try child.waitBlocking(), output: exchange.collectedOutput,
      errorOutput: exchange.collectedErrors)
  }
}

/// A program that was started.
package struct ChildProcess: Sendable {
  /// Its process id.
  package let pid: Int32
  /// Its process descriptor.
  package let descriptor: Descriptor

  /// Sends a signal; one that has ended is left in peace.
  package func signal(_ number: Int32) {
    martlet_pidfd_send_signal(descriptor.rawValue, number)
  }

  /// Waits for the end and takes the status. Call once.
  /// - Throws: `CancellationError`, or `SystemError`.
  package func wait() async throws -> ExitStatus {
    try await ProcessWatcher.shared.waitForExit(of: descriptor)
    return try reap()
  }

  /// `wait`, for a thread that may block.
  /// - Throws: `SystemError`.
  package func waitBlocking() throws -> ExitStatus {
    var poller = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    _ = retryingInterrupts { poll(&poller, 1, -1) }
    return try reap()
  }

  private func reap() throws -> ExitStatus {
    var status: Int32 = 0
    let result = martlet_wait_pidfd(descriptor.rawValue, &status)
    guard result >= 0 else { throw SystemError.last("wait", "\(pid)") }
    guard result == 1 else { throw SystemError(EAGAIN, "wait", "\(pid)") }
    return ExitStatus(waitStatus: status)
  }
}

/// Calls `body` with a null-terminated array of C strings.
private func withCStrings<Result>(
  _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
  var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
  pointers.append(nil)
  defer { for pointer in pointers { free(pointer) } }
  return body(pointers)
}
