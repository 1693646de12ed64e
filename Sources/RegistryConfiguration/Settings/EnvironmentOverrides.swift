import Host

/// Variables whose names walk the keys: `REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY`.
struct EnvironmentOverrides {
  static let prefix = "REGISTRY_"
  /// Variables with our prefix that mean something else: where the configuration is, and what podman
  /// and skopeo have.
  private static let foreign: Set<String> = ["REGISTRY_CONFIGURATION_PATH", "REGISTRY_AUTH_FILE"]

  /// One variable, and the setting or section it speaks of.
  struct Override {
    var name: String
    var path: [String]
    var node: YAMLNode
  }

  /// The variables in the order in which they apply: sections before what lies in them.
  static func read(
    _ environment: [String: String], _ problems: inout ProblemList
  ) -> [Override] {
    var overrides: [Override] = []
    let names = environment.keys.filter { $0.hasPrefix(prefix) && !foreign.contains($0) }
    for name in names.sorted() {
      if problems.isFull { break }
      let isOfService = environment["REGISTRY_SERVICE_HOST"] != nil && isServiceLink(name)
      guard !isOfService, let text = environment[name] else { continue }
      var words = name.dropFirst(prefix.count).split(
        separator: "_", omittingEmptySubsequences: false)[...]
      guard let (path, form) = walk(SchemaNode.root, &words) else {
        problems.add("unknown variable\(hint(for: name))", at: name, key: "")
        continue
      }
      if let node = node(text, name: name, form: form, &problems) {
        overrides.append(Override(name: name, path: path, node: node))
      }
    }
    return overrides
  }

  /// Whether the variable is one that Kubernetes sets for a service named registry.
  private static func isServiceLink(_ name: String) -> Bool {
    name.hasPrefix("REGISTRY_SERVICE_") || name == "REGISTRY_PORT"
      || name.hasPrefix("REGISTRY_PORT_")
  }

  /// The keys that the words walk, and how the value is written; nil when they lead nowhere.
  private static func walk(
    _ start: SchemaNode, _ words: inout ArraySlice<Substring>
  ) -> (path: [String], form: RegistrySetting.Form)? {
    var node = start
    var path: [String] = []
    while let word = words.first {
      switch node {
      case .section(let children, _):
        let key = word.lowercased()
        guard let child = children[key], word.allSatisfy({ !$0.isLowercase }) else { return nil }
        words.removeFirst()
        path.append(key)
        node = child
      case .setting(let setting):
        switch setting.form {
        case .scalar: return nil
        case .list:
          guard words.count == 1, let index = Int(word), index >= 0 else { return nil }
          return (path + ["[\(index)]"], .scalar)
        case .map, .mapOfLists:
          // names of the operator's may have the separator in them
          return (
            path + [words.joined(separator: "_").lowercased()],
            setting.form == .map ? .scalar : .list
          )
        }
      case .refused: return (path, .scalar)
      }
    }
    switch node {
    case .setting(let setting): return (path, setting.form)
    case .section: return (path, .map)
    case .refused: return (path, .scalar)
    }
  }

  /// The value. Where one text is meant it is taken as it stands, so that passwords need no
  /// quoting; a text in quotes loses them, and lists and mappings are YAML, as in the file.
  private static func node(
    _ text: String, name: String, form: RegistrySetting.Form, _ problems: inout ProblemList
  ) -> YAMLNode? {
    let place = YAMLNode.Place.environment(name)
    let isQuoted =
      text.utf8.count >= 2
      && ((text.hasPrefix("\"") && text.hasSuffix("\""))
        || (text.hasPrefix("'") && text.hasSuffix("'")))
    let isYAML =
      switch form {
      case .scalar: isQuoted
      case .list, .map, .mapOfLists: true
      }
    guard isYAML else { return YAMLNode(value: .scalar(text, isPlain: true), place: place) }
    do throws(YAMLFailure) {
      return try YAMLParser.parse(Array(text.utf8)) { _, _ in place }
        ?? YAMLNode(value: .scalar("", isPlain: true), place: place)
    } catch {
      problems.add(error.message, at: name, key: "")
      return nil
    }
  }

  private static let known = RegistrySetting.all.map {
    (prefix + $0.key).lowercased().split(separator: ".").joined(separator: "_")
  }

  private static func hint(for name: String) -> String {
    guard name.utf8.count > prefix.utf8.count,
      let meant = suggestion(for: name.lowercased(), from: known)
    else { return "" }
    return " (did you mean \(meant.uppercased())?)"
  }
}

extension YAMLNode {
  /// Puts another node where the keys lead, making mappings on the way; `[2]` leads into a list, and
  /// a word that chose a part of a section becomes that part. False where a list is shorter; what
  /// stands in the way and is neither mapping nor list stays, and is found wrong when it is read.
  mutating func set(_ path: ArraySlice<String>, to node: YAMLNode) -> Bool {
    guard let key = path.first else {
      self = node
      return true
    }
    if key.hasPrefix("["), let index = Int(key.dropFirst().dropLast()) {
      return set(item: index, to: node)
    }
    var entries: [Entry]
    switch value {
    case .mapping(let known): entries = known
    case .sequence: return true
    case .scalar(let word, _):
      entries =
        isNull
        ? [] : [Entry(key: word, place: place, node: YAMLNode(value: .mapping([]), place: place))]
    }
    let index =
      entries.firstIndex { $0.key == key }
      ?? {
        let new = YAMLNode(value: .mapping([]), place: node.place)
        entries.append(Entry(key: key, place: node.place, node: new))
        return entries.count - 1
      }()
    guard entries[index].node.set(path.dropFirst(), to: node) else { return false }
    value = .mapping(entries)
    return true
  }

  private mutating func set(item index: Int, to node: YAMLNode) -> Bool {
    var items: [YAMLNode]
    switch value {
    case .sequence(let known): items = known
    case .mapping(let entries) where entries.isEmpty: items = []
    default:
      guard isNull else { return true }
      items = []
    }
    guard index <= items.count else { return false }
    if index == items.count { items.append(node) } else { items[index] = node }
    value = .sequence(items)
    return true
  }
}
