/// An element of an XML document, as far as S3's answers need it: names without their prefixes, text
/// and elements; no attributes.
struct XMLNode: Sendable, Equatable {
  var name: String
  /// All text right within the element.
  var text = ""
  var children: [XMLNode] = []

  /// The first element of this name.
  subscript(_ name: String) -> XMLNode? { children.first { $0.name == name } }

  /// The elements of this name.
  func all(_ name: String) -> [XMLNode] { children.filter { $0.name == name } }

  /// The text of the first element of this name.
  func text(of name: String) -> String? { self[name]?.text }
}

extension XMLNode {
  /// Why a text is not an XML document that is read here.
  enum Problem: Error, Equatable {
    case endsEarly
    case malformed(at: Int)
    case tooDeep
    case tooManyElements
    /// Document types could declare entities without end; S3 sends none.
    case documentType
  }

  /// The root element of a document. Throws ``Problem``.
  init(parsing bytes: [UInt8], maximumDepth: Int = 16, maximumElements: Int = 100_000) throws {
    var reader = XMLReader(bytes, maximumDepth: maximumDepth, maximumElements: maximumElements)
    self = try reader.document()
  }
}

/// Reads a document from front to back, without recursion.
private struct XMLReader {
  private let bytes: [UInt8]
  private let maximumDepth: Int
  private let maximumElements: Int
  private var position = 0
  private var elements = 0
  /// Elements that are not closed yet with their text, outermost first.
  private var open: [(node: XMLNode, text: [UInt8], rawName: ArraySlice<UInt8>)] = []
  private var root: XMLNode?

  init(_ bytes: [UInt8], maximumDepth: Int, maximumElements: Int) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
    self.maximumElements = maximumElements
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  mutating func document() throws -> XMLNode {
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "<") {
        try markup()
      } else {
        try text()
      }
    }
    guard open.isEmpty, let root else { throw XMLNode.Problem.endsEarly }
    return root
  }

  private mutating func markup() throws {
    if skips("<?") {
      try skip(past: "?>")
    } else if skips("<!--") {
      try skip(past: "-->")
    } else if skips("<![CDATA[") {
      let start = position
      try skip(past: "]]>")
      guard !open.isEmpty else { throw XMLNode.Problem.malformed(at: start) }
      open[open.count - 1].text += bytes[start..<position - 3]
    } else if skips("<!") {
      throw XMLNode.Problem.documentType
    } else if skips("</") {
      try closingTag()
    } else {
      position += 1
      try openingTag()
    }
  }

  private mutating func openingTag() throws {
    let name = try readName()
    guard root == nil else { throw XMLNode.Problem.malformed(at: position) }
    elements += 1
    guard elements <= maximumElements else { throw XMLNode.Problem.tooManyElements }
    guard open.count < maximumDepth else { throw XMLNode.Problem.tooDeep }
    open.append((XMLNode(name: Self.localName(name)), [], name))
    if try skipAttributes() { try close() }
  }

  /// Goes past a tag's attributes and its end; whether the element is empty.
  private mutating func skipAttributes() throws -> Bool {
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        guard let end = bytes[position...].firstIndex(of: byte) else {
          throw XMLNode.Problem.endsEarly
        }
        position = end + 1
      case UInt8(ascii: ">"):
        return false
      case UInt8(ascii: "/"):
        guard position < bytes.count else { throw XMLNode.Problem.endsEarly }
        guard bytes[position] == UInt8(ascii: ">") else {
          throw XMLNode.Problem.malformed(at: position)
        }
        position += 1
        return true
      case UInt8(ascii: "<"):
        throw XMLNode.Problem.malformed(at: position)
      default:
        continue
      }
    }
    throw XMLNode.Problem.endsEarly
  }

  private mutating func closingTag() throws {
    let start = position
    let name = try readName()
    while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
    guard position < bytes.count else { throw XMLNode.Problem.endsEarly }
    guard bytes[position] == UInt8(ascii: ">"), open.last?.rawName == name else {
      throw XMLNode.Problem.malformed(at: start)
    }
    position += 1
    try close()
  }

  private mutating func close() throws {
    guard let (node, text, _) = open.popLast() else {
      throw XMLNode.Problem.malformed(at: position)
    }
    var whole = node
    whole.text = String(decoding: text, as: UTF8.self)
    if open.isEmpty {
      root = whole
    } else {
      open[open.count - 1].node.children.append(whole)
    }
  }

  private mutating func text() throws {
    let end = bytes[position...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
    while position < end {
      let byte = bytes[position]
      guard !open.isEmpty else {
        guard Self.isSpace(byte) else { throw XMLNode.Problem.malformed(at: position) }
        position += 1
        continue
      }
      if byte == UInt8(ascii: "&") {
        open[open.count - 1].text += try entity(before: end)
      } else {
        open[open.count - 1].text.append(byte)
        position += 1
      }
    }
  }

  private static let entities: [String: [UInt8]] = [
    "amp": Array("&".utf8), "lt": Array("<".utf8), "gt": Array(">".utf8),
    "quot": Array("\"".utf8), "apos": Array("'".utf8),
  ]

  private mutating func entity(before end: Int) throws -> [UInt8] {
    let start = position
    // The longest is a character's number.
    guard let stop = bytes[position..<min(end, position + 12)].firstIndex(of: UInt8(ascii: ";"))
    else { throw XMLNode.Problem.malformed(at: start) }
    let name = String(decoding: bytes[position + 1..<stop], as: UTF8.self)
    position = stop + 1
    if let known = Self.entities[name] { return known }
    let number =
      name.hasPrefix("#x")
      ? UInt32(name.dropFirst(2), radix: 16)
      : name.hasPrefix("#") ? UInt32(name.dropFirst(1)) : nil
    guard let scalar = number.flatMap(Unicode.Scalar.init) else {
      throw XMLNode.Problem.malformed(at: start)
    }
    return Array(String(Character(scalar)).utf8)
  }

  private mutating func readName() throws -> ArraySlice<UInt8> {
    let start = position
    while position < bytes.count, !Self.endsName(bytes[position]) { position += 1 }
    guard position < bytes.count else { throw XMLNode.Problem.endsEarly }
    guard position > start else { throw XMLNode.Problem.malformed(at: start) }
    return bytes[start..<position]
  }

  private static func localName(_ name: ArraySlice<UInt8>) -> String {
    let start = name.lastIndex(of: UInt8(ascii: ":")).map { $0 + 1 } ?? name.startIndex
    return String(decoding: name[start...], as: UTF8.self)
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0A).contains(byte) || byte == 0x0D
  }

  private static func endsName(_ byte: UInt8) -> Bool {
    isSpace(byte) || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/")
      || byte == UInt8(ascii: "<") || byte == UInt8(ascii: "=")
      || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
  }

  /// Goes past these bytes if they come next.
  private mutating func skips(_ text: StaticString) -> Bool {
    let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard bytes[position...].starts(with: wanted) else { return false }
    position += wanted.count
    return true
  }

  private mutating func skip(past text: StaticString) throws {
    while position < bytes.count {
      if skips(text) { return }
      position += 1
    }
    throw XMLNode.Problem.endsEarly
  }
}
