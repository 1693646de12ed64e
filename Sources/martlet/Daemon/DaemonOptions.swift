import ArgumentParser
import DaemonConfiguration

/// The flags of `martlet daemon`: those of dockerd, where they mean the same. A boolean takes a value;
/// `DaemonFlags.spellingOutSwitches` gives one to those that stand alone.
struct DaemonOptions: ParsableArguments {
  @Option(
    name: [.customLong("config-file")], parsing: .unconditional,
    help: "The configuration file; without it /etc/martlet/daemon.json is read if it is there.")
  var configFile: String?
  @Option(
    name: [.customShort("H"), .customLong("host")], parsing: .unconditionalSingleValue,
    help: "Where to serve the API: unix://PATH or tcp://HOST:PORT. May be repeated.")
  var hosts: [String] = []
  @Option(
    name: [.customLong("data-root")], parsing: .unconditional,
    help: "The folder of images, containers and volumes.")
  var dataRoot: String?
  @Option(
    name: [.customLong("exec-root")], parsing: .unconditional,
    help: "The folder of what is gone after a restart of the machine.")
  var execRoot: String?
  @Option(
    name: [.customShort("p"), .customLong("pidfile")], parsing: .unconditional,
    help: "The file that holds the daemon's process id.")
  var pidfile: String?
  @Option(
    name: [.customShort("G"), .customLong("group")], parsing: .unconditional,
    help: "The group that may use the unix sockets.")
  var group: String?
  @Option(name: [.customShort("D"), .customLong("debug")], help: "Log everything.")
  var debug: Bool?
  @Option(
    name: [.customShort("l"), .customLong("log-level")], parsing: .unconditional,
    help: "From which level on to log: debug, info, warn, error, fatal.")
  var logLevel: String?
  @Option(
    name: [.customLong("log-format")], parsing: .unconditional,
    help: "How log lines look: text or json.")
  var logFormat: String?
  @Option(
    name: [.customLong("metrics-addr")], parsing: .unconditional,
    help: "Where to serve metrics, HOST:PORT.")
  var metricsAddress: String?
  @Option(
    name: [.customLong("label")], parsing: .unconditionalSingleValue,
    help: "A label of the daemon, KEY=VALUE. May be repeated.")
  var labels: [String] = []
  @Option(name: [.customLong("node-generic-resource")], parsing: .unconditionalSingleValue)
  var nodeGenericResources: [String] = []
  @Option(name: [.customLong("feature")], parsing: .unconditionalSingleValue)
  var features: [String] = []
  @Option(name: [.customLong("experimental")])
  var experimental: Bool?
  @Option(name: [.customLong("tls")], help: "Use TLS on TCP hosts.")
  var tls: Bool?
  @Option(
    name: [.customLong("tlsverify")],
    help: "Use TLS and let only clients in whose certificate the authority signed.")
  var tlsVerify: Bool?
  @Option(name: [.customLong("tlscacert")], parsing: .unconditional)
  var tlsCACertificate: String?
  @Option(name: [.customLong("tlscert")], parsing: .unconditional)
  var tlsCertificate: String?
  @Option(name: [.customLong("tlskey")], parsing: .unconditional)
  var tlsKey: String?
  @Option(name: [.customLong("registry-mirror")], parsing: .unconditionalSingleValue)
  var registryMirrors: [String] = []
  @Option(name: [.customLong("insecure-registry")], parsing: .unconditionalSingleValue)
  var insecureRegistries: [String] = []
  @Option(
    name: [.customLong("allow-nondistributable-artifacts")], parsing: .unconditionalSingleValue)
  var nondistributableArtifactRegistries: [String] = []
  @Option(name: [.customLong("max-concurrent-downloads")], parsing: .unconditional)
  var maxConcurrentDownloads: Int?
  @Option(name: [.customLong("max-concurrent-uploads")], parsing: .unconditional)
  var maxConcurrentUploads: Int?
  @Option(name: [.customLong("max-download-attempts")], parsing: .unconditional)
  var maxDownloadAttempts: Int?
  @Option(
    name: [.customShort("b"), .customLong("bridge")], parsing: .unconditional,
    help: "An existing bridge to use instead of our own; none for no default network.")
  var bridge: String?
  @Option(
    name: [.customLong("bip")], parsing: .unconditional,
    help: "The address and prefix length of the default bridge.")
  var bip: String?
  @Option(name: [.customLong("bip6")], parsing: .unconditional)
  var bip6: String?
  @Option(name: [.customLong("fixed-cidr")], parsing: .unconditional)
  var fixedCIDR: String?
  @Option(name: [.customLong("fixed-cidr-v6")], parsing: .unconditional)
  var fixedCIDRv6: String?
  @Option(name: [.customLong("default-gateway")], parsing: .unconditional)
  var defaultGateway: String?
  @Option(name: [.customLong("default-gateway-v6")], parsing: .unconditional)
  var defaultGatewayV6: String?
  @Option(name: [.customLong("ipv6")])
  var ipv6: Bool?
  @Option(name: [.customLong("ip")], parsing: .unconditional)
  var ip: String?
  @Option(name: [.customLong("mtu")], parsing: .unconditional)
  var mtu: Int?
  @Option(name: [.customLong("icc")])
  var icc: Bool?
  @Option(name: [.customLong("ip-forward")])
  var ipForward: Bool?
  @Option(name: [.customLong("ip-masq")])
  var ipMasq: Bool?
  @Option(name: [.customLong("iptables")])
  var iptables: Bool?
  @Option(name: [.customLong("ip6tables")])
  var ip6tables: Bool?
  @Option(name: [.customLong("userland-proxy")])
  var userlandProxy: Bool?
  @Option(
    name: [.customLong("default-address-pool")], parsing: .unconditionalSingleValue,
    help: "Where subnets come from, base=NETWORK,size=LENGTH. May be repeated.")
  var defaultAddressPools: [String] = []
  @Option(name: [.customLong("dns")], parsing: .unconditionalSingleValue)
  var dns: [String] = []
  @Option(name: [.customLong("dns-opt")], parsing: .unconditionalSingleValue)
  var dnsOptions: [String] = []
  @Option(name: [.customLong("dns-search")], parsing: .unconditionalSingleValue)
  var dnsSearch: [String] = []
  @Option(name: [.customLong("host-gateway-ip")], parsing: .unconditionalSingleValue)
  var hostGatewayIPs: [String] = []
  @Option(name: [.customLong("log-driver")], parsing: .unconditional)
  var logDriver: String?
  @Option(name: [.customLong("log-opt")], parsing: .unconditionalSingleValue)
  var logOptions: [String] = []
  @Option(name: [.customLong("default-ulimit")], parsing: .unconditionalSingleValue)
  var defaultUlimits: [String] = []
  @Option(name: [.customLong("default-shm-size")], parsing: .unconditional)
  var defaultShmSize: String?
  @Option(name: [.customLong("default-ipc-mode")], parsing: .unconditional)
  var defaultIpcMode: String?
  @Option(name: [.customLong("default-cgroupns-mode")], parsing: .unconditional)
  var defaultCgroupnsMode: String?
  @Option(name: [.customLong("default-runtime")], parsing: .unconditional)
  var defaultRuntime: String?
  @Option(name: [.customLong("add-runtime")], parsing: .unconditionalSingleValue)
  var runtimes: [String] = []
  @Option(name: [.customLong("exec-opt")], parsing: .unconditionalSingleValue)
  var execOptions: [String] = []
  @Option(name: [.customLong("cgroup-parent")], parsing: .unconditional)
  var cgroupParent: String?
  @Option(name: [.customLong("init")])
  var initProcess: Bool?
  @Option(name: [.customLong("init-path")], parsing: .unconditional)
  var initPath: String?
  @Option(name: [.customLong("no-new-privileges")])
  var noNewPrivileges: Bool?
  @Option(name: [.customLong("seccomp-profile")], parsing: .unconditional)
  var seccompProfile: String?
  @Option(name: [.customLong("oom-score-adjust")], parsing: .unconditional)
  var oomScoreAdjust: Int?
  @Option(name: [.customLong("shutdown-timeout")], parsing: .unconditional)
  var shutdownTimeout: Int?
  @Option(name: [.customLong("live-restore")])
  var liveRestore: Bool?
  @Option(name: [.customShort("s"), .customLong("storage-driver")], parsing: .unconditional)
  var storageDriver: String?
  @Option(name: [.customLong("selinux-enabled")])
  var selinuxEnabled: Bool?
  @Option(name: [.customLong("userns-remap")], parsing: .unconditional)
  var usernsRemap: String?

