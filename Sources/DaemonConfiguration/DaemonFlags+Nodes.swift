/// A setting that a flag gave.
struct FlagValue {
  var key: String
  /// The flag as it is written, for messages.
  var flag: String
  var node: JSONNode
}

extension DaemonFlags {
  /// The settings the flags give, in the form of the file, so that both are checked by the same
  /// code. Values that cannot be put into that form are noted.
  func values(_ problems: inout ProblemList) -> [FlagValue] {
    var values = plainValues
    for (key, flag, texts) in listValues where !texts.isEmpty {
      let items = texts.map { JSONNode(line: 0, value: .string($0)) }
      values.append(FlagValue(key: key, flag: flag, node: JSONNode(line: 0, value: .array(items))))
    }
    func add(
      _ key: String, _ flag: String, _ texts: [String],
      _ member: (String) -> (key: String, value: JSONNode.Value)?, _ wanted: String
    ) {
      guard !texts.isEmpty else { return }
      var members: [JSONNode.Member] = []
      for text in texts {
        guard let (name, value) = member(text) else {
          problems.add("expected \(wanted), found \"\(text)\"", place: flag)
          continue
        }
        // The last of several wins, as dockerd has it.
        members.removeAll { $0.key == name }
        members.append(
          JSONNode.Member(key: name, line: 0, value: JSONNode(line: 0, value: value)))
      }
      values.append(
        FlagValue(key: key, flag: flag, node: JSONNode(line: 0, value: .object(members))))
    }
    add("log-opts", "--log-opt", logOptions, { pair($0).map { ($0, .string($1)) } }, "KEY=VALUE")
    add(
      "runtimes", "--add-runtime", runtimes,
      { pair($0).map { ($0, Self.object(["path": .string($1)])) } }, "NAME=PATH")
    add("features", "--feature", features, Self.feature, "NAME or NAME=true or NAME=false")
    add(
      "default-ulimits", "--default-ulimit", defaultUlimits, Self.ulimit,
      "NAME=SOFT or NAME=SOFT:HARD")
    if !defaultAddressPools.isEmpty {
      values.append(addressPools(&problems))
    }
    return values
  }

  private var plainValues: [FlagValue] {
    let texts: [(String, String?)] = [
      ("data-root", dataRoot), ("exec-root", execRoot), ("pidfile", pidfile), ("group", group),
      ("log-level", logLevel), ("log-format", logFormat), ("metrics-addr", metricsAddress),
      ("tlscacert", tlsCACertificate), ("tlscert", tlsCertificate), ("tlskey", tlsKey),
      ("bridge", bridge), ("bip", bip), ("bip6", bip6), ("fixed-cidr", fixedCIDR),
      ("fixed-cidr-v6", fixedCIDRv6), ("default-gateway", defaultGateway),
      ("default-gateway-v6", defaultGatewayV6), ("ip", ip), ("log-driver", logDriver),
      ("default-shm-size", defaultShmSize), ("default-ipc-mode", defaultIpcMode),
      ("default-cgroupns-mode", defaultCgroupnsMode), ("default-runtime", defaultRuntime),
      ("cgroup-parent", cgroupParent), ("init-path", initPath),
      ("seccomp-profile", seccompProfile), ("storage-driver", storageDriver),
      ("userns-remap", usernsRemap),
    ]
    let switches: [(String, Bool?)] = [
      ("debug", debug), ("experimental", experimental), ("tls", tls), ("tlsverify", tlsVerify),
      ("ipv6", ipv6), ("icc", icc), ("ip-forward", ipForward), ("ip-masq", ipMasq),
      ("iptables", iptables), ("ip6tables", ip6tables), ("userland-proxy", userlandProxy),
      ("init", initProcess), ("no-new-privileges", noNewPrivileges),
      ("live-restore", liveRestore), ("selinux-enabled", selinuxEnabled),
    ]
    let numbers: [(String, Int?)] = [
      ("max-concurrent-downloads", maxConcurrentDownloads),
      ("max-concurrent-uploads", maxConcurrentUploads),
      ("max-download-attempts", maxDownloadAttempts), ("mtu", mtu),
      ("oom-score-adjust", oomScoreAdjust), ("shutdown-timeout", shutdownTimeout),
    ]
    let values: [(String, JSONNode.Value?)] =
      texts.map { ($0, $1.map { .string($0) }) } + switches.map { ($0, $1.map { .bool($0) }) }
      + numbers.map { ($0, $1.map { .number("\($0)") }) }
    return values.compactMap { key, value in
      value.map { FlagValue(key: key, flag: "--" + key, node: JSONNode(line: 0, value: $0)) }
    }
  }

  private var listValues: [(key: String, flag: String, texts: [String])] {
    [
      ("hosts", "--host", hosts), ("labels", "--label", labels),
      ("node-generic-resources", "--node-generic-resource", nodeGenericResources),
      ("registry-mirrors", "--registry-mirror", registryMirrors),
      ("insecure-registries", "--insecure-registry", insecureRegistries),
      (
        "allow-nondistributable-artifacts", "--allow-nondistributable-artifacts",
        nondistributableArtifactRegistries
      ),
      ("dns", "--dns", dns), ("dns-opts", "--dns-opt", dnsOptions),
      ("dns-search", "--dns-search", dnsSearch),
      ("host-gateway-ip", "--host-gateway-ip", hostGatewayIPs),
      ("exec-opts", "--exec-opt", execOptions),
    ]
  }

  private func addressPools(_ problems: inout ProblemList) -> FlagValue {
    let flag = "--default-address-pool"
    var pools: [JSONNode] = []
    for text in defaultAddressPools {
      let fields = text.split(separator: ",").map { pair(String($0)) }
      guard fields.allSatisfy({ $0 != nil }) else {
        problems.add("expected base=NETWORK,size=LENGTH, found \"\(text)\"", place: flag)
        continue
      }
      let members = fields.compactMap { $0 }.map { key, value in
        JSONNode.Member(
          key: key, line: 0,
          value: JSONNode(line: 0, value: key == "size" ? .number(value) : .string(value)))
      }
      pools.append(JSONNode(line: 0, value: .object(members)))
    }
    return FlagValue(
      key: "default-address-pools", flag: flag, node: JSONNode(line: 0, value: .array(pools)))
  }

  private static func feature(_ text: String) -> (key: String, value: JSONNode.Value)? {
    guard let (name, value) = pair(text) else { return text.isEmpty ? nil : (text, .bool(true)) }
    switch value {
    case "true", "1": return (name, .bool(true))
    case "false", "0": return (name, .bool(false))
    default: return nil
    }
  }

  private static func ulimit(_ text: String) -> (key: String, value: JSONNode.Value)? {
    guard let (name, limits) = pair(text) else { return nil }
    let parts = limits.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let soft = parts.first, let hard = parts.last,
      Int64(soft) != nil, Int64(hard) != nil
    else { return nil }
    return (name, object(["Soft": .number(String(soft)), "Hard": .number(String(hard))]))
  }

  private static func object(_ members: [String: JSONNode.Value]) -> JSONNode.Value {
    .object(
      members.map {
        JSONNode.Member(key: $0.key, line: 0, value: JSONNode(line: 0, value: $0.value))
      })
  }
}

/// The two sides of the first `=`; nil when there is none or nothing before it.
private func pair(_ text: String) -> (String, String)? {
  let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
  guard parts.count == 2, !parts[0].isEmpty else { return nil }
  return (String(parts[0]), String(parts[1]))
}
