import Host

/// The types of records this name server knows how to make (RFC 1035, RFC 3596).
enum DNSType {
  static let a: UInt16 = 1
  static let ptr: UInt16 = 12
  static let aaaa: UInt16 = 28
  static let opt: UInt16 = 41
}

/// The response codes this name server gives.
enum DNSResponseCode: UInt8, Sendable {
  case noError = 0
  case formatError = 1
  case serverFailure = 2
  case notImplemented = 4
}

/// A query as it came from a container, which may send anything.
struct DNSQuery: Sendable, Equatable {
  /// The number answers carry again.
  var id: UInt16
  /// The header's flags.
  var flags: UInt16
  /// The name in lower case without the closing dot; nil if it has bytes no host name has.
  var name: String?
  /// What kind of record is asked for.
  var type: UInt16
  /// The class, 1 for the Internet.
  var recordClass: UInt16
  /// The question section as it came.
  var question: [UInt8]
  /// How large an answer over UDP may be.
  var payloadLimit: Int
  /// Whether the query has an EDNS record.
  var hasEDNS: Bool

  /// The operation; 0 is a standard query.
  var opcode: UInt16 { flags >> 11 & 15 }

  /// Why a message is no query we could answer.
  enum Failure: Error, Equatable {
    /// Not even a header, or an answer: not to be replied to.
    case ignored
    /// A header and rubbish: replied to with a format error.
    case malformed(id: UInt16)
  }

  /// Reads a query.
  init(_ bytes: [UInt8]) throws(Failure) {
    guard bytes.count >= 12, bytes.count <= 65535 else { throw .ignored }
    id = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    flags = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    guard flags & 0x8000 == 0 else { throw .ignored }
    var reader = DNSReader(bytes, at: 4)
    guard let counts = reader.counts(), counts.questions == 1,
      let name = reader.name(), let type = reader.uint16(), let recordClass = reader.uint16()
    else { throw .malformed(id: id) }
    self.type = type
    self.recordClass = recordClass
    self.name = name.text
    question = Array(bytes[12..<reader.offset])
    var limit: Int?
    let others = Int(counts.answers) + Int(counts.authorities) + Int(counts.additionals)
    for _ in 0..<others {
      guard reader.name() != nil, let type = reader.uint16(), let size = reader.uint16(),
        reader.skip(4), let length = reader.uint16(), reader.skip(Int(length))
      else { throw .malformed(id: id) }
      if type == DNSType.opt { limit = max(512, Int(size)) }
    }
    hasEDNS = limit != nil
    payloadLimit = min(limit ?? 512, 4096)
  }
}

/// A cursor over a DNS message that cannot leave it.
struct DNSReader {
  private let bytes: [UInt8]
  private(set) var offset: Int

  init(_ bytes: [UInt8], at offset: Int) {
    self.bytes = bytes
    self.offset = offset
  }

  struct Counts {
    var questions: UInt16
    var answers: UInt16
    var authorities: UInt16
    var additionals: UInt16
  }

  struct Name {
    /// Lower case, labels joined by dots; nil if a label has bytes that host names lack.
    var text: String?
  }

  mutating func uint16() -> UInt16? {
    guard offset + 2 <= bytes.count else { return nil }
    defer { offset += 2 }
    return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
  }

  mutating func skip(_ count: Int) -> Bool {
    guard offset + count <= bytes.count else { return false }
    offset += count
    return true
  }

  mutating func counts() -> Counts? {
    guard let questions = uint16(), let answers = uint16(), let authorities = uint16(),
      let additionals = uint16()
    else { return nil }
    return Counts(
      questions: questions, answers: answers, authorities: authorities, additionals: additionals)
  }

  /// Reads a name and follows its pointers, which may only lead backwards: no loop can be made.
  mutating func name() -> Name? {
    var labels: [ArraySlice<UInt8>] = []
    var position = offset
    var end: Int?
    var lowest = offset
    var length = 0
    while true {
      guard position < bytes.count else { return nil }
      let size = Int(bytes[position])
      if size & 0xc0 == 0xc0 {
        guard position + 1 < bytes.count else { return nil }
        let target = (size & 0x3f) << 8 | Int(bytes[position + 1])
        guard target < lowest, target >= 12 else { return nil }
        end = end ?? position + 2
        lowest = target
        position = target
        continue
      }
      guard size & 0xc0 == 0 else { return nil }
      if size == 0 {
        offset = end ?? position + 1
        return Name(text: DNSReader.text(labels))
      }
      length += size + 1
      guard length <= 254, position + 1 + size <= bytes.count else { return nil }
      labels.append(bytes[(position + 1)..<(position + 1 + size)])
      position += 1 + size
    }
  }

