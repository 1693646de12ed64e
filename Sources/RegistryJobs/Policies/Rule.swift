package import Identity

/// One condition of a policy; a policy's conditions must all hold.
package struct Rule: Hashable, Sendable, Codable {
  package var field: String
  package var `operator`: String
  package var values: [String]

  /// A condition of these parts; ``check()`` says whether it makes sense.
  package init(field: String, operator: String, values: [String]) {
    self.field = field
    self.operator = `operator`
    self.values = values
  }
}

/// What rules look at.
package struct RuleSubject: Sendable {
  package var tag: String
  /// When the tag was pushed last.
  package var updatedAt: Timestamp
  /// What a finished scan found; nil when there was none, which is not the same as clean.
  package var scan: ScanFacts?

  /// A tag that was not scanned.
  package init(tag: String, updatedAt: Timestamp, scan: ScanFacts? = nil) {
    self.tag = tag
    self.updatedAt = updatedAt
    self.scan = scan
  }
}

/// What a scan of an image found.
package struct ScanFacts: Sendable, Hashable {
  package var critical: Int
  package var major: Int
  package var minor: Int
  package var components: Set<String>
  package var licenses: Set<String>

  /// These findings.
  package init(
    critical: Int, major: Int, minor: Int, components: Set<String> = [], licenses: Set<String> = []
  ) {
    (self.critical, self.major, self.minor) = (critical, major, minor)
    (self.components, self.licenses) = (components, licenses)
  }
}

extension Rule {
  private static let texts: Set<String> = ["eq", "sw", "ew", "c", "oo", "noo", "matches"]
  private static let numbers: Set<String> = ["gte", "gt", "eq", "neq", "lte", "lt"]
  /// The most patterns of a rule: each has to be looked for in every tag.
  private static let patternLimit = 16
  private static let moments: Set<String> = ["bf", "af"]

  /// The operators of each field.
  package static let operators: [String: Set<String>] = [
    "tag": texts, "component.name": texts, "license.name": texts, "vulnerability_all": numbers,
    "vulnerability_critical": numbers, "vulnerability_major": numbers,
    "vulnerability_minor": numbers, "updated_at": moments, "updated_at_duration": moments,
  ]

  /// Throws ``JobError`` (`invalidRequest`) unless the rule makes sense.
  package func check() throws {
    guard let operators = Self.operators[field] else {
      throw JobError.invalid("rules", "there is no rule for \(String(field.prefix(64)))")
    }
    guard operators.contains(`operator`) else {
      throw JobError.invalid(
        "rules", "\(field) cannot be compared by \(String(`operator`.prefix(16)))")
    }
    guard (1...256).contains(values.count), values.allSatisfy({ $0.utf8.count <= 256 }) else {
      throw JobError.invalid("rules", "a rule needs 1 to 256 short values")
    }
    guard `operator` != "matches" || values.count <= Self.patternLimit else {
      throw JobError.invalid("rules", "a rule has too many patterns")
    }
    let areUsable =
      switch field {
      case "updated_at": values.allSatisfy { Timestamp($0) != nil }
      case "updated_at_duration": values.allSatisfy { GoDuration.parse($0) != nil }
      case let name where name.hasPrefix("vulnerability_"): values.allSatisfy { Int($0) != nil }
      default: `operator` != "matches" || values.allSatisfy { LinearPattern($0) != nil }
      }
    guard areUsable else {
      throw JobError.invalid("rules", "a value of the rule for \(field) cannot be used")
    }
  }

  /// Whether the rule holds for a tag at a time.
  package func holds(for subject: RuleSubject, at now: Timestamp) -> Bool {
    switch field {
    case "tag": return text([subject.tag])
    case "component.name": return subject.scan.map { text($0.components) } ?? false
    case "license.name": return subject.scan.map { text($0.licenses) } ?? false
    case "updated_at":
      return values.contains { value in
        Timestamp(value).map { compare(subject.updatedAt, $0) } ?? false
      }
    case "updated_at_duration":
      return values.contains { value in
        GoDuration.parse(value).map { compare(subject.updatedAt, now - $0) } ?? false
      }
    default: return subject.scan.map(number) ?? false
    }
  }

  private func compare(_ moment: Timestamp, _ bound: Timestamp) -> Bool {
    `operator` == "bf" ? moment < bound : moment > bound
  }

  private func text(_ found: some Collection<String>) -> Bool {
    switch `operator` {
    case "eq", "oo": found.contains { values.contains($0) }
    case "noo": !found.contains { values.contains($0) }
    case "sw": found.contains { text in values.contains { text.hasPrefix($0) } }
    case "ew": found.contains { text in values.contains { text.hasSuffix($0) } }
    case "c": found.contains { text in values.contains { $0.isEmpty || text.contains($0) } }
    case "matches":
      values.contains { value in
        LinearPattern(value).map { pattern in found.contains { pattern.isFound(in: $0) } } ?? false
      }
    default: false
    }
  }

  private func number(_ scan: ScanFacts) -> Bool {
    let count =
      switch field {
      case "vulnerability_critical": scan.critical
      case "vulnerability_major": scan.major
      case "vulnerability_minor": scan.minor
      default: scan.critical + scan.major + scan.minor
      }
    return values.contains { value in
      guard let bound = Int(value) else { return false }
      return switch `operator` {
      case "gte": count >= bound
      case "gt": count > bound
      case "eq": count == bound
      case "neq": count != bound
      case "lte": count <= bound
      case "lt": count < bound
      default: false
      }
    }
  }
}
