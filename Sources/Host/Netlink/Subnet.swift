/// A block of addresses: a network address and the length of the prefix all of them share.
package struct Subnet: Hashable, Sendable, CustomStringConvertible {
  /// The first address of the block.
  package let network: IPAddress
  /// How many leading bits are fixed.
  package let prefixLength: Int

  /// The block that holds `address`; the prefix length is brought into range.
  package init(containing address: IPAddress, prefixLength: Int) {
    let length = min(max(prefixLength, 0), address.bitWidth)
    self.prefixLength = length
    let hostBits = address.bitWidth - length
    let kept = hostBits >= 128 ? 0 : (address.value >> hostBits) << hostBits
    network = IPAddress(value: kept, isIPv6: address.isIPv6)
  }

  /// Parses "ADDRESS/LENGTH"; bits below the prefix are dropped.
  package init?(_ text: some StringProtocol) {
    guard let parsed = InterfaceAddress(text) else { return nil }
    self = parsed.subnet
  }

  /// Whether it is a block of IPv6 addresses.
  package var isIPv6: Bool { network.isIPv6 }

  /// One less than the number of addresses (which itself would not fit for ::/0).
  package var lastOffset: UInt128 {
    let hostBits = network.bitWidth - prefixLength
    return hostBits >= 128 ? .max : (1 << UInt128(hostBits)) - 1
  }

  /// The last address of the block.
  package var last: IPAddress { network.advanced(by: lastOffset) }

  /// Whether the block holds `address`.
  package func contains(_ address: IPAddress) -> Bool {
    address.isIPv6 == isIPv6 && network <= address && address <= last
  }

  /// Whether the block holds all of `other`.
  package func contains(_ other: Subnet) -> Bool {
    other.prefixLength >= prefixLength && contains(other.network)
  }

  /// Whether the two blocks share an address.
  package func overlaps(_ other: Subnet) -> Bool {
    contains(other.network) || other.contains(network)
  }

  package var description: String { "\(network)/\(prefixLength)" }
}

extension Subnet: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let subnet = Subnet(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a subnet")
    }
    self = subnet
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// An address of an interface with the prefix length of its subnet.
package struct InterfaceAddress: Hashable, Sendable, CustomStringConvertible {
  /// The address itself.
  package var address: IPAddress
  /// The prefix length of the subnet it is in.
  package var prefixLength: Int

  /// An address within a subnet of that prefix length.
  package init(_ address: IPAddress, prefixLength: Int) {
    self.address = address
    self.prefixLength = prefixLength
  }

  /// Parses "ADDRESS/LENGTH", keeping the bits below the prefix.
  package init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let address = IPAddress(parts[0]),
      (1...3).contains(parts[1].utf8.count),
      parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(parts[1]),
      length <= address.bitWidth
    else { return nil }
    self.init(address, prefixLength: length)
  }

  /// The subnet it is in.
  package var subnet: Subnet { Subnet(containing: address, prefixLength: prefixLength) }

  package var description: String { "\(address)/\(prefixLength)" }
}
