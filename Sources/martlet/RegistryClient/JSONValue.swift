import FoundationEssentials
import OCI

/// Any JSON document, so that what the API says is shown as it is, whatever it gains later.
enum JSONValue: Codable, Sendable, Hashable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      // each kind is tried in turn: that one does not fit says nothing but that the next may
      self = .bool(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }

  /// Reads a document that a server or a file holds. Throws `OCIError`.
  static func parse(_ bytes: [UInt8], kind: String) throws -> JSONValue {
    try BoundedJSON.decode(JSONValue.self, from: bytes, kind: kind, maximumBytes: 64 << 20)
  }

  /// The document in lines, keys in alphabetical order. Numbers that JSON cannot write throw.
  func pretty() throws -> [UInt8] { try bytes([.prettyPrinted, .sortedKeys]) }

  /// The document in one line.
  func compact() throws -> [UInt8] { try bytes([.sortedKeys]) }

  private func bytes(_ formatting: JSONEncoder.OutputFormatting) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting.union(.withoutEscapingSlashes)
    return Array(try encoder.encode(self))
  }
}

extension JSONValue {
  /// A member of an object; null when there is none.
  subscript(_ key: String) -> JSONValue {
    get {
      guard case .object(let members) = self else { return .null }
      return members[key] ?? .null
    }
    set {
      guard case .object(var members) = self else { return }
      members[key] = newValue
      self = .object(members)
    }
  }

  /// The elements of an array; none of anything else.
  var elements: [JSONValue] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }

  /// The members of an object, by name.
  var members: [(key: String, value: JSONValue)] {
    guard case .object(let members) = self else { return [] }
    return members.sorted { $0.key < $1.key }
  }

  /// The text of a string; nil of anything else.
  var string: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  /// A whole number; nil of anything else.
  var integer: Int64? {
    guard case .integer(let value) = self else { return nil }
    return value
  }

  /// Whether it is true.
  var isTrue: Bool { self == .bool(true) }

  /// How it is written in a cell of a table.
  var text: String {
    switch self {
    case .null: ""
    case .bool(let value): value ? "yes" : "no"
    case .integer(let value): String(value)
    case .number(let value): String(value)
    case .string(let value): value
    case .array(let values): values.map(\.text).joined(separator: " ")
    case .object: members.map { "\($0.key)=\($0.value.text)" }.joined(separator: " ")
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByDictionaryLiteral
{
  init(stringLiteral value: String) { self = .string(value) }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(integerLiteral value: Int64) { self = .integer(value) }
  init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements) { $1 })
  }
}

/// The members of a document that is sent: what is nil is left out.
struct Form {
  private(set) var members: [String: JSONValue] = [:]

  var document: JSONValue { .object(members) }

  /// Throws ``ClientError`` when nothing is set.
  func requireChanges() throws {
    guard members.isEmpty else { return }
    throw ClientError.usage("nothing is to be changed: --help lists what can be")
  }

  mutating func set(_ key: String, _ value: String?) { members[key] = value.map { .string($0) } }
  mutating func set(_ key: String, _ value: Bool?) { members[key] = value.map { .bool($0) } }
  mutating func set(_ key: String, _ value: Int?) {
    members[key] = value.map { .integer(Int64($0)) }
  }
  mutating func set(_ key: String, _ value: Int64?) { members[key] = value.map { .integer($0) } }
  mutating func set(_ key: String, _ value: JSONValue?) { members[key] = value }
}
