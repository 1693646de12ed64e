package import FoundationEssentials

/// A moment, in milliseconds since 1970-01-01T00:00:00Z, leap seconds left out.
package struct Timestamp: Hashable, Sendable, Comparable {
  /// Milliseconds since 1970; negative before.
  package var milliseconds: Int64

  /// The moment so many milliseconds after 1970 began.
  package init(milliseconds: Int64) {
    self.milliseconds = milliseconds
  }

  /// The moment so many seconds after 1970 began, as a JWT counts.
  package init(seconds: Int64) {
    let product = seconds.multipliedReportingOverflow(by: 1_000)
    self.milliseconds = product.overflow ? (seconds < 0 ? .min : .max) : product.partialValue
  }

  /// The moment of a date, cut to milliseconds.
  package init(_ date: Date) {
    self.milliseconds = Int64((date.timeIntervalSince1970 * 1_000).rounded(.down))
  }

  /// What the machine's clock says.
  package static func now() -> Timestamp { Timestamp(Date()) }

  /// Whole seconds since 1970, rounded down.
  package var seconds: Int64 {
    milliseconds >= 0 ? milliseconds / 1_000 : (milliseconds - 999) / 1_000
  }

  /// The moment as a date.
  package var date: Date { Date(timeIntervalSince1970: Double(milliseconds) / 1_000) }

  /// Earlier first.
  package static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.milliseconds < right.milliseconds
  }

  /// The moment that much later, cut to milliseconds; the ends of the range hold it.
  package static func + (moment: Timestamp, duration: Duration) -> Timestamp {
    let sum = moment.milliseconds.addingReportingOverflow(duration.wholeMilliseconds)
    guard sum.overflow else { return Timestamp(milliseconds: sum.partialValue) }
    return Timestamp(milliseconds: duration < .zero ? .min : .max)
  }

  /// The moment that much earlier.
  package static func - (moment: Timestamp, duration: Duration) -> Timestamp {
    moment + (.zero - duration)
  }

  /// How long it is from `earlier` to `later`.
  package static func - (later: Timestamp, earlier: Timestamp) -> Duration {
    let difference = later.milliseconds.subtractingReportingOverflow(earlier.milliseconds)
    guard difference.overflow else { return .milliseconds(difference.partialValue) }
    return .milliseconds(later < earlier ? Int64.min : Int64.max)
  }
}

extension Duration {
  /// The duration in milliseconds, towards zero; the ends of the range hold it.
  var wholeMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    let product = seconds.multipliedReportingOverflow(by: 1_000)
    guard !product.overflow else { return seconds < 0 ? .min : .max }
    let sum = product.partialValue.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
    return sum.overflow ? (seconds < 0 ? .min : .max) : sum.partialValue
  }
}

extension Timestamp: CustomStringConvertible {
  /// RFC 3339 text in UTC, with milliseconds when there are any: `2026-03-01T09:30:00.250Z`.
  package var description: String {
    let fraction = milliseconds - seconds * 1_000
    let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    let second = seconds - days * 86_400
    let (year, month, day) = Self.civil(fromDays: days)
    var text = "\(Self.digits(year, 4))-\(Self.digits(month, 2))-\(Self.digits(day, 2))T"
    text += "\(Self.digits(second / 3_600, 2)):\(Self.digits(second / 60 % 60, 2))"
    text += ":\(Self.digits(second % 60, 2))"
    if fraction != 0 { text += ".\(Self.digits(fraction, 3))" }
    return text + "Z"
  }

  private static func digits(_ number: Int64, _ width: Int) -> String {
    let text = String(number.magnitude)
    let zeros = String(repeating: "0", count: max(0, width - text.count))
    return (number < 0 ? "-" : "") + zeros + text
  }

  /// The date of the proleptic Gregorian calendar that lies so many days after 1970-01-01. Years
  /// are counted from March in cycles of 400, so that the leap day is the last of its year.
  static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }

  static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
}

extension Timestamp {
  /// Reads RFC 3339 text (section 5.6); digits below a millisecond are cut off, a leap second counts
  /// as the one after it. Nil for anything else.
  package init?(_ text: String) {
    var reader = TextReader(bytes: Array(text.utf8))
    guard reader.bytes.count <= 64, let year = reader.number(4), reader.take("-"),
      let month = reader.number(2), reader.take("-"), let day = reader.number(2),
      reader.take("T") || reader.take("t") || reader.take(" "),
      let hour = reader.number(2), reader.take(":"), let minute = reader.number(2),
      reader.take(":"), let second = reader.number(2), let fraction = reader.fraction(),
      let offset = reader.offset(), reader.isAtEnd,
      (1...12).contains(month), day >= 1, day <= Self.length(of: month, in: year),
      hour <= 23, minute <= 59, second <= 60
    else { return nil }
    let days = Self.days(year: year, month: month, day: day)
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset
    self.milliseconds = seconds * 1_000 + fraction
  }

  static func length(of month: Int64, in year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private struct TextReader {
    let bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard index < bytes.count, UInt32(bytes[index]) == character.value else { return false }
      index += 1
      return true
    }

    mutating func digit() -> Int64? {
      guard index < bytes.count, (48...57).contains(bytes[index]) else { return nil }
      defer { index += 1 }
      return Int64(bytes[index] - 48)
    }

    mutating func number(_ width: Int) -> Int64? {
      var value: Int64 = 0
      for _ in 0..<width {
        guard let digit = digit() else { return nil }
        value = value * 10 + digit
      }
      return value
    }

    /// Milliseconds; 0 when there is no fraction, nil when it has no digits.
    mutating func fraction() -> Int64? {
      guard take(".") else { return 0 }
      guard let first = digit() else { return nil }
      var value = first * 100
      var weight: Int64 = 10
      while let digit = digit() {
        value += digit * weight
        weight /= 10
      }
      return value
    }

    /// Seconds east of Greenwich.
    mutating func offset() -> Int64? {
      if take("Z") || take("z") { return 0 }
      let sign: Int64
      if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
      guard let hour = number(2), take(":"), let minute = number(2), hour <= 23, minute <= 59
      else { return nil }
      return sign * (hour * 3_600 + minute * 60)
    }
  }
}

extension Timestamp: Codable {
  /// Reads RFC 3339 text.
  package init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let moment = Timestamp(text) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "not RFC 3339 time"))
    }
    self = moment
  }

  /// Writes RFC 3339 text.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
