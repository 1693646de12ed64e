/// The name of a user or an organisation, which is also its namespace in the registry: 1 to 100
/// bytes, runs of `a-z0-9` with a single `.`, `_` or `-` between them.
package struct AccountName: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The most bytes a name may have.
  package static let lengthLimit = 100
  /// The name.
  package let description: String

  /// The name of this text; nil when it breaks the grammar. Upper case is not folded.
  package init?(_ text: String) {
    let bytes = text.utf8
    guard (1...Self.lengthLimit).contains(bytes.count) else { return nil }
    var lastWasSeparator = true
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        lastWasSeparator = false
      case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        guard !lastWasSeparator else { return nil }
        lastWasSeparator = true
      default:
        return nil
      }
    }
    guard !lastWasSeparator else { return nil }
    self.description = text
  }

  /// Bytewise order.
  package static func < (left: AccountName, right: AccountName) -> Bool {
    left.description < right.description
  }
}

extension AccountName: Codable {
  /// Reads and checks a name.
  package init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let name = AccountName(text) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "not an account name"))
    }
    self = name
  }

  /// Writes the text.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// An identifier that Identity made: 1 to 64 bytes of `a-z0-9`, so that it can stand in a key.
package protocol OpaqueIdentifier: Hashable, Sendable, Comparable, Codable,
  CustomStringConvertible
{
  /// The identifier.
  var description: String { get }
  /// Takes text that keeps to the grammar.
  init(unchecked text: String)
}

extension OpaqueIdentifier {
  /// The identifier of this text; nil when it breaks the grammar.
  package init?(_ text: String) {
    let bytes = text.utf8
    let isAllowed = bytes.allSatisfy { (97...122).contains($0) || (48...57).contains($0) }
    guard (1...64).contains(bytes.count), isAllowed else { return nil }
    self.init(unchecked: text)
  }

  /// Bytewise order.
  package static func < (left: Self, right: Self) -> Bool {
    left.description < right.description
  }

  /// Reads and checks an identifier.
  package init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let id = Self(text) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "not an identifier"))
    }
    self = id
  }

  /// Writes the text.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// What a user or organisation is known by for ever; never used again for another.
package struct AccountID: OpaqueIdentifier {
  /// The identifier.
  package let description: String
  /// Takes text that keeps to the grammar.
  package init(unchecked text: String) { self.description = text }
}

/// What a team is known by for ever.
package struct TeamID: OpaqueIdentifier {
  /// The identifier.
  package let description: String
  /// Takes text that keeps to the grammar.
  package init(unchecked text: String) { self.description = text }
}

/// What a personal access token is known by: the SHA-256 of its secret in hexadecimal digits.
package struct AccessTokenID: OpaqueIdentifier {
  /// The identifier.
  package let description: String
  /// Takes text that keeps to the grammar.
  package init(unchecked text: String) { self.description = text }
}
