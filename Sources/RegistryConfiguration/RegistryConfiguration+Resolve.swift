import Glibc
import Host

/// The content of a configuration file.
package struct RegistryConfigurationFile: Hashable, Sendable {
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

/// A flag of the command line that gives a setting.
package struct RegistryFlag: Hashable, Sendable {
  /// The flag, for messages: `--listen`.
  package var name: String
  /// The setting's or section's keys with dots between them.
  package var key: String
  /// Its value, as it would be written in the file.
  package var text: String

  /// A flag of these parts.
  package init(_ name: String, key: String, text: String) {
    self.name = name
    self.key = key
    self.text = text
  }
}

extension RegistryConfiguration {
  /// The file that is read: the one that is named, the one that `REGISTRY_CONFIGURATION_PATH` names,
  /// or the usual one; and whether it was named.
  package static func file(
    named path: String?, environment: [String: String]
  ) -> (path: String, isNamed: Bool) {
    let named = path ?? environment["REGISTRY_CONFIGURATION_PATH"]
    return (named ?? defaultFile, named != nil)
  }

  /// Reads the file that is named, or the usual one if it is there, and resolves it with variables
  /// and flags. Blocks for the file. Throws `RegistryConfigurationError` with all problems.
  package static func load(
    file path: String?, environment: [String: String], flags: [RegistryFlag] = []
  ) throws -> RegistryConfiguration {
    let (path, isNamed) = file(named: path, environment: environment)
    let file: RegistryConfigurationFile?
    do {
      file = RegistryConfigurationFile(
        path: path, contents: try Paths.read(path, limit: YAMLParser.byteLimit))
    } catch let error as SystemError where error.errno == ENOENT && !isNamed {
      file = nil
    } catch {
      let reason =
        switch (error as? SystemError)?.errno {
        case ENOENT: "there is no such file"
        case EFBIG: "there are more than \(YAMLParser.byteLimit >> 20) MiB of it"
        default: "the file cannot be read: \(error)"
        }
      throw RegistryConfigurationError(
        .unreadable, "the configuration file cannot be read",
        problems: [.init(place: path, key: "", message: reason)])
    }
    return try resolve(file: file, environment: environment, flags: flags)
  }

  /// Makes the configuration of what the file, then variables, then flags say, and defaults. Throws
  /// `RegistryConfigurationError` with everything that is wrong.
  package static func resolve(
    file: RegistryConfigurationFile?, environment: [String: String] = [:],
    flags: [RegistryFlag] = []
  ) throws -> RegistryConfiguration {
    var resolution = Resolution()
    resolution.read(file)
    resolution.override(environment, flags)
    resolution.finish()
    guard resolution.problems.problems.isEmpty else {
      throw RegistryConfigurationError(
        .invalid, "the registry's settings are wrong", problems: resolution.problems.problems)
    }
    return resolution.draft.configuration
  }
}

/// A configuration while it is put together.
struct Resolution {
  var draft = Draft()
  var problems = ProblemList()
  private var root: YAMLNode?
  private var isBroken = false

  /// Reads the file's tree. An empty file says nothing.
  mutating func read(_ file: RegistryConfigurationFile?) {
    guard let file else { return }
    do throws(YAMLFailure) {
      root = try YAMLParser.parse(file.contents) { line, column in
        .file(file.path, line: line, column: column)
      }
    } catch {
      problems.add(
        error.message, at: "\(file.path):\(error.line):\(error.column)", key: "")
      isBroken = true
    }
    guard let root, !root.isNull else {
      root = nil
      return
    }
    guard let entries = root.entries else {
      problems.add("expected a mapping, found \(root.kind)", at: root)
      isBroken = true
      self.root = nil
      return
    }
    if !entries.contains(where: { $0.key == "version" }) {
      problems.add(
        "it is missing; write version: \(RegistryConfiguration.version)", at: "\(root.place)",
        key: "version")
    }
  }

  /// Puts what variables and flags say over what the file says, and reads all of it.
  mutating func override(_ environment: [String: String], _ flags: [RegistryFlag]) {
    var tree = root ?? YAMLNode(value: .mapping([]), place: .flag("defaults"))
    for override in EnvironmentOverrides.read(environment, &problems)
    where !tree.set(override.path[...], to: override.node) {
      problems.add("the list is not so long", at: override.name, key: "")
    }
    for flag in flags {
      let node = YAMLNode(value: .scalar(flag.text, isPlain: true), place: .flag(flag.name))
      _ = tree.set(flag.key.split(separator: ".").map(String.init)[...], to: node)
    }
    read(tree, SchemaNode.root, key: "")
  }

  private mutating func read(_ node: YAMLNode, _ schema: SchemaNode, key: String) {
    guard !problems.isFull else { return }
    problems.key = key
    switch schema {
    case .refused(let reason): problems.add("it is not supported: \(reason)", at: node)
    case .setting(let setting):
      // a key without a value says nothing
      guard !node.isNull || setting.form == .scalar && setting.key.hasPrefix("version") else {
        return
      }
      draft.given[key] = node.place
      let before = problems.problems.count
      setting.read(node, &draft, &problems)
      if problems.problems.count > before { draft.wrong.insert(key) }
    case .section(let children, let choices):
      guard let entries = entries(of: node, choices: choices) else { return }
      for entry in entries { read(entry, children, key: key) }
    }
  }

  /// The entries of a section. The name of a part that is chosen stands for that part.
  private mutating func entries(of node: YAMLNode, choices: [String]) -> [YAMLNode.Entry]? {
    if let entries = node.entries { return entries }
    if case .scalar(let word, _) = node.value, !choices.isEmpty {
      let nothing = YAMLNode(value: .mapping([]), place: node.place)
      return [YAMLNode.Entry(key: word, place: node.place, node: nothing)]
    }
    problems.add("expected a mapping, found \(node.kind)", at: node)
    return nil
  }

  private mutating func read(
    _ entry: YAMLNode.Entry, _ children: [String: SchemaNode], key: String
  ) {
    let path = key.isEmpty ? entry.key : "\(key).\(entry.key)"
    guard !problems.isFull, let child = children[entry.key] else {
      let meant = suggestion(for: entry.key, from: children.keys.sorted())
      let hint = meant.map { " (did you mean \($0)?)" } ?? ""
      return problems.add("unknown key\(hint)", at: "\(entry.place)", key: path)
    }
    // what is refused is refused where its key stands
    if case .refused = child {
      return read(YAMLNode(value: entry.node.value, place: entry.place), child, key: path)
    }
    read(entry.node, child, key: path)
    if case .section = child { draft.given[path] = entry.place }
  }
}
