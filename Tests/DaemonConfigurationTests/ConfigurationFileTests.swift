import DaemonConfiguration
import FoundationEssentials
import Logging
import Testing

let path = "/etc/martlet/daemon.json"

/// Resolves a file and flags.
func resolve(
  _ file: String? = nil, _ change: (inout DaemonFlags) -> Void = { _ in }
) throws -> DaemonConfiguration {
  var flags = DaemonFlags()
  change(&flags)
  return try DaemonConfiguration.resolve(
    flags: flags, file: file.map { ConfigurationFile(path: path, contents: Array($0.utf8)) })
}

/// The problems of a file and flags, a line each.
func problems(
  _ file: String? = nil, _ change: (inout DaemonFlags) -> Void = { _ in }
) -> [String] {
  do {
    _ = try resolve(file, change)
    return []
  } catch let error as ConfigurationError {
    return error.problems.map(\.description)
  } catch {
    return ["\(error)"]
  }
}

@Suite("daemon.json")
struct ConfigurationFileTests {
  @Test("without a file and flags the defaults hold")
  func defaults() throws {
    let configuration = try resolve()
    #expect(configuration == DaemonConfiguration())
    #expect(configuration.hosts == [.unix(path: "/run/martlet.sock")])
    #expect(configuration.dataRoot == "/var/lib/martlet")
    #expect(configuration.given == [])
    #expect(try resolve("") == configuration)
    #expect(try resolve(" \r\n\t") == configuration)
    #expect(try resolve("{}") == configuration)
  }

