/// Reads a tar archive member by member: old tar, ustar, pax with global headers, GNU long names
/// and all the sparse formats. It is our own and not libarchive's because what is refused, which
/// bytes make a name, and where file data is copied must be exactly what we decide.
package final class TarReader {
  private let reader: BufferedReader
  private var globalRecords = PaxRecords()
  /// Bytes of the current member's data that were not taken yet, and the padding after them.
  private var remaining: Int64 = 0
  private var padding: Int64 = 0
  private var current: TarEntry?
  private var isFinished = false

  private static let maximumHeaderBytes: Int64 = 1 << 20
  private static let maximumSegments = 1 << 20
  private static let maximumNameBytes = 4096

  /// Reads from here; the reader must not be used by anyone else meanwhile.
  package init(_ reader: BufferedReader) { self.reader = reader }

  /// Reads from here.
  package convenience init(_ source: any ByteSource) {
    self.init(BufferedReader(source))
  }

  /// The next member, whose data can then be read; nil at the end.
  /// - Throws: `ArchiveError`.
  package func next() throws -> TarEntry? {
    try skipData()
    guard !isFinished else { return nil }
    var local = PaxRecords()
    var longPath: [UInt8]?
    var longLink: [UInt8]?
    while true {
      guard let header = try nextHeader() else { return nil }
      switch header.typeFlag {
      case UInt8(ascii: "x"):
        local.merge(try PaxRecords(parsing: try body(of: header)))
      case UInt8(ascii: "g"):
        globalRecords.merge(try PaxRecords(parsing: try body(of: header)))
        guard globalRecords.records.count < 10_000 else {
          throw ArchiveError(.hostile, "the archive has too many global headers")
        }
      case UInt8(ascii: "L"): longPath = Array(try body(of: header).prefix { $0 != 0 })
      case UInt8(ascii: "K"): longLink = Array(try body(of: header).prefix { $0 != 0 })
      default:
        var records = globalRecords
        records.merge(local)
        let entry = try self.entry(header, records, longPath: longPath, longLink: longLink)
        current = entry
        return entry
      }
    }
  }

  /// Hands the data of the current member to `body`, piece by piece, with the place in the file
  /// where each piece belongs. Can be called once per member.
  package func readData(_ body: (UnsafeRawBufferPointer, Int64) throws -> Void) throws {
    guard let entry = current else { return }
    let segments = entry.segments ?? [TarEntry.Segment(offset: 0, length: remaining)]
    for segment in segments {
      var offset = segment.offset
      let end = segment.offset + segment.length
      while offset < end {
        let bytes = try takeData(upTo: end - offset)
        try body(bytes, offset)
        offset += Int64(bytes.count)
      }
    }
  }

  /// The whole data of the current member, which must not exceed `limit` bytes.
  package func readAll(limit: Int) throws -> [UInt8] {
    guard let entry = current, entry.size <= Int64(limit), entry.segments == nil else {
      throw ArchiveError(
        .hostile, "a member of the archive is larger than is allowed",
        metadata: ["entry": current?.name ?? "", "limit": "\(limit)"])
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(entry.size))
    try readData { piece, _ in bytes.append(contentsOf: piece) }
    return bytes
  }

  /// Reads to the end of the stream, past the archive's own end: what hashes the stream must see
  /// all of it.
  package func drain() throws {
    isFinished = true
    try reader.drain()
  }

  // MARK: - Headers

  private func nextHeader() throws -> TarHeader? {
    guard let block = try reader.takeExactly(TarHeader.blockSize) else {
      isFinished = true
      return nil
    }
    guard let header = try TarHeader(block) else {
      isFinished = true
      return nil
    }
    return header
  }

  private func body(of header: TarHeader) throws -> [UInt8] {
    let size = try header.size()
    guard size <= Self.maximumHeaderBytes else {
      throw ArchiveError(
        .hostile, "an extended header of the archive is too large",
        metadata: ["size": "\(size)"])
    }
    var bytes: [UInt8] = []
    remaining = size
    padding = Self.padding(after: size)
    while remaining > 0 { bytes.append(contentsOf: try takeData(upTo: remaining)) }
    try skipData()
    return bytes
  }

  private static func padding(after size: Int64) -> Int64 {
    let block = Int64(TarHeader.blockSize)
    return (block - size % block) % block
  }

  private func entry(
    _ header: TarHeader, _ records: PaxRecords, longPath: [UInt8]?, longLink: [UInt8]?
  ) throws -> TarEntry {
    let path = records.value("path") ?? longPath ?? header.path
    var entry = TarEntry(
      path: path, kind: try Self.kind(header.typeFlag, path), mode: try header.mode())
    entry.linkPath = records.value("linkpath") ?? longLink ?? header.linkPath
    try Self.check(entry.path, of: entry)
    try Self.check(entry.linkPath, of: entry)
    entry.user = try Self.identifier(records.integer("uid")) ?? header.user()
    entry.group = try Self.identifier(records.integer("gid")) ?? header.group()
    if let time = try records.time("mtime") {
      (entry.seconds, entry.nanoseconds) = time
    } else {
      entry.seconds = try header.seconds()
    }
    if entry.kind == .characterDevice || entry.kind == .blockDevice {
      entry.deviceMajor = try header.deviceMajor()
      entry.deviceMinor = try header.deviceMinor()
    }
    entry.attributes = records.attributes
    // Members without data may carry a size all the same, which then means nothing.
    let size = entry.kind == .file ? try records.integer("size") ?? header.size() : 0
    guard size >= 0 else {
      throw ArchiveError.entry(.malformed, "a member has a negative size", path)
    }
    remaining = size
    padding = Self.padding(after: size)
    entry.size = size
    if entry.kind == .file { try applySparse(header, records, &entry) }
    return entry
  }

  private static func kind(_ flag: UInt8, _ path: [UInt8]) throws -> TarEntry.Kind {
    switch flag {
    case UInt8(ascii: "0"), 0:
      // Before there was a type for folders, a slash at the end made one.
      return path.last == UInt8(ascii: "/") ? .directory : .file
    case UInt8(ascii: "7"), UInt8(ascii: "S"): return .file
    case UInt8(ascii: "1"): return .hardLink
    case UInt8(ascii: "2"): return .symbolicLink
    case UInt8(ascii: "3"): return .characterDevice
    case UInt8(ascii: "4"): return .blockDevice
    case UInt8(ascii: "5"): return .directory
    case UInt8(ascii: "6"): return .fifo
    default:
      throw ArchiveError(
        .unsupported, "a member of the archive is of an unknown type",
        metadata: [
          "entry": String(decoding: path.prefix(200), as: UTF8.self), "type": "\(flag)",
        ])
    }
  }

  private static func check(_ path: [UInt8], of entry: TarEntry) throws {
    if path.contains(0) {
      throw ArchiveError.entry(.hostile, "a name in the archive contains NUL", entry.path)
    }
    if path.count > maximumNameBytes {
      throw ArchiveError.entry(.hostile, "a name in the archive is too long", entry.path)
    }
  }

  private static func identifier(_ number: Int64?) throws -> UInt32? {
    guard let number else { return nil }
    guard let narrowed = UInt32(exactly: number) else {
      throw ArchiveError(
        .malformed, "an owner in the archive is out of range", metadata: ["id": "\(number)"])
    }
    return narrowed
  }

  // MARK: - Sparse files

  private func applySparse(
    _ header: TarHeader, _ records: PaxRecords, _ entry: inout TarEntry
  ) throws {
    var segments: [TarEntry.Segment] = []
    if header.typeFlag == UInt8(ascii: "S") {
      let first = try header.oldSparse()
      segments = first.segments
      entry.size = first.realSize
      var isExtended = first.isExtended
      while isExtended {
        guard let block = try reader.takeExactly(TarHeader.blockSize) else {
          throw ArchiveError(.malformed, "the archive is cut short")
        }
        let more = try TarHeader.continuedSparse(block)
        segments += more.segments
        isExtended = more.isExtended
        try Self.bound(segments.count)
      }
    } else if try records.integer("GNU.sparse.major") == 1 {
      entry.size =
        try records.integer("GNU.sparse.realsize") ?? records.integer("GNU.sparse.size")
        ?? entry.size
      if let name = records.value("GNU.sparse.name") { entry.path = name }
      segments = try readMap()
    } else if let size = try records.integer("GNU.sparse.size") {
      entry.size = size
      if let name = records.value("GNU.sparse.name") { entry.path = name }
      segments = try Self.map(records)
    } else {
      return
    }
    try Self.check(entry.path, of: entry)
    try check(segments, of: entry)
    entry.segments = segments
  }

  private static func bound(_ count: Int) throws {
    guard count <= maximumSegments else {
      throw ArchiveError(.hostile, "a sparse file in the archive has too many pieces")
    }
  }

  /// Pieces must follow one another inside the file and make up exactly the data that is there.
  private func check(_ segments: [TarEntry.Segment], of entry: TarEntry) throws {
    var end: Int64 = 0
    var total: Int64 = 0
    for segment in segments {
      let (next, overflow) = segment.offset.addingReportingOverflow(segment.length)
      guard segment.offset >= end, segment.length >= 0, !overflow, next <= entry.size else {
        throw ArchiveError.entry(.malformed, "a sparse file's map is damaged", entry.path)
      }
      end = next
      total += segment.length
    }
    guard total == remaining else {
      throw ArchiveError.entry(.malformed, "a sparse file's map is damaged", entry.path)
    }
  }

  /// The map in the keys of an extended header (formats 0.0 and 0.1).
  private static func map(_ records: PaxRecords) throws -> [TarEntry.Segment] {
    var numbers: [Int64] = []
    if let text = records.value("GNU.sparse.map") {
      for part in String(decoding: text, as: UTF8.self).split(separator: ",") {
        numbers.append(Int64(part) ?? -1)
      }
    } else {
      for (_, value) in records.all(["GNU.sparse.offset", "GNU.sparse.numbytes"]) {
        numbers.append(Int64(String(decoding: value, as: UTF8.self)) ?? -1)
      }
    }
    return try pairs(numbers)
  }

  private static func pairs(_ numbers: [Int64]) throws -> [TarEntry.Segment] {
    guard numbers.count % 2 == 0, !numbers.contains(where: { $0 < 0 }) else {
      throw ArchiveError(.malformed, "a sparse file's map is damaged")
    }
    try bound(numbers.count / 2)
    return stride(from: 0, to: numbers.count, by: 2).map {
      TarEntry.Segment(offset: numbers[$0], length: numbers[$0 + 1])
    }
  }

  /// The map at the beginning of the data (format 1.0): a count, then offsets and lengths, one
  /// decimal number per line, filled up to a whole block.
  private func readMap() throws -> [TarEntry.Segment] {
    var numbers: [Int64] = []
    var digits: [UInt8] = []
    var wanted: Int?
    while numbers.count < wanted ?? 1 {
      guard remaining >= Int64(TarHeader.blockSize),
        let block = try reader.takeExactly(TarHeader.blockSize)
      else { throw ArchiveError(.malformed, "a sparse file's map is cut short") }
      remaining -= Int64(TarHeader.blockSize)
      for byte in block {
        if byte != UInt8(ascii: "\n") {
          digits.append(byte)
          guard digits.count <= 20 else {
            throw ArchiveError(.malformed, "a sparse file's map is damaged")
          }
          continue
        }
        let number = Int64(String(decoding: digits, as: UTF8.self)) ?? -1
        digits.removeAll(keepingCapacity: true)
        if wanted == nil {
          guard (0...Int64(Self.maximumSegments)).contains(number) else {
            throw ArchiveError(.malformed, "a sparse file's map is damaged")
          }
          wanted = Int(number) * 2
        } else {
          numbers.append(number)
        }
        if numbers.count == wanted { break }
      }
    }
    return try Self.pairs(numbers)
  }

  // MARK: - Data

  private func takeData(upTo limit: Int64) throws -> UnsafeRawBufferPointer {
    let bytes = try reader.take(upTo: Int(min(limit, remaining, 1 << 20)))
    guard !bytes.isEmpty else { throw ArchiveError(.malformed, "the archive is cut short") }
    remaining -= Int64(bytes.count)
    return bytes
  }

  private func skipData() throws {
    current = nil
    while remaining > 0 { _ = try takeData(upTo: remaining) }
    while padding > 0 {
      let bytes = try reader.take(upTo: Int(padding))
      guard !bytes.isEmpty else {
        // Some writers leave out the padding of the last member.
        padding = 0
        break
      }
      padding -= Int64(bytes.count)
    }
  }
}
