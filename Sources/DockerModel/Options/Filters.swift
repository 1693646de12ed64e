/// The `filters` parameter: for each name the values a client gave, any of which may match, in the
/// order given.
package struct Filters: Sendable, Equatable {
  private var fields: [String: [String]]

  package init(_ fields: [String: [String]] = [:]) {
    self.fields = fields.mapValues { values in
      var seen: Set<String> = []
      return values.filter { seen.insert($0).inserted }
    }
  }

  package var isEmpty: Bool { fields.isEmpty }

  /// The names given, sorted.
  package var names: [String] { fields.keys.sorted() }

  /// Whether the client gave this filter at all.
  package func contains(_ name: String) -> Bool { fields[name] != nil }

  /// The values given for a name; empty when it was not given.
  package subscript(name: String) -> [String] { fields[name] ?? [] }

  /// Adds a value under a name.
  package mutating func add(_ name: String, _ value: String) {
    if fields[name]?.contains(value) != true { fields[name, default: []].append(value) }
  }

  /// Throws `invalidParameter` when a filter was given that is not among `accepted`.
  package func validate(accepting accepted: Set<String>) throws {
    for name in names where !accepted.contains(name) {
      throw APIError.invalidParameter("invalid filter '\(name)'")
    }
  }

  /// Whether one of the values given for `name` equals `value`; true when the filter was not given.
  package func matchesExactly(_ name: String, _ value: String) -> Bool {
    guard let values = fields[name], !values.isEmpty else { return true }
    return values.contains(value)
  }

  /// Whether the labels satisfy every `key` or `key=value` given under `name` (unlike other
  /// filters, all must hold).
  package func matchesLabels(_ name: String, _ labels: [String: String]) -> Bool {
    for wanted in self[name] {
      let parts = wanted.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let value = labels[String(parts[0])] else { return false }
      if parts.count == 2, value != parts[1] { return false }
    }
    return true
  }

  /// The filter's single boolean, as in `dangling=true`; nil when not given. Throws
  /// `invalidParameter` for anything but `true`, `false`, `1`, `0`, or for both at once.
  package func boolean(_ name: String) throws -> Bool? {
    guard let values = fields[name], !values.isEmpty else { return nil }
    var result: Bool?
    for text in values {
      let value: Bool
      switch text {
      case "1", "true": value = true
      case "0", "false": value = false
      default: throw APIError.invalidParameter("invalid filter '\(name)=[\(text)]'")
      }
      if let earlier = result, earlier != value {
        throw APIError.invalidParameter(
          "invalid filter '\(name)=[\(values.joined(separator: " "))]'")
      }
      result = value
    }
    return result
  }
}
