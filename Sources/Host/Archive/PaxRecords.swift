/// The records of a pax extended header: `LENGTH KEY=VALUE\n`, one after another.
struct PaxRecords {
  /// The values by key, in the order of the archive: the sparse formats repeat keys.
  private(set) var records: [(key: String, value: [UInt8])] = []

  init() {}

  /// Reads the body of an extended header. Throws `malformed`.
  init(parsing bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let space = rest.prefix(20).firstIndex(of: UInt8(ascii: " ")),
        let length = Int(String(decoding: rest[rest.startIndex..<space], as: UTF8.self)),
        length > space - rest.startIndex + 2, length <= rest.count,
        rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
      else { throw Self.damaged }
      let record = rest[(space + 1)..<(rest.startIndex + length - 1)]
      guard let equals = record.firstIndex(of: UInt8(ascii: "=")), equals > record.startIndex
      else { throw Self.damaged }
      let key = String(decoding: record[..<equals], as: UTF8.self)
      records.append((key, Array(record[(equals + 1)...])))
      rest = rest.dropFirst(length)
    }
  }

  private static let damaged = ArchiveError(
    .malformed, "an extended header of the archive is damaged")

  /// Adds records that win over those already there.
  mutating func merge(_ other: PaxRecords) { records += other.records }

  /// The last value of a key; nil when absent. An empty value takes an earlier one back.
  func value(_ key: String) -> [UInt8]? {
    guard let found = records.last(where: { $0.key == key })?.value, !found.isEmpty else {
      return nil
    }
    return found
  }

  /// All values of the keys, in order.
  func all(_ keys: Set<String>) -> [(key: String, value: [UInt8])] {
    records.filter { keys.contains($0.key) }
  }

  /// A whole number; nil when absent. Throws `malformed`.
  func integer(_ key: String) throws -> Int64? {
    guard let text = value(key) else { return nil }
    guard let number = Int64(String(decoding: text, as: UTF8.self)) else { throw Self.damaged }
    return number
  }

  /// A time with an optional fraction; nil when absent. Throws `malformed`.
  func time(_ key: String) throws -> (seconds: Int64, nanoseconds: Int64)? {
    guard let bytes = value(key) else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let seconds = Int64(parts[0]) else { throw Self.damaged }
    var nanoseconds: Int64 = 0
    if parts.count == 2 {
      let digits = parts[1].prefix(9)
      guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }) else { throw Self.damaged }
      nanoseconds = Int64(digits) ?? 0
      for _ in digits.utf8.count..<9 { nanoseconds *= 10 }
    }
    if parts[0].hasPrefix("-"), nanoseconds > 0 {
      return (seconds - 1, 1_000_000_000 - nanoseconds)
    }
    return (seconds, nanoseconds)
  }

  private static let attributePrefix = "SCHILY.xattr."

  /// Extended attributes, as star and the Docker tools write them.
  var attributes: [String: [UInt8]] {
    var found: [String: [UInt8]] = [:]
    for (key, value) in records where key.hasPrefix(Self.attributePrefix) {
      found[String(key.dropFirst(Self.attributePrefix.count))] = value
    }
    return found
  }
}
