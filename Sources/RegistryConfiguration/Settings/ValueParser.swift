import Identity
import Logging
import RegistryJobs

/// Makes a setting's value of a node, or notes what is wrong with it and makes nil.
struct ValueParser<Value: Sendable>: Sendable {
  let parse: @Sendable (YAMLNode, inout ProblemList) -> Value?

  init(_ parse: @escaping @Sendable (YAMLNode, inout ProblemList) -> Value?) {
    self.parse = parse
  }

  /// The parser followed by a step that makes another value, nil where it is not `wanted`.
  func then<Next: Sendable>(
    _ wanted: String, _ next: @escaping @Sendable (Value) -> Next?
  ) -> ValueParser<Next> {
    ValueParser<Next> { node, problems in
      guard let value = parse(node, &problems) else { return nil }
      if let next = next(value) { return next }
      problems.add("expected \(wanted), found \(node.kind)", at: node)
      return nil
    }
  }

  /// The same, for a setting that may be unset.
  var optional: ValueParser<Value?> {
    ValueParser<Value?> { node, problems in parse(node, &problems).map { .some($0) } }
  }
}

extension ValueParser<String> {
  /// Any scalar, as it is written. That text such as `12345` or `yes` needs no quotes is what makes
  /// passwords safe to write.
  static let text = ValueParser { node, problems in
    guard case .scalar(let text, _) = node.value, !node.isNull else {
      problems.add("expected a text, found \(node.kind)", at: node)
      return nil
    }
    guard !text.contains("\0") else {
      problems.add("the text has a NUL in it", at: node)
      return nil
    }
    return text
  }

  static let nonEmpty = text.then("a text that is not empty") { $0.isEmpty ? nil : $0 }

  /// A secret, which no message may show.
  static let secret = ValueParser { node, problems in
    guard case .scalar(let text, _) = node.value, !text.isEmpty, !text.contains("\0") else {
      problems.add("expected a text that is not empty", at: node)
      return nil
    }
    return text
  }

  static let absolutePath = text.then("an absolute path") {
    $0.hasPrefix("/") && $0.utf8.count < 4_096 ? $0 : nil
  }

  /// `http://HOST` or `https://HOST`, with a port or without; a path only where one may be.
  static func url(withPath: Bool = false) -> ValueParser {
    text.then(
      withPath ? "a URL such as https://example.com/path" : "a URL such as https://example.com:5000"
    ) { text in
      guard let host = HostText.afterScheme(text) else { return nil }
      let slash = host.firstIndex(of: "/") ?? host.endIndex
      guard HostText(host[..<slash]) != nil, withPath || host[slash...].count <= 1 else {
        return nil
      }
      return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
  }

  /// One of these words.
  static func one(of words: [String]) -> ValueParser {
    text.then("one of \(words.joined(separator: ", "))") { words.contains($0) ? $0 : nil }
  }
}

extension ValueParser<Bool> {
  static let bool = ValueParser { node, problems in
    if case .scalar(let text, isPlain: true) = node.value {
      switch text {
      case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return true
      case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return false
      default: break
      }
    }
    problems.add("expected true or false, found \(node.kind)", at: node)
    return nil
  }

  /// A switch the other way around.
  static let inverted = bool.then("true or false") { !$0 }

  /// A switch that can only stand one way, with the reason.
  static func only(_ wanted: Bool, _ reason: String) -> ValueParser {
    ValueParser { node, problems in
      guard let value = bool.parse(node, &problems) else { return nil }
      if value == wanted { return value }
      problems.add("it can only be \(wanted): \(reason)", at: node)
      return nil
    }
  }
}

extension ValueParser<Int> {
  static func integer(_ range: ClosedRange<Int>) -> ValueParser {
    scalar("a whole number from \(range.lowerBound) to \(range.upperBound)") {
      guard $0.utf8.allSatisfy({ (48...57).contains($0) || $0 == 45 }) else { return nil }
      return Int($0).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// A number of bytes, also with a unit of which each is 1024 times the one before: `64m`.
  static func size(_ range: ClosedRange<Int>) -> ValueParser {
    scalar(
      "a size from \(range.lowerBound) to \(range.upperBound) bytes, such as 67108864 or 64m"
    ) { text in
      let digits = text.prefix { ("0"..."9").contains($0) }
      var unit = text.dropFirst(digits.count).lowercased()
      for ending in ["ib", "b"] where unit.hasSuffix(ending) {
        unit.removeLast(ending.count)
        break
      }
      guard let number = Int(digits), let shift = ["": 0, "k": 10, "m": 20, "g": 30][unit],
        number <= Int.max >> shift
      else { return nil }
      return range.contains(number << shift) ? number << shift : nil
    }
  }

  private static func scalar(
    _ wanted: String, _ read: @escaping @Sendable (String) -> Int?
  ) -> ValueParser {
    ValueParser { node, problems in
      if case .scalar(let text, _) = node.value, let value = read(text) { return value }
      problems.add("expected \(wanted), found \(node.kind)", at: node)
      return nil
    }
  }
}

extension ValueParser<Duration> {
  /// A length of time as Go writes it, at least so long.
  static func duration(from shortest: Duration) -> ValueParser {
    ValueParser<String>.text.then(
      "a duration from \(GoDuration.text(shortest)) on, such as 90s, 10m or 168h"
    ) { text in GoDuration.parse(text).flatMap { $0 >= shortest ? $0 : nil } }
  }
}

extension ValueParser<CronSchedule> {
  static let schedule = ValueParser<String>.text.then(
    "a schedule of six fields (second minute hour day month weekday), such as \"0 0 3 * * *\""
  ) { text in
    // what is wrong with it is told by what was expected
    try? CronSchedule(text)
  }
}

extension ValueParser<Logger.Level> {
  static let level = ValueParser<String>.text.then("one of error, warn, info, debug") {
    text -> Logger.Level? in
    switch text {
    case "error": .error
    case "warn", "warning": .warning
    case "info": .info
    case "debug": .debug
    default: nil
    }
  }
}

extension ValueParser {
  /// A list of values.
  static func list<Item: Sendable>(_ item: ValueParser<Item>) -> ValueParser where Value == [Item] {
    ValueParser { node, problems in
      guard case .sequence(let nodes) = node.value else {
        problems.add("expected a list, found \(node.kind)", at: node)
        return nil
      }
      let items = nodes.map { item.parse($0, &problems) }
      return items.contains { $0 == nil } ? nil : items.compactMap { $0 }
    }
  }

  /// A mapping whose keys are names of the operator's, of which `isName` says whether they may be.
  static func map<Item: Sendable>(
    _ wanted: String, _ isName: @escaping @Sendable (String) -> Bool, _ item: ValueParser<Item>
  ) -> ValueParser where Value == [String: Item] {
    ValueParser { node, problems in
      guard let entries = node.entries else {
        problems.add("expected a mapping, found \(node.kind)", at: node)
        return nil
      }
      var result: [String: Item] = [:]
      let outer = problems.key
      for entry in entries {
        problems.key = "\(outer).\(entry.key)"
        if !isName(entry.key) {
          problems.add("expected \(wanted)", at: "\(entry.place)", key: problems.key)
        }
        if let value = item.parse(entry.node, &problems) { result[entry.key] = value }
      }
      problems.key = outer
      return result.count == entries.count ? result : nil
    }
  }
}
