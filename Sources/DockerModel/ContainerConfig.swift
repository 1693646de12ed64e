/// What a container runs, independent of the machine it runs on (`ContainerConfig`).
package struct ContainerConfig: Codable, Sendable, Hashable {
  package var hostname: String = ""
  package var domainname: String = ""
  package var user: String = ""
  package var attachStdin: Bool = false
  package var attachStdout: Bool = false
  package var attachStderr: Bool = false
  /// Ports as `80/tcp`.
  package var exposedPorts: [String: EmptyObject] = [:]
  package var tty: Bool = false
  package var openStdin: Bool = false
  package var stdinOnce: Bool = false
  /// `NAME=value`; a bare `NAME` removes one that the image sets.
  package var env: [String]?
  package var cmd: StringList?
  package var healthcheck: HealthConfig?
  package var argsEscaped: Bool?
  package var image: String = ""
  /// Mount points of anonymous volumes.
  package var volumes: [String: EmptyObject]?
  package var workingDir: String = ""
  package var entrypoint: StringList?
  package var networkDisabled: Bool = false
  package var macAddress: String = ""
  package var onBuild: [String]?
  package var labels: [String: String]?
  package var stopSignal: String = ""
  /// Seconds.
  package var stopTimeout: Int?
  package var shell: StringList?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case hostname = "Hostname"
    case domainname = "Domainname"
    case user = "User"
    case attachStdin = "AttachStdin"
    case attachStdout = "AttachStdout"
    case attachStderr = "AttachStderr"
    case exposedPorts = "ExposedPorts"
    case tty = "Tty"
    case openStdin = "OpenStdin"
    case stdinOnce = "StdinOnce"
    case env = "Env"
    case cmd = "Cmd"
    case healthcheck = "Healthcheck"
    case argsEscaped = "ArgsEscaped"
    case image = "Image"
    case volumes = "Volumes"
    case workingDir = "WorkingDir"
    case entrypoint = "Entrypoint"
    case networkDisabled = "NetworkDisabled"
    case macAddress = "MacAddress"
    case onBuild = "OnBuild"
    case labels = "Labels"
    case stopSignal = "StopSignal"
    case stopTimeout = "StopTimeout"
    case shell = "Shell"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    hostname = try values.value(.hostname) ?? ""
    domainname = try values.value(.domainname) ?? ""
    user = try values.value(.user) ?? ""
    attachStdin = try values.value(.attachStdin) ?? false
    attachStdout = try values.value(.attachStdout) ?? false
    attachStderr = try values.value(.attachStderr) ?? false
    exposedPorts = try values.value(.exposedPorts) ?? [:]
    tty = try values.value(.tty) ?? false
    openStdin = try values.value(.openStdin) ?? false
    stdinOnce = try values.value(.stdinOnce) ?? false
    env = try values.decodeIfPresent([String].self, forKey: .env)
    cmd = try values.value(.cmd)
    healthcheck = try values.decodeIfPresent(HealthConfig.self, forKey: .healthcheck)
    argsEscaped = try values.decodeIfPresent(Bool.self, forKey: .argsEscaped)
    image = try values.value(.image) ?? ""
    volumes = try values.decodeIfPresent([String: EmptyObject].self, forKey: .volumes)
    workingDir = try values.value(.workingDir) ?? ""
    entrypoint = try values.value(.entrypoint)
    networkDisabled = try values.value(.networkDisabled) ?? false
    macAddress = try values.value(.macAddress) ?? ""
    onBuild = try values.decodeIfPresent([String].self, forKey: .onBuild)
    labels = try values.decodeIfPresent([String: String].self, forKey: .labels)
    stopSignal = try values.value(.stopSignal) ?? ""
    stopTimeout = try values.decodeIfPresent(Int.self, forKey: .stopTimeout)
    shell = try values.value(.shell)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(hostname, forKey: .hostname)
    try values.encode(domainname, forKey: .domainname)
    try values.encode(user, forKey: .user)
    try values.encode(attachStdin, forKey: .attachStdin)
    try values.encode(attachStdout, forKey: .attachStdout)
    try values.encode(attachStderr, forKey: .attachStderr)
    try values.encodeUnlessUnset(exposedPorts, forKey: .exposedPorts)
    try values.encode(tty, forKey: .tty)
    try values.encode(openStdin, forKey: .openStdin)
    try values.encode(stdinOnce, forKey: .stdinOnce)
    try values.encode(env, forKey: .env)
    try values.encode(cmd, forKey: .cmd)
    try values.encodeIfPresent(healthcheck, forKey: .healthcheck)
    try values.encodeIfPresent(argsEscaped, forKey: .argsEscaped)
    try values.encode(image, forKey: .image)
    try values.encode(volumes, forKey: .volumes)
    try values.encode(workingDir, forKey: .workingDir)
    try values.encode(entrypoint, forKey: .entrypoint)
    try values.encodeUnlessUnset(networkDisabled, forKey: .networkDisabled)
    try values.encodeUnlessUnset(macAddress, forKey: .macAddress)
    try values.encode(onBuild, forKey: .onBuild)
    try values.encode(labels, forKey: .labels)
    try values.encodeUnlessUnset(stopSignal, forKey: .stopSignal)
    try values.encodeIfPresent(stopTimeout, forKey: .stopTimeout)
    try values.encodeIfPresent(shell, forKey: .shell)
  }
}

