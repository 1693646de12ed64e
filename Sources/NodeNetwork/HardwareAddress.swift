import Host

/// An Ethernet address.
struct HardwareAddress: Sendable, Hashable, CustomStringConvertible {
  /// The six bytes.
  let bytes: [UInt8]

  /// Parses six hexadecimal bytes with colons or hyphens; refuses group addresses and zero.
  init?(_ text: String) {
    let parts = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "-" }
    let bytes = parts.compactMap { $0.utf8.count == 2 ? UInt8($0, radix: 16) : nil }
    guard parts.count == 6, bytes.count == 6, bytes[0] & 1 == 0, bytes.contains(where: { $0 != 0 })
    else { return nil }
    self.bytes = bytes
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// The address that goes with an IPv4 address, so that who gets the address again keeps the
  /// neighbours' caches true.
  init(for address: IPAddress) { bytes = [0x02, 0x42] + address.bytes.suffix(4) }

  /// A random one of the local kind.
  static func random() -> HardwareAddress {
    HardwareAddress(bytes: [0x02, 0x42] + (0..<4).map { _ in UInt8.random(in: .min ... .max) })
  }

  var description: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }
}
