import Glibc
import NIOCore

/// Turns log text into what a client wants.
struct LogFraming: Sendable {
  private let options: ContainerLog.Options
  private let isMultiplexed: Bool
  private let since: [UInt8]?

  init(_ options: ContainerLog.Options, _ format: ContainerLog.Format) {
    self.options = options
    isMultiplexed = format == .multiplexed
    since = options.since.map(LogStamp.text)
  }

  /// A text that was read: whole records, with what the reader knows of the lines before.
  struct Chunk {
    var bytes: UnsafeBufferPointer<UInt8>
    /// Streams that are within a line at the start of the chunk, by raw value; updated.
    var openLines: UInt8
    /// Stop before records with this stamp or a later one.
    var until: [UInt8]?
    /// Set when a record beyond `until` was seen.
    var isBeyond = false
  }

  /// Calls `body` for each wanted record, with whether it continues a line.
  @inline(__always)
  private func forEachRecord(
    _ chunk: inout Chunk, _ body: (LogRecord, _ continues: Bool) -> Void
  ) {
    guard let base = chunk.bytes.baseAddress else { return }
    var position = 0
    let count = chunk.bytes.count
    while position < count {
      guard let newline = memchr(base + position, 0x0A, count - position) else { return }
      let end = UnsafeRawPointer(newline) - UnsafeRawPointer(base) + 1
      defer { position = end }
      guard let record = LogRecord(base, from: position, to: end) else { continue }
      let stamp = base + position
      if let until = chunk.until, memcmp(stamp, until, LogRecord.comparableLength) > 0 {
        chunk.isBeyond = true
        return
      }
      let bit = record.stream.rawValue
      let continues = chunk.openLines & bit != 0
      if record.isPartial { chunk.openLines |= bit } else { chunk.openLines &= ~bit }
      if let since, memcmp(stamp, since, LogRecord.comparableLength) < 0 { continue }
      guard record.stream == .standardOutput ? options.stdout : options.stderr else { continue }
      body(record, continues)
    }
  }

  /// From this length of a chunk on, lines share frames: a client that is so far behind reads
  /// faster than it can tell lines apart, and most of its time would go into frames.
  private static let bulk = 256 << 10
  /// The longest frame that lines share.
  private static let longestSharedFrame = 32 << 10

  /// A buffer that frames are written to.
  private struct Output {
    let base: UnsafeMutablePointer<UInt8>
    let sharesFrames: Bool
    var written = 0
    private var frameStart = 0
    private var frameStream: OutputStream?

    init(_ base: UnsafeMutablePointer<UInt8>, sharesFrames: Bool) {
      self.base = base
      self.sharesFrames = sharesFrames
    }

    /// Begins a frame for `length` bytes of a stream, or goes on with the last one.
    @inline(__always)
    mutating func open(_ stream: OutputStream, _ length: Int) {
      if sharesFrames, frameStream == stream,
        written - frameStart + length <= LogFraming.longestSharedFrame
      {
        return
      }
      close()
      frameStart = written
      frameStream = stream
      written += 8
    }

    /// Writes the head of the last frame, now that its length is known.
    @inline(__always)
    mutating func close() {
      guard let frameStream else { return }
      let length = UInt32(truncatingIfNeeded: written - frameStart - 8)
      let head = (UInt64(frameStream.rawValue) << 56 | UInt64(length)).bigEndian
      UnsafeMutableRawPointer(base + frameStart).storeBytes(of: head, as: UInt64.self)
      self.frameStream = nil
    }

    @inline(__always)
    mutating func append(_ source: UnsafePointer<UInt8>, _ length: Int) {
      memcpy(base + written, source, length)
      written += length
    }
  }

  /// The bytes for a client. A record becomes at most as long as it was, since its head of 45 bytes
  /// gives way to at most 39, so one buffer of the chunk's length holds them all.
  func frames(_ chunk: inout Chunk) -> ByteBuffer {
    let size = chunk.bytes.count
    var buffer = ByteBufferAllocator().buffer(capacity: size)
    guard let source = chunk.bytes.baseAddress else { return buffer }
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
      guard let base = target.bindMemory(to: UInt8.self).baseAddress else { return 0 }
      var output = Output(base, sharesFrames: size >= Self.bulk)
      forEachRecord(&chunk) { record, continues in
        let textLength = record.text.count + (record.isPartial ? 0 : 1)
        let hasStamp = options.timestamps && !continues
        if isMultiplexed {
          output.open(
            record.stream, textLength + (hasStamp ? LogRecord.comparableLength + 2 : 0))
        }
        if hasStamp {
          output.append(source + record.start, LogRecord.comparableLength)
          output.base[output.written] = UInt8(ascii: "Z")
          output.base[output.written + 1] = UInt8(ascii: " ")
          output.written += 2
        }
        output.append(source + record.text.lowerBound, textLength)
      }
      output.close()
      return output.written
    }
    return buffer
  }

  /// The values.
  func entries(_ chunk: inout Chunk) -> [ContainerLog.Entry] {
    guard let source = chunk.bytes.baseAddress else { return [] }
    var entries: [ContainerLog.Entry] = []
    forEachRecord(&chunk) { record, _ in
      let length = record.text.count + (record.isPartial ? 0 : 1)
      var text = ByteBufferAllocator().buffer(capacity: length)
      text.writeBytes(UnsafeRawBufferPointer(start: source + record.text.lowerBound, count: length))
      entries.append(
        .init(
          timestamp: LogStamp.nanoseconds(source + record.start), stream: record.stream,
          text: text, isPartial: record.isPartial))
    }
    return entries
  }
}
