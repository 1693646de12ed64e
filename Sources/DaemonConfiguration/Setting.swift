/// One thing the daemon can be told: its key in the file, how its value is read and where it goes.
struct Setting: Sendable {
  /// The key in the file.
  let key: String
  /// Whether a running daemon takes a new value.
  let isReloadable: Bool
  /// Whether the value is a boolean.
  let isSwitch: Bool
  /// Reads the value; false when something is wrong with it.
  let read: @Sendable (JSONNode, inout DaemonConfiguration, inout ProblemList) -> Bool
  /// Whether two configurations agree.
  let agrees: @Sendable (DaemonConfiguration, DaemonConfiguration) -> Bool
  /// Takes the value of the first configuration over into the second.
  let copy: @Sendable (DaemonConfiguration, inout DaemonConfiguration) -> Void

  init<Value: Equatable & Sendable>(
    _ key: String, _ path: any WritableKeyPath<DaemonConfiguration, Value> & Sendable,
    _ parser: ValueParser<Value>, isReloadable: Bool = false
  ) {
    self.key = key
    self.isReloadable = isReloadable
    self.isSwitch = Value.self == Bool.self
    self.read = { node, configuration, problems in
      guard let value = parser.parse(node, &problems) else { return false }
      configuration[keyPath: path] = value
      return true
    }
    self.agrees = { $0[keyPath: path] == $1[keyPath: path] }
    self.copy = { $1[keyPath: path] = $0[keyPath: path] }
  }

  /// Every setting, by key.
  static let all: [String: Setting] = Dictionary(
    uniqueKeysWithValues: (places + networks + containers).map { ($0.key, $0) })

  private static let places: [Setting] = [
    Setting("hosts", \.hosts, .list(.host)),
    Setting("data-root", \.dataRoot, .absolutePath),
    Setting("exec-root", \.execRoot, .absolutePath),
    Setting("pidfile", \.pidfile, .absolutePath),
    Setting("group", \.group, .text),
    Setting("debug", \.debug, .bool, isReloadable: true),
    Setting("log-level", \.logLevel, .logLevel, isReloadable: true),
    Setting("log-format", \.logFormat, .logFormat),
    Setting("metrics-addr", \.metricsAddress, ValueParser<String>.hostPort.optional),
    Setting("labels", \.labels, .labels, isReloadable: true),
    Setting("node-generic-resources", \.nodeGenericResources, .labels),
    Setting("features", \.features, .switches, isReloadable: true),
    Setting("experimental", \.experimental, .bool),
    Setting("tls", \.tls, .bool),
    Setting("tlsverify", \.tlsVerify, .bool),
    Setting("tlscacert", \.tlsCACertificate, .absolutePath),
    Setting("tlscert", \.tlsCertificate, .absolutePath),
    Setting("tlskey", \.tlsKey, .absolutePath),
    Setting("registry-mirrors", \.registryMirrors, .list(.mirror), isReloadable: true),
    Setting("insecure-registries", \.insecureRegistries, .list(.registry), isReloadable: true),
    Setting(
      "allow-nondistributable-artifacts", \.nondistributableArtifactRegistries, .list(.registry),
      isReloadable: true),
    Setting(
      "max-concurrent-downloads", \.maxConcurrentDownloads, .integer(0...1_000),
      isReloadable: true),
    Setting(
      "max-concurrent-uploads", \.maxConcurrentUploads, .integer(0...1_000), isReloadable: true),
    Setting(
      "max-download-attempts", \.maxDownloadAttempts, .integer(1...1_000), isReloadable: true),
    Setting("oom-score-adjust", \.oomScoreAdjust, .integer(-1_000...1_000)),
    Setting("shutdown-timeout", \.shutdownTimeout, .integer(-1...86_400), isReloadable: true),
    Setting(
      "live-restore", \.liveRestore,
      .only(true, "containers always outlive the daemon; live-restore cannot be turned off"),
      isReloadable: true),
    Setting("storage-driver", \.storageDriver, .storageDriver),
    Setting(
      "selinux-enabled", \.selinuxEnabled, .only(false, "SELinux labels are not supported")),
    Setting("userns-remap", \.usernsRemap, .usernsRemap),
  ]

