/// A regular expression that is matched in time linear in the text, whatever the pattern, as Go's
/// `regexp` does: strangers write these, and one must not be able to stop the registry.
///
/// Literals, `.`, classes `[a-z]` and `\d \w \s`, groups, `|`, `* + ?`, `{n,m}`, `^` and `$`. No
/// back-references, no looking around. Finds the pattern anywhere unless it is anchored.
struct LinearPattern: Sendable, Hashable {
  /// A step of the machine.
  private enum Step: Sendable, Hashable {
    case take(ByteSet)
    case split(Int, Int)
    case jump(Int)
    case start
    case end
    case match
  }

  private indirect enum Node {
    case bytes(ByteSet)
    case start
    case end
    case sequence([Node])
    case either([Node])
    case times(Node, Int, Int?)
  }

  private static let patternLimit = 256
  private static let stepLimit = 1_000
  /// The most nodes that are compiled; those that make no step count as well, so that repetitions
  /// of nothing end.
  private static let workLimit = 4_000
  private var steps: [Step] = []

  /// Nil when the pattern is malformed or too large.
  init?(_ pattern: String) {
    guard pattern.utf8.count <= Self.patternLimit else { return nil }
    var parser = Parser(bytes: Array(pattern.utf8))
    var work = 0
    guard let node = parser.either(depth: 0), parser.isAtEnd, compile(node, &work) else {
      return nil
    }
    steps.append(.match)
  }

  // MARK: Matching

  /// The steps that the machine stands at before one byte.
  private struct States {
    private(set) var list: [Int] = []
    private var holds: [Bool]

    init(count: Int) { holds = [Bool](repeating: false, count: count) }

    mutating func insert(_ step: Int) -> Bool {
      guard !holds[step] else { return false }
      holds[step] = true
      list.append(step)
      return true
    }

    mutating func removeAll() {
      for step in list { holds[step] = false }
      list.removeAll(keepingCapacity: true)
    }
  }

  /// Whether the pattern is found in the text.
  func isFound(in text: String) -> Bool {
    let bytes = Array(text.utf8)
    var current = States(count: steps.count)
    var next = States(count: steps.count)
    var pending: [Int] = []
    for index in 0...bytes.count {
      pending.append(0)
      if add(&pending, to: &current, index, bytes.count) { return true }
      guard index < bytes.count else { break }
      for step in current.list {
        guard case .take(let set) = steps[step], set.contains(bytes[index]) else { continue }
        pending.append(step + 1)
      }
      next.removeAll()
      if add(&pending, to: &next, index + 1, bytes.count) { return true }
      swap(&current, &next)
    }
    return false
  }

  /// Goes on from the pending steps as far as that takes no byte; true when the pattern is found.
  private func add(
    _ pending: inout [Int], to states: inout States, _ index: Int, _ count: Int
  ) -> Bool {
    while let step = pending.popLast() {
      guard states.insert(step) else { continue }
      switch steps[step] {
      case .split(let one, let other): pending += [one, other]
      case .jump(let to): pending.append(to)
      case .start: if index == 0 { pending.append(step + 1) }
      case .end: if index == count { pending.append(step + 1) }
      case .take: break
      case .match: return true
      }
    }
    return false
  }

  // MARK: Making the machine

  private mutating func compile(_ node: Node, _ work: inout Int) -> Bool {
    work += 1
    guard steps.count < Self.stepLimit, work < Self.workLimit else { return false }
    switch node {
    case .bytes(let set): steps.append(.take(set))
    case .start: steps.append(.start)
    case .end: steps.append(.end)
    case .sequence(let nodes):
      for node in nodes { guard compile(node, &work) else { return false } }
    case .either(let nodes): return compileEither(nodes, &work)
    case .times(let node, let least, let most): return compileTimes(node, least, most, &work)
    }
    return true
  }

  private mutating func compileEither(_ nodes: [Node], _ work: inout Int) -> Bool {
    var ends: [Int] = []
    for (index, node) in nodes.enumerated() {
      guard index < nodes.count - 1 else {
        guard compile(node, &work) else { return false }
        break
      }
      let split = steps.count
      steps.append(.split(split + 1, 0))
      guard compile(node, &work) else { return false }
      ends.append(steps.count)
      steps.append(.jump(0))
      steps[split] = .split(split + 1, steps.count)
    }
    for end in ends { steps[end] = .jump(steps.count) }
    return true
  }

