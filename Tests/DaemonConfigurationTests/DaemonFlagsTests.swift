import DaemonConfiguration
import Testing

@Suite("Daemon flags")
struct DaemonFlagsTests {
  @Test("flags are checked like the file")
  func readsFlags() throws {
    let configuration = try resolve {
      $0.hosts = ["unix:///a.sock", "127.0.0.1:4000"]
      $0.tls = false
      $0.dataRoot = "/data"
      $0.debug = true
      $0.mtu = 1400
      $0.labels = ["a=b"]
      $0.logOptions = ["max-size=1m", "max-size=2m"]
      $0.defaultUlimits = ["nofile=64:128", "core=0", "memlock=-1"]
      $0.defaultAddressPools = ["base=10.9.0.0/16,size=24"]
      $0.runtimes = ["other=/bin/other"]
      $0.features = ["x", "y=false"]
      $0.defaultShmSize = "32m"
      $0.hostGatewayIPs = ["192.0.2.1"]
    }
    #expect(
      configuration.hosts == [.unix(path: "/a.sock"), .tcp(host: "127.0.0.1", port: 4000)])
    #expect(configuration.logOptions == ["max-size": "2m"])
    #expect(
      configuration.defaultUlimits == [
        "nofile": .init(soft: 64, hard: 128), "core": .init(soft: 0, hard: 0),
        "memlock": .init(soft: -1, hard: -1),
      ])
    #expect(configuration.defaultAddressPools == [.init(base: "10.9.0.0/16", size: 24)])
    #expect(configuration.runtimes == ["other": .init(path: "/bin/other")])
    #expect(configuration.features == ["x": true, "y": false])
    #expect(configuration.defaultShmSize == 32 << 20)
    #expect(configuration.given.contains("mtu") && !configuration.given.contains("bip"))
  }

  @Test("problems name the flag")
  func namesFlags() {
    let found = problems {
      $0.bip = "nonsense"
      $0.logOptions = ["x"]
      $0.defaultAddressPools = ["10.0.0.0/8"]
      $0.defaultUlimits = ["nofile=a"]
      $0.hosts = ["tcp://0.0.0.0:2375"]
    }
    #expect(found.count == 5)
    for flag in ["--bip", "--log-opt", "--default-address-pool", "--default-ulimit", "--host"] {
      #expect(found.contains { $0.hasPrefix("\(flag): ") }, "\(flag) in \(found)")
    }
  }

  @Test("a setting in the file and as a flag is an error that names both")
  func refusesBoth() {
    let found = problems("{\n\"debug\": true,\n\"hosts\": [\"unix:///x\"]\n}") {
      $0.debug = false
      $0.hosts = ["unix:///y"]
    }
    #expect(found.count == 2)
    #expect(
      found.contains(
        "/etc/martlet/daemon.json:2: \"debug\" is given both here (true) and by the flag "
          + "--debug (false); it can only be given once"))
    #expect(found.contains { $0.hasPrefix("/etc/martlet/daemon.json:3: \"hosts\"") })
  }

  @Test("plain TCP has to be wanted")
  func plainTCP() throws {
    #expect(problems { $0.hosts = ["tcp://127.0.0.1:1"] }.count == 1)
    #expect(
      problems {
        $0.hosts = ["tcp://127.0.0.1:1"]
        $0.tls = false
      } == [])
    #expect(
      problems {
        $0.hosts = ["tcp://127.0.0.1:1"]
        $0.tlsVerify = false
      } == [])
    #expect(
      problems {
        $0.hosts = ["tcp://127.0.0.1:1"]
        $0.tlsVerify = true
      } == [])
    let configuration = try resolve {
      $0.hosts = ["tcp://"]
      $0.tls = true
    }
    #expect(configuration.hosts == [.tcp(host: "127.0.0.1", port: 2376)])
  }

  @Test("boolean flags get their values spelled out")
  func spellsOut() {
    #expect(
      DaemonFlags.spellingOutSwitches([
        "-D", "--icc=false", "--ipv6=1", "--host=tcp://x", "-H", "y", "--tls", "--", "--debug",
      ]) == [
        "--debug", "true", "--icc", "false", "--ipv6", "true", "--host=tcp://x", "-H", "y",
        "--tls", "true", "--", "--debug",
      ])
  }
}

@Suite("Reloading")
struct ReloadingTests {
  @Test("what can change changes, the rest is named")
  func merges() throws {
    let old = try resolve(#"{"labels": ["a=1"], "mtu": 1400, "max-concurrent-uploads": 2}"#)
    let new = try resolve(
      #"{"debug": true, "labels": ["a=2"], "mtu": 1500, "data-root": "/x", "hosts": ["/y"]}"#)
    let result = old.reloading(from: new)
    #expect(result.changedKeys == ["debug", "labels", "max-concurrent-uploads"])
    #expect(result.ignoredKeys == ["data-root", "hosts", "mtu"])
    #expect(result.merged.debug)
    #expect(result.merged.labels == ["a=2"])
    #expect(result.merged.maxConcurrentUploads == 5)
    #expect(result.merged.bridge.mtu == 1400)
    #expect(result.merged.dataRoot == "/var/lib/martlet")
    #expect(result.merged.given == ["debug", "labels", "mtu"])
    let same = result.merged.reloading(from: result.merged)
    #expect(same.changedKeys == [] && same.ignoredKeys == [] && same.merged == result.merged)
  }

  @Test("the reloadable keys are those of dockerd")
  func keys() {
    #expect(
      DaemonConfiguration.reloadableKeys == [
        "allow-nondistributable-artifacts", "debug", "default-runtime", "features",
        "insecure-registries", "labels", "live-restore", "log-level",
        "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts",
        "registry-mirrors", "runtimes", "shutdown-timeout",
      ])
  }
}
