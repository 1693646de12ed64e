/// A value of a JSON text, with the line it begins in.
struct JSONNode: Hashable, Sendable {
  /// What the value is.
  indirect enum Value: Hashable, Sendable {
    case null
    case bool(Bool)
    /// A number as it stands in the text; whether it fits is for the reader to say.
    case number(String)
    case string(String)
    case array([JSONNode])
    /// The members in the order of the text; keys may come twice.
    case object([Member])
  }

  /// One member of an object.
  struct Member: Hashable, Sendable {
    var key: String
    /// The line of the key.
    var line: Int
    var value: JSONNode
  }

  var line: Int
  var value: Value

  /// What kind of value this is, for messages.
  var kind: String {
    switch value {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }

  /// The value on one line, for messages; long ones are cut.
  var text: String {
    let whole =
      switch value {
      case .null: "null"
      case .bool(let value): "\(value)"
      case .number(let text): text
      case .string(let text): "\"\(text)\""
      case .array(let items): "[" + items.map(\.text).joined(separator: ", ") + "]"
      case .object(let members):
        "{" + members.map { "\"\($0.key)\": \($0.value.text)" }.joined(separator: ", ") + "}"
      }
    return whole.count > 100 ? whole.prefix(97) + "..." : whole
  }
}

/// Where a JSON text stops being one.
struct JSONSyntaxError: Error, Hashable {
  var line: Int
  var message: String
}

/// Reads JSON (RFC 8259) and remembers lines.
struct JSONParser {
  /// How deep values may be nested.
  static let depthLimit = 100
  /// How large a text may be, in bytes.
  static let sizeLimit = 1 << 20

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var depth = 0

  private init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// Reads one value that is the whole text.
  static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONNode {
    guard bytes.count <= sizeLimit else {
      throw JSONSyntaxError(line: 1, message: "the file is larger than \(sizeLimit) bytes")
    }
    var parser = JSONParser(bytes)
    parser.skipSpace()
    let node = try parser.value()
    parser.skipSpace()
    guard parser.peek == nil else { throw parser.unexpected("the end of the file") }
    return node
  }

  private var peek: UInt8? {
    position < bytes.count ? bytes[position] : nil
  }

  private mutating func skipSpace() {
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\n"): line += 1
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): break
      default: return
      }
      position += 1
    }
  }

  private func error(_ message: String) -> JSONSyntaxError {
    JSONSyntaxError(line: line, message: message)
  }

  private func unexpected(_ wanted: String) -> JSONSyntaxError {
    guard let byte = peek else { return error("expected \(wanted), found the end of the file") }
    let found =
      byte > 0x20 && byte < 0x7F
      ? "\"\(Character(UnicodeScalar(byte)))\"" : "the byte 0x" + String(byte, radix: 16)
    return error("expected \(wanted), found \(found)")
  }

  private mutating func value() throws(JSONSyntaxError) -> JSONNode {
    let start = line
    switch peek {
    case UInt8(ascii: "{"): return JSONNode(line: start, value: .object(try object()))
    case UInt8(ascii: "["): return JSONNode(line: start, value: .array(try array()))
    case UInt8(ascii: "\""): return JSONNode(line: start, value: .string(try string()))
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case .some(UInt8(ascii: "0")...UInt8(ascii: "9")), UInt8(ascii: "-"):
      return JSONNode(line: start, value: .number(try number()))
    default: throw unexpected("a value")
    }
  }

  private mutating func word(
    _ word: String, _ value: JSONNode.Value
  ) throws(JSONSyntaxError) -> JSONNode {
    guard bytes[position...].starts(with: word.utf8) else {
      throw error("expected a value; words other than true, false and null need quotes")
    }
    position += word.utf8.count
    return JSONNode(line: line, value: value)
  }

  private mutating func enter() throws(JSONSyntaxError) {
    depth += 1
    guard depth <= Self.depthLimit else {
      throw error("values are nested more than \(Self.depthLimit) deep")
    }
    position += 1
    skipSpace()
  }

  private mutating func leave() {
    depth -= 1
    position += 1
  }

  private mutating func object() throws(JSONSyntaxError) -> [JSONNode.Member] {
    try enter()
    var members: [JSONNode.Member] = []
    while peek != UInt8(ascii: "}") {
      if !members.isEmpty {
        guard peek == UInt8(ascii: ",") else { throw unexpected("\",\" or \"}\"") }
        position += 1
        skipSpace()
      }
      guard peek == UInt8(ascii: "\"") else { throw unexpected("a key in quotes") }
      let start = line
      let key = try string()
      skipSpace()
      guard peek == UInt8(ascii: ":") else { throw unexpected("\":\"") }
      position += 1
      skipSpace()
      members.append(JSONNode.Member(key: key, line: start, value: try value()))
      skipSpace()
    }
    leave()
    return members
  }

  private mutating func array() throws(JSONSyntaxError) -> [JSONNode] {
    try enter()
    var items: [JSONNode] = []
    while peek != UInt8(ascii: "]") {
      if !items.isEmpty {
        guard peek == UInt8(ascii: ",") else { throw unexpected("\",\" or \"]\"") }
        position += 1
        skipSpace()
      }
      items.append(try value())
      skipSpace()
    }
    leave()
    return items
  }

  private mutating func digits() throws(JSONSyntaxError) {
    let start = position
    while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    guard position > start else { throw unexpected("a digit") }
  }

  private mutating func number() throws(JSONSyntaxError) -> String {
    let start = position
    if peek == UInt8(ascii: "-") { position += 1 }
    let leadingZero = peek == UInt8(ascii: "0")
    let integer = position
    try digits()
    guard !leadingZero || position == integer + 1 else {
      throw error("a number begins with a superfluous 0")
    }
    if peek == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      position += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func string() throws(JSONSyntaxError) -> String {
    position += 1
    var content: [UInt8] = []
    while let byte = peek, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else {
        throw error("a string holds a control character or has no closing quote")
      }
      position += 1
      if byte == UInt8(ascii: "\\") {
        content.append(contentsOf: String(try escaped()).utf8)
      } else {
        content.append(byte)
      }
    }
    guard peek != nil else { throw error("a string has no closing quote") }
    position += 1
    guard let text = String(validating: content, as: UTF8.self) else {
      throw error("a string is not valid UTF-8")
    }
    return text
  }

  private mutating func escaped() throws(JSONSyntaxError) -> UnicodeScalar {
    guard let byte = peek else { throw error("a string has no closing quote") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UnicodeScalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try unicodeEscape()
    default: throw error("a string holds an unknown escape")
    }
  }

  private mutating func unicodeEscape() throws(JSONSyntaxError) -> UnicodeScalar {
    let first = try hexadecimal()
    if let scalar = UnicodeScalar(first) { return scalar }
    guard first < 0xDC00, bytes[position...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")])
    else { throw error("a string holds half of a surrogate pair") }
    position += 2
    let second = try hexadecimal()
    guard (0xDC00...0xDFFF).contains(second),
      let scalar = UnicodeScalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw error("a string holds half of a surrogate pair") }
    return scalar
  }

  private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw error("a string has no closing quote") }
    var number: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
        throw error("a \\u escape needs four hexadecimal digits")
      }
      number = number << 4 | UInt32(digit)
    }
    position += 4
    return number
  }
}
