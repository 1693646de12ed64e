package import Logging

/// Everything the daemon can be told, with what holds when it is told nothing.
///
/// Keys of `daemon.json` and flags mean what they mean to dockerd. Values have been checked:
/// addresses, networks and URLs are well-formed where they are kept as text.
package struct DaemonConfiguration: Equatable, Sendable {
  /// The configuration file that is read when no other is named; it may be missing.
  package static let defaultFile = "/etc/martlet/daemon.json"

  /// The keys that were given, in the file or by flags; what is not here has its default.
  package var given: Set<String> = []

  /// Where the API is served. Key `hosts`.
  package var hosts: [HostAddress] = [.unix(path: "/run/martlet.sock")]
  /// The folder of all durable data, absolute. Key `data-root`.
  package var dataRoot = "/var/lib/martlet"
  /// The folder of what is gone after a restart of the machine, absolute. Key `exec-root`.
  package var execRoot = "/run/martlet"
  /// The file that holds the daemon's process id, absolute. Key `pidfile`.
  package var pidfile = "/run/martlet.pid"
  /// The group, by name or number, that may use the unix sockets. That it exists is only to be
  /// insisted upon when it was given. Key `group`.
  package var group = "docker"
  /// The folder for containers' cgroups; empty for the default. Key `cgroup-parent`.
  package var cgroupParent = ""

  /// Whether to log everything. Key `debug`.
  package var debug = false
  /// From which level on to log, unless `debug` is set. Key `log-level`.
  package var logLevel = Logger.Level.info
  /// How log lines look. Key `log-format`.
  package var logFormat = LogFormat.text
  /// Where metrics are served, as `host:port`; nil for nowhere. Key `metrics-addr`.
  package var metricsAddress: String?
  /// Labels of the daemon, `key=value`. Key `labels`.
  package var labels: [String] = []
  /// Resources of the node, `kind=value`. Key `node-generic-resources`.
  package var nodeGenericResources: [String] = []
  /// Switches for parts of the engine. Key `features`.
  package var features: [String: Bool] = [:]
  /// Whether the daemon calls itself experimental. Key `experimental`.
  package var experimental = false

  /// Whether TCP hosts use TLS. Set also when `tlsVerify` is. Key `tls`.
  package var tls = false
  /// Whether clients must show a certificate of the authority. Key `tlsverify`.
  package var tlsVerify = false
  /// The authority's certificate. Key `tlscacert`.
  package var tlsCACertificate = "/etc/martlet/ca.pem"
  /// The daemon's certificate. Key `tlscert`.
  package var tlsCertificate = "/etc/martlet/cert.pem"
  /// The daemon's key. Key `tlskey`.
  package var tlsKey = "/etc/martlet/key.pem"

  /// Mirrors of the default registry, as URLs that end in `/`. Key `registry-mirrors`.
  package var registryMirrors: [String] = []
  /// Registries, as `host`, `host:port` or networks, that may use plain HTTP or unknown
  /// certificates. Key `insecure-registries`.
  package var insecureRegistries: [String] = []
  /// Registries that may be sent foreign layers. Key `allow-nondistributable-artifacts`.
  package var nondistributableArtifactRegistries: [String] = []
  /// How many layers are downloaded at once; 0 for any number. Key `max-concurrent-downloads`.
  package var maxConcurrentDownloads = 3
  /// How many layers are uploaded at once; 0 for any number. Key `max-concurrent-uploads`.
  package var maxConcurrentUploads = 5
  /// How often a download is tried. Key `max-download-attempts`.
  package var maxDownloadAttempts = 5

  /// The default bridge.
  package var bridge = Bridge()
  /// Where networks without a subnet get theirs from; empty for the built-in pools. Key
  /// `default-address-pools`.
  package var defaultAddressPools: [AddressPool] = []
  /// Name servers for containers; empty for the host's. Key `dns`.
  package var dns: [String] = []
  /// Resolver options for containers. Key `dns-opts`.
  package var dnsOptions: [String] = []
  /// Search domains for containers. Key `dns-search`.
  package var dnsSearch: [String] = []
  /// The addresses that `host-gateway` stands for; empty for those of the default bridge. Key
  /// `host-gateway-ip`, or `host-gateway-ips`.
  package var hostGatewayIPs: [String] = []
  /// Whether containers' traffic may be forwarded: the daemon turns forwarding on. Key
  /// `ip-forward`.
  package var ipForward = true
  /// Whether the daemon writes packet filter rules for IPv4. Key `iptables`.
  package var iptables = true
  /// The same for IPv6. Key `ip6tables`.
  package var ip6tables = true
  /// Whether published ports work from the host's loopback and hairpin. Key `userland-proxy`.
  package var userlandProxy = true

  /// Where containers' output goes: `json-file`, `local` or `none`. Key `log-driver`.
  package var logDriver = "json-file"
  /// Options of the log driver. Key `log-opts`.
  package var logOptions: [String: String] = [:]
  /// Limits that containers get unless they ask for others, by name. Key `default-ulimits`.
  package var defaultUlimits: [String: Ulimit] = [:]
  /// The size of `/dev/shm`, in bytes. Key `default-shm-size`.
  package var defaultShmSize: Int64 = 64 << 20
  /// `private` or `shareable`. Key `default-ipc-mode`.
  package var defaultIpcMode = "private"
  /// `private` or `host`; nil for what suits the machine. Key `default-cgroupns-mode`.
  package var defaultCgroupnsMode: String?
  /// The runtime of containers that name none. Key `default-runtime`.
  package var defaultRuntime = "runc"
  /// Runtimes besides the built-in `runc` and `crun`, by name. Key `runtimes`.
  package var runtimes: [String: Runtime] = [:]
  /// Options of the runtime; only `native.cgroupdriver=cgroupfs` exists. Key `exec-opts`.
  package var execOptions: [String] = []
  /// Whether containers get an init process unless they ask otherwise. Key `init`.
  package var initProcess = false
  /// The init program, absolute; nil for the system's. Key `init-path`.
  package var initPath: String?
  /// Whether processes can never gain privileges, unless asked otherwise. Key `no-new-privileges`.
  package var noNewPrivileges = false
  /// `builtin`, `unconfined` or the absolute path of a profile. Key `seccomp-profile`.
  package var seccompProfile = "builtin"
  /// The daemon's own `oom_score_adj`. Key `oom-score-adjust`.
  package var oomScoreAdjust = 0
  /// How long containers may take to stop when the machine shuts down, in seconds; negative for
  /// ever. Key `shutdown-timeout`.
  package var shutdownTimeout = 15
  /// Containers always outlive the daemon; the key `live-restore` can only say so.
  package var liveRestore = true
  /// How image layers are stacked; always `overlay2`. Key `storage-driver`.
  package var storageDriver = "overlay2"
  /// Always false. Key `selinux-enabled`.
  package var selinuxEnabled = false
  /// Always empty. Key `userns-remap`.
  package var usernsRemap = ""

  /// The settings that hold when nothing is given.
  package init() {}

  /// From which level on the daemon logs.
  package var effectiveLogLevel: Logger.Level {
    debug ? .debug : logLevel
  }
}

