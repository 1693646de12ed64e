/// One thing the registry can be told: its keys in the file, and how its value is read.
struct RegistrySetting: Sendable {
  /// How the value is written, which says what may stand in its environment variable.
  enum Form: Sendable { case scalar, list, map, mapOfLists }

  /// The keys on the way to it, with dots between them.
  let key: String
  let form: Form
  let read: @Sendable (YAMLNode, inout Draft, inout ProblemList) -> Void

  /// A setting whose value goes to `path`.
  init<Value: Sendable>(
    _ key: String, _ path: any WritableKeyPath<Draft, Value> & Sendable,
    _ parser: ValueParser<Value>, form: Form = .scalar
  ) {
    self.init(key, parser, form: form) { $1[keyPath: path] = $0 }
  }

  /// A setting whose value `store` puts where it belongs.
  init<Value: Sendable>(
    _ key: String, _ parser: ValueParser<Value>, form: Form = .scalar,
    _ store: @escaping @Sendable (Value, inout Draft) -> Void
  ) {
    self.key = key
    self.form = form
    self.read = { node, draft, problems in
      if let value = parser.parse(node, &problems) { store(value, &draft) }
    }
  }
}

/// What may stand at a place of the file.
indirect enum SchemaNode: Sendable {
  /// Keys, each with what may stand there; where one of several is chosen, its name alone will do.
  case section([String: SchemaNode], choices: [String])
  case setting(RegistrySetting)
  /// A key of the reference registry that is not honoured, with the reason.
  case refused(String)
}

extension SchemaNode {
  /// What a whole file may hold.
  static let root: SchemaNode = {
    var root = SchemaNode.section([:], choices: [])
    for setting in RegistrySetting.all {
      root.insert(.setting(setting), at: setting.key.split(separator: ".")[...])
    }
    for (key, reason) in RegistrySetting.refused {
      root.insert(.refused(reason), at: key.split(separator: ".")[...])
    }
    for (key, choices) in RegistrySetting.choices {
      root.choose(choices, at: key.split(separator: ".")[...])
    }
    return root
  }()

  private mutating func insert(_ node: SchemaNode, at path: ArraySlice<Substring>) {
    guard let first = path.first, case .section(var children, let choices) = self else {
      self = node
      return
    }
    var child = children[String(first)] ?? .section([:], choices: [])
    child.insert(node, at: path.dropFirst())
    children[String(first)] = child
    self = .section(children, choices: choices)
  }

  private mutating func choose(_ names: [String], at path: ArraySlice<Substring>) {
    guard case .section(var children, let choices) = self else { return }
    guard let first = path.first.map(String.init) else {
      for name in names where children[name] == nil {
        children[name] = .section([:], choices: [])
      }
      self = .section(children, choices: names)
      return
    }
    children[first, default: .section([:], choices: [])].choose(names, at: path.dropFirst())
    self = .section(children, choices: choices)
  }
}
