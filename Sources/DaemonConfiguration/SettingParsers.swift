import Host
import Logging

extension ValueParser<DaemonConfiguration.HostAddress> {
  /// Reads `unix://PATH`, `tcp://HOST:PORT`, and what dockerd takes for them.
  static let host = ValueParser<String>.text.then {
    text -> Result<DaemonConfiguration.HostAddress, Wrong> in
    let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
    let scheme = parts.count == 2 ? String(parts[0]) : text.hasPrefix("/") ? "unix" : "tcp"
    let rest = parts.count == 2 ? String(parts[1]) : text
    switch scheme {
    case "unix":
      let path = rest.isEmpty ? "/run/martlet.sock" : rest
      guard isAbsolutePath(path), path.utf8.count < 108 else {
        return .failure(
          Wrong("the socket path \"\(path)\" is not absolute or longer than 107 bytes"))
      }
      return .success(.unix(path: path))
    case "tcp":
      guard let (host, port) = hostAndPort(rest.isEmpty ? "127.0.0.1" : rest) else {
        return .failure(Wrong("expected tcp://HOST:PORT, found \"\(text)\""))
      }
      // Without a port: 2375, or 2376 if TLS is on, which is only known at the end.
      return .success(.tcp(host: host.isEmpty ? "127.0.0.1" : host, port: port ?? 0))
    case "fd":
      return .failure(
        Wrong("sockets passed by systemd (fd://) are not supported; use unix:// or tcp://"))
    default:
      return .failure(Wrong("expected unix://PATH or tcp://HOST:PORT, found \"\(text)\""))
    }
  }
}

extension ValueParser<Logger.Level> {
  static let logLevel = ValueParser<String>.text.then { text -> Result<Logger.Level, Wrong> in
    let levels: [String: Logger.Level] = [
      "debug": .debug, "info": .info, "warn": .warning, "error": .error, "fatal": .critical,
    ]
    guard let level = levels[text] else {
      return .failure(
        Wrong("expected \"debug\", \"info\", \"warn\", \"error\" or \"fatal\", found \"\(text)\""))
    }
    return .success(level)
  }
}

extension ValueParser<DaemonConfiguration.LogFormat> {
  static let logFormat = ValueParser<String>.one(of: ["text", "json"]).then {
    text -> Result<DaemonConfiguration.LogFormat, Wrong> in
    .success(DaemonConfiguration.LogFormat(rawValue: text) ?? .text)
  }
}

extension ValueParser<DaemonConfiguration.AddressPool> {
  static let addressPool = ValueParser { node, problems in
    guard
      let members = object(node, keys: ["base": true, "size": true], &problems)
    else { return nil }
    let base = members["base"].flatMap { ValueParser<String>.nonEmpty.parse($0, &problems) }
    let size = members["size"].flatMap { ValueParser<Int>.integer(1...128).parse($0, &problems) }
    guard let base, let size else { return nil }
    guard let network = NetworkText(base), network.isNetworkAddress else {
      problems.add("expected a network such as \"10.10.0.0/16\", found \"\(base)\"", at: node)
      return nil
    }
    guard size >= network.length, size <= network.address.bytes.count * 8 - 2 else {
      problems.add("subnets of size \(size) do not fit into \(base)", at: node)
      return nil
    }
    return DaemonConfiguration.AddressPool(base: base, size: size)
  }
}

extension ValueParser<[String: DaemonConfiguration.Ulimit]> {
  private static let names: Set<String> = [
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
  ]

  static let ulimits = ValueParser.map { name, node, problems in
    guard names.contains(name) else {
      problems.add("\"\(name)\" is no resource limit", at: node)
      return nil
    }
    let keys = ["Name": false, "Soft": true, "Hard": true]
    guard let members = object(node, keys: keys, &problems) else { return nil }
    let range = -1...Int.max
    let soft = members["Soft"].flatMap { ValueParser<Int>.integer(range).parse($0, &problems) }
    let hard = members["Hard"].flatMap { ValueParser<Int>.integer(range).parse($0, &problems) }
    if let other = members["Name"], other.value != .string(name) {
      problems.add("the limit \"\(name)\" calls itself \(other.text)", at: other)
      return nil
    }
    guard let soft, let hard else { return nil }
    guard hard == -1 || (soft != -1 && soft <= hard) else {
      problems.add("the soft limit \(soft) is above the hard limit \(hard)", at: node)
      return nil
    }
    return DaemonConfiguration.Ulimit(soft: Int64(soft), hard: Int64(hard))
  }
}

extension ValueParser<[String: DaemonConfiguration.Runtime]> {
  static let runtimes = ValueParser.map { name, node, problems in
    guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }) else {
      problems.add("\"\(name)\" is no name for a runtime", at: node)
      return nil
    }
    guard !DaemonConfiguration.builtInRuntimes.contains(name) else {
      problems.add("the runtime \"\(name)\" is built in and cannot be given", at: node)
      return nil
    }
    guard let members = object(node, keys: ["path": true, "runtimeArgs": false], &problems) else {
      return nil
    }
    let path = members["path"].flatMap { ValueParser<String>.nonEmpty.parse($0, &problems) }
    let arguments = members["runtimeArgs"].map {
      ValueParser<[String]>.list(.text).parse($0, &problems)
    }
    guard let path else { return nil }
    if case .some(nil) = arguments { return nil }
    return DaemonConfiguration.Runtime(path: path, arguments: (arguments ?? []) ?? [])
  }
}

