package import Identity

/// When something is to happen again and again, in UTC: six fields `second minute hour day month
/// weekday`, five without the seconds, `@hourly` and the like, or `@every 10m`.
///
/// A field holds `*`, numbers, names (`jan`, `mon`), ranges `a-b`, steps `*/n` and lists of those.
/// When day and weekday are both restricted, a day that fits either is meant, as in cron.
package struct CronSchedule: Hashable, Sendable {
  private enum Kind: Hashable, Sendable {
    case fields(Fields)
    case every(Int64)
  }

  private struct Fields: Hashable, Sendable {
    /// Sets of bits: second, minute, hour, day, month, weekday.
    var bits: [UInt64]
    var anyDay: Bool
    var anyWeekday: Bool
  }

  private let kind: Kind
  /// What the schedule was read from.
  package let text: String

  private static let ranges: [ClosedRange<Int>] = [0...59, 0...59, 0...23, 1...31, 1...12, 0...6]
  private static let months = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]
  private static let weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
  private static let shorthands = [
    "@yearly": "0 0 0 1 1 *", "@annually": "0 0 0 1 1 *", "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0", "@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
  ]

  /// A schedule from its text. Throws ``JobError`` (`invalidRequest`).
  package init(_ text: String) throws {
    self.text = text
    let lower = text.lowercased()
    if lower.hasPrefix("@every ") {
      guard let duration = GoDuration.parse(String(lower.dropFirst(7))), duration >= .seconds(1)
      else { throw Self.invalid(text) }
      kind = .every(duration.components.seconds)
      return
    }
    var fields = (Self.shorthands[lower] ?? lower)
      .split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    if fields.count == 5 { fields.insert("0", at: 0) }
    guard fields.count == 6, text.utf8.count <= 256 else { throw Self.invalid(text) }
    var bits: [UInt64] = []
    for (index, field) in fields.enumerated() {
      guard let set = Self.parse(field, index) else { throw Self.invalid(text) }
      bits.append(set)
    }
    kind = .fields(
      Fields(
        bits: bits, anyDay: fields[3].hasPrefix("*") || fields[3] == "?",
        anyWeekday: fields[5].hasPrefix("*") || fields[5] == "?"))
  }

  private static func invalid(_ text: String) -> JobError {
    JobError(
      .invalidRequest, "the schedule is not one of six fields",
      metadata: ["field": "schedule", "schedule": String(text.prefix(100))])
  }

  private static func parse(_ field: String, _ index: Int) -> UInt64? {
    var set: UInt64 = 0
    for part in field.split(separator: ",", omittingEmptySubsequences: false) {
      let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
      guard (1...2).contains(pieces.count) else { return nil }
      var range = ranges[index]
      let isAny = pieces[0] == "*" || pieces[0] == "?"
      if !isAny {
        let ends = pieces[0].split(separator: "-", omittingEmptySubsequences: false)
        guard (1...2).contains(ends.count), let first = number(ends[0], index),
          let last = number(ends[ends.count - 1], index), first <= last
        else { return nil }
        // `5/10` means from 5 on.
        let isOpen = ends.count == 1 && pieces.count == 2
        range = first...(isOpen ? max(first, ranges[index].upperBound) : last)
      }
      var step = 1
      if pieces.count == 2 {
        guard pieces[1].utf8.allSatisfy({ (48...57).contains($0) }), let given = Int(pieces[1]),
          (1...100).contains(given)
        else { return nil }
        step = given
      }
      for value in stride(from: range.lowerBound, through: range.upperBound, by: step) {
        // Sunday is 0 and 7.
        set |= 1 << UInt64(index == 5 ? value % 7 : value)
      }
    }
    return set == 0 ? nil : set
  }

  private static func number(_ text: Substring, _ index: Int) -> Int? {
    if index == 4, let month = months.firstIndex(of: String(text)) { return month + 1 }
    if index == 5, let day = weekdays.firstIndex(of: String(text)) { return day }
    guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int(text)
    else { return nil }
    let range = index == 5 ? 0...7 : ranges[index]
    return range.contains(value) ? value : nil
  }

  /// The first moment after `moment`; nil when there is none within eight years, as for 30 February.
  package func next(after moment: Timestamp) -> Timestamp? {
    switch kind {
    case .every(let seconds): Timestamp(seconds: moment.seconds + seconds)
    case .fields(let fields): Self.next(fields, after: moment)
    }
  }

  private static func next(_ fields: Fields, after moment: Timestamp) -> Timestamp? {
    func has(_ field: Int, _ value: Int64) -> Bool {
      fields.bits[field] & (1 << UInt64(value)) != 0
    }
    var at = CalendarFields(Timestamp(seconds: moment.seconds + 1))
    let lastYear = at.year + 8
    while at.year <= lastYear {
      if !has(4, at.month) {
        at = CalendarFields(
          year: at.month == 12 ? at.year + 1 : at.year, month: at.month % 12 + 1, day: 1)
      } else if !isDay(fields, at) {
        at = CalendarFields(
          CalendarFields(year: at.year, month: at.month, day: at.day + 1).timestamp)
      } else if !has(2, at.hour) {
        at = CalendarFields(
          CalendarFields(year: at.year, month: at.month, day: at.day, hour: at.hour + 1).timestamp)
      } else if !has(1, at.minute) {
        at.second = 0
        at.minute += 1
        at = CalendarFields(at.timestamp)
      } else if !has(0, at.second) {
        at.second += 1
        at = CalendarFields(at.timestamp)
      } else {
        return at.timestamp
      }
    }
    return nil
  }

  private static func isDay(_ fields: Fields, _ at: CalendarFields) -> Bool {
    let day = fields.bits[3] & (1 << UInt64(at.day)) != 0
    let weekday = fields.bits[5] & (1 << UInt64(at.weekday)) != 0
    return fields.anyDay || fields.anyWeekday ? day && weekday : day || weekday
  }
}
