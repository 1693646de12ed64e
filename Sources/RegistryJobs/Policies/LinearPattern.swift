/// A regular expression that is matched in time linear in the text, whatever the pattern, as Go's
/// `regexp` does: strangers write these, and one must not be able to stop the registry.
///
/// Literals, `.`, classes `[a-z]` and `\d \w \s`, groups, `|`, `* + ?`, `{n,m}`, `^` and `$`. No
/// back-references, no looking around. Finds the pattern anywhere unless it is anchored.
struct LinearPattern: Sendable, Hashable {
  /// A step of the machine.
  private indirect enum Step: Sendable, Hashable {
    case take(Set<UInt8>)
    case split(Int, Int)
    case jump(Int)
    case start
    case end
    case match
  }

  private indirect enum Node {
    case bytes(Set<UInt8>)
    case start
    case end
    case sequence([Node])
    case either([Node])
    case times(Node, Int, Int?)
  }

  private static let patternLimit = 256
  private static let stepLimit = 4_000
  private var steps: [Step] = []

  /// Nil when the pattern is malformed or too large.
  init?(_ pattern: String) {
    guard pattern.utf8.count <= Self.patternLimit else { return nil }
    var parser = Parser(bytes: Array(pattern.utf8))
    guard let node = parser.either(depth: 0), parser.isAtEnd, compile(node) else { return nil }
    steps.append(.match)
  }

  // MARK: Matching

  /// Whether the pattern is found in the text.
  func isFound(in text: String) -> Bool {
    let bytes = Array(text.utf8)
    var current: Set<Int> = []
    for index in 0...bytes.count {
      add(0, to: &current, index, bytes.count)
      if current.contains(steps.count - 1) { return true }
      guard index < bytes.count else { break }
      var next: Set<Int> = []
      for step in current {
        if case .take(let set) = steps[step], set.contains(bytes[index]) {
          add(step + 1, to: &next, index + 1, bytes.count)
        }
      }
      current = next
    }
    return current.contains(steps.count - 1)
  }

  private func add(_ first: Int, to states: inout Set<Int>, _ index: Int, _ count: Int) {
    var pending = [first]
    while let step = pending.popLast() {
      guard states.insert(step).inserted else { continue }
      switch steps[step] {
      case .split(let one, let other): pending += [one, other]
      case .jump(let to): pending.append(to)
      case .start: if index == 0 { pending.append(step + 1) }
      case .end: if index == count { pending.append(step + 1) }
      case .take, .match: break
      }
    }
  }

  // MARK: Making the machine

  private mutating func compile(_ node: Node) -> Bool {
    guard steps.count < Self.stepLimit else { return false }
    switch node {
    case .bytes(let set): steps.append(.take(set))
    case .start: steps.append(.start)
    case .end: steps.append(.end)
    case .sequence(let nodes): return nodes.allSatisfy { compile($0) }
    case .either(let nodes): return compileEither(nodes)
    case .times(let node, let least, let most): return compileTimes(node, least, most)
    }
    return true
  }

  private mutating func compileEither(_ nodes: [Node]) -> Bool {
    var ends: [Int] = []
    for (index, node) in nodes.enumerated() {
      guard index < nodes.count - 1 else {
        guard compile(node) else { return false }
        break
      }
      let split = steps.count
      steps.append(.split(split + 1, 0))
      guard compile(node) else { return false }
      ends.append(steps.count)
      steps.append(.jump(0))
      steps[split] = .split(split + 1, steps.count)
    }
    for end in ends { steps[end] = .jump(steps.count) }
    return true
  }

  private mutating func compileTimes(_ node: Node, _ least: Int, _ most: Int?) -> Bool {
    for _ in 0..<least { guard compile(node) else { return false } }
    guard let most else {
      let split = steps.count
      steps.append(.split(split + 1, 0))
      guard compile(node) else { return false }
      steps.append(.jump(split))
      steps[split] = .split(split + 1, steps.count)
      return true
    }
    var splits: [Int] = []
    for _ in least..<max(least, most) {
      splits.append(steps.count)
      steps.append(.split(steps.count + 1, 0))
      guard compile(node) else { return false }
    }
    for split in splits { steps[split] = .split(split + 1, steps.count) }
    return true
  }

  // MARK: Reading patterns