extension ValueParser<[String: Bool]> {
  static let switches = ValueParser.map { _, node, problems in
    ValueParser<Bool>.bool.parse(node, &problems)
  }
}

extension ValueParser<[String: String]> {
  static let texts = ValueParser.map { key, node, problems in
    let before = problems.problems.count
    let text = ValueParser<String>.text.parse(node, &problems)
    problems.prefix(with: "\"\(key)\": ", from: before)
    return text
  }
}

extension ValueParser<String> {
  /// An `http` or `https` URL of a host; made to end in `/`.
  static let mirror = text.then { text -> Result<String, Wrong> in
    let wrong = Wrong("expected a URL such as \"https://mirror.example.com\", found \"\(text)\"")
    let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, ["http", "https"].contains(parts[0].lowercased()) else {
      return .failure(wrong)
    }
    let host = parts[1].hasSuffix("/") ? String(parts[1].dropLast()) : String(parts[1])
    guard !host.contains("/"), !host.contains("?"), !host.contains("#"), !host.contains("@")
    else {
      return .failure(
        Wrong("a mirror has no user, path, query or fragment: \"\(text)\""))
    }
    guard let (name, _) = hostAndPort(host), !name.isEmpty else { return .failure(wrong) }
    return .success("\(parts[0].lowercased())://\(host)/")
  }

  /// A registry as `HOST`, `HOST:PORT`, or a network of registries.
  static let registry = text("a registry as HOST, HOST:PORT or a network, without \"://\"") {
    NetworkText($0) != nil || hostAndPort($0).map { !$0.host.isEmpty } ?? false
  }

  static let hostPort = text("an address as HOST:PORT") { hostAndPort($0)?.port != nil }

  /// `key=value` with a key.
  static let label = text("a label as KEY=VALUE") { text in
    guard let end = text.firstIndex(of: "=") else { return false }
    return end > text.startIndex && !text[..<end].contains { $0.isWhitespace }
  }

  static let execOption = text.then { text -> Result<String, Wrong> in
    switch text {
    case "native.cgroupdriver=cgroupfs": .success(text)
    case "native.cgroupdriver=systemd":
      .failure(Wrong("the systemd cgroup driver is not supported; only cgroupfs is"))
    default:
      .failure(
        Wrong("expected \"native.cgroupdriver=cgroupfs\", found \"\(text)\""))
    }
  }

  static let searchDomain = text("a domain name") { $0 == "." || isHostName($0) }

  static let seccompProfile = text("\"builtin\", \"unconfined\" or an absolute path") {
    $0 == "builtin" || $0 == "unconfined" || isAbsolutePath($0)
  }

  static let storageDriver = text.then { text -> Result<String, Wrong> in
    text == "overlay2" || text == "overlay"
      ? .success("overlay2")
      : .failure(Wrong("the storage driver is always \"overlay2\", not \"\(text)\""))
  }

  static let logDriver = text.then { text -> Result<String, Wrong> in
    DaemonConfiguration.logDrivers[text] != nil
      ? .success(text)
      : .failure(
        Wrong("there is no log driver \"\(text)\"; there are \"json-file\", \"local\" and \"none\"")
      )
  }

  static let usernsRemap = text.then { text -> Result<String, Wrong> in
    text.isEmpty
      ? .success(text)
      : .failure(
        Wrong("user namespaces are not supported: \"userns-remap\" must be left out or empty"))
  }
}

extension ValueParser<[String]> {
  /// A list, or a single one by itself.
  static func listOrOne(_ item: ValueParser<String>) -> ValueParser {
    ValueParser { node, problems in
      if case .string = node.value { return item.parse(node, &problems).map { [$0] } }
      return list(item).parse(node, &problems)
    }
  }

  /// Labels, of which no two may have the same key and different values.
  static let labels = list(.label).then { labels -> Result<[String], Wrong> in
    var values: [Substring: String] = [:]
    for label in labels {
      let key = label.prefix { $0 != "=" }
      if let other = values.updateValue(label, forKey: key), other != label {
        return .failure(Wrong("the labels \"\(other)\" and \"\(label)\" are at odds"))
      }
    }
    return .success(labels)
  }
}

/// The members of an object with these keys, true for those that have to be there; nil when
/// something is wrong.
private func object(
  _ node: JSONNode, keys: [String: Bool], _ problems: inout ProblemList
) -> [String: JSONNode]? {
  guard case .object(let members) = node.value else {
    problems.add("expected an object, found \(node.kind)", at: node)
    return nil
  }
  var result: [String: JSONNode] = [:]
  var isRight = true
  for member in members {
    if keys[member.key] == nil {
      problems.add(unknownKey(member.key, among: keys.keys), line: member.line)
      isRight = false
    } else if result.updateValue(member.value, forKey: member.key) != nil {
      problems.add("the key \"\(member.key)\" is given twice", line: member.line)
      isRight = false
    }
  }
  for (key, isNeeded) in keys.sorted(by: { $0.key < $1.key }) where isNeeded && result[key] == nil {
    problems.add("the key \"\(key)\" is missing", at: node)
    isRight = false
  }
  return isRight ? result : nil
}

/// The message for a key that nobody knows.
func unknownKey(_ key: String, among known: some Sequence<String>) -> String {
  let shown = key.count > 64 ? key.prefix(61) + "..." : key
  guard let meant = suggestion(for: key, from: known) else { return "unknown key \"\(shown)\"" }
  return "unknown key \"\(shown)\" (did you mean \"\(meant)\"?)"
}
