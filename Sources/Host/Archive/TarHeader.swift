/// One 512-byte header block, as ustar, GNU tar and the tars before them lay it out.
struct TarHeader {
  static let blockSize = 512

  private let block: [UInt8]

  /// Takes a block whose checksum must be right; nil for a block of zeros, which ends an archive.
  init?(_ bytes: UnsafeRawBufferPointer) throws {
    block = Array(bytes)
    if block.allSatisfy({ $0 == 0 }) { return nil }
    var unsigned = 0
    var signed = 0
    for (index, byte) in block.enumerated() {
      let value = (148..<156).contains(index) ? UInt8(ascii: " ") : byte
      unsigned += Int(value)
      signed += Int(Int8(bitPattern: value))
    }
    let stored = try Self.number(block[148..<156], field: "checksum")
    guard stored == unsigned || stored == signed else {
      throw ArchiveError(.malformed, "a header of the archive has a wrong checksum")
    }
  }

  /// Whether the block has the magic of POSIX, which has a prefix for long names.
  var isPOSIX: Bool { block[257..<263].elementsEqual("ustar\0".utf8) }

  var typeFlag: UInt8 { block[156] }
  var linkPath: [UInt8] { text(157, 100) }

  /// The name, with the prefix of POSIX headers.
  var path: [UInt8] {
    let name = text(0, 100)
    guard isPOSIX else { return name }
    let prefix = text(345, 155)
    return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
  }

  func mode() throws -> UInt32 { try narrow(100, 8, "mode") & 0o7777 }
  func user() throws -> UInt32 { try narrow(108, 8, "uid") }
  func group() throws -> UInt32 { try narrow(116, 8, "gid") }
  func deviceMajor() throws -> UInt32 { try narrow(329, 8, "major") }
  func deviceMinor() throws -> UInt32 { try narrow(337, 8, "minor") }
  func seconds() throws -> Int64 { try Self.number(block[136..<148], field: "mtime") }

  /// Bytes of data that follow, before padding.
  func size() throws -> Int64 {
    let size = try Self.number(block[124..<136], field: "size")
    guard size >= 0 else { throw ArchiveError(.malformed, "a member has a negative size") }
    return size
  }

  /// The sparse map of an old GNU header: the first four pieces and whether more blocks follow.
  func oldSparse() throws -> (
    segments: [TarEntry.Segment], isExtended: Bool, realSize: Int64
  ) {
    let segments = try Self.sparsePieces(block[386..<482])
    let realSize = try Self.number(block[483..<495], field: "sparse size")
    return (segments, block[482] != 0, realSize)
  }

  /// The pieces in a block that continues a sparse map.
  static func continuedSparse(
    _ bytes: UnsafeRawBufferPointer
  ) throws -> (segments: [TarEntry.Segment], isExtended: Bool) {
    let block = Array(bytes)
    return (try sparsePieces(block[0..<504]), block[504] != 0)
  }

  private static func sparsePieces(_ bytes: ArraySlice<UInt8>) throws -> [TarEntry.Segment] {
    var segments: [TarEntry.Segment] = []
    var start = bytes.startIndex
    while start + 24 <= bytes.endIndex, bytes[start] != 0 {
      segments.append(
        TarEntry.Segment(
          offset: try number(bytes[start..<(start + 12)], field: "sparse offset"),
          length: try number(bytes[(start + 12)..<(start + 24)], field: "sparse length")))
      start += 24
    }
    return segments
  }

  private func text(_ offset: Int, _ length: Int) -> [UInt8] {
    Array(block[offset..<(offset + length)].prefix { $0 != 0 })
  }

  private func narrow(_ offset: Int, _ length: Int, _ field: String) throws -> UInt32 {
    let value = try Self.number(block[offset..<(offset + length)], field: field)
    guard let narrowed = UInt32(exactly: value) else {
      throw ArchiveError(
        .malformed, "a number in the archive is out of range",
        metadata: ["field": field, "value": "\(value)"])
    }
    return narrowed
  }

  /// A number in octal digits, or in base 256 if the first bit is set.
  static func number(_ bytes: ArraySlice<UInt8>, field: String) throws -> Int64 {
    func damaged() -> ArchiveError {
      ArchiveError(.malformed, "a number in the archive is damaged", metadata: ["field": field])
    }
    guard let first = bytes.first else { throw damaged() }
    if first & 0x80 != 0 {
      let isNegative = first & 0x40 != 0
      var value: Int64 = isNegative ? -1 : 0
      for (index, byte) in bytes.enumerated() {
        let digit = index == 0 ? Int64(byte & 0x7f) | (isNegative ? -128 : 0) : Int64(byte)
        if index == 0 {
          value = digit
          continue
        }
        let (shifted, overflow) = value.multipliedReportingOverflow(by: 256)
        guard !overflow else { throw damaged() }
        value = shifted + digit
      }
      return value
    }
    var value: Int64 = 0
    var seen = false
    var ended = false
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "7"):
        guard !ended else { throw damaged() }
        seen = true
        value = value << 3 | Int64(byte - UInt8(ascii: "0"))
      case 0, UInt8(ascii: " "): ended = ended || seen
      default: throw damaged()
      }
    }
    return value
  }
}