/// How to find out whether a container works (`HealthConfig`); times are nanoseconds.
package struct HealthConfig: Codable, Sendable, Hashable {
  package var test: [String]?
  package var interval: Int64 = 0
  package var timeout: Int64 = 0
  package var startPeriod: Int64 = 0
  package var startInterval: Int64 = 0
  package var retries: Int = 0

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case test = "Test"
    case interval = "Interval"
    case timeout = "Timeout"
    case startPeriod = "StartPeriod"
    case startInterval = "StartInterval"
    case retries = "Retries"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    test = try values.decodeIfPresent([String].self, forKey: .test)
    interval = try values.value(.interval) ?? 0
    timeout = try values.value(.timeout) ?? 0
    startPeriod = try values.value(.startPeriod) ?? 0
    startInterval = try values.value(.startInterval) ?? 0
    retries = try values.value(.retries) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(test, forKey: .test)
    try values.encodeUnlessUnset(interval, forKey: .interval)
    try values.encodeUnlessUnset(timeout, forKey: .timeout)
    try values.encodeUnlessUnset(startPeriod, forKey: .startPeriod)
    try values.encodeUnlessUnset(startInterval, forKey: .startInterval)
    try values.encodeUnlessUnset(retries, forKey: .retries)
  }
}

/// The networks a new container joins (`NetworkingConfig`).
package struct NetworkingConfig: Codable, Sendable, Hashable {
  package var endpointsConfig: [String: EndpointSettings]?

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case endpointsConfig = "EndpointsConfig"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    endpointsConfig = try values.decodeIfPresent(
      [String: EndpointSettings].self, forKey: .endpointsConfig)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(endpointsConfig, forKey: .endpointsConfig)
  }
}

/// The answer to a container's creation (`ContainerCreateResponse`).
package struct ContainerCreateResponse: Codable, Sendable, Hashable {
  package var id: String = ""
  package var warnings: [String] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case id = "Id"
    case warnings = "Warnings"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    id = try values.value(.id) ?? ""
    warnings = try values.value(.warnings) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(warnings, forKey: .warnings)
  }
}

/// The answer to an update of a container's resources.
package struct ContainerUpdateResponse: Codable, Sendable, Hashable {
  package var warnings: [String] = []

  /// An instance with every field at the value that clients read as unset.
  package init() {}

  private enum CodingKeys: String, CodingKey {
    case warnings = "Warnings"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    warnings = try values.value(.warnings) ?? []
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(warnings, forKey: .warnings)
  }
}
