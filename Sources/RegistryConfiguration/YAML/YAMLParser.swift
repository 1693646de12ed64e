import CYAML

/// Why a text is no YAML that is taken here.
struct YAMLFailure: Error {
  var message: String
  var line: Int
  var column: Int
}

/// Reads one YAML 1.1 document into a tree. Text from outside cannot make it large, deep or slow:
/// there are bounds for bytes, depth and the count of values, and aliases, by which a small text
/// describes a huge tree, are refused. So are keys given twice, and tags that ask for other types.
struct YAMLParser {
  /// The most bytes of a document.
  static let byteLimit = 1 << 20
  /// The most values within values.
  static let depthLimit = 32
  /// The most values.
  static let countLimit = 50_000

  private let makePlace: (_ line: Int, _ column: Int) -> YAMLNode.Place
  private var count = 0

  /// Reads a document; nil when there is none. `makePlace` makes places of lines and columns, which
  /// count from 1.
  static func parse(
    _ bytes: [UInt8], makePlace: @escaping (_ line: Int, _ column: Int) -> YAMLNode.Place
  ) throws(YAMLFailure) -> YAMLNode? {
    guard bytes.count <= byteLimit else {
      throw YAMLFailure(
        message: "there are more than \(byteLimit >> 20) MiB of it", line: 1, column: 1)
    }
    var parser = YAMLParser(makePlace: makePlace)
    let result = bytes.withUnsafeBufferPointer {
      buffer -> Result<YAMLNode?, YAMLFailure> in
      var events = YAMLEvents(buffer)
      defer { events.close() }
      do throws(YAMLFailure) {
        return .success(try parser.document(&events))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private init(makePlace: @escaping (Int, Int) -> YAMLNode.Place) {
    self.makePlace = makePlace
  }

  private mutating func document(_ events: inout YAMLEvents) throws(YAMLFailure) -> YAMLNode? {
    var root: YAMLNode?
    while true {
      let event = try events.next()
      switch event.kind {
      case .streamStart, .documentEnd: continue
      case .streamEnd: return root
      case .documentStart:
        guard root == nil else { throw event.failure("there is a second document") }
        root = try node(try events.next(), &events, depth: 0)
      default: throw event.failure("a document was expected")
      }
    }
  }

  private mutating func node(
    _ event: YAMLEvent, _ events: inout YAMLEvents, depth: Int
  ) throws(YAMLFailure) -> YAMLNode {
    count += 1
    guard count <= Self.countLimit else { throw event.failure("there are too many values") }
    guard depth <= Self.depthLimit else {
      throw event.failure("values lie deeper than \(Self.depthLimit) within one another")
    }
    let place = makePlace(event.line, event.column)
    switch event.kind {
    case .scalar(let text, let isPlain):
      return YAMLNode(value: .scalar(text, isPlain: isPlain), place: place)
    case .sequenceStart:
      var items: [YAMLNode] = []
      while true {
        let next = try events.next()
        if case .sequenceEnd = next.kind { break }
        items.append(try node(next, &events, depth: depth + 1))
      }
      return YAMLNode(value: .sequence(items), place: place)
    case .mappingStart:
      return YAMLNode(value: .mapping(try entries(&events, depth: depth)), place: place)
    case .alias(let name):
      throw event.failure("aliases are not taken: write the value of *\(name) out")
    default:
      throw event.failure("a value was expected")
    }
  }

  private mutating func entries(
    _ events: inout YAMLEvents, depth: Int
  ) throws(YAMLFailure) -> [YAMLNode.Entry] {
    var entries: [YAMLNode.Entry] = []
    var lines: [String: Int] = [:]
    while true {
      let event = try events.next()
      if case .mappingEnd = event.kind { return entries }
      guard case .scalar(let key, _) = event.kind else {
        throw event.failure("a key was expected: a text")
      }
      if let first = lines.updateValue(event.line, forKey: key) {
        throw event.failure("the key \"\(key)\" is given twice, first in line \(first)")
      }
      let value = try node(try events.next(), &events, depth: depth + 1)
      entries.append(
        YAMLNode.Entry(key: key, place: makePlace(event.line, event.column), node: value))
    }
  }
}
