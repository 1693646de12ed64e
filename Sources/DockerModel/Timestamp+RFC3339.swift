import Glibc

extension Timestamp: Codable {
  /// The instant that Go, and so every Docker client, takes for "never": the start of year 1.
  package static let zero = Timestamp(seconds: -62_135_596_800)

  /// The time now.
  package static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int32(time.tv_nsec))
  }

  /// Whether this is the instant that stands for "never".
  package var isZero: Bool { self == .zero }

  /// Nanoseconds since 1970, held at the bounds of the type.
  package var nanosecondsSinceEpoch: Int64 {
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return seconds < 0 ? .min : .max }
    return product.addingReportingOverflow(Int64(nanoseconds)).partialValue
  }

  /// The instant so many nanoseconds after 1970.
  package init(nanosecondsSinceEpoch: Int64) {
    let (quotient, remainder) = nanosecondsSinceEpoch.quotientAndRemainder(
      dividingBy: 1_000_000_000)
    self.init(
      seconds: remainder < 0 ? quotient - 1 : quotient,
      nanoseconds: Int32(remainder < 0 ? remainder + 1_000_000_000 : remainder))
  }

  /// The instant as RFC 3339 with as many decimals as it needs, in UTC.
  package var rfc3339: String {
    let days = Int64((Double(seconds) / 86400).rounded(.down))
    let secondOfDay = seconds - days * 86400
    let (year, month, day) = Self.civil(fromDays: days)
    var text = Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-" + Self.padded(day, 2)
    text += "T" + Self.padded(secondOfDay / 3600, 2) + ":"
    text += Self.padded(secondOfDay / 60 % 60, 2) + ":" + Self.padded(secondOfDay % 60, 2)
    if nanoseconds > 0 {
      var decimals = Self.padded(Int64(nanoseconds), 9)
      while decimals.last == "0" { decimals.removeLast() }
      text += "." + decimals
    }
    return text + "Z"
  }

  /// Reads RFC 3339, with any offset and any number of decimals; nil when it is not that.
  package init?(rfc3339 text: String) {
    var bytes = Array(text.utf8)[...]
    func number(_ digits: Int) -> Int64? {
      guard bytes.count >= digits else { return nil }
      var value: Int64 = 0
      for byte in bytes.prefix(digits) {
        guard (48...57).contains(byte) else { return nil }
        value = value * 10 + Int64(byte - 48)
      }
      bytes = bytes.dropFirst(digits)
      return value
    }
    func skip(_ allowed: String) -> UInt8? {
      guard let first = bytes.first, allowed.utf8.contains(first) else { return nil }
      return bytes.popFirst()
    }
    guard let year = number(4), skip("-") != nil, let month = number(2), skip("-") != nil,
      let day = number(2), skip("Tt ") != nil, let hour = number(2), skip(":") != nil,
      let minute = number(2), skip(":") != nil, let second = number(2),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
    else { return nil }
    var nanoseconds: Int32 = 0
    if skip(".") != nil {
      var scale: Int32 = 100_000_000
      guard let first = bytes.first, (48...57).contains(first) else { return nil }
      while let byte = bytes.first, (48...57).contains(byte) {
        nanoseconds += Int32(byte - 48) * scale
        scale /= 10
        bytes = bytes.dropFirst()
      }
    }
    guard let zone = skip("Zz+-") else { return nil }
    var offset: Int64 = 0
    if zone == UInt8(ascii: "+") || zone == UInt8(ascii: "-") {
      guard let hours = number(2), skip(":") != nil, let minutes = number(2) else { return nil }
      offset = (hours * 60 + minutes) * (zone == UInt8(ascii: "-") ? -60 : 60)
    }
    guard bytes.isEmpty else { return nil }
    let days = Self.days(fromCivil: year, month, day)
    self.init(
      seconds: days * 86400 + hour * 3600 + minute * 60 + second - offset,
      nanoseconds: nanoseconds)
  }

  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    guard let time = Timestamp(rfc3339: try value.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: value, debugDescription: "not an RFC 3339 time")
    }
    self = time
  }

  package func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    try value.encode(rfc3339)
  }

  /// How long after `earlier` this is.
  package func elapsed(since earlier: Timestamp) -> Duration {
    .seconds(seconds - earlier.seconds) + .nanoseconds(Int64(nanoseconds - earlier.nanoseconds))
  }

  private static func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }

  /// The date of a day counted from 1970, in the proleptic Gregorian calendar. Years are counted
  /// from March, so that the leap day is the last of its year.
  private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  /// The day counted from 1970 of a date; the inverse of `civil(fromDays:)`.
  private static func days(fromCivil year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
}
