/// Makes a setting's value of a node, or notes what is wrong with it and makes nil.
struct ValueParser<Value>: Sendable {
  typealias Parse = @Sendable (JSONNode, inout ProblemList) -> Value?

  let parse: Parse

  init(_ parse: @escaping Parse) {
    self.parse = parse
  }

  /// The parser followed by another step, which may find something wrong and say what.
  func then<Next>(
    _ next: @escaping @Sendable (Value) -> Result<Next, Wrong>
  ) -> ValueParser<Next> {
    ValueParser<Next> { node, problems in
      guard let value = parse(node, &problems) else { return nil }
      switch next(value) {
      case .success(let next): return next
      case .failure(let wrong):
        problems.add(wrong.message, at: node)
        return nil
      }
    }
  }

  /// The same, for a setting that may be unset.
  var optional: ValueParser<Value?> {
    ValueParser<Value?> { node, problems in parse(node, &problems).map { .some($0) } }
  }
}

/// What is wrong with a value.
struct Wrong: Error {
  var message: String

  init(_ message: String) {
    self.message = message
  }
}

extension ValueParser<Bool> {
  static let bool = ValueParser { node, problems in
    if case .bool(let value) = node.value { return value }
    problems.add("expected true or false, found \(node.kind)", at: node)
    return nil
  }

  /// A switch that can only stand one way, with the reason.
  static func only(_ wanted: Bool, _ reason: String) -> ValueParser {
    bool.then { $0 == wanted ? .success($0) : .failure(Wrong(reason)) }
  }
}

extension ValueParser<Int> {
  static func integer(_ range: ClosedRange<Int>) -> ValueParser {
    ValueParser { node, problems in
      guard case .number(let text) = node.value else {
        problems.add("expected a number, found \(node.kind)", at: node)
        return nil
      }
      guard let value = Int(text), range.contains(value) else {
        problems.add(
          "expected a whole number from \(range.lowerBound) to \(range.upperBound), found \(text)",
          at: node)
        return nil
      }
      return value
    }
  }
}

extension ValueParser<Int64> {
  /// A number of bytes, or a text such as `64m`.
  static let size = ValueParser { node, problems in
    let size: Int64? =
      switch node.value {
      case .number(let text): Int64(text)
      case .string(let text): bytes(text)
      default: nil
      }
    if let size, size > 0 { return size }
    problems.add(
      "expected a size such as 67108864, \"65536k\" or \"64m\", found \(node.text)", at: node)
    return nil
  }

  /// Reads a size with an optional unit: b, k, m, g or t, each 1024 times the one before, also as
  /// `kb` and `kib`. Nil when it is something else, or not positive, or too large.
  static func bytes(_ text: String) -> Int64? {
    let lowered = text.lowercased()
    let digits = lowered.prefix { ("0"..."9").contains($0) }
    let units = ["": 0, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40]
    var unit = String(lowered.dropFirst(digits.count))
    if unit.count > 1, unit.hasSuffix("ib") {
      unit.removeLast(2)
    } else if unit.count > 1, unit.hasSuffix("b") {
      unit.removeLast()
    }
    guard let number = Int64(digits), let shift = units[unit], number > 0,
      number <= Int64.max >> shift
    else { return nil }
    return number << shift
  }
}

extension ValueParser<String> {
  static let text = ValueParser { node, problems in
    if case .string(let value) = node.value { return value }
    problems.add("expected a string, found \(node.kind)", at: node)
    return nil
  }

  /// A text for which `isRight` holds; `wanted` says what it has to be.
  static func text(
    _ wanted: String, _ isRight: @escaping @Sendable (String) -> Bool
  ) -> ValueParser {
    text.then { value in
      isRight(value)
        ? .success(value) : .failure(Wrong("expected \(wanted), found \"\(value)\""))
    }
  }

  static func one(of words: [String]) -> ValueParser {
    text("one of " + words.map { "\"\($0)\"" }.joined(separator: ", ")) { words.contains($0) }
  }

  static let absolutePath = text("an absolute path", isAbsolutePath)

  static let nonEmpty = text("a text that is not empty") { !$0.isEmpty && !$0.contains("\0") }

  static let address = text("an IP address") { AddressText($0) != nil }

  static let addressV4 = text("an IPv4 address") { AddressText($0)?.isIPv6 == false }

  static let addressV6 = text("an IPv6 address") { AddressText($0)?.isIPv6 == true }

  /// An address with its network, such as a bridge has.
  static func interface(v6: Bool) -> ValueParser {
    text(
      "an IPv\(v6 ? 6 : 4) address with its network, such as \(v6 ? "fd00::1/64" : "172.17.0.1/16")"
    ) {
      guard let network = NetworkText($0) else { return false }
      let bits = network.address.bytes.count * 8
      return network.address.isIPv6 == v6 && (1...bits).contains(network.length)
        && (!network.isNetworkAddress || network.length >= bits - 1)
    }
  }

  static func network(v6: Bool) -> ValueParser {
    text("an IPv\(v6 ? 6 : 4) network, such as \(v6 ? "fd00::/64" : "172.17.0.0/16")") {
      NetworkText($0).map { $0.address.isIPv6 == v6 && $0.length > 0 } ?? false
    }
  }
}

/// Whether the text is a path from the root, without a NUL.
@Sendable func isAbsolutePath(_ text: String) -> Bool {
  text.hasPrefix("/") && !text.contains("\0") && text.utf8.count < 4_096
}

extension ValueParser {
  /// A list of values.
  static func list<Item>(_ item: ValueParser<Item>) -> ValueParser where Value == [Item] {
    ValueParser { node, problems in
      guard case .array(let nodes) = node.value else {
        problems.add("expected a list, found \(node.kind)", at: node)
        return nil
      }
      let items = nodes.map { item.parse($0, &problems) }
      return items.contains { $0 == nil } ? nil : items.compactMap { $0 }
    }
  }

  /// An object whose keys are names of the operator's.
  static func map<Item>(
    _ item: @escaping @Sendable (String, JSONNode, inout ProblemList) -> Item?
  ) -> ValueParser where Value == [String: Item] {
    ValueParser { node, problems in
      guard case .object(let members) = node.value else {
        problems.add("expected an object, found \(node.kind)", at: node)
        return nil
      }
      var result: [String: Item] = [:]
      for member in members {
        if result[member.key] != nil {
          problems.add("the key \"\(member.key)\" is given twice", line: member.line)
        }
        result[member.key] = item(member.key, member.value, &problems)
      }
      return result.count == members.count ? result : nil
    }
  }
}
