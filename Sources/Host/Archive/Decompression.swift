import CZlib
import CZstd
import Glibc

/// How far a compressed stream may swell.
package struct ExpansionLimit: Sendable, Hashable {
  /// Bytes that may come out in all.
  package var maximumBytes: Int64
  /// Bytes out for one byte in, once ``floor`` bytes have come out.
  package var maximumRatio: Int64
  package var floor: Int64

  package init(maximumBytes: Int64 = .max, maximumRatio: Int64 = .max, floor: Int64 = 0) {
    self.maximumBytes = maximumBytes
    self.maximumRatio = maximumRatio
    self.floor = floor
  }

  func check(input: Int64, output: Int64) throws {
    if output > maximumBytes {
      throw ArchiveError(
        .hostile, "the archive unpacks to more than is allowed",
        metadata: ["limit": "\(maximumBytes)"])
    }
    if output > floor, output / max(1, input) > maximumRatio {
      throw ArchiveError(
        .hostile, "the archive swells too much when it is decompressed",
        metadata: ["ratio": "\(output / max(1, input))", "limit": "\(maximumRatio)"])
    }
  }
}

/// The compressions that image layers and archives come in.
package enum Compression: String, Sendable, Hashable {
  case none
  case gzip
  case zstd

  /// What the first bytes of a stream say.
  package static func detected(in start: UnsafeRawBufferPointer) -> Compression {
    if start.count >= 3, start[0] == 0x1f, start[1] == 0x8b, start[2] == 8 { return .gzip }
    if start.count >= 4 {
      let magic = start.loadUnaligned(as: UInt32.self).littleEndian
      if magic == 0xfd2f_b528 || magic & 0xffff_fff0 == 0x184d_2a50 { return .zstd }
    }
    return .none
  }

  /// The plain bytes of `source`, whatever it is compressed with.
  package static func decompressing(
    _ source: any ByteSource, limit: ExpansionLimit = ExpansionLimit()
  ) throws -> (source: any ByteSource, compression: Compression) {
    let reader = BufferedReader(source, capacity: 256 << 10)
    let compression = detected(in: try reader.peek(4))
    switch compression {
    case .none: return (PlainSource(reader, limit: limit), .none)
    case .gzip: return (try GunzipSource(reader, limit: limit), .gzip)
    case .zstd: return (try ZstdSource(reader, limit: limit), .zstd)
    }
  }
}

/// A reader as a source again.
private final class PlainSource: ByteSource {
  private let reader: BufferedReader
  private let limit: ExpansionLimit
  private var total: Int64 = 0

  init(_ reader: BufferedReader, limit: ExpansionLimit) {
    self.reader = reader
    self.limit = limit
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let bytes = try reader.take(upTo: buffer.count)
    buffer.copyMemory(from: bytes)
    total += Int64(bytes.count)
    try limit.check(input: total, output: total)
    return bytes.count
  }
}

/// Decompresses gzip, one member after another.
private final class GunzipSource: ByteSource {
  private let reader: BufferedReader
  private let limit: ExpansionLimit
  // zlib keeps a pointer to the stream structure, so it must not move.
  private let stream: UnsafeMutablePointer<z_stream>
  private var isBetweenMembers = false
  private var isAtEnd = false
  private var input: Int64 = 0
  private var output: Int64 = 0