  /// The flags as plain data.
  var flags: DaemonFlags {
    var flags = DaemonFlags()
    copyDaemon(to: &flags)
    copyContainers(to: &flags)
    return flags
  }

  private func copyDaemon(to flags: inout DaemonFlags) {
    flags.configFile = configFile
    flags.hosts = hosts
    flags.dataRoot = dataRoot
    flags.execRoot = execRoot
    flags.pidfile = pidfile
    flags.group = group
    flags.debug = debug
    flags.logLevel = logLevel
    flags.logFormat = logFormat
    flags.metricsAddress = metricsAddress
    flags.labels = labels
    flags.nodeGenericResources = nodeGenericResources
    flags.features = features
    flags.experimental = experimental
    flags.tls = tls
    flags.tlsVerify = tlsVerify
    flags.tlsCACertificate = tlsCACertificate
    flags.tlsCertificate = tlsCertificate
    flags.tlsKey = tlsKey
    flags.registryMirrors = registryMirrors
    flags.insecureRegistries = insecureRegistries
    flags.nondistributableArtifactRegistries = nondistributableArtifactRegistries
    flags.maxConcurrentDownloads = maxConcurrentDownloads
    flags.maxConcurrentUploads = maxConcurrentUploads
    flags.maxDownloadAttempts = maxDownloadAttempts
    flags.bridge = bridge
    flags.bip = bip
    flags.bip6 = bip6
    flags.fixedCIDR = fixedCIDR
    flags.fixedCIDRv6 = fixedCIDRv6
    flags.defaultGateway = defaultGateway
    flags.defaultGatewayV6 = defaultGatewayV6
    flags.ipv6 = ipv6
  }