  @Test("every key is read")
  func readsEveryKey() throws {
    let configuration = try resolve(
      """
      {
        "hosts": ["unix:///run/a.sock", "tcp://[::1]:2376", "tcp://0.0.0.0"],
        "data-root": "/data", "exec-root": "/exec", "pidfile": "/pid", "group": "wheel",
        "cgroup-parent": "/parent", "debug": true, "log-level": "warn", "log-format": "json",
        "metrics-addr": "127.0.0.1:9323", "labels": ["a=b", "c="],
        "node-generic-resources": ["GPU=1"], "features": {"buildkit": false},
        "experimental": true, "tls": false, "tlsverify": true, "tlscacert": "/ca",
        "tlscert": "/cert", "tlskey": "/key", "registry-mirrors": ["https://mirror.example.com"],
        "insecure-registries": ["localhost:5000", "10.0.0.0/8"],
        "allow-nondistributable-artifacts": ["registry.example.com"],
        "max-concurrent-downloads": 7, "max-concurrent-uploads": 0, "max-download-attempts": 2,
        "bip": "10.1.0.1/16", "bip6": "fd00::1/64", "fixed-cidr": "10.1.2.0/24",
        "fixed-cidr-v6": "fd00::/80", "default-gateway": "10.1.0.2",
        "default-gateway-v6": "fd00::2", "ipv6": true, "ip": "127.0.0.1", "mtu": 1400,
        "icc": false, "ip-masq": false, "ip-forward": false, "iptables": true,
        "ip6tables": false, "userland-proxy": false,
        "default-address-pools": [{"base": "10.8.0.0/16", "size": 24}],
        "dns": ["1.1.1.1", "::1"], "dns-opts": ["ndots:2"], "dns-search": ["example.com"],
        "host-gateway-ip": "192.0.2.1", "log-driver": "local",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 64, "Hard": 128}},
        "default-shm-size": "1g", "default-ipc-mode": "shareable",
        "default-cgroupns-mode": "host", "default-runtime": "other",
        "runtimes": {"other": {"path": "/bin/other", "runtimeArgs": ["-x"]}},
        "exec-opts": ["native.cgroupdriver=cgroupfs"], "init": true, "init-path": "/sbin/tini",
        "no-new-privileges": true, "seccomp-profile": "unconfined", "oom-score-adjust": -500,
        "shutdown-timeout": -1, "live-restore": true, "storage-driver": "overlay",
        "selinux-enabled": false, "userns-remap": ""
      }
      """)
    #expect(
      configuration.hosts == [
        .unix(path: "/run/a.sock"), .tcp(host: "::1", port: 2376),
        .tcp(host: "0.0.0.0", port: 2376),
      ])
    #expect(configuration.hosts[1].description == "tcp://[::1]:2376")
    #expect(configuration.tls && configuration.tlsVerify)
    #expect(configuration.effectiveLogLevel == .debug)
    #expect(configuration.registryMirrors == ["https://mirror.example.com/"])
    #expect(configuration.bridge.address == "10.1.0.1/16")
    #expect(configuration.bridge.interContainerCommunication == false)
    #expect(configuration.defaultAddressPools == [.init(base: "10.8.0.0/16", size: 24)])
    #expect(configuration.hostGatewayIPs == ["192.0.2.1"])
    #expect(configuration.defaultUlimits == ["nofile": .init(soft: 64, hard: 128)])
    #expect(configuration.defaultShmSize == 1 << 30)
    #expect(configuration.runtimes["other"] == .init(path: "/bin/other", arguments: ["-x"]))
    #expect(configuration.storageDriver == "overlay2")
    #expect(configuration.shutdownTimeout == -1)
    #expect(configuration.given.count == 64)
  }

  @Test("all problems are named at once, with their lines")
  func namesProblems() {
    let found = problems(
      """
      {
        "debug": "yes",
        "log-levle": "info",
        "mtu": 1.5,
        "dns": ["1.1.1.1",
          "nonsense"],
        "debug": true,
        "graph": "/old",
        "zzzzzzzzzzzz": 1
      }
      """)
    #expect(
      found == [
        "\(path):2: \"debug\": expected true or false, found a string",
        "\(path):3: unknown key \"log-levle\" (did you mean \"log-level\"?)",
        "\(path):4: \"mtu\": expected a whole number from 0 to 65535, found 1.5",
        "\(path):6: \"dns\": expected an IP address, found \"nonsense\"",
        "\(path):7: the key \"debug\" is given twice, first at \(path):2",
        "\(path):8: the key \"graph\" is not supported: it is called \"data-root\"",
        "\(path):9: unknown key \"zzzzzzzzzzzz\"",
      ])
  }

  @Test(
    "bad values are refused, each with one problem in its line",
    arguments: [
      #""hosts": "unix:///x""#, #""hosts": ["fd://"]"#, #""hosts": ["npipe:////./pipe/x"]"#,
      #""hosts": ["tcp://host:99999"], "tls": true"#, #""hosts": ["unix://relative"]"#,
      #""hosts": ["tcp://0.0.0.0:2375"]"#, #""hosts": ["tcp://a b:1"], "tls": true"#,
      #""hosts": ["unix:///x", "/x"]"#, #""data-root": "relative""#,
      #""data-root": "/run/martlet""#,
      #""pidfile": 7"#, #""log-level": "loud""#, #""log-format": "xml""#, #""labels": ["x"]"#,
      #""labels": ["a=1", "a=2"]"#, #""labels": [1]"#, #""features": {"x": "true"}"#,
      #""features": []"#, #""registry-mirrors": ["ftp://x"]"#,
      #""registry-mirrors": ["https://x/path"]"#, #""registry-mirrors": ["https://u@x"]"#,
      #""registry-mirrors": ["mirror.example.com"]"#, #""insecure-registries": ["http://x"]"#,
      #""insecure-registries": [":5000"]"#, #""max-concurrent-downloads": -1"#,
      #""max-concurrent-downloads": 99999999999999999999999"#, #""max-download-attempts": 0"#,
      #""max-concurrent-uploads": null"#, #""bip": "10.0.0.0/8""#, #""bip": "10.0.0.1""#,
      #""bip": "fd00::1/64""#, #""bip": "10.0.0.1/33""#, #""bip": "10.0.0.1/08x""#,
      #""bip": "10.0.0.1/8", "bridge": "br0""#, #""bridge": "a-name-that-is-too-long""#,
      #""bip": "10.0.0.1/8", "fixed-cidr": "11.0.0.0/24""#,
      #""bip": "10.0.0.1/8", "default-gateway": "11.0.0.1""#, #""ip": "host""#, #""mtu": 70000"#,
      #""icc": false, "iptables": false"#, #""default-address-pools": [{"base": "10.0.0.1/8"}]"#,
      #""default-address-pools": [{"base": "10.0.0.1/8", "size": 16}]"#,
      #""default-address-pools": [{"base": "10.0.0.0/8", "size": 4}]"#,
      #""default-address-pools": [{"base": "10.0.0.0/8", "size": 24, "x": 1}]"#,
      #""dns-search": ["-x"]"#, #""dns": "1.1.1.1""#, #""host-gateway-ip": "x""#,
      #""host-gateway-ip": [], "host-gateway-ips": []"#, #""log-driver": "syslog""#,
      #""log-opts": {"max-sise": "1m"}"#, #""log-opts": {"max-size": 10}"#,
      #""log-opts": {"max-file": "0"}"#, #""log-driver": "none", "log-opts": {"max-file": "1"}"#,
      #""default-ulimits": {"nofiles": {"Soft": 1, "Hard": 1}}"#,
      #""default-ulimits": {"nofile": {"Soft": 2, "Hard": 1}}"#,
      #""default-ulimits": {"nofile": {"Name": "core", "Soft": 1, "Hard": 1}}"#,
      #""default-ulimits": {"nofile": {"Soft": 1}}"#, #""default-shm-size": 0"#,
      #""default-shm-size": "64q""#, #""default-shm-size": "99999999999t""#,
      #""default-ipc-mode": "host""#, #""default-cgroupns-mode": "x""#,
      #""default-runtime": "missing""#, #""runtimes": {"runc": {"path": "/x"}}"#,
      #""runtimes": {"x": {}}"#, #""runtimes": {"x": {"path": "/x", "runtimeType": "y"}}"#,
      #""runtimes": {"a/b": {"path": "/x"}}"#, #""exec-opts": ["native.cgroupdriver=systemd"]"#,
      #""exec-opts": ["x"]"#, #""init-path": "tini""#, #""seccomp-profile": "default""#,
      #""oom-score-adjust": 1001"#, #""shutdown-timeout": -2"#, #""live-restore": false"#,
      #""storage-driver": "btrfs""#, #""selinux-enabled": true"#, #""userns-remap": "default""#,
      #""metrics-addr": "localhost""#, #""containerd": "/run/x""#,
    ])
  func refuses(line: String) {
    let found = problems("{\n\n\(line)\n}")
    #expect(found.count == 1, "\(found)")
    #expect(found.first?.hasPrefix("\(path):3: ") == true, "\(found)")
  }

  @Test(
    "what is no JSON is refused with the line",
    arguments: [
      ("{\n\"debug\": true,\n}", 3), ("{\n\"debug\" true}", 2), ("[]", 1), ("nul", 1),
      ("{} x", 1), ("{\"a\": 01}", 1), ("{\"a\": +1}", 1), ("{\"a\": 1.}", 1),
      ("{\"a\": \"\n\"}", 1),
      ("{\"a\": \"\\x\"}", 1), ("{\"a\": \"\\ud800\"}", 1), ("{\"a\": \"\\u12\"}", 1),
      ("\u{FEFF}{}", 1), ("{\n\n\n\"a", 4), ("'x'", 1), ("{\"a\": NaN}", 1),
      (String(repeating: "[", count: 100_000), 1),
      (String(repeating: "{\"a\":", count: 5_000), 1),
    ])
  func refusesSyntax(text: String, line: Int) {
    let found = problems(text)
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("\(path):\(line): ") == true, "\(found)")
  }

  @Test("escapes and Unicode are read")
  func readsStrings() throws {
    let configuration = try resolve(
      #"{"labels": ["k=\"\\\/\b\f\n\r\té\ud83d\ude00é"], "\u0064ebug": true}"#)
    #expect(configuration.labels == ["k=\"\\/\u{8}\u{C}\n\r\té😀é"])
    #expect(configuration.debug)
  }

  @Test("the file is read from the disk, and may only be missing if it was not named")
  func loads() throws {
    var flags = DaemonFlags()
    let file = "/tmp/martlet-configuration-\(ProcessInfo.processInfo.processIdentifier).json"
    flags.configFile = file
    let error = #expect(throws: ConfigurationError.self) {
      try DaemonConfiguration.load(flags: flags)
    }
    #expect(error?.description == "\(file): there is no such file")
    try Data(#"{"debug": true}"#.utf8).write(to: URL(filePath: file))
    defer { try? FileManager.default.removeItem(atPath: file) }
    #expect(try DaemonConfiguration.load(flags: flags).debug)
    flags.configFile = "/"
    #expect(throws: ConfigurationError.self) { try DaemonConfiguration.load(flags: flags) }
  }
}
