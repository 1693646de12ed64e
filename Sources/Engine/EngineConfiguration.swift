package import DockerModel

/// How the engine of one daemon is set up; what a reload may change is marked.
package struct EngineConfiguration: Sendable {
  /// The folder of what outlives a reboot.
  package var dataRoot: String
  /// The folder of what does not.
  package var executionRoot: String
  /// The daemon's id, made once.
  package var id = ""
  /// The product's version.
  package var version = "0.1.0"
  /// Labels of the daemon, as `key=value` (reloadable).
  package var labels: [String] = []
  /// Whether it logs at debug level (reloadable).
  package var isDebugging = false
  /// The log driver of containers that name none, and its options.
  package var logConfig: LogConfig
  /// Bytes of `/dev/shm` of containers that name none.
  package var defaultShmSize: Int64 = 64 << 20
  /// `private` or `shareable`.
  package var defaultIpcMode = "private"
  /// `private` or `host`.
  package var defaultCgroupnsMode = "host"
  /// Limits of containers that set none of that name.
  package var defaultUlimits: [Ulimit] = []
  /// Whether containers that do not say get an init.
  package var usesInit = false
  /// Whether containers that do not say cannot gain privileges.
  package var noNewPrivileges = false
  /// The system call filter of containers that name none: nil for the built-in one, `unconfined`,
  /// or a profile's JSON.
  package var seccompProfile: String?
  /// The network of containers that name none; `none` when there is no default bridge.
  package var defaultNetwork = "bridge"
  /// Seconds that containers get to stop when the daemon's host goes down.
  package var shutdownTimeout = 15
  /// Paths of the programs used.
  package var runtimePath = "/usr/sbin/runc"
  package var initPath = "/usr/bin/tini-static"
  /// For `docker info` (reloadable).
  package var registryMirrors: [String] = []
  /// For `docker info` (reloadable).
  package var insecureRegistries: [String] = []
  /// For `docker info`.
  package var addressPools: [AddressPool] = []
  /// Addresses that `host-gateway` stands for and resolver settings are the network's.
  package var hostGateway: [String] = []

  /// The defaults below two folders.
  package init(dataRoot: String, executionRoot: String) {
    self.dataRoot = dataRoot
    self.executionRoot = executionRoot
    logConfig = LogConfig()
    logConfig.type = "json-file"
  }

  /// The folder of a container's own files.
  func containerFolder(_ id: String) -> String { dataRoot + "/containers/" + id }
}