  private struct Parser {
    static let digits = Set(UInt8(ascii: "0")...UInt8(ascii: "9"))
    static let spaces = Set(Array(" \t\n\r\u{0C}".utf8))
    static let words = digits.union(
      Set(UInt8(ascii: "a")...UInt8(ascii: "z")).union(UInt8(ascii: "A")...UInt8(ascii: "Z"))
    ).union([UInt8(ascii: "_")])
    static let all = Set(UInt8.min...UInt8.max)

    let bytes: [UInt8]
    var index = 0

    var isAtEnd: Bool { index == bytes.count }
    var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard let next, UInt32(next) == character.value else { return false }
      index += 1
      return true
    }

    mutating func either(depth: Int) -> Node? {
      guard depth < 32 else { return nil }
      var nodes: [Node] = []
      repeat {
        guard let node = sequence(depth: depth) else { return nil }
        nodes.append(node)
      } while take("|")
      return nodes.count == 1 ? nodes[0] : .either(nodes)
    }

    private mutating func sequence(depth: Int) -> Node? {
      var nodes: [Node] = []
      while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
        guard let atom = atom(depth: depth), let node = repeated(atom) else { return nil }
        nodes.append(node)
      }
      return .sequence(nodes)
    }

    private mutating func repeated(_ atom: Node) -> Node? {
      var node = atom
      if take("*") {
        node = .times(atom, 0, nil)
      } else if take("+") {
        node = .times(atom, 1, nil)
      } else if take("?") {
        node = .times(atom, 0, 1)
      } else if take("{") {
        guard let least = number() else { return nil }
        var most: Int? = least
        if take(",") { most = next == UInt8(ascii: "}") ? nil : number() ?? -1 }
        guard take("}"), least <= 100, most.map({ least <= $0 && $0 <= 100 }) ?? true else {
          return nil
        }
        node = .times(atom, least, most)
      } else {
        return node
      }
      // How greedy it is makes no difference to whether it is found.
      _ = take("?")
      return node
    }

    private mutating func number() -> Int? {
      let start = index
      while let next, Self.digits.contains(next), index - start < 4 { index += 1 }
      return Int(String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private mutating func atom(depth: Int) -> Node? {
      guard let byte = next else { return nil }
      index += 1
      switch byte {
      case UInt8(ascii: "."): return .bytes(Self.all.subtracting([UInt8(ascii: "\n")]))
      case UInt8(ascii: "^"): return .start
      case UInt8(ascii: "$"): return .end
      case UInt8(ascii: "["): return set().map(Node.bytes)
      case UInt8(ascii: "\\"): return escape().map(Node.bytes)
      case UInt8(ascii: "("):
        if take("?"), !take(":") { return nil }
        guard let node = either(depth: depth + 1), take(")") else { return nil }
        return node
      case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"): return nil
      default: return .bytes([byte])
      }
    }

    private mutating func escape() -> Set<UInt8>? {
      guard let byte = next else { return nil }
      index += 1
      switch byte {
      case UInt8(ascii: "d"): return Self.digits
      case UInt8(ascii: "D"): return Self.all.subtracting(Self.digits)
      case UInt8(ascii: "w"): return Self.words
      case UInt8(ascii: "W"): return Self.all.subtracting(Self.words)
      case UInt8(ascii: "s"): return Self.spaces
      case UInt8(ascii: "S"): return Self.all.subtracting(Self.spaces)
      default: return Self.words.contains(byte) ? nil : [byte]
      }
    }

    private mutating func set() -> Set<UInt8>? {
      let isInverted = take("^")
      var set: Set<UInt8> = []
      var isFirst = true
      while let byte = next, byte != UInt8(ascii: "]") || isFirst {
        isFirst = false
        index += 1
        var low: Set<UInt8> = [byte]
        if byte == UInt8(ascii: "\\") {
          guard let escaped = escape() else { return nil }
          low = escaped
        }
        if next == UInt8(ascii: "-"), index + 1 < bytes.count,
          bytes[index + 1] != UInt8(ascii: "]")
        {
          index += 1
          let high = bytes[index]
          guard low.count == 1, let first = low.first, high != UInt8(ascii: "\\"), first <= high
          else { return nil }
          index += 1
          set.formUnion(first...high)
        } else {
          set.formUnion(low)
        }
      }
      guard take("]") else { return nil }
      return isInverted ? Self.all.subtracting(set) : set
    }
  }
}
