import Testing

@testable import RegistryJobs

@Suite struct LinearPatternTests {
  @Test(arguments: [
    ("", "", true), ("", "a", true), ("a", "", false), ("a", "bab", true), ("^a", "ba", false),
    ("^a", "ab", true), ("a$", "ba", true), ("a$", "ab", false), ("^$", "", true),
    ("^$", "a", false), ("^v[0-9]+$", "v12", true), ("^v[0-9]+$", "v", false), ("a|b", "xb", true),
    ("a|", "x", true), ("|", "", true), ("^(a|b)c$", "bc", true), ("^(a|b)c$", "c", false),
    ("^(?:ab)+$", "abab", true), ("^(?:ab)+$", "aba", false), ("^a?b$", "b", true),
    ("^a{2}$", "aa", true), ("^a{2}$", "aaa", false), ("^a{2,}$", "aaaa", true),
    ("^a{2,}$", "a", false), ("^a{1,3}$", "aaa", true), ("^a{1,3}$", "aaaa", false),
    ("^a{0}$", "", true), ("^.$", "a", true), ("^.$", "\n", false),
    (#"^\d\D\w\W\s\S$"#, "1a_. x", true),
    (#"^\.$"#, "a", false), (#"^\.$"#, ".", true), (#"a\\b"#, #"a\b"#, true), ("^[^a]$", "b", true),
    ("^[^a]$", "a", false), ("^[]a]$", "]", true), ("^[a-]$", "-", true), (#"^[\]x]$"#, "]", true),
    (#"^[\d.]+$"#, "1.2", true), (#"^[\w-]+$"#, "a-b", true), ("^a*?b$", "aab", true),
    ("(a*)*b", "aaab", true), ("(a*)*b", "aaac", false), ("^()*$", "", true),
    ("^(a|)*$", "aa", true),
    ("(^a|b$)", "xb", true), ("a^", "a", false), ("$a", "a", false), ("^*a", "xa", true),
    ("é", "caf\u{e9}", true), ("]", "]", true), ("}", "}", true),
  ])
  func found(_ pattern: String, _ text: String, _ expected: Bool) throws {
    #expect(try #require(LinearPattern(pattern)).isFound(in: text) == expected)
  }

  @Test(arguments: [
    "(", ")", "(a", "a)", "[", "[a", "[]", "[^]", "*", "+a", "?", "a**", "a+*", "{1}", "a{", "a{1",
    "a{x}", "a{,2}", "a{2,1}", "a{101}", "a{1,101}", "a{99999}", "a{1,x}", "[z-a]", #"[a-\d]"#,
    #"[\d-z]"#, "\\", #"\1"#, #"\b"#, #"\p{L}"#, "(?i)a", "(?=a)", "(?<n>a)", "[[:alpha:]]",
    String(repeating: "a", count: 257), String(repeating: "(", count: 60) + "a",
    "((a{100}){100}){100}", "(((((){100}){100}){100}){100}){100}", "((((){0,100}){100}){100}){100}",
    "((((|){100}){100}){100}){100}", "((((a?){100}){100}){100}){100}",
  ])
  func refused(_ pattern: String) {
    #expect(LinearPattern(pattern) == nil)
  }

  /// Patterns that take others years.
  @Test(arguments: [
    "(a*)*$b", "(a|a)*b", "(a+)+b", "(a?){30}a{30}b", "(.*)*x(.*)*y(.*)*z", "((a*)*)*b",
    "(a|aa|aaa|aaaa)*b", "(([a-z]?){20}){15}1",
  ])
  func hostilePatternsEnd(_ pattern: String) throws {
    let pattern = try #require(LinearPattern(pattern))
    #expect(!pattern.isFound(in: String(repeating: "a", count: 2_000)))
  }

  // MARK: Against another way of matching

  /// A pattern as a tree.
  private indirect enum Tree {
    case byte(Character)
    case any
    case set([Character], isInverted: Bool)
    case start, end
    case sequence([Tree])
    case either([Tree])
    case times(Tree, Int, Int?)

    var text: String {
      switch self {
      case .byte(let character): String(character)
      case .any: "."
      case .set(let set, let isInverted): "[\(isInverted ? "^" : "")\(String(set))]"
      case .start: "^"
      case .end: "$"
      case .sequence(let trees): trees.map(\.text).joined()
      case .either(let trees): "(" + trees.map(\.text).joined(separator: "|") + ")"
      case .times(let tree, 0, nil): "(\(tree.text))*"
      case .times(let tree, 1, nil): "(?:\(tree.text))+"
      case .times(let tree, 0, 1): "(\(tree.text))?"
      case .times(let tree, let least, nil): "(\(tree.text)){\(least),}"
      case .times(let tree, let least, .some(let most)): "(\(tree.text)){\(least),\(most)}"
      }
    }

    /// The places where a match that begins at one of `from` can end.
    func ends(_ text: [Character], _ from: Set<Int>) -> Set<Int> {
      func step(_ fits: (Character) -> Bool) -> Set<Int> {
        Set(from.filter { $0 < text.count && fits(text[$0]) }.map { $0 + 1 })
      }
      switch self {
      case .byte(let character): return step { $0 == character }
      case .any: return step { _ in true }
      case .set(let set, let isInverted): return step { set.contains($0) != isInverted }
      case .start: return from.filter { $0 == 0 }
      case .end: return from.filter { $0 == text.count }
      case .sequence(let trees): return trees.reduce(from) { $1.ends(text, $0) }
      case .either(let trees): return trees.reduce([]) { $0.union($1.ends(text, from)) }
      case .times(let tree, let least, let most):
        var at = from
        for _ in 0..<least { at = tree.ends(text, at) }
        var all = at
        // More rounds than there are characters find nothing new.
        for _ in 0..<((most ?? least + text.count + 1) - least) {
          at = tree.ends(text, at)
          all.formUnion(at)
        }
        return all
      }
    }
  }

  private func tree(_ depth: Int, _ generator: inout SeededGenerator) -> Tree {
    let letters: [Character] = ["a", "b", "c"]
    func letter() -> Character { letters.randomElement(using: &generator) ?? "a" }
    func trees() -> [Tree] {
      (0..<Int.random(in: 1...3, using: &generator)).map { _ in tree(depth - 1, &generator) }
    }
    switch Int.random(in: 0..<(depth > 0 ? 12 : 7), using: &generator) {
    case 0, 1, 2: return .byte(letter())
    case 3: return .any
    case 4:
      return .set([letter(), letter()], isInverted: Bool.random(using: &generator))
    case 5: return Int.random(in: 0..<3, using: &generator) == 0 ? .start : .byte(letter())
    case 6: return Int.random(in: 0..<3, using: &generator) == 0 ? .end : .byte(letter())
    case 7, 8: return .sequence(trees())
    case 9: return .either(trees())
    case 10:
      let least = Int.random(in: 0...1, using: &generator)
      return .times(tree(depth - 1, &generator), least, nil)
    default:
      let least = Int.random(in: 0...2, using: &generator)
      let most = least + Int.random(in: 0...2, using: &generator)
      return .times(tree(depth - 1, &generator), least, most)
    }
  }

  @Test func matchesAsTheOtherWay() throws {
    var generator = SeededGenerator(seed: 6)
    var counts = [true: 0, false: 0]
    for _ in 0..<2_000 {
      let tree = tree(3, &generator)
      // Some grow larger than patterns may be.
      guard let pattern = LinearPattern(tree.text) else { continue }
      for _ in 0..<4 {
        let length = Int.random(in: 0...7, using: &generator)
        let text = (0..<length).map { _ in "abc".randomElement(using: &generator) ?? "a" }
        let expected = !tree.ends(text, Set(0...text.count)).isEmpty
        #expect(pattern.isFound(in: String(text)) == expected, "\(tree.text) in \(String(text))")
        counts[expected, default: 0] += 1
      }
    }
    #expect(counts[true, default: 0] > 500 && counts[false, default: 0] > 500, "\(counts)")
  }

  @Test func anythingIsReadOrRefused() {
    var generator = SeededGenerator(seed: 7)
    let alphabet = Array(#"ab01^$.*+?|()[]{},-\dDwWsS:="#)
    var read = 0
    for _ in 0..<5_000 {
      let length = Int.random(in: 0...14, using: &generator)
      let text = String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
      guard let pattern = LinearPattern(text) else { continue }
      read += 1
      _ = pattern.isFound(in: "ab0{1}\u{301}\u{0}")
    }
    #expect(read > 200)
  }
}
