import FoundationEssentials
import Host

/// The content of a configuration file.
package struct ConfigurationFile: Hashable, Sendable {
  /// Where it was read, for messages.
  package var path: String
  /// What is in it.
  package var contents: [UInt8]

  /// A file of these parts.
  package init(path: String, contents: [UInt8]) {
    self.path = path
    self.contents = contents
  }
}

extension DaemonConfiguration {
  /// Reads the file that the flags name, or the default one if it is there, and resolves both.
  /// Blocks for the file. Throws `ConfigurationError` with all problems.
  package static func load(flags: DaemonFlags) throws -> DaemonConfiguration {
    let path = flags.configFile ?? defaultFile
    let file: ConfigurationFile?
    do {
      let contents = try Data(contentsOf: URL(filePath: path))
      file = ConfigurationFile(path: path, contents: Array(contents))
    } catch let error as CocoaError
      where error.code == .fileReadNoSuchFile && flags.configFile == nil
    {
      file = nil
    } catch {
      let reason =
        (error as? CocoaError)?.code == .fileReadNoSuchFile
        ? "there is no such file" : "the file cannot be read: \(error)"
      throw ConfigurationError(
        .unreadable, "the configuration file cannot be read",
        problems: [ConfigurationError.Problem(place: path, message: reason)])
    }
    return try resolve(flags: flags, file: file)
  }

  /// Makes the configuration of what the flags and the file say, and defaults. Throws
  /// `ConfigurationError` with everything that is wrong.
  package static func resolve(
    flags: DaemonFlags, file: ConfigurationFile?
  ) throws -> DaemonConfiguration {
    var resolution = Resolution()
    if let file { resolution.read(file) }
    resolution.read(flags)
    resolution.finish()
    guard resolution.problems.problems.isEmpty else {
      throw ConfigurationError(
        .invalid, "the daemon's settings are wrong", problems: resolution.problems.problems)
    }
    return resolution.configuration
  }
}

/// A configuration while it is put together.
struct Resolution {
  var configuration = DaemonConfiguration()
  var problems = ProblemList(source: .flag(""))
  /// Where each setting was given, and as what.
  private var given: [String: (place: String, text: String)] = [:]
  /// The settings whose values were right.
  private var right: Set<String> = []

  /// Reads the settings of a file. An empty file says nothing.
  mutating func read(_ file: ConfigurationFile) {
    problems.source = .file(path: file.path)
    let blank: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
    if file.contents.allSatisfy({ blank.contains($0) }) { return }
    let root: JSONNode
    do {
      root = try JSONParser.parse(file.contents)
    } catch {
      problems.add(error.message, line: error.line)
      return
    }
    guard case .object(let members) = root.value else {
      problems.add("expected an object, found \(root.kind)", at: root)
      return
    }
    for member in members {
      guard problems.problems.count < ProblemList.limit else {
        problems.add("there are too many problems; the rest is not read", line: member.line)
        return
      }
      if let first = given[member.key] {
        problems.add(
          "the key \"\(member.key)\" is given twice, first at \(first.place)", line: member.line)
        continue
      }
      guard let setting = Setting.all[member.key] else {
        problems.add(Self.unknown(member.key), line: member.line)
        continue
      }
      read(setting, member.value, place: problems.source.place(line: member.line))
    }
  }

  /// Reads the settings that flags give; one that the file gives too is an error.
  mutating func read(_ flags: DaemonFlags) {
    let fromFile = given
    problems.source = .flag("")
    for value in flags.values(&problems) {
      guard let setting = Setting.all[value.key] else { continue }
      problems.source = .flag(value.flag)
      if let other = fromFile[value.key] {
        problems.add(
          "\"\(value.key)\" is given both here (\(other.text)) and by the flag \(value.flag) "
            + "(\(value.node.text)); it can only be given once", place: other.place)
        continue
      }
      read(setting, value.node, place: value.flag)
    }
  }

  private mutating func read(_ setting: Setting, _ node: JSONNode, place: String) {
    given[setting.key] = (place, node.text)
    configuration.given.insert(setting.key)
    let before = problems.problems.count
    guard setting.read(node, &configuration, &problems) else {
      problems.prefix(with: "\"\(setting.key)\": ", from: before)
      return
    }
    right.insert(setting.key)
  }

  private static func unknown(_ key: String) -> String {
    if let reason = Setting.unsupported[key] {
      return "the key \"\(key)\" is not supported: \(reason)"
    }
    return unknownKey(key, among: Setting.all.keys)
  }

