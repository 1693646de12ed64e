import Glibc

/// An IPv4 or IPv6 address, as far as checking settings needs one.
struct AddressText: Hashable {
  /// Four or sixteen bytes.
  var bytes: [UInt8]

  /// Reads `192.0.2.1` or `2001:db8::1`; nil when it is neither.
  init?(_ text: String) {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 {
      self.bytes = Array(bytes[..<4])
    } else if inet_pton(AF_INET6, text, &bytes) == 1 {
      self.bytes = bytes
    } else {
      return nil
    }
  }

  var isIPv6: Bool { bytes.count == 16 }
}

/// An address with the length of its network's prefix.
struct NetworkText: Hashable {
  var address: AddressText
  var length: Int

  /// Reads `ADDRESS/LENGTH`; nil when it is something else.
  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = AddressText(String(parts[0])),
      parts[1].utf8.allSatisfy({ (48...57).contains($0) }), parts[1].utf8.count <= 3,
      let length = Int(parts[1]), length <= address.bytes.count * 8
    else { return nil }
    self.address = address
    self.length = length
  }

  /// Whether the address has no bits behind the prefix.
  var isNetworkAddress: Bool {
    address.bytes == network
  }

  /// Whether all of `other` lies in this network.
  func contains(_ other: NetworkText) -> Bool {
    other.length >= length && contains(other.address)
  }

  /// Whether the address lies in this network.
  func contains(_ other: AddressText) -> Bool {
    other.bytes.count == address.bytes.count && masked(other.bytes) == network
  }

  private var network: [UInt8] { masked(address.bytes) }

  private func masked(_ bytes: [UInt8]) -> [UInt8] {
    bytes.enumerated().map { index, byte in
      let bits = min(8, max(0, length - index * 8))
      return byte & UInt8(truncatingIfNeeded: 0xFF00 >> bits)
    }
  }
}

/// Whether the text is a host name (or an IPv4 address): letters, digits, dots, hyphens.
func isHostName(_ text: some StringProtocol) -> Bool {
  (1...253).contains(text.utf8.count)
    && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
        && label.utf8.allSatisfy { byte in
          (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }
    }
}

/// Reads a port from 1 to 65535; nil when it is something else.
func port(_ text: some StringProtocol) -> UInt16? {
  guard text.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(text), port > 0 else {
    return nil
  }
  return port
}

/// Reads `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`; nil when it is something else. The host
/// may be empty when there is a port.
func hostAndPort(_ text: String) -> (host: String, port: UInt16?)? {
  if text.hasPrefix("[") {
    guard let end = text.firstIndex(of: "]") else { return nil }
    let host = String(text[text.index(after: text.startIndex)..<end])
    guard AddressText(host)?.isIPv6 == true else { return nil }
    let rest = text[text.index(after: end)...]
    if rest.isEmpty { return (host, nil) }
    guard rest.hasPrefix(":"), let port = port(rest.dropFirst()) else { return nil }
    return (host, port)
  }
  let parts = text.split(separator: ":", omittingEmptySubsequences: false)
  switch parts.count {
  case 1:
    return isHostName(parts[0]) ? (text, nil) : nil
  case 2:
    guard parts[0].isEmpty || isHostName(parts[0]), let port = port(parts[1]) else { return nil }
    return (String(parts[0]), port)
  default: return nil
  }
}
