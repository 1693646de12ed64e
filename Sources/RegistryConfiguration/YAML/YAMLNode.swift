/// A value of a YAML document, with the place it stands in.
struct YAMLNode: Hashable, Sendable {
  /// The forms a value can have. What a scalar means is for its reader to say: only a plain one,
  /// without quotes, can be a number, a boolean or nothing.
  enum Value: Hashable, Sendable {
    case scalar(String, isPlain: Bool)
    case sequence([YAMLNode])
    case mapping([Entry])
  }

  /// A key with its value.
  struct Entry: Hashable, Sendable {
    var key: String
    var place: Place
    var node: YAMLNode
  }

  /// Where something was written.
  enum Place: Hashable, Sendable, CustomStringConvertible {
    /// A line and a column of the file, from 1.
    case file(String, line: Int, column: Int)
    case environment(String)
    case flag(String)

    var description: String {
      switch self {
      case .file(let path, let line, let column): "\(path):\(line):\(column)"
      case .environment(let name), .flag(let name): name
      }
    }
  }

  var value: Value
  var place: Place

  /// Whether nothing was written, or one of the words for nothing. A variable or a flag is never
  /// nothing: its text may be a password.
  var isNull: Bool {
    guard case .scalar(let text, isPlain: true) = value, case .file = place else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// The value as messages call it.
  var kind: String {
    switch value {
    case .scalar(let text, _): isNull ? "nothing" : "\"\(text)\""
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }

  /// The entries of a mapping; none where nothing was written; nil for all else.
  var entries: [Entry]? {
    if case .mapping(let entries) = value { return entries }
    return isNull ? [] : nil
  }
}
