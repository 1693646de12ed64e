/// An image's name, with or without a tag and a digest, in its full form: `docker.io/library/x`.
///
/// The grammar is that of the distribution project's reference package, and the short forms that
/// people type (`busybox`, `index.docker.io/me/app`) are widened as its "normalized" parser does.
package struct ImageReference: Hashable, Sendable, CustomStringConvertible {
  /// The registry, `docker.io` or `host[:port]`.
  package let domain: String
  /// The repository within the registry, `library/busybox`.
  package let path: String
  package let tag: String?
  package let digest: Digest?

  static let defaultDomain = "docker.io"
  static let maximumNameLength = 255

  /// A reference from what a person typed. Throws ``OCIError`` (`invalidReference`).
  package init(parsing text: String) throws {
    func refused(_ reason: String) -> OCIError {
      OCIError(.invalidReference, reason, metadata: ["reference": String(text.prefix(300))])
    }
    guard !text.isEmpty else { throw refused("invalid reference format: it is empty") }
    if text.utf8.count == 64, Digest(sha256Hex: text) != nil {
      throw refused(
        "invalid repository name, cannot specify 64-byte hexadecimal strings")
    }
    var name = Substring(text)
    var digest: Digest?
    if let at = name.firstIndex(of: "@") {
      guard let parsed = Digest(String(name[name.index(after: at)...])) else {
        throw refused("invalid reference format: the digest is not well formed")
      }
      digest = parsed
      name = name[..<at]
    }
    var tag: String?
    let lastSlash = name.lastIndex(of: "/") ?? name.startIndex
    if let colon = name[lastSlash...].lastIndex(of: ":") {
      let candidate = name[name.index(after: colon)...]
      guard Self.isTag(candidate) else {
        throw refused("invalid reference format: the tag is not well formed")
      }
      tag = String(candidate)
      name = name[..<colon]
    }
    let (domain, path) = Self.split(String(name))
    guard path == path.lowercased() else {
      throw refused("invalid reference format: repository name must be lowercase")
    }
    guard Self.isDomain(domain) else {
      throw refused("invalid reference format: the registry's name is not well formed")
    }
    guard Self.isPath(path) else { throw refused("invalid reference format") }
    guard domain.utf8.count + 1 + path.utf8.count <= Self.maximumNameLength else {
      throw refused(
        "invalid reference format: repository name must not be more than 255 characters")
    }
    self.init(domain: domain, path: path, tag: tag, digest: digest)
  }

  private init(domain: String, path: String, tag: String?, digest: Digest?) {
    self.domain = domain
    self.path = path
    self.tag = tag
    self.digest = digest
  }

  /// The name without tag and digest, `docker.io/library/busybox`.
  package var name: String { "\(domain)/\(path)" }

  /// The name as docker shows it: without `docker.io/` and `library/`.
  package var familiarName: String {
    guard domain == Self.defaultDomain else { return name }
    let official = "library/"
    let rest = path.dropFirst(official.count)
    return path.hasPrefix(official) && !rest.contains("/") ? String(rest) : path
  }

  /// The whole reference as docker shows it.
  package var familiar: String { familiarName + suffix }

  /// The whole reference in its full form.
  package var description: String { name + suffix }

  /// Whether it names neither a tag nor a digest.
  package var isNameOnly: Bool { tag == nil && digest == nil }

  /// The same with the tag `latest` if it has neither tag nor digest.
  package var tagged: ImageReference { isNameOnly ? with(tag: "latest") : self }

  /// The same repository with this tag and no digest. The tag must be well formed.
  package func with(tag: String) -> ImageReference {
    ImageReference(domain: domain, path: path, tag: tag, digest: nil)
  }

  /// The same repository with this digest and no tag.
  package func with(digest: Digest) -> ImageReference {
    ImageReference(domain: domain, path: path, tag: nil, digest: digest)
  }

  /// The same repository, neither tag nor digest.
  package var nameOnly: ImageReference {
    ImageReference(domain: domain, path: path, tag: nil, digest: nil)
  }

  private var suffix: String {
    (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
  }

  /// Whether the text is a tag: a word character, then up to 127 of word characters, `.`, `-`.
  package static func isTag(_ text: some StringProtocol) -> Bool {
    let bytes = text.utf8
    guard let first = bytes.first, bytes.count <= 128, isWord(first) else { return false }
    return bytes.dropFirst().allSatisfy {
      isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
    }
  }

  // MARK: - Grammar

  /// Divides a name into registry and repository. The first part is a registry only if it could
  /// not be a user's name: it has a dot or a colon, or is `localhost`.
  private static func split(_ name: String) -> (domain: String, path: String) {
    var domain = defaultDomain
    var path = name
    if let slash = name.firstIndex(of: "/") {
      let first = String(name[..<slash])
      if first.contains(".") || first.contains(":") || first == "localhost" {
        domain = first
        path = String(name[name.index(after: slash)...])
      }
    }
    if domain == "index.docker.io" || domain == "registry-1.docker.io" { domain = defaultDomain }
    if domain == defaultDomain, !path.contains("/") { path = "library/" + path }
    return (domain, path)
  }

  private static func isDomain(_ text: String) -> Bool {
    var host = Substring(text)
    if host.hasPrefix("[") {
      guard let close = host.firstIndex(of: "]") else { return false }
      let address = host[host.index(after: host.startIndex)..<close]
      guard !address.isEmpty, address.utf8.allSatisfy({ isHexadecimal($0) || $0 == 58 })
      else { return false }
      let rest = host[host.index(after: close)...]
      return rest.isEmpty || (rest.hasPrefix(":") && isPort(rest.dropFirst()))
    }
    if let colon = host.firstIndex(of: ":") {
      guard isPort(host[host.index(after: colon)...]) else { return false }
      host = host[..<colon]
    }
    return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      guard let first = label.utf8.first, let last = label.utf8.last else { return false }
      return isAlphanumeric(first) && isAlphanumeric(last)
        && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }
  }

  private static func isPort(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
  }

  private static func isPath(_ text: String) -> Bool {
    text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(isPathComponent)
  }

  /// Runs of lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
  private static func isPathComponent(_ text: Substring) -> Bool {
    var separator: [UInt8] = []
    var sawRun = false
    for byte in text.utf8 {
      if (48...57).contains(byte) || (97...122).contains(byte) {
        if !separator.isEmpty {
          guard sawRun, isSeparator(separator) else { return false }
          separator.removeAll(keepingCapacity: true)
        }
        sawRun = true
      } else {
        separator.append(byte)
      }
    }
    return sawRun && separator.isEmpty
  }

  private static func isSeparator(_ bytes: [UInt8]) -> Bool {
    bytes == [UInt8(ascii: ".")] || bytes == [UInt8(ascii: "_")]
      || bytes == [UInt8(ascii: "_"), UInt8(ascii: "_")]
      || bytes.allSatisfy { $0 == UInt8(ascii: "-") }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    isAlphanumeric(byte) || byte == UInt8(ascii: "_")
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
  }
}