  /// Checks what settings have to do with one another, and completes them.
  mutating func finish() {
    finishHosts()
    checkBridge()
    checkLogOptions()
    let runtime = configuration.defaultRuntime
    if right.contains("default-runtime") && !DaemonConfiguration.builtInRuntimes.contains(runtime)
      && configuration.runtimes[runtime] == nil && isRightOrAbsent("runtimes")
    {
      complain("default-runtime", "there is no runtime \"\(runtime)\"")
    }
    if configuration.given.isSuperset(of: ["host-gateway-ip", "host-gateway-ips"]) {
      complain(
        "host-gateway-ips", "\"host-gateway-ip\" and \"host-gateway-ips\" are the same setting")
    }
    if configuration.dataRoot == configuration.execRoot {
      complain(
        configuration.given.contains("exec-root") ? "exec-root" : "data-root",
        "\"data-root\" and \"exec-root\" cannot be the same folder")
    }
  }

  private func isRightOrAbsent(_ key: String) -> Bool {
    right.contains(key) || given[key] == nil
  }

  private mutating func complain(_ key: String, _ message: String) {
    problems.add(message, place: given[key]?.place ?? "\"\(key)\"")
  }

  private mutating func finishHosts() {
    if right.contains("tlsverify") && configuration.tlsVerify { configuration.tls = true }
    let tls = configuration.tls
    if configuration.hosts.isEmpty { configuration.hosts = DaemonConfiguration().hosts }
    configuration.hosts = configuration.hosts.map { host in
      guard case .tcp(let name, 0) = host else { return host }
      return .tcp(host: name, port: tls ? 2_376 : 2_375)
    }
    let isPlainWanted = right.contains("tls") || right.contains("tlsverify")
    let isTCP = configuration.hosts.contains { if case .tcp = $0 { true } else { false } }
    if isTCP && !tls && !isPlainWanted && isRightOrAbsent("tls") && isRightOrAbsent("tlsverify") {
      complain(
        "hosts",
        "a TCP host without TLS gives root on this machine to everyone who reaches it; set "
          + "\"tlsverify\", or \"tls\" to false if that is what you want")
    }
    var seen: Set<DaemonConfiguration.HostAddress> = []
    for host in configuration.hosts where !seen.insert(host).inserted {
      complain("hosts", "the host \(host) is given twice")
    }
  }

  private mutating func checkBridge() {
    let bridge = configuration.bridge
    if let name = bridge.name {
      for key in ["bip", "bip6"] where given[key] != nil {
        complain(key, "\"bridge\" and \"\(key)\" exclude one another")
      }
      let isRight = name.utf8.count <= 15 && !name.utf8.contains { $0 <= 0x20 || $0 == 0x2F }
      if !isRight { complain("bridge", "\"\(name)\" is no name for a network interface") }
    }
    for (address, range, gateway, suffix, key) in [
      (bridge.address, bridge.fixedCIDR, bridge.defaultGateway, "", "bip"),
      (bridge.addressV6, bridge.fixedCIDRv6, bridge.defaultGatewayV6, "-v6", "bip6"),
    ] {
      guard let address, let network = NetworkText(address) else { continue }
      if let range, let part = NetworkText(range), !network.contains(part) {
        complain("fixed-cidr" + suffix, "\(range) is no part of \"\(key)\" \(address)")
      }
      if let gateway, let host = AddressText(gateway), !network.contains(host) {
        complain("default-gateway" + suffix, "\(gateway) is not in \"\(key)\" \(address)")
      }
    }
    if !configuration.iptables && !bridge.interContainerCommunication {
      complain("icc", "\"icc\" can only be false when \"iptables\" is true")
    }
  }

  private mutating func checkLogOptions() {
    guard right.contains("log-opts"), isRightOrAbsent("log-driver") else { return }
    let driver = configuration.logDriver
    let known = DaemonConfiguration.logDrivers[driver] ?? []
    for (name, value) in configuration.logOptions.sorted(by: { $0.key < $1.key }) {
      guard known.contains(name) else {
        let hint = suggestion(for: name, from: known).map { " (did you mean \"\($0)\"?)" } ?? ""
        complain("log-opts", "the log driver \"\(driver)\" has no option \"\(name)\"\(hint)")
        continue
      }
      let isRight =
        switch name {
        case "max-size": value == "-1" || ValueParser<Int64>.bytes(value) != nil
        case "max-file": Int(value).map { $0 > 0 } ?? false
        case "compress": value == "true" || value == "false"
        default: true
        }
      if !isRight { complain("log-opts", "the option \"\(name)\" cannot be \"\(value)\"") }
    }
  }
}
