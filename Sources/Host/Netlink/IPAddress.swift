/// An IPv4 or IPv6 address.
package struct IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The address as a number; an IPv4 address takes the lowest 32 bits.
  package let value: UInt128
  /// Whether it is an IPv6 address.
  package let isIPv6: Bool

  /// Makes an address from its number; bits an IPv4 address does not have are dropped.
  package init(value: UInt128, isIPv6: Bool) {
    self.value = isIPv6 ? value : value & 0xffff_ffff
    self.isIPv6 = isIPv6
  }

  /// Makes an IPv4 address from its four bytes.
  package init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
    self.init(bytes: [a, b, c, d])
  }

  /// Makes an address from 4 or 16 bytes in network order; any other count gives 0.0.0.0.
  package init(bytes: some Collection<UInt8>) {
    let known = bytes.count == 4 || bytes.count == 16
    let value = known ? bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) } : 0
    self.init(value: value, isIPv6: bytes.count == 16)
  }

  /// Parses the usual notations, as in "10.0.0.1" or "fd00::1"; zones are refused.
  package init?(_ text: some StringProtocol) {
    if text.contains(":") {
      guard let groups = IPAddress.groups(of: text) else { return nil }
      self.init(value: groups.reduce(0) { $0 << 16 | UInt128($1) }, isIPv6: true)
    } else {
      guard let value = IPAddress.ipv4(text) else { return nil }
      self.init(value: UInt128(value), isIPv6: false)
    }
  }

  /// 0.0.0.0.
  package static let anyIPv4 = IPAddress(value: 0, isIPv6: false)
  /// ::.
  package static let anyIPv6 = IPAddress(value: 0, isIPv6: true)

  /// 32 or 128.
  package var bitWidth: Int { isIPv6 ? 128 : 32 }

  /// The 4 or 16 bytes in network order.
  package var bytes: [UInt8] {
    stride(from: bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// 0.0.0.0 or ::.
  package var isUnspecified: Bool { value == 0 }

  /// In 127.0.0.0/8, or ::1.
  package var isLoopback: Bool { isIPv6 ? value == 1 : value >> 24 == 127 }

  /// In 224.0.0.0/4 or ff00::/8.
  package var isMulticast: Bool { isIPv6 ? value >> 120 == 0xff : value >> 28 == 0xe }

  /// In 169.254.0.0/16 or fe80::/10.
  package var isLinkLocal: Bool { isIPv6 ? value >> 118 == 0x3fa : value >> 16 == 0xa9fe }

  /// The address `distance` further on; wraps at the end of the address space.
  package func advanced(by distance: UInt128) -> IPAddress {
    IPAddress(value: value &+ distance, isIPv6: isIPv6)
  }

  package static func < (left: IPAddress, right: IPAddress) -> Bool {
    left.isIPv6 == right.isIPv6 ? left.value < right.value : right.isIPv6
  }

  package var description: String {
    isIPv6 ? IPAddress.text(of: value) : bytes.map { String($0) }.joined(separator: ".")
  }

  private static func ipv4(_ text: some StringProtocol) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
        part.utf8.count == 1 || part.utf8.first != 48, let byte = UInt8(part)
      else { return nil }
      value = value << 8 | UInt32(byte)
    }
    return value
  }

  private static func groups(of text: some StringProtocol) -> [UInt16]? {
    var text = String(text)
    var tail: [UInt16] = []
    if text.contains(".") {
      guard let colon = text.lastIndex(of: ":"), let low = ipv4(text[text.index(after: colon)...])
      else { return nil }
      tail = [UInt16(low >> 16), UInt16(low & 0xffff)]
      text = String(text[...colon])
      if !text.hasSuffix("::") { text.removeLast() }
    }
    guard let gap = gapRange(in: text) else {
      guard let all = fields(text).map({ $0 + tail }), all.count == 8 else { return nil }
      return all
    }
    let after = String(text[gap.upperBound...])
    guard let left = fields(String(text[..<gap.lowerBound])), let right = fields(after),
      left.count + right.count + tail.count <= 7
    else { return nil }
    let zeros = 8 - left.count - right.count - tail.count
    return left + Array(repeating: 0, count: zeros) + right + tail
  }

  private static func gapRange(in text: String) -> Range<String.Index>? {
    var index = text.startIndex
    while index < text.endIndex {
      let next = text.index(after: index)
      if text[index] == ":", next < text.endIndex, text[next] == ":" {
        return index..<text.index(after: next)
      }
      index = next
    }
    return nil
  }

  private static func fields(_ text: String) -> [UInt16]? {
    if text.isEmpty { return [] }
    var fields: [UInt16] = []
    for part in text.split(separator: ":", omittingEmptySubsequences: false) {
      guard (1...4).contains(part.utf8.count), part.first != "+", part.first != "-",
        let field = UInt16(part, radix: 16)
      else { return nil }
      fields.append(field)
    }
    return fields
  }

  /// The canonical text of RFC 5952: lower case, the longest run of zero groups left out.
  private static func text(of value: UInt128) -> String {
    let groups = (0..<8).map { UInt16(truncatingIfNeeded: value >> (112 - 16 * $0)) }
    var best = 0..<0
    var index = 0
    while index < 8 {
      var end = index
      while end < 8 && groups[end] == 0 { end += 1 }
      if end - index > best.count { best = index..<end }
      index = max(end, index + 1)
    }
    func joined(_ range: Range<Int>) -> String {
      groups[range].map { String($0, radix: 16) }.joined(separator: ":")
    }
    if best.count < 2 { return joined(0..<8) }
    return joined(0..<best.lowerBound) + "::" + joined(best.upperBound..<8)
  }
}

extension IPAddress: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let address = IPAddress(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an IP address")
    }
    self = address
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
