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

  /// The bytes for a client. A record becomes at most as long as it was, since its head of 45 bytes
  /// gives way to at most 39, so one buffer of the chunk's length holds them all.
  func frames(_ chunk: inout Chunk) -> ByteBuffer {
    var buffer = ByteBufferAllocator().buffer(capacity: chunk.bytes.count)
    guard let source = chunk.bytes.baseAddress else { return buffer }
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: chunk.bytes.count) { target in
      guard let base = target.bindMemory(to: UInt8.self).baseAddress else { return 0 }
      var written = 0
      forEachRecord(&chunk) { record, continues in
        let textLength = record.text.count + (record.isPartial ? 0 : 1)
        let hasStamp = options.timestamps && !continues
        let length = textLength + (hasStamp ? LogRecord.comparableLength + 2 : 0)
        if isMultiplexed {
          Self.writeHead(base + written, record.stream, length)
          written += 8
        }
        if hasStamp {
          memcpy(base + written, source + record.start, LogRecord.comparableLength)
          written += LogRecord.comparableLength
          base[written] = UInt8(ascii: "Z")
          base[written + 1] = UInt8(ascii: " ")
          written += 2
        }
        memcpy(base + written, source + record.text.lowerBound, textLength)
        written += textLength
      }
      return written
    }
    return buffer
  }

  @inline(__always)
  private static func writeHead(
    _ target: UnsafeMutablePointer<UInt8>, _ stream: OutputStream, _ length: Int
  ) {
    let head = (UInt64(stream.rawValue) << 56 | UInt64(UInt32(truncatingIfNeeded: length)))
      .bigEndian
    UnsafeMutableRawPointer(target).storeBytes(of: head, as: UInt64.self)
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
