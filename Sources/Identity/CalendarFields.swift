/// A moment as a calendar in UTC shows it, to the second.
package struct CalendarFields: Hashable, Sendable {
  package var year: Int64
  /// 1 to 12.
  package var month: Int64
  /// 1 to 31.
  package var day: Int64
  package var hour: Int64
  package var minute: Int64
  package var second: Int64

  /// The fields of a moment; what is below a second is cut off.
  package init(_ moment: Timestamp) {
    let seconds = moment.seconds
    let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    let rest = seconds - days * 86_400
    (year, month, day) = Timestamp.civil(fromDays: days)
    (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60)
  }

  /// These fields.
  package init(
    year: Int64, month: Int64, day: Int64, hour: Int64 = 0, minute: Int64 = 0, second: Int64 = 0
  ) {
    (self.year, self.month, self.day) = (year, month, day)
    (self.hour, self.minute, self.second) = (hour, minute, second)
  }

  /// The moment; fields beyond their range count on into the next larger one, save the month.
  package var timestamp: Timestamp {
    Timestamp(seconds: daysSince1970 * 86_400 + hour * 3_600 + minute * 60 + second)
  }

  /// Days since 1970-01-01.
  package var daysSince1970: Int64 { Timestamp.days(year: year, month: month, day: day) }

  /// 0 for Sunday to 6 for Saturday.
  package var weekday: Int64 { ((daysSince1970 + 4) % 7 + 7) % 7 }

  /// 1 for the first of January.
  package var dayOfYear: Int64 {
    daysSince1970 - Timestamp.days(year: year, month: 1, day: 1) + 1
  }

  /// How many days the month has.
  package var daysInMonth: Int64 { Timestamp.length(of: month, in: year) }
}
