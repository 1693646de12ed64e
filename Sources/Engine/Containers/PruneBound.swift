import DockerModel

/// What a prune's filters spare: the young, and those with or without labels.
struct PruneBound: Sendable {
  private let filters: Filters
  private let until: Timestamp?

  /// - Throws: `invalidParameter`.
  init(_ filters: Filters) throws {
    self.filters = filters
    let values = filters["until"]
    guard values.count <= 1 else {
      throw APIError.invalidParameter("more than one until filter specified")
    }
    until = try values.first.map(Self.instant)
  }

  /// Reads an instant: seconds since 1970, RFC 3339, a date, or how long ago, as in `24h`.
  static func instant(_ text: String) throws -> Timestamp {
    if let time = Timestamp(rfc3339: text) { return time }
    if let time = Timestamp(rfc3339: text + "Z") { return time }
    if let time = Timestamp(rfc3339: text + "T00:00:00Z") { return time }
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    if let seconds = Int64(parts[0]) {
      let digits =
        parts.count == 2
        ? parts[1] + String(repeating: "0", count: max(0, 9 - parts[1].count)) : "0"
      guard let nanoseconds = Int32(digits.prefix(9)), nanoseconds >= 0 else {
        throw APIError.invalidParameter("invalid time: \(text)")
      }
      return Timestamp(seconds: seconds, nanoseconds: nanoseconds)
    }
    guard let ago = duration(text) else {
      throw APIError.invalidParameter("invalid time: \(text)")
    }
    return Timestamp(nanosecondsSinceEpoch: Timestamp.now.nanosecondsSinceEpoch - ago)
  }

  /// The nanoseconds of `1h30m`, `1.5s`; nil when it is not that.
  static func duration(_ text: String) -> Int64? {
    let units: [(String, Double)] = [
      ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]
    var rest = text[...]
    var total = 0.0
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let number = rest.prefix { $0.isNumber || $0 == "." }
      rest = rest.dropFirst(number.count)
      let unit = rest.prefix { !$0.isNumber && $0 != "." }
      rest = rest.dropFirst(unit.count)
      guard let value = Double(number), let scale = units.first(where: { $0.0 == unit })?.1 else {
        return nil
      }
      total += value * scale
    }
    return Int64(exactly: total.rounded())
  }

  /// Whether something made then is old enough to go.
  func includes(created: Timestamp) -> Bool { until.map { created < $0 } ?? true }

  /// Whether labels let something go.
  func includes(labels: [String: String]) -> Bool {
    guard filters.matchesLabels("label", labels) else { return false }
    return !filters["label!"].contains { wanted in
      Filters(["label": [wanted]]).matchesLabels("label", labels)
    }
  }
}