  init(_ reader: BufferedReader, limit: ExpansionLimit) throws {
    self.reader = reader
    self.limit = limit
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let status = inflateInit2_(
      stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      stream.deallocate()
      throw SystemError(ENOMEM, "inflateInit")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard !isAtEnd else { return 0 }
    stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(clamping: buffer.count)
    let wanted = stream.pointee.avail_out
    // The reader's memory holds still until it is asked again, which is when avail_in is 0.
    while stream.pointee.avail_out == wanted {
      if stream.pointee.avail_in == 0 {
        let bytes = try reader.take(upTo: 256 << 10)
        if bytes.isEmpty {
          guard isBetweenMembers else {
            throw ArchiveError(.malformed, "the gzip stream is cut short")
          }
          isAtEnd = true
          return 0
        }
        input += Int64(bytes.count)
        stream.pointee.next_in = UnsafeMutablePointer(
          mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(bytes.count)
      }
      if isBetweenMembers {
        inflateReset(stream)
        isBetweenMembers = false
      }
      switch inflate(stream, Z_NO_FLUSH) {
      case Z_OK, Z_BUF_ERROR: break
      case Z_STREAM_END: isBetweenMembers = true
      default: throw ArchiveError(.malformed, "the gzip stream is damaged")
      }
    }
    let count = Int(wanted - stream.pointee.avail_out)
    output += Int64(count)
    try limit.check(input: input, output: output)
    return count
  }
}

/// Decompresses zstd, one frame after another.
private final class ZstdSource: ByteSource {
  private let reader: BufferedReader
  private let limit: ExpansionLimit
  private let context: OpaquePointer
  private var pending = UnsafeRawBufferPointer(start: nil, count: 0)
  private var isBetweenFrames = true
  private var input: Int64 = 0
  private var output: Int64 = 0

  init(_ reader: BufferedReader, limit: ExpansionLimit) throws {
    self.reader = reader
    self.limit = limit
    guard let context = ZSTD_createDCtx() else { throw SystemError(ENOMEM, "ZSTD_createDCtx") }
    self.context = context
    // 128 MiB: the largest window that `zstd --long` writes by default and that is asked for here.
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 27)
  }

  deinit { ZSTD_freeDCtx(context) }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var out = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
    while out.pos == 0 {
      if pending.isEmpty {
        pending = try reader.take(upTo: 256 << 10)
        input += Int64(pending.count)
        if pending.isEmpty && isBetweenFrames { return 0 }
      }
      var chunk = ZSTD_inBuffer(src: pending.baseAddress, size: pending.count, pos: 0)
      let before = chunk.pos
      let result = ZSTD_decompressStream(context, &out, &chunk)
      guard ZSTD_isError(result) == 0 else {
        throw ArchiveError(
          .malformed, "the zstd stream is damaged",
          metadata: ["problem": String(cString: ZSTD_getErrorName(result))])
      }
      if pending.isEmpty && out.pos == 0 {
        throw ArchiveError(.malformed, "the zstd stream is cut short")
      }
      isBetweenFrames = result == 0
      pending = UnsafeRawBufferPointer(rebasing: pending[(chunk.pos - before)...])
    }
    output += Int64(out.pos)
    try limit.check(input: input, output: output)
    return out.pos
  }
}

/// Writes gzip whose bytes depend on nothing but the input: no name, no time.
package final class GzipWriter {
  private let stream: UnsafeMutablePointer<z_stream>
  private let memory: UnsafeMutableRawBufferPointer
  private let sink: (UnsafeRawBufferPointer) throws -> Void

  /// Hands what it makes to `sink`.
  package init(level: Int32 = 6, sink: @escaping (UnsafeRawBufferPointer) throws -> Void) throws {
    self.sink = sink
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    memory = .allocate(byteCount: 256 << 10, alignment: 64)
    let status = deflateInit2_(
      stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      throw SystemError(ENOMEM, "deflateInit")
    }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
    memory.deallocate()
  }

  /// Compresses these bytes.
  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    try deflateAll(bytes, Z_NO_FLUSH)
  }

  /// Writes what is left and the trailer. To be called once, last.
  package func finish() throws {
    try deflateAll(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH)
  }

  private func deflateAll(_ bytes: UnsafeRawBufferPointer, _ flush: Int32) throws {
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = UInt32(clamping: bytes.count)
    while true {
      stream.pointee.next_out = memory.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_out = UInt32(memory.count)
      let status = deflate(stream, flush)
      guard status != Z_STREAM_ERROR else { throw SystemError(EIO, "deflate") }
      let made = memory.count - Int(stream.pointee.avail_out)
      if made > 0 { try sink(UnsafeRawBufferPointer(rebasing: memory[..<made])) }
      if flush == Z_FINISH ? status == Z_STREAM_END : stream.pointee.avail_out > 0 { return }
    }
  }
}