  private func copyContainers(to flags: inout DaemonFlags) {
    flags.ip = ip
    flags.mtu = mtu
    flags.icc = icc
    flags.ipForward = ipForward
    flags.ipMasq = ipMasq
    flags.iptables = iptables
    flags.ip6tables = ip6tables
    flags.userlandProxy = userlandProxy
    flags.defaultAddressPools = defaultAddressPools
    flags.dns = dns
    flags.dnsOptions = dnsOptions
    flags.dnsSearch = dnsSearch
    flags.hostGatewayIPs = hostGatewayIPs
    flags.logDriver = logDriver
    flags.logOptions = logOptions
    flags.defaultUlimits = defaultUlimits
    flags.defaultShmSize = defaultShmSize
    flags.defaultIpcMode = defaultIpcMode
    flags.defaultCgroupnsMode = defaultCgroupnsMode
    flags.defaultRuntime = defaultRuntime
    flags.runtimes = runtimes
    flags.execOptions = execOptions
    flags.cgroupParent = cgroupParent
    flags.initProcess = initProcess
    flags.initPath = initPath
    flags.noNewPrivileges = noNewPrivileges
    flags.seccompProfile = seccompProfile
    flags.oomScoreAdjust = oomScoreAdjust
    flags.shutdownTimeout = shutdownTimeout
    flags.liveRestore = liveRestore
    flags.storageDriver = storageDriver
    flags.selinuxEnabled = selinuxEnabled
    flags.usernsRemap = usernsRemap
  }
}
