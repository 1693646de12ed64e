import DockerModel
import FoundationEssentials
import ImageStore
import OCI

/// Which images a client asked for (`GET /images/json?filters=`).
struct ImageFilter: Sendable {
  private let filters: Filters
  private let dangling: Bool?
  private let before: Date?
  private let since: Date?
  private let bound: PruneBound

  /// - Throws: `invalidParameter`, or `notFound` for an image named by `before` or `since`.
  init(_ filters: Filters, _ context: EngineContext) async throws {
    self.filters = filters
    dangling = try filters.boolean("dangling")
    before = try await Self.created(filters["before"].first, context)
    since = try await Self.created(filters["since"].first, context)
    bound = try PruneBound(filters)
  }

  private static func created(_ reference: String?, _ context: EngineContext) async throws -> Date?
  {
    guard let reference else { return nil }
    return try await translatingErrors {
      try await context.images.resolve(reference).created ?? .distantPast
    }
  }

  /// The image with the names that were asked for; nil when it is not among those asked for.
  func matching(_ image: ImageRecord) -> ImageRecord? {
    let created = image.created ?? .distantPast
    guard dangling.map({ $0 == image.isDangling }) ?? true,
      before.map({ created < $0 }) ?? true, since.map({ created > $0 }) ?? true,
      bound.includes(created: Timestamp(created)),
      filters.matchesLabels("label", image.configuration.config?.labels ?? [:])
    else { return nil }
    let patterns = filters["reference"]
    guard !patterns.isEmpty else { return image }
    var result = image
    result.repoTags = image.repoTags.filter { name in
      patterns.contains { Self.name(name, matches: $0) }
    }
    result.repoDigests = image.repoDigests.filter { name in
      patterns.contains { Self.name(name, matches: $0) }
    }
    return result.repoTags.isEmpty && result.repoDigests.isEmpty ? nil : result
  }

  /// A name matches with its tag or without, and by its last parts if the pattern has no slash.
  private static func name(_ name: String, matches pattern: String) -> Bool {
    let lastSlash = name.lastIndex(of: "/") ?? name.startIndex
    let end = name[lastSlash...].firstIndex { $0 == ":" || $0 == "@" } ?? name.endIndex
    return Glob.matches(name, pattern) || Glob.matches(String(name[..<end]), pattern)
  }
}

/// File-name patterns with `*`, `?` and sets in brackets, in which `*` stops at a slash (Go's
/// `path.Match`).
enum Glob {
  /// Whether the whole of `text` matches.
  static func matches(_ text: String, _ pattern: String) -> Bool {
    matches(Array(text.utf8)[...], Array(pattern.utf8)[...])
  }

  private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
    var text = text
    var pattern = pattern
    // Where to go on when what followed the last star does not fit: one byte further.
    var retry: (text: ArraySlice<UInt8>, pattern: ArraySlice<UInt8>)?
    while true {
      if pattern.first == UInt8(ascii: "*") {
        pattern = pattern.dropFirst()
        retry = (text, pattern)
        continue
      }
      if let byte = text.first, let rest = match(byte, pattern) {
        text = text.dropFirst()
        pattern = rest
        continue
      }
      if text.isEmpty && pattern.isEmpty { return true }
      guard let again = retry, let skipped = again.text.first, skipped != UInt8(ascii: "/") else {
        return false
      }
      text = again.text.dropFirst()
      pattern = again.pattern
      retry = (text, pattern)
    }
  }

  /// The pattern after the part that matches one byte; nil when it does not.
  private static func match(
    _ byte: UInt8, _ pattern: ArraySlice<UInt8>
  ) -> ArraySlice<UInt8>? {
    guard let first = pattern.first else { return nil }
    let rest = pattern.dropFirst()
    switch first {
    case UInt8(ascii: "?"): return byte == UInt8(ascii: "/") ? nil : rest
    case UInt8(ascii: "\\"): return rest.first == byte ? rest.dropFirst() : nil
    case UInt8(ascii: "["): return matchSet(byte, rest)
    default: return first == byte ? rest : nil
    }
  }

  private static func matchSet(
    _ byte: UInt8, _ pattern: ArraySlice<UInt8>
  ) -> ArraySlice<UInt8>? {
    var set = pattern
    let isNegated = set.first == UInt8(ascii: "^")
    if isNegated { set = set.dropFirst() }
    guard let end = set.dropFirst().firstIndex(of: UInt8(ascii: "]")) else { return nil }
    var members = set[..<end]
    var contains = false
    while let low = members.popFirst() {
      if members.first == UInt8(ascii: "-"), let high = members.dropFirst().first {
        if low <= byte && byte <= high { contains = true }
        members = members.dropFirst(2)
      } else if low == byte {
        contains = true
      }
    }
    return contains != isNegated ? set[(end + 1)...] : nil
  }
}
