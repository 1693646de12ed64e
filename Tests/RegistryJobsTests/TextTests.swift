import Identity
import Registry
import Testing

@testable import RegistryJobs

@Suite struct GoDurationTests {
  @Test(arguments: [
    ("0", Duration.zero), ("0s", .zero), ("1s", .seconds(1)), ("1h30m", .seconds(5_400)),
    ("500ms", .milliseconds(500)), ("-2s", .seconds(-2)), ("+2s", .seconds(2)),
    ("1.5h", .seconds(5_400)), (".5s", .milliseconds(500)), ("90m", .seconds(5_400)),
    ("10us", .microseconds(10)), ("10µs", .microseconds(10)), ("10μs", .microseconds(10)),
    ("7ns", .nanoseconds(7)), ("10000000000ns", .seconds(10)), ("720h", .seconds(2_592_000)),
    ("1h1m1s1ms", .milliseconds(3_661_001)), ("100000h", .seconds(360_000_000)),
  ])
  func read(_ text: String, _ duration: Duration) {
    #expect(GoDuration.parse(text) == duration)
  }

  @Test(arguments: [
    "", "-", "+", "1", "s", "1x", "1h1", "1 s", " 1s", "1s ", "--1s", "1.2.3s", ".s", "1e3s",
    "9999999h", "99999999999999999999h", "1d", "١s", "1h-1m", "inf", "nan", "0x1s",
    String(repeating: "1s", count: 40),
  ])
  func refused(_ text: String) {
    #expect(GoDuration.parse(text) == nil)
  }

  @Test(arguments: [
    (Duration.zero, "0s"), (.milliseconds(250), "250ms"), (.milliseconds(-250), "-250ms"),
    (.seconds(1), "1s"), (.milliseconds(1_500), "1.5s"), (.milliseconds(1_050), "1.05s"),
    (.seconds(60), "1m0s"), (.seconds(3_600), "1h0m0s"), (.seconds(5_400), "1h30m0s"),
    (.milliseconds(-90_001), "-1m30.001s"), (.nanoseconds(1), "0s"), (.seconds(90_000), "25h0m0s"),
  ])
  func written(_ duration: Duration, _ text: String) {
    #expect(GoDuration.text(duration) == text)
  }

  @Test func whatIsWrittenIsRead() {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<2_000 {
      let bound = Int64(1) << Int64.random(in: 1...40, using: &generator)
      let duration = Duration.milliseconds(Int64.random(in: -bound...bound, using: &generator))
      #expect(GoDuration.parse(GoDuration.text(duration)) == duration)
    }
  }

  @Test func anythingIsReadOrRefused() {
    var generator = SeededGenerator(seed: 4)
    let alphabet = Array("0123456789.hmsnuµ+-\u{301}")
    for _ in 0..<3_000 {
      let length = Int.random(in: 0...20, using: &generator)
      let text = String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "0" })
      guard let duration = GoDuration.parse(text) else { continue }
      #expect(abs(duration.components.seconds) <= 3_155_760_000, "\(text)")
    }
    #expect(GoDuration.parse(String(repeating: "9", count: 1_000_000) + "s") == nil)
  }
}