  private static func text(_ labels: [ArraySlice<UInt8>]) -> String? {
    var text: [UInt8] = []
    for (index, label) in labels.enumerated() {
      if index > 0 { text.append(46) }
      for byte in label {
        guard byte > 32, byte < 127, byte != 46 else { return nil }
        text.append((65...90).contains(byte) ? byte + 32 : byte)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// The data of a record in an answer.
enum DNSData: Sendable, Equatable {
  case address(IPAddress)
  /// A host name without the closing dot.
  case pointer(String)
}

/// Makes answers.
enum DNSAnswer {
  /// How long answers may be kept, in seconds.
  static let timeToLive: UInt32 = 600

  /// An answer to `query` with these records, cut down to what the client takes over UDP.
  static func make(
    _ query: DNSQuery, _ records: [DNSData], code: DNSResponseCode = .noError, overUDP: Bool
  ) -> [UInt8] {
    let limit = overUDP ? query.payloadLimit : 65535
    var body = query.question
    var count: UInt16 = 0
    var isTruncated = false
    let ending = query.hasEDNS ? edns : []
    for record in records {
      let bytes = encoded(record)
      guard 12 + body.count + bytes.count + ending.count <= limit else {
        isTruncated = true
        break
      }
      body += bytes
      count += 1
    }
    // QR, AA as dockerd leaves it out, RD as asked, RA.
    var flags: UInt16 = 0x8080 | query.flags & 0x7900 | UInt16(code.rawValue)
    if isTruncated { flags |= 0x0200 }
    return header(query.id, flags, 1, count, query.hasEDNS ? 1 : 0) + body + ending
  }

  /// An answer to something that is no query.
  static func formatError(id: UInt16) -> [UInt8] {
    header(id, 0x8080 | UInt16(DNSResponseCode.formatError.rawValue), 0, 0, 0)
  }

  /// An answer from elsewhere made fit for the client: its number, and no more than it takes.
  static func adapted(_ answer: [UInt8], to query: DNSQuery, overUDP: Bool) -> [UInt8] {
    guard answer.count >= 12 else { return make(query, [], code: .serverFailure, overUDP: overUDP) }
    var answer = answer
    (answer[0], answer[1]) = (UInt8(query.id >> 8), UInt8(query.id & 0xff))
    guard overUDP, answer.count > query.payloadLimit else { return answer }
    let flags = UInt16(answer[2]) << 8 | UInt16(answer[3]) | 0x0200
    return header(query.id, flags, 1, 0, 0) + query.question
  }

  private static let edns: [UInt8] = [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]

  private static func header(
    _ id: UInt16, _ flags: UInt16, _ questions: UInt16, _ answers: UInt16, _ additionals: UInt16
  ) -> [UInt8] {
    [id, flags, questions, answers, 0, additionals].flatMap(\.bigEndianBytes)
  }

  private static func encoded(_ record: DNSData) -> [UInt8] {
    let (type, data): (UInt16, [UInt8])
    switch record {
    case .address(let address):
      (type, data) = (address.isIPv6 ? DNSType.aaaa : DNSType.a, address.bytes)
    case .pointer(let name): (type, data) = (DNSType.ptr, encoded(name))
    }
    let ttl = timeToLive
    // The name is a pointer to the question's.
    return [0xc0, 0x0c] + type.bigEndianBytes + UInt16(1).bigEndianBytes
      + UInt16(ttl >> 16).bigEndianBytes + UInt16(ttl & 0xffff).bigEndianBytes
      + UInt16(truncatingIfNeeded: data.count).bigEndianBytes + data
  }

  private static func encoded(_ name: String) -> [UInt8] {
    let labels = name.split(separator: ".").map { $0.utf8.prefix(63) }
    return labels.flatMap { [UInt8($0.count)] + $0 } + [0]
  }
}

/// Names that stand for addresses (RFC 1035, 3.5, and RFC 3596, 2.5).
enum ReverseName {
  /// The address a name like "2.0.17.172.in-addr.arpa" is about.
  static func address(_ name: String) -> IPAddress? {
    if name.hasSuffix(".in-addr.arpa") {
      let parts = name.dropLast(13).split(separator: ".", omittingEmptySubsequences: false)
      return IPAddress(parts.reversed().joined(separator: "."))
    }
    guard name.hasSuffix(".ip6.arpa") else { return nil }
    let parts = name.dropLast(9).split(separator: ".", omittingEmptySubsequences: false)
    let digits = parts.compactMap { $0.utf8.count == 1 ? UInt128($0, radix: 16) : nil }
    guard parts.count == 32, digits.count == 32 else { return nil }
    return IPAddress(value: digits.reversed().reduce(0) { $0 << 4 | $1 }, isIPv6: true)
  }
}