  private mutating func compileTimes(
    _ node: Node, _ least: Int, _ most: Int?, _ work: inout Int
  ) -> Bool {
    for _ in 0..<least { guard compile(node, &work) else { return false } }
    guard let most else {
      let split = steps.count
      steps.append(.split(split + 1, 0))
      guard compile(node, &work) else { return false }
      steps.append(.jump(split))
      steps[split] = .split(split + 1, steps.count)
      return true
    }
    var splits: [Int] = []
    for _ in least..<max(least, most) {
      splits.append(steps.count)
      steps.append(.split(steps.count + 1, 0))
      guard compile(node, &work) else { return false }
    }
    for split in splits { steps[split] = .split(split + 1, steps.count) }
    return true
  }

  // MARK: Reading patterns

  private struct Parser {
    static let digits = ByteSet("0"..."9")
    static let spaces = ByteSet(Array(" \t\n\r\u{0C}".utf8))
    static let words = digits.union(ByteSet("a"..."z")).union(ByteSet("A"..."Z"))
      .union(ByteSet(Array("_".utf8)))

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
      case UInt8(ascii: "."): return .bytes(ByteSet(Array("\n".utf8)).inverted)
      case UInt8(ascii: "^"): return .start
      case UInt8(ascii: "$"): return .end
      case UInt8(ascii: "["): return set().map(Node.bytes)
      case UInt8(ascii: "\\"): return escape().map(Node.bytes)
      case UInt8(ascii: "("):
        if take("?"), !take(":") { return nil }
        guard let node = either(depth: depth + 1), take(")") else { return nil }
        return node
      case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"): return nil
      default: return .bytes(ByteSet([byte]))
      }
    }

    private mutating func escape() -> ByteSet? {
      guard let byte = next else { return nil }
      index += 1
      switch byte {
      case UInt8(ascii: "d"): return Self.digits
      case UInt8(ascii: "D"): return Self.digits.inverted
      case UInt8(ascii: "w"): return Self.words
      case UInt8(ascii: "W"): return Self.words.inverted
      case UInt8(ascii: "s"): return Self.spaces
      case UInt8(ascii: "S"): return Self.spaces.inverted
      default: return Self.words.contains(byte) ? nil : ByteSet([byte])
      }
    }

    private mutating func set() -> ByteSet? {
      let isInverted = take("^")
      var set = ByteSet()
      var isFirst = true
      while let byte = next, byte != UInt8(ascii: "]") || isFirst {
        isFirst = false
        index += 1
        // A class such as `[:alpha:]`, which would be read as something else.
        if byte == UInt8(ascii: "["), next == UInt8(ascii: ":") { return nil }
        var low = ByteSet([byte])
        if byte == UInt8(ascii: "\\") {
          guard let escaped = escape() else { return nil }
          low = escaped
        }
        if next == UInt8(ascii: "-"), index + 1 < bytes.count,
          bytes[index + 1] != UInt8(ascii: "]")
        {
          index += 1
          let high = bytes[index]
          guard let first = low.only, high != UInt8(ascii: "\\"), first <= high
          else { return nil }
          index += 1
          set = set.union(ByteSet(Array(first...high)))
        } else {
          set = set.union(low)
        }
      }
      guard take("]") else { return nil }
      return isInverted ? set.inverted : set
    }
  }
}

/// A set of bytes.
private struct ByteSet: Sendable, Hashable {
  private var words = SIMD4<UInt64>.zero

  init(_ bytes: [UInt8] = []) {
    for byte in bytes { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
  }

  init(_ range: ClosedRange<Unicode.Scalar>) {
    self.init(
      (range.lowerBound.value...range.upperBound.value).map { UInt8(truncatingIfNeeded: $0) })
  }

  func contains(_ byte: UInt8) -> Bool {
    words[Int(byte >> 6)] & (1 << UInt64(byte & 63)) != 0
  }

  func union(_ other: ByteSet) -> ByteSet {
    var set = self
    set.words |= other.words
    return set
  }

  var inverted: ByteSet {
    var set = self
    set.words = ~words
    return set
  }

  /// The byte of a set of one.
  var only: UInt8? {
    let all = (UInt8.min...UInt8.max).filter(contains)
    return all.count == 1 ? all[0] : nil
  }
}
