import DockerModel
import OCI

extension ContainerConfig {
  /// Fills in what an image says and the request does not (the rules of dockerd's `runconfig`).
  mutating func merge(image: ExecutionConfiguration?) {
    guard let image else { return }
    if user.isEmpty { user = image.user ?? "" }
    if workingDir.isEmpty { workingDir = image.workingDir ?? "" }
    if stopSignal.isEmpty { stopSignal = image.stopSignal ?? "" }
    if stopTimeout == nil { stopTimeout = image.stopTimeout }
    if shell == nil { shell = image.shell.map(StringList.init) }
    for port in (image.exposedPorts ?? [:]).keys where exposedPorts[port] == nil {
      exposedPorts[port] = DockerModel.EmptyObject()
    }
    mergeEnvironment(image.env ?? [])
    if let imageLabels = image.labels {
      labels = imageLabels.merging(labels ?? [:]) { _, own in own }
    }
    if let imageVolumes = image.volumes, !imageVolumes.isEmpty {
      var all = volumes ?? [:]
      for path in imageVolumes.keys where all[path] == nil { all[path] = DockerModel.EmptyObject() }
      volumes = all
    }
    // An entry point of the request's own makes the image's command meaningless.
    if entrypoint == nil || entrypoint?.values == [] {
      let clearsEntrypoint = entrypoint?.values == []
      if cmd == nil || cmd?.values == [] { cmd = image.cmd.map(StringList.init) }
      if !clearsEntrypoint { entrypoint = image.entrypoint.map(StringList.init) }
    } else if entrypoint?.values == [""] {
      // `--entrypoint ""` takes the image's entry point away.
      entrypoint = nil
    }
    mergeHealthcheck(image.healthcheck)
  }

  private mutating func mergeEnvironment(_ image: [String]) {
    var own = env ?? []
    let names = Set(own.map(Self.variableName))
    let inherited = image.filter { !names.contains(Self.variableName($0)) }
    own = inherited + own
    env = own
  }

  private static func variableName(_ variable: String) -> Substring {
    variable.prefix { $0 != "=" }
  }

  private mutating func mergeHealthcheck(_ image: ExecutionConfiguration.Healthcheck?) {
    guard let image else { return }
    guard var own = healthcheck else {
      healthcheck = HealthConfig(image)
      return
    }
    if own.test == nil || own.test == [] { own.test = image.test }
    if own.interval == 0 { own.interval = image.interval ?? 0 }
    if own.timeout == 0 { own.timeout = image.timeout ?? 0 }
    if own.startPeriod == 0 { own.startPeriod = image.startPeriod ?? 0 }
    if own.startInterval == 0 { own.startInterval = image.startInterval ?? 0 }
    if own.retries == 0 { own.retries = image.retries ?? 0 }
    healthcheck = own
  }

  /// Program and arguments: the entry point, then the command.
  var commandLine: [String] { (entrypoint?.values ?? []) + (cmd?.values ?? []) }
}

extension HealthConfig {
  /// An image's health check in the API's words.
  init(_ image: ExecutionConfiguration.Healthcheck) {
    self.init()
    test = image.test
    interval = image.interval ?? 0
    timeout = image.timeout ?? 0
    startPeriod = image.startPeriod ?? 0
    startInterval = image.startInterval ?? 0
    retries = image.retries ?? 0
  }
}

extension ExecutionConfiguration {
  /// A container's configuration as an image's (`docker commit`).
  init(_ config: ContainerConfig) {
    self.init()
    user = config.user
    workingDir = config.workingDir
    stopSignal = config.stopSignal.isEmpty ? nil : config.stopSignal
    env = config.env
    cmd = config.cmd?.values
    entrypoint = config.entrypoint?.values
    labels = config.labels
    shell = config.shell?.values
    onBuild = config.onBuild
    exposedPorts = config.exposedPorts.mapValues { _ in OCI.EmptyObject() }
    volumes = config.volumes?.mapValues { _ in OCI.EmptyObject() }
    if let check = config.healthcheck {
      var own = Healthcheck()
      own.test = check.test
      own.interval = check.interval
      own.timeout = check.timeout
      own.startPeriod = check.startPeriod
      own.startInterval = check.startInterval
      own.retries = check.retries
      healthcheck = own
    }
  }
}