@Suite struct TagTemplateTests {
  private func tag(_ template: String, _ time: String, of name: String = "v1") throws -> String? {
    try TagTemplate(template).tag(for: name, at: #require(Timestamp(time)))?.description
  }

  /// Compared with what strftime says.
  @Test(arguments: [
    ("%n", "v1"), ("", "v1"), ("%A", "Sunday"), ("%a", "Sun"), ("%w", "0"), ("%d", "01"),
    ("%B", "March"), ("%b", "Mar"), ("%m", "03"), ("%Y", "2026"), ("%y", "26"), ("%H", "15"),
    ("%I", "03"), ("%p", "PM"), ("%M", "04"), ("%S", "05"), ("%f", "250000"), ("%Z", "UTC"),
    ("%j", "060"), ("%W", "08"), ("%n-%Y%m%d", "v1-20260301"), ("release.%n", "release.v1"),
  ])
  func symbols(_ template: String, _ expected: String) throws {
    #expect(try tag(template, "2026-03-01T15:04:05.250Z") == expected)
  }

  /// Weeks of the year as strftime counts them.
  @Test(arguments: [
    ("2026-01-01T00:00:00Z", "00-001-12-AM"), ("2026-01-05T00:00:00Z", "01-005-12-AM"),
    ("2024-01-01T12:00:00Z", "01-001-12-PM"), ("2024-12-31T23:00:00Z", "53-366-11-PM"),
    ("2023-01-01T01:00:00Z", "00-001-01-AM"), ("2023-12-31T13:00:00Z", "52-365-01-PM"),
    ("2000-02-29T00:00:00Z", "09-060-12-AM"),
  ])
  func weeksAndHours(_ time: String, _ expected: String) throws {
    #expect(try tag("%W-%j-%I-%p", time) == expected)
  }

  @Test(arguments: [
    "%", "%x", "%%", "a b", "a/b", "-%n", ".%n", "%n:%n", "é", "%n%", "%\u{301}n", "\u{0}",
    String(repeating: "a", count: 129),
  ])
  func refused(_ template: String) {
    #expect(throws: JobError.self) { try TagTemplate(template) }
  }

  @Test func namesThatGrowTooLongMakeNoTag() throws {
    let long = String(repeating: "a", count: 127)
    #expect(try tag("%n-", "2026-03-01T00:00:00Z", of: long) == long + "-")
    #expect(try tag("%n--", "2026-03-01T00:00:00Z", of: long) == nil)
  }

  @Test func anythingIsATemplateOrRefused() {
    var generator = SeededGenerator(seed: 5)
    let alphabet = Array("%nAawdBbmYyHIpMSfZjWx.-_ /:")
    var made = 0
    for _ in 0..<3_000 {
      let length = Int.random(in: 0...8, using: &generator)
      let text = String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
      let template: TagTemplate
      do {
        template = try TagTemplate(text)
      } catch {
        #expect((error as? JobError)?.code == .invalidRequest)
        continue
      }
      made += 1
      #expect(template.tag(for: "latest", at: Timestamp(seconds: 1_700_000_000)) != nil, "\(text)")
    }
    #expect(made > 100)
  }
}

@Suite struct RuleTests {
  private static let now = Timestamp(seconds: 1_700_000_000)

  private func holds(
    _ field: String, _ `operator`: String, _ values: [String], tag: String = "v1.2-rc1",
    age: Duration = .seconds(3_600), scan: ScanFacts? = nil
  ) throws -> Bool {
    let rule = Rule(field: field, operator: `operator`, values: values)
    try rule.check()
    return rule.holds(
      for: RuleSubject(tag: tag, updatedAt: Self.now - age, scan: scan), at: Self.now)
  }

