/// A moment in the forms that S3 writes it in. Seconds and calendar days are in UTC.
struct S3Time: Equatable, Sendable {
  /// Milliseconds since 1970.
  let milliseconds: Int64

  init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// A time such as `2009-10-12T17:50:30.000Z`; nil when it is not well formed.
  init?(iso8601 text: some StringProtocol) {
    let bytes = Array(text.utf8.prefix(40))
    func number(_ range: Range<Int>) -> Int64? {
      guard range.upperBound <= bytes.count else { return nil }
      var value: Int64 = 0
      for byte in bytes[range] {
        guard (48...57).contains(byte) else { return nil }
        value = value * 10 + Int64(byte - 48)
      }
      return value
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
      bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
      bytes[10] == UInt8(ascii: "T"), bytes.last == UInt8(ascii: "Z"),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
    else { return nil }
    var fraction: Int64 = 0
    if bytes.count > 20 {
      guard bytes[19] == UInt8(ascii: "."), number(20..<bytes.count - 1) != nil else { return nil }
      fraction = number(20..<min(23, bytes.count - 1)) ?? 0
      for _ in min(23, bytes.count - 1)..<23 { fraction *= 10 }
    }
    let days = Self.days(year: year, month: month, day: day)
    milliseconds = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + fraction
  }

  /// `20130524`
  var day: String { String(basic.prefix(8)) }

  /// `20130524T000000Z`
  var basic: String {
    let seconds = (milliseconds >= 0 ? milliseconds : milliseconds - 999) / 1000
    var days = seconds / 86_400
    var rest = seconds % 86_400
    if rest < 0 { (days, rest) = (days - 1, rest + 86_400) }
    let (year, month, day) = Self.date(days)
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
    return Self.digits(year, 4) + Self.digits(month, 2) + Self.digits(day, 2) + "T"
      + Self.digits(hour, 2) + Self.digits(minute, 2) + Self.digits(second, 2) + "Z"
  }

  private static func digits(_ value: Int64, _ count: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
  }

  // The Gregorian calendar repeats after 400 years, 146,097 days. Years are taken to begin in
  // March, so that the leap day is the last of its year.

  private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = year / 400
    let ofEra = year % 400
    let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
  }

  private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let ofEra = shifted - era * 146_097
    let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * year + year / 4 - year / 100)
    let index = (5 * ofYear + 2) / 153
    let month = index < 10 ? index + 3 : index - 9
    return (
      year + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * index + 2) / 5 + 1
    )
  }
}