extension DaemonConfiguration {
  /// Where the API is served.
  package enum HostAddress: Hashable, Sendable, CustomStringConvertible {
    /// A socket in the file system, at an absolute path.
    case unix(path: String)
    /// A TCP port of an address or host name; IPv6 addresses without brackets.
    case tcp(host: String, port: UInt16)

    /// The address as a client writes it.
    package var description: String {
      switch self {
      case .unix(let path): "unix://\(path)"
      case .tcp(let host, let port):
        host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
      }
    }
  }

  /// How the daemon's log lines look.
  package enum LogFormat: String, Hashable, Sendable {
    case text
    case json
  }

  /// The default bridge.
  package struct Bridge: Hashable, Sendable {
    /// A bridge of the operator's to use, `none` for no default network, nil for our own. Key
    /// `bridge`.
    package var name: String?
    /// The bridge's address with its network, such as `172.17.0.1/16`. Key `bip`.
    package var address: String?
    /// The same for IPv6. Key `bip6`.
    package var addressV6: String?
    /// The part of the network that containers' addresses come from. Key `fixed-cidr`.
    package var fixedCIDR: String?
    /// The same for IPv6. Key `fixed-cidr-v6`.
    package var fixedCIDRv6: String?
    /// The containers' gateway, if not the bridge. Key `default-gateway`.
    package var defaultGateway: String?
    /// The same for IPv6. Key `default-gateway-v6`.
    package var defaultGatewayV6: String?
    /// Whether the bridge has IPv6. Key `ipv6`.
    package var ipv6 = false
    /// The host address that ports are published on unless told otherwise. Key `ip`.
    package var publishAddress = "0.0.0.0"
    /// The containers' MTU; 0 for the default. Key `mtu`.
    package var mtu = 0
    /// Whether containers reach one another. Key `icc`.
    package var interContainerCommunication = true
    /// Whether containers' traffic to elsewhere takes the host's address. Key `ip-masq`.
    package var masquerade = true

    /// Our own bridge.
    package init() {}
  }

  /// Where subnets come from.
  package struct AddressPool: Hashable, Sendable {
    /// The network to divide, such as `10.10.0.0/16`.
    package var base: String
    /// The prefix length of the subnets.
    package var size: Int

    /// A pool of these parts.
    package init(base: String, size: Int) {
      self.base = base
      self.size = size
    }
  }

  /// A resource limit; -1 for none.
  package struct Ulimit: Hashable, Sendable {
    /// What holds.
    package var soft: Int64
    /// How far a process may raise it.
    package var hard: Int64

    /// A limit of these parts.
    package init(soft: Int64, hard: Int64) {
      self.soft = soft
      self.hard = hard
    }
  }

  /// An OCI runtime.
  package struct Runtime: Hashable, Sendable {
    /// The program, absolute or to be looked up in `PATH`.
    package var path: String
    /// Arguments before the runtime's command.
    package var arguments: [String]

    /// A runtime of these parts.
    package init(path: String, arguments: [String] = []) {
      self.path = path
      self.arguments = arguments
    }
  }
}
