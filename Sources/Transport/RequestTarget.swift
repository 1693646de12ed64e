/// Percent-encoding (RFC 3986, 2.1).
package enum PercentCoding {
  /// The text that an encoded one means; nil when an escape is malformed, or the bytes are no
  /// UTF-8. `+` stays as it is.
  package static func decode(_ text: some StringProtocol) -> String? {
    decode(text, plusIsSpace: false)
  }

  static func decode(_ text: some StringProtocol, plusIsSpace: Bool) -> String? {
    let utf8 = text.utf8
    guard utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
      return String(text)
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(utf8.count)
    var iterator = utf8.makeIterator()
    while let byte = iterator.next() {
      switch byte {
      case UInt8(ascii: "%"):
        guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit)
        else { return nil }
        bytes.append(high << 4 | low)
      case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
      default: bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// The text with everything escaped that has, or may have, a meaning in a URL.
  package static func encode(_ text: some StringProtocol) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"):
        bytes.append(byte)
      default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

/// The parameters of a URL's query, or of a form (`application/x-www-form-urlencoded`).
package struct QueryParameters: Sendable, Hashable {
  /// More of them than any client of ours sends; further ones are not looked at.
  private static let limit = 256

  /// Names and values in the order they came.
  package let items: [(name: String, value: String)]

  /// No parameters.
  package init() { items = [] }

  /// Reads `a=b&c=d`. Parts with malformed escapes are left out.
  package init(_ text: some StringProtocol) {
    items =
      text.utf8.isEmpty
      ? []
      : text.split(separator: "&", maxSplits: Self.limit).prefix(Self.limit).compactMap { part in
        let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = PercentCoding.decode(pair[0], plusIsSpace: true),
          let value = PercentCoding.decode(pair.count > 1 ? pair[1] : "", plusIsSpace: true)
        else { return nil }
        return (name, value)
      }
  }

  /// The first value of this name.
  package subscript(_ name: String) -> String? { items.first { $0.name == name }?.value }

  /// Every value of this name.
  package func all(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }

  package static func == (left: QueryParameters, right: QueryParameters) -> Bool {
    left.items.elementsEqual(right.items) { $0 == $1 }
  }

  package func hash(into hasher: inout Hasher) {
    for item in items {
      hasher.combine(item.name)
      hasher.combine(item.value)
    }
  }
}

/// The parts of a request line's target in origin form (RFC 9112, 3.2.1).
package struct RequestTarget: Sendable, Hashable {
  /// What stands before the question mark, escapes still in place.
  package let path: Substring
  /// The parameters.
  package let query: QueryParameters

  /// Takes a target apart. A target in absolute form is taken for its path.
  package init(_ uri: String) {
    var rest = uri[...]
    if !rest.hasPrefix("/"), let scheme = rest.firstRange(of: "://") {
      let authority = rest[scheme.upperBound...]
      rest = authority[(authority.firstIndex(of: "/") ?? authority.endIndex)...]
    }
    let mark = rest.firstIndex(of: "?") ?? rest.endIndex
    path = rest[..<mark]
    query = QueryParameters(rest[mark...].dropFirst())
  }
}
