package import OCI

/// What a manifest is asked for by.
package enum Reference: Hashable, Sendable, CustomStringConvertible {
  case tag(Tag)
  case digest(Digest)

  /// A reference from its text. Throws `digestInvalid` when the text has a colon, which no tag
  /// has, and is no digest; `tagInvalid` otherwise.
  package init(_ text: String) throws {
    if text.utf8.contains(UInt8(ascii: ":")) {
      guard let digest = Digest(text) else {
        throw RegistryError(
          .digestInvalid, "invalid digest", metadata: ["digest": String(text.prefix(200))])
      }
      self = .digest(digest)
      return
    }
    guard let tag = Tag(text) else {
      throw RegistryError(
        .tagInvalid, "invalid tag name", metadata: ["tag": String(text.prefix(200))])
    }
    self = .tag(tag)
  }

  /// The tag or the digest as text.
  package var description: String {
    switch self {
    case .tag(let tag): tag.description
    case .digest(let digest): digest.description
    }
  }
}
