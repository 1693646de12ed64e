/// One thing a client asks a token for: `TYPE[(CLASS)]:NAME:ACTION[,ACTION…]` (distribution token
/// scope documentation).
package struct TokenScope: Hashable, Sendable {
  /// `repository` or `registry`.
  package var type: String
  /// The name as written, which may hold colons.
  package var name: String
  package var actions: [String]

  /// More than any client asks for at once.
  static let limit = 64

  /// One scope; nil when it is malformed.
  package init?(_ text: some StringProtocol) {
    guard text.utf8.count <= 1024, let first = text.firstIndex(of: ":"),
      let last = text.lastIndex(of: ":"), first < last
    else { return nil }
    let kind = text[..<first]
    type = String(kind.prefix { $0 != "(" })
    name = String(text[text.index(after: first)..<last])
    actions = text[text.index(after: last)...].split { $0 == "," }.map { String($0) }
    guard !type.isEmpty, !name.isEmpty, !actions.isEmpty, actions.count <= 16 else { return nil }
  }

  /// Every well-formed scope of a list of values, each of which may hold several with spaces
  /// between; others are left out, as those of unknown kinds are.
  package static func parse(_ values: [String]) -> [TokenScope] {
    let words = values.flatMap { $0.split(separator: " " as Character) }
    return Array(words.compactMap { TokenScope($0) }.prefix(limit))
  }
}
