/// The name of a repository: `namespace/name`, or more components below it.
///
/// OCI distribution specification 1.1, "Pulling manifests": components of lower-case letters and
/// digits with `.`, `_`, `__` or dashes between them, at most 255 characters in all.
package struct RepositoryName: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
  /// The longest name that is taken, in characters.
  package static let maximumLength = 255
  /// The namespace of names that have only one component.
  package static let libraryNamespace = "library"

  /// The whole name, `namespace/name`.
  package let description: String
  /// The first component.
  package let namespace: String
  /// What follows the namespace; may hold further slashes.
  package let name: String

  /// A name from its text; `x` means `library/x`. Throws `nameInvalid`.
  package init(_ text: String) throws {
    let whole = text.utf8.contains(UInt8(ascii: "/")) ? text : Self.libraryNamespace + "/" + text
    guard Self.isWellFormed(whole), let slash = whole.firstIndex(of: "/") else {
      throw RegistryError(
        .nameInvalid, "invalid repository name", metadata: ["name": String(text.prefix(300))])
    }
    description = whole
    namespace = String(whole[..<slash])
    name = String(whole[whole.index(after: slash)...])
  }

  /// A name from its two parts. Throws `nameInvalid`.
  package init(namespace: String, name: String) throws {
    try self.init(namespace + "/" + name)
  }

  package init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode(String.self))
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  /// Bytewise order of the whole name.
  package static func < (left: RepositoryName, right: RepositoryName) -> Bool {
    left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
  }

  private static func isWellFormed(_ text: String) -> Bool {
    guard !text.isEmpty, text.utf8.count <= maximumLength else { return false }
    // Separators wait in `run` for the letter or digit that must follow them.
    var run: [UInt8] = []
    var afterAlphanumeric = false
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        guard run.isEmpty || isSeparator(run) else { return false }
        run.removeAll(keepingCapacity: true)
        afterAlphanumeric = true
      case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        guard afterAlphanumeric else { return false }
        run.append(byte)
      case UInt8(ascii: "/"):
        guard afterAlphanumeric, run.isEmpty else { return false }
        afterAlphanumeric = false
      default: return false
      }
    }
    return afterAlphanumeric && run.isEmpty
  }

  private static func isSeparator(_ run: [UInt8]) -> Bool {
    switch run[0] {
    case UInt8(ascii: "."): run.count == 1
    case UInt8(ascii: "_"): run.count <= 2 && run.allSatisfy { $0 == UInt8(ascii: "_") }
    default: run.allSatisfy { $0 == UInt8(ascii: "-") }
    }
  }
}

/// The name of a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
package struct Tag: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
  /// The text of the tag.
  package let description: String

  /// A tag from its text; nil when it is not well formed.
  package init?(_ text: String) {
    guard let first = text.utf8.first, text.utf8.count <= 128, Self.isWord(first),
      text.utf8.allSatisfy({
        Self.isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
      })
    else { return nil }
    description = text
  }

  package init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let tag = Tag(text) else {
      throw RegistryError(.tagInvalid, "invalid tag name", metadata: ["tag": text])
    }
    self = tag
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  /// Bytewise order.
  package static func < (left: Tag, right: Tag) -> Bool {
    left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