  private static let networks: [Setting] = [
    Setting("bridge", \.bridge.name, ValueParser<String>.nonEmpty.optional),
    Setting("bip", \.bridge.address, ValueParser<String>.interface(v6: false).optional),
    Setting("bip6", \.bridge.addressV6, ValueParser<String>.interface(v6: true).optional),
    Setting("fixed-cidr", \.bridge.fixedCIDR, ValueParser<String>.network(v6: false).optional),
    Setting("fixed-cidr-v6", \.bridge.fixedCIDRv6, ValueParser<String>.network(v6: true).optional),
    Setting("default-gateway", \.bridge.defaultGateway, ValueParser<String>.addressV4.optional),
    Setting(
      "default-gateway-v6", \.bridge.defaultGatewayV6, ValueParser<String>.addressV6.optional),
    Setting("ipv6", \.bridge.ipv6, .bool),
    Setting("ip", \.bridge.publishAddress, .address),
    Setting("mtu", \.bridge.mtu, .integer(0...65_535)),
    Setting("icc", \.bridge.interContainerCommunication, .bool),
    Setting("ip-masq", \.bridge.masquerade, .bool),
    Setting("ip-forward", \.ipForward, .bool),
    Setting("iptables", \.iptables, .bool),
    Setting("ip6tables", \.ip6tables, .bool),
    Setting("userland-proxy", \.userlandProxy, .bool),
    Setting("default-address-pools", \.defaultAddressPools, .list(.addressPool)),
    Setting("dns", \.dns, .list(.address)),
    Setting("dns-opts", \.dnsOptions, .list(.nonEmpty)),
    Setting("dns-search", \.dnsSearch, .list(.searchDomain)),
    Setting("host-gateway-ip", \.hostGatewayIPs, .listOrOne(.address)),
    Setting("host-gateway-ips", \.hostGatewayIPs, .listOrOne(.address)),
  ]

  private static let containers: [Setting] = [
    Setting("log-driver", \.logDriver, .logDriver),
    Setting("log-opts", \.logOptions, .texts),
    Setting("default-ulimits", \.defaultUlimits, .ulimits),
    Setting("default-shm-size", \.defaultShmSize, .size),
    Setting("default-ipc-mode", \.defaultIpcMode, .one(of: ["private", "shareable"])),
    Setting(
      "default-cgroupns-mode", \.defaultCgroupnsMode,
      ValueParser<String>.one(of: ["private", "host"]).optional),
    Setting("default-runtime", \.defaultRuntime, .nonEmpty, isReloadable: true),
    Setting("runtimes", \.runtimes, .runtimes, isReloadable: true),
    Setting("exec-opts", \.execOptions, .list(.execOption)),
    Setting("cgroup-parent", \.cgroupParent, .text),
    Setting("init", \.initProcess, .bool),
    Setting("init-path", \.initPath, ValueParser<String>.absolutePath.optional),
    Setting("no-new-privileges", \.noNewPrivileges, .bool),
    Setting("seccomp-profile", \.seccompProfile, .seccompProfile),
  ]

  /// Keys of dockerd that mean nothing here, and why.
  static let unsupported: [String: String] = [
    "api-cors-header": "the API is not for web pages of other hosts",
    "authorization-plugins": "there are no plugins yet",
    "cluster-advertise": "dockerd has given it up", "cluster-store": "dockerd has given it up",
    "cluster-store-opts": "dockerd has given it up",
    "cdi-spec-dirs": "CDI devices are not supported",
    "containerd": "there is no containerd", "containerd-namespace": "there is no containerd",
    "containerd-plugin-namespace": "there is no containerd",
    "cpu-rt-period": "real-time scheduling is not supported",
    "cpu-rt-runtime": "real-time scheduling is not supported",
    "default-network-opts": "give the options when a network is created",
    "deprecated-key-path": "there is no trust key", "graph": "it is called \"data-root\"",
    "http-proxy": "set HTTP_PROXY in the daemon's environment",
    "https-proxy": "set HTTPS_PROXY in the daemon's environment",
    "no-proxy": "set NO_PROXY in the daemon's environment",
    "proxies": "set HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the daemon's environment",
    "network-control-plane-mtu": "there is no overlay network yet",
    "raw-logs": "use \"log-format\"", "storage-opts": "overlay2 has no options here",
    "swarm-default-advertise-addr": "there is no swarm yet",
    "userland-proxy-path": "no program is needed for the proxy",
    "validate": "it is a flag, not a setting",
  ]
}

extension DaemonConfiguration {
  /// The runtimes that need not be given.
  package static let builtInRuntimes: Set<String> = ["runc", "crun", "io.containerd.runc.v2"]

  /// The keys whose values a running daemon takes over on SIGHUP.
  package static let reloadableKeys: Set<String> = Set(
    Setting.all.values.filter(\.isReloadable).map(\.key))

  /// The log drivers and their options.
  static let logDrivers: [String: Set<String>] = [
    "json-file": [
      "max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag",
    ],
    "local": ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex"],
    "none": [],
  ]

  /// Takes what can be changed while the daemon runs over from a configuration that was read anew.
  ///
  /// `changedKeys` are the settings that now have another value, `ignoredKeys` those that need a
  /// restart to take theirs; both sorted.
  package func reloading(
    from new: DaemonConfiguration
  ) -> (merged: DaemonConfiguration, changedKeys: [String], ignoredKeys: [String]) {
    var merged = self
    var changed: [String] = []
    var ignored: [String] = []
    for setting in Setting.all.values.sorted(by: { $0.key < $1.key })
    where !setting.agrees(self, new) {
      guard setting.isReloadable else {
        ignored.append(setting.key)
        continue
      }
      setting.copy(new, &merged)
      changed.append(setting.key)
      if new.given.contains(setting.key) {
        merged.given.insert(setting.key)
      } else {
        merged.given.remove(setting.key)
      }
    }
    // Two spellings of one setting are one to the reader.
    ignored.removeAll { $0 == "host-gateway-ips" }
    return (merged, changed, ignored)
  }
}