  @Test(arguments: [
    ("eq", ["v1.2-rc1"], true), ("eq", ["v1"], false), ("eq", ["x", "v1.2-rc1"], true),
    ("sw", ["v1."], true), ("sw", ["1."], false), ("sw", ["x", "v"], true),
    ("ew", ["rc1"], true), ("ew", ["rc"], false), ("c", [".2-"], true), ("c", ["3"], false),
    ("c", [""], true), ("oo", ["a", "v1.2-rc1"], true), ("oo", ["a", "b"], false),
    ("noo", ["a", "b"], true), ("noo", ["a", "v1.2-rc1"], false),
    ("matches", [#"^v\d+\.\d+"#], true), ("matches", [#"^\d"#], false),
    ("matches", ["^x", "rc1$"], true),
  ])
  func texts(_ name: String, _ values: [String], _ expected: Bool) throws {
    #expect(try holds("tag", name, values) == expected)
  }

  @Test func whatIsInAnImage() throws {
    let scan = ScanFacts(
      critical: 1, major: 2, minor: 3, components: ["openssl", "zlib"], licenses: ["MIT"])
    for (name, values, expected) in [
      ("eq", ["zlib"], true), ("eq", ["bash"], false), ("sw", ["open"], true),
      ("ew", ["ssl"], true),
      ("c", ["lib"], true), ("oo", ["bash", "zlib"], true), ("noo", ["bash"], true),
      ("noo", ["zlib"], false), ("matches", ["^z.*b$"], true), ("matches", ["^b"], false),
    ] {
      #expect(
        try holds("component.name", name, values, scan: scan) == expected, "\(name) \(values)")
      // What was not scanned fits nothing: that is not the same as clean.
      #expect(try !holds("component.name", name, values))
    }
    #expect(try holds("license.name", "eq", ["MIT"], scan: scan))
    #expect(try holds("license.name", "noo", ["GPL"], scan: scan))
    #expect(try !holds("license.name", "noo", ["GPL"]))
  }

  @Test func numbers() throws {
    let scan = ScanFacts(critical: 1, major: 2, minor: 3)
    for (field, count) in [
      ("vulnerability_critical", 1), ("vulnerability_major", 2), ("vulnerability_minor", 3),
      ("vulnerability_all", 6),
    ] {
      for bound in (count - 1)...(count + 1) {
        let text = ["\(bound)"]
        #expect(try holds(field, "gte", text, scan: scan) == (count >= bound))
        #expect(try holds(field, "gt", text, scan: scan) == (count > bound))
        #expect(try holds(field, "eq", text, scan: scan) == (count == bound))
        #expect(try holds(field, "neq", text, scan: scan) == (count != bound))
        #expect(try holds(field, "lte", text, scan: scan) == (count <= bound))
        #expect(try holds(field, "lt", text, scan: scan) == (count < bound))
        #expect(try !holds(field, "neq", text))
        #expect(try !holds(field, "lte", text))
      }
    }
  }

  @Test func moments() throws {
    let before = [(Self.now - .seconds(7_200)).description]
    let after = [(Self.now - .seconds(1_800)).description]
    #expect(try holds("updated_at", "bf", after))
    #expect(try !holds("updated_at", "bf", before))
    #expect(try holds("updated_at", "af", before))
    #expect(try !holds("updated_at", "af", after))
    #expect(try holds("updated_at_duration", "bf", ["30m"]))
    #expect(try !holds("updated_at_duration", "bf", ["2h"]))
    #expect(try holds("updated_at_duration", "af", ["2h"]))
    #expect(try !holds("updated_at_duration", "af", ["30m"]))
  }

  @Test func everyFieldHasItsOperatorsAndNoOthers() {
    let all: Set = [
      "eq", "sw", "ew", "c", "oo", "noo", "matches", "gte", "gt", "neq", "lte", "lt", "bf", "af",
      "", "EQ", "x",
    ]
    let value = [
      "updated_at": "2026-01-01T00:00:00Z", "updated_at_duration": "1h", "vulnerability_all": "1",
      "vulnerability_critical": "1", "vulnerability_major": "1", "vulnerability_minor": "1",
    ]
    for (field, operators) in Rule.operators {
      for name in all {
        let rule = Rule(field: field, operator: name, values: [value[field] ?? "a"])
        let isUsable = (try? rule.check()) != nil
        #expect(isUsable == operators.contains(name), "\(field) \(name)")
      }
    }
  }

  @Test(arguments: [
    Rule(field: "tags", operator: "eq", values: ["a"]),
    Rule(field: "tag", operator: "eq", values: []),
    Rule(field: "tag", operator: "eq", values: [String(repeating: "a", count: 257)]),
    Rule(field: "tag", operator: "eq", values: Array(repeating: "a", count: 257)),
    Rule(field: "tag", operator: "matches", values: ["("]),
    Rule(field: "tag", operator: "matches", values: Array(repeating: "a", count: 17)),
    Rule(field: "updated_at", operator: "bf", values: ["yesterday"]),
    Rule(field: "updated_at_duration", operator: "bf", values: ["1d"]),
    Rule(field: "vulnerability_all", operator: "eq", values: ["many"]),
    Rule(field: "vulnerability_all", operator: "eq", values: ["1", "99999999999999999999"]),
    Rule(field: String(repeating: "x", count: 100_000), operator: "eq", values: ["a"]),
  ])
  func refused(_ rule: Rule) {
    #expect(throws: JobError.self) { try rule.check() }
  }
}
