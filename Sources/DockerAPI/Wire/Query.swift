import DockerModel

/// The parameters of a request's URL.
struct Query: Sendable {
  private let pairs: [(name: String, value: String)]

  /// Reads what follows the `?`. Throws `invalidParameter` for broken escapes.
  init(_ text: Substring) throws {
    var pairs: [(name: String, value: String)] = []
    for part in text.split(separator: "&") {
      let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = PercentCoding.decode(sides[0], plusIsSpace: true),
        let value = PercentCoding.decode(sides.count > 1 ? sides[1] : "", plusIsSpace: true)
      else {
        throw APIError.invalidParameter("invalid URL escape in query parameter \"\(part)\"")
      }
      pairs.append((name, value))
    }
    self.pairs = pairs
  }

  /// The first value of a parameter; empty when it was not given.
  subscript(name: String) -> String { pairs.first { $0.name == name }?.value ?? "" }

  func contains(_ name: String) -> Bool { pairs.contains { $0.name == name } }

  /// Every value of a repeated parameter.
  func all(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

  /// The first value; nil when missing or empty.
  func nonEmpty(_ name: String) -> String? {
    let value = self[name]
    return value.isEmpty ? nil : value
  }

  /// Docker's notion of a boolean: everything is true but "", "0", "no", "false" and "none".
  func flag(_ name: String, default fallback: Bool = false) -> Bool {
    guard contains(name) else { return fallback }
    let value = self[name].split(separator: " ").joined(separator: " ").lowercased()
    return !["", "0", "no", "false", "none"].contains(value)
  }

  /// An integer; nil when missing or empty. Throws `invalidParameter` for anything else.
  func integer(_ name: String) throws -> Int? {
    guard let text = nonEmpty(name) else { return nil }
    guard let value = Int(text) else {
      throw APIError.invalidParameter(
        "invalid value for parameter \"\(name)\": \"\(text)\" is not an integer")
    }
    return value
  }

  /// Seconds since 1970 with up to nine decimals; nil when missing, empty or zero. Throws
  /// `invalidParameter`.
  func timestamp(_ name: String) throws -> Timestamp? {
    guard let text = nonEmpty(name), text != "0" else { return nil }
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let decimals = parts.count > 1 ? parts[1] : ""
    guard let seconds = Int64(parts[0]), decimals.utf8.allSatisfy({ (48...57).contains($0) }) else {
      if let instant = Timestamp(rfc3339: text) { return instant }
      throw APIError.invalidParameter(
        "invalid value for parameter \"\(name)\": \"\(text)\" is not a time")
    }
    var nanoseconds: Int32 = 0
    for index in 0..<9 {
      let digit = decimals.utf8.dropFirst(index).first.map { Int32($0) - 48 } ?? 0
      nanoseconds = nanoseconds * 10 + digit
    }
    return Timestamp(seconds: seconds, nanoseconds: nanoseconds)
  }

  /// A terminal's height and width. Throws `invalidParameter`.
  func terminalSize() throws -> TerminalSize {
    func side(_ name: String) throws -> UInt16 {
      guard let value = UInt16(self[name]) else {
        throw APIError.invalidParameter(
          "invalid value for parameter \"\(name)\": \"\(self[name])\" is not a terminal's size")
      }
      return value
    }
    return TerminalSize(height: try side("h"), width: try side("w"))
  }

  /// The `filters` parameter in either of its forms. Throws `invalidParameter`.
  func filters() throws -> Filters {
    guard let text = nonEmpty("filters") else { return Filters() }
    return Filters(
      try JSON.decode([String: FilterValues].self, from: text, what: "filters")
        .mapValues(\.values))
  }
}

/// The values of one filter: `["a","b"]`, or the older `{"a":true,"b":true}`.
private struct FilterValues: Decodable {
  let values: [String]

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    // not a set: then a list, or an error
    if let set = try? container.decode([String: Bool].self) {  // the list's error is thrown
      values = set.keys.sorted()
    } else {
      values = try container.decode([String].self)
    }
  }
}
