import Glibc

/// Where one record lies in a buffer of log text.
///
/// conmon writes CRI's form, one record a line:
/// `2024-05-01T12:00:00.123456789+00:00 stdout F text`. The stamp has always 35 characters, in UTC
/// because conmon is told so, and `stdout` and `stderr` have six each, so that text begins at a
/// fixed place. `F` ends a line of the container; `P` is a part of one that was too long for
/// conmon's buffer, or that the container has not ended yet.
struct LogRecord {
  static let stampLength = 35
  /// The stamp without the offset, which is always the same.
  static let comparableLength = 29
  private static let streamStart = 36
  private static let tagStart = 43
  static let textStart = 45

  /// Start of the record.
  var start: Int
  /// Just behind the newline.
  var end: Int
  var stream: OutputStream
  /// Whether it is a part of a line.
  var isPartial: Bool

  /// The text without the newline that ends the record.
  var text: Range<Int> { (start + Self.textStart)..<(end - 1) }

  /// Reads the record in `bytes` that starts at `start` and ends before `end` with a newline; nil
  /// when it is none, as after a crash of the machine.
  @inline(__always)
  init?(_ bytes: UnsafePointer<UInt8>, from start: Int, to end: Int) {
    guard end - start > Self.textStart else { return nil }
    let line = bytes + start
    guard line[Self.stampLength] == UInt8(ascii: " "),
      line[Self.streamStart + 6] == UInt8(ascii: " "), line[Self.tagStart + 1] == UInt8(ascii: " ")
    else { return nil }
    self.start = start
    self.end = end
    stream = line[Self.streamStart + 3] == UInt8(ascii: "e") ? .standardError : .standardOutput
    isPartial = line[Self.tagStart] == UInt8(ascii: "P")
  }
}

/// Log time stamps: RFC 3339 with nanoseconds, in UTC.
enum LogStamp {
  /// The 29 characters of a time, for comparing as text.
  static func text(_ nanoseconds: Int64) -> [UInt8] {
    // Times that four digits of a year cannot hold are before or after everything.
    let clamped = min(max(nanoseconds, 0), Int64.max)
    var seconds = time_t(clamped / 1_000_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text: [UInt8] = []
    func append(_ value: Int, _ digits: Int, _ suffix: Character?) {
      let number = Array(String(value).utf8)
      text += [UInt8](repeating: UInt8(ascii: "0"), count: max(0, digits - number.count)) + number
      if let suffix { text += Array(String(suffix).utf8) }
    }
    append(Int(parts.tm_year) + 1900, 4, "-")
    append(Int(parts.tm_mon) + 1, 2, "-")
    append(Int(parts.tm_mday), 2, "T")
    append(Int(parts.tm_hour), 2, ":")
    append(Int(parts.tm_min), 2, ":")
    append(Int(parts.tm_sec), 2, ".")
    append(Int(clamped % 1_000_000_000), 9, nil)
    return text
  }

  /// The time of a stamp, in nanoseconds since 1970; 0 for what is none.
  static func nanoseconds(_ bytes: UnsafePointer<UInt8>) -> Int64 {
    func number(_ start: Int, _ count: Int) -> Int64 {
      (start..<(start + count)).reduce(0) { $0 &* 10 &+ Int64(bytes[$1] &- UInt8(ascii: "0")) }
    }
    var parts = tm()
    parts.tm_year = Int32(truncatingIfNeeded: number(0, 4)) - 1900
    parts.tm_mon = Int32(truncatingIfNeeded: number(5, 2)) - 1
    parts.tm_mday = Int32(truncatingIfNeeded: number(8, 2))
    parts.tm_hour = Int32(truncatingIfNeeded: number(11, 2))
    parts.tm_min = Int32(truncatingIfNeeded: number(14, 2))
    parts.tm_sec = Int32(truncatingIfNeeded: number(17, 2))
    let seconds = Int64(timegm(&parts))
    return seconds &* 1_000_000_000 &+ number(20, 9)
  }
}
