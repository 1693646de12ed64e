/// The settings that the command line gave, as they stand there; nil or empty for those it did not.
package struct DaemonFlags: Hashable, Sendable {
  /// `--config-file`; nil for the default file, which may be missing.
  package var configFile: String?
  /// `-H`, `--host`.
  package var hosts: [String] = []
  /// `--data-root`.
  package var dataRoot: String?
  /// `--exec-root`.
  package var execRoot: String?
  /// `-p`, `--pidfile`.
  package var pidfile: String?
  /// `-G`, `--group`.
  package var group: String?
  /// `-D`, `--debug`.
  package var debug: Bool?
  /// `-l`, `--log-level`.
  package var logLevel: String?
  /// `--log-format`.
  package var logFormat: String?
  /// `--metrics-addr`.
  package var metricsAddress: String?
  /// `--label`.
  package var labels: [String] = []
  /// `--node-generic-resource`.
  package var nodeGenericResources: [String] = []
  /// `--feature NAME[=BOOL]`.
  package var features: [String] = []
  /// `--experimental`.
  package var experimental: Bool?
  /// `--tls`.
  package var tls: Bool?
  /// `--tlsverify`.
  package var tlsVerify: Bool?
  /// `--tlscacert`.
  package var tlsCACertificate: String?
  /// `--tlscert`.
  package var tlsCertificate: String?
  /// `--tlskey`.
  package var tlsKey: String?
  /// `--registry-mirror`.
  package var registryMirrors: [String] = []
  /// `--insecure-registry`.
  package var insecureRegistries: [String] = []
  /// `--allow-nondistributable-artifacts`.
  package var nondistributableArtifactRegistries: [String] = []
  /// `--max-concurrent-downloads`.
  package var maxConcurrentDownloads: Int?
  /// `--max-concurrent-uploads`.
  package var maxConcurrentUploads: Int?
  /// `--max-download-attempts`.
  package var maxDownloadAttempts: Int?
  /// `-b`, `--bridge`.
  package var bridge: String?
  /// `--bip`.
  package var bip: String?
  /// `--bip6`.
  package var bip6: String?
  /// `--fixed-cidr`.
  package var fixedCIDR: String?
  /// `--fixed-cidr-v6`.
  package var fixedCIDRv6: String?
  /// `--default-gateway`.
  package var defaultGateway: String?
  /// `--default-gateway-v6`.
  package var defaultGatewayV6: String?
  /// `--ipv6`.
  package var ipv6: Bool?
  /// `--ip`.
  package var ip: String?
  /// `--mtu`.
  package var mtu: Int?
  /// `--icc`.
  package var icc: Bool?
  /// `--ip-forward`.
  package var ipForward: Bool?
  /// `--ip-masq`.
  package var ipMasq: Bool?
  /// `--iptables`.
  package var iptables: Bool?
  /// `--ip6tables`.
  package var ip6tables: Bool?
  /// `--userland-proxy`.
  package var userlandProxy: Bool?
  /// `--default-address-pool base=NETWORK,size=LENGTH`.
  package var defaultAddressPools: [String] = []
  /// `--dns`.
  package var dns: [String] = []
  /// `--dns-opt`.
  package var dnsOptions: [String] = []
  /// `--dns-search`.
  package var dnsSearch: [String] = []
  /// `--host-gateway-ip`.
  package var hostGatewayIPs: [String] = []
  /// `--log-driver`.
  package var logDriver: String?
  /// `--log-opt KEY=VALUE`.
  package var logOptions: [String] = []
  /// `--default-ulimit NAME=SOFT[:HARD]`.
  package var defaultUlimits: [String] = []
  /// `--default-shm-size`.
  package var defaultShmSize: String?
  /// `--default-ipc-mode`.
  package var defaultIpcMode: String?
  /// `--default-cgroupns-mode`.
  package var defaultCgroupnsMode: String?
  /// `--default-runtime`.
  package var defaultRuntime: String?
  /// `--add-runtime NAME=PATH`.
  package var runtimes: [String] = []
  /// `--exec-opt`.
  package var execOptions: [String] = []
  /// `--cgroup-parent`.
  package var cgroupParent: String?
  /// `--init`.
  package var initProcess: Bool?
  /// `--init-path`.
  package var initPath: String?
  /// `--no-new-privileges`.
  package var noNewPrivileges: Bool?
  /// `--seccomp-profile`.
  package var seccompProfile: String?
  /// `--oom-score-adjust`.
  package var oomScoreAdjust: Int?
  /// `--shutdown-timeout`, in seconds.
  package var shutdownTimeout: Int?
  /// `--live-restore`.
  package var liveRestore: Bool?
  /// `-s`, `--storage-driver`.
  package var storageDriver: String?
  /// `--selinux-enabled`.
  package var selinuxEnabled: Bool?
  /// `--userns-remap`.
  package var usernsRemap: String?

  /// No flags.
  package init() {}

  /// The flags that take a boolean, which pflag lets stand without a value.
  package static let switches: Set<String> = Set(
    Setting.all.values.filter(\.isSwitch).map { "--" + $0.key } + ["-D"])

  /// Gives every boolean flag its value as an argument of its own: `--debug` and `-D` become
  /// `--debug true`, `--icc=false` becomes `--icc false`, so that a parser can take booleans as
  /// options with a value. Stops at `--`.
  package static func spellingOutSwitches(_ arguments: [String]) -> [String] {
    var result: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--" { return result + [argument] + rest }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = parts.first.map(String.init), switches.contains(name) else {
        result.append(argument)
        continue
      }
      let words = ["1": "true", "t": "true", "0": "false", "f": "false"]
      let value = parts.count == 2 ? parts[1].lowercased() : "true"
      result += [name == "-D" ? "--debug" : name, words[value] ?? value]
    }
    return result
  }
}
