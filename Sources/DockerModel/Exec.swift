/// The body of `POST /containers/{id}/exec`.
package struct ExecCreateRequest: Codable, Sendable, Hashable {
  package var attachStdin: Bool = false
  package var attachStdout: Bool = false
  package var attachStderr: Bool = false
  package var consoleSize: [Int]?
  package var detachKeys: String = ""
  package var tty: Bool = false
  package var env: [String]?
  package var cmd: StringList?
  package var privileged: Bool = false
  package var user: String = ""
  package var workingDir: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case attachStdin = "AttachStdin"
    case attachStdout = "AttachStdout"
    case attachStderr = "AttachStderr"
    case consoleSize = "ConsoleSize"
    case detachKeys = "DetachKeys"
    case tty = "Tty"
    case env = "Env"
    case cmd = "Cmd"
    case privileged = "Privileged"
    case user = "User"
    case workingDir = "WorkingDir"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    attachStdin = try values.value(.attachStdin) ?? false
    attachStdout = try values.value(.attachStdout) ?? false
    attachStderr = try values.value(.attachStderr) ?? false
    consoleSize = try values.decodeIfPresent([Int].self, forKey: .consoleSize)
    detachKeys = try values.value(.detachKeys) ?? ""
    tty = try values.value(.tty) ?? false
    env = try values.decodeIfPresent([String].self, forKey: .env)
    cmd = try values.value(.cmd)
    privileged = try values.value(.privileged) ?? false
    user = try values.value(.user) ?? ""
    workingDir = try values.value(.workingDir) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(attachStdin, forKey: .attachStdin)
    try values.encode(attachStdout, forKey: .attachStdout)
    try values.encode(attachStderr, forKey: .attachStderr)
    try values.encode(consoleSize, forKey: .consoleSize)
    try values.encode(detachKeys, forKey: .detachKeys)
    try values.encode(tty, forKey: .tty)
    try values.encode(env, forKey: .env)
    try values.encode(cmd, forKey: .cmd)
    try values.encode(privileged, forKey: .privileged)
    try values.encode(user, forKey: .user)
    try values.encode(workingDir, forKey: .workingDir)
  }
}

/// The body of `POST /exec/{id}/start`.
package struct ExecStartConfig: Codable, Sendable, Hashable {
  package var detach: Bool = false
  package var tty: Bool = false
  package var consoleSize: [Int]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case detach = "Detach"
    case tty = "Tty"
    case consoleSize = "ConsoleSize"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    detach = try values.value(.detach) ?? false
    tty = try values.value(.tty) ?? false
    consoleSize = try values.decodeIfPresent([Int].self, forKey: .consoleSize)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(detach, forKey: .detach)
    try values.encode(tty, forKey: .tty)
    try values.encode(consoleSize, forKey: .consoleSize)
  }
}

/// An answer that is just an id (`IdResponse`).
package struct IdResponse: Codable, Sendable, Hashable {
  package var id: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "Id"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
  }
}

/// What is known of a command in a container (`GET /exec/{id}/json`).
package struct ExecInspectResponse: Codable, Sendable, Hashable {
  package var id: String = ""
  package var running: Bool = false
  package var exitCode: Int?
  package var processConfig: ProcessConfig = ProcessConfig()
  package var openStdin: Bool = false
  package var openStderr: Bool = false
  package var openStdout: Bool = false
  package var canRemove: Bool = false
  package var containerID: String = ""
  package var detachKeys: String = ""
  package var pid: Int = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "ID"
    case running = "Running"
    case exitCode = "ExitCode"
    case processConfig = "ProcessConfig"
    case openStdin = "OpenStdin"
    case openStderr = "OpenStderr"
    case openStdout = "OpenStdout"
    case canRemove = "CanRemove"
    case containerID = "ContainerID"
    case detachKeys = "DetachKeys"
    case pid = "Pid"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    running = try values.value(.running) ?? false
    exitCode = try values.decodeIfPresent(Int.self, forKey: .exitCode)
    processConfig = try values.value(.processConfig) ?? ProcessConfig()
    openStdin = try values.value(.openStdin) ?? false
    openStderr = try values.value(.openStderr) ?? false
    openStdout = try values.value(.openStdout) ?? false
    canRemove = try values.value(.canRemove) ?? false
    containerID = try values.value(.containerID) ?? ""
    detachKeys = try values.value(.detachKeys) ?? ""
    pid = try values.value(.pid) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(running, forKey: .running)
    try values.encode(exitCode, forKey: .exitCode)
    try values.encode(processConfig, forKey: .processConfig)
    try values.encode(openStdin, forKey: .openStdin)
    try values.encode(openStderr, forKey: .openStderr)
    try values.encode(openStdout, forKey: .openStdout)
    try values.encode(canRemove, forKey: .canRemove)
    try values.encode(containerID, forKey: .containerID)
    try values.encode(detachKeys, forKey: .detachKeys)
    try values.encode(pid, forKey: .pid)
  }
}

/// The command of an exec (`ProcessConfig`).
package struct ProcessConfig: Codable, Sendable, Hashable {
  package var tty: Bool = false
  package var entrypoint: String = ""
  package var arguments: [String] = []
  package var privileged: Bool?
  package var user: String = ""

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case tty
    case entrypoint
    case arguments
    case privileged
    case user
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    tty = try values.value(.tty) ?? false
    entrypoint = try values.value(.entrypoint) ?? ""
    arguments = try values.value(.arguments) ?? []
    privileged = try values.decodeIfPresent(Bool.self, forKey: .privileged)
    user = try values.value(.user) ?? ""
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(tty, forKey: .tty)
    try values.encode(entrypoint, forKey: .entrypoint)
    try values.encode(arguments, forKey: .arguments)
    try values.encodeIfPresent(privileged, forKey: .privileged)
    try values.encodeUnlessUnset(user, forKey: .user)
  }
}
