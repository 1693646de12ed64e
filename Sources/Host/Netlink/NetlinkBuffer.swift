import CLinux

/// Netlink messages under construction: any number of them, sent together in one system call.
///
/// Own encoder rather than libnl's: a whole interface (link, peer in another namespace, addresses,
/// routes) goes to the kernel in one batch, and a batch can be built on any thread.
package struct NetlinkBuffer: Sendable {
  /// The messages' bytes, each aligned to four.
  package private(set) var bytes: [UInt8] = []
  /// How many messages there are; they are numbered from 0.
  package private(set) var count = 0

  /// A buffer without messages.
  package init() { bytes.reserveCapacity(512) }

  /// Appends a message whose fixed part and attributes `body` writes.
  package mutating func message(
    _ type: Int32, flags: Int32 = 0, _ body: (inout NetlinkBuffer) -> Void
  ) {
    let start = bytes.count
    append(UInt32(0))
    append(UInt16(truncatingIfNeeded: type))
    append(UInt16(truncatingIfNeeded: flags | NLM_F_REQUEST))
    append(UInt32(count))
    append(UInt32(0))
    body(&self)
    store(UInt32(bytes.count - start), at: start)
    align()
    count += 1
  }

  /// Appends a number in the machine's byte order.
  package mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
  }

  /// Appends bytes as they are.
  package mutating func append(_ raw: some Collection<UInt8>) { bytes.append(contentsOf: raw) }

  /// Appends an attribute of these bytes.
  package mutating func attribute(_ type: some BinaryInteger, _ payload: some Collection<UInt8>) {
    append(UInt16(truncatingIfNeeded: 4 + payload.count))
    append(UInt16(truncatingIfNeeded: type))
    append(payload)
    align()
  }

  /// Appends a text attribute with its closing zero.
  package mutating func attribute(_ type: some BinaryInteger, text: String) {
    attribute(type, Array(text.utf8) + [0])
  }

  /// Appends a number in the machine's byte order.
  package mutating func attribute(_ type: some BinaryInteger, number: some FixedWidthInteger) {
    withUnsafeBytes(of: number) { attribute(type, Array($0)) }
  }

  /// Appends a number in network byte order, as nf_tables has them.
  package mutating func attribute(_ type: some BinaryInteger, big number: some FixedWidthInteger) {
    attribute(type, number: number.bigEndian)
  }

  /// Appends an attribute that holds what `body` writes.
  package mutating func nested(
    _ type: some BinaryInteger, _ body: (inout NetlinkBuffer) -> Void
  ) {
    let start = bytes.count
    append(UInt16(0))
    append(UInt16(truncatingIfNeeded: type) | UInt16(NLA_F_NESTED))
    body(&self)
    store(UInt16(truncatingIfNeeded: bytes.count - start), at: start)
    align()
  }

  private mutating func align() {
    while bytes.count & 3 != 0 { bytes.append(0) }
  }

  private mutating func store(_ value: some FixedWidthInteger, at offset: Int) {
    withUnsafeBytes(of: value) { source in
      for (index, byte) in source.enumerated() { bytes[offset + index] = byte }
    }
  }
}

/// Bytes the kernel sent, read field by field; reading past the end gives zeros.
package struct NetlinkReader: Sendable {
  /// What is left to read.
  package private(set) var bytes: ArraySlice<UInt8>

  /// Reads from the beginning of `bytes`.
  package init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  /// The next number in the machine's byte order.
  package mutating func read<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> Number {
    var value: Number = 0
    withUnsafeMutableBytes(of: &value) { target in
      for (index, byte) in bytes.prefix(target.count).enumerated() { target[index] = byte }
    }
    bytes = bytes.dropFirst(MemoryLayout<Number>.size)
    return value
  }

  /// The attributes that follow: type without flags, and contents.
  package func attributes() -> [(type: Int, value: ArraySlice<UInt8>)] {
    var result: [(Int, ArraySlice<UInt8>)] = []
    var rest = self
    while rest.bytes.count >= 4 {
      let length = Int(rest.read(UInt16.self))
      let type = Int(rest.read(UInt16.self) & 0x3fff)
      guard length >= 4, length - 4 <= rest.bytes.count else { break }
      result.append((type, rest.bytes.prefix(length - 4)))
      rest.bytes = rest.bytes.dropFirst(((length + 3) & ~3) - 4)
    }
    return result
  }

  /// The attributes that follow, by type.
  package func table() -> [Int: ArraySlice<UInt8>] {
    Dictionary(attributes().map { ($0.type, $0.value) }, uniquingKeysWith: { $1 })
  }

  /// The attributes that hold others are read like this.
  package static func table(_ bytes: ArraySlice<UInt8>) -> [Int: ArraySlice<UInt8>] {
    NetlinkReader(bytes).table()
  }

  /// A number in the machine's byte order.
  package static func number<Number: FixedWidthInteger>(
    _ bytes: ArraySlice<UInt8>?, as: Number.Type = Number.self
  ) -> Number {
    var reader = NetlinkReader(bytes ?? [])
    return reader.read()
  }

  /// A text that may end with a zero.
  package static func text(_ bytes: ArraySlice<UInt8>?) -> String {
    String(decoding: (bytes ?? []).prefix { $0 != 0 }, as: UTF8.self)
  }
}
