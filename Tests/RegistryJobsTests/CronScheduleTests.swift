import Identity
import Testing

@testable import RegistryJobs

@Suite struct CronScheduleTests {
  private func moment(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }

  private func next(_ schedule: String, after text: String) throws -> String? {
    try CronSchedule(schedule).next(after: moment(text))?.description
  }

  @Test(arguments: [
    ("* * * * * *", "2026-03-01T09:30:00Z", "2026-03-01T09:30:01Z"),
    ("* * * * * *", "2026-03-01T09:30:00.999Z", "2026-03-01T09:30:01Z"),
    ("* * * * *", "2026-03-01T09:30:00Z", "2026-03-01T09:31:00Z"),
    ("0 */15 * * * *", "2026-03-01T09:30:00Z", "2026-03-01T09:45:00Z"),
    ("0 */15 * * * *", "2026-03-01T09:45:01Z", "2026-03-01T10:00:00Z"),
    ("30 5/20 * * * *", "2026-03-01T09:46:00Z", "2026-03-01T10:05:30Z"),
    ("0 0 2 * * *", "2026-12-31T02:00:00Z", "2027-01-01T02:00:00Z"),
    ("0 0 0 31 * *", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"),
    ("0 0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
    ("0 0 0 29 2 *", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"),
    ("0 0 12 * * mon-fri", "2026-03-06T12:00:00Z", "2026-03-09T12:00:00Z"),
    ("0 0 12 * * 0", "2026-03-02T00:00:00Z", "2026-03-08T12:00:00Z"),
    ("0 0 12 * * 7", "2026-03-02T00:00:00Z", "2026-03-08T12:00:00Z"),
    ("0 0 12 * * Sun", "2026-03-02T00:00:00Z", "2026-03-08T12:00:00Z"),
    ("0 0 12 * * 6-7", "2026-03-02T00:00:00Z", "2026-03-07T12:00:00Z"),
    // Both days restricted: either. One of them `*`: both.
    ("0 0 0 13 * 5", "2026-03-01T00:00:00Z", "2026-03-06T00:00:00Z"),
    ("0 0 0 13 * 5", "2026-05-08T00:00:00Z", "2026-05-13T00:00:00Z"),
    ("0 0 0 13 * ?", "2026-03-01T00:00:00Z", "2026-03-13T00:00:00Z"),
    ("0 0 0 ? * 5", "2026-03-01T00:00:00Z", "2026-03-06T00:00:00Z"),
    ("0 0 0 1 jan,JUL *", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"),
    ("1,2,50-52 0 0 1 1 *", "2026-01-01T00:00:02Z", "2026-01-01T00:00:50Z"),
    ("0 0 8-18/5 * * *", "2026-01-01T13:30:00Z", "2026-01-01T18:00:00Z"),
    ("@yearly", "2026-03-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ("@annually", "2026-03-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ("@monthly", "2026-12-02T00:00:00Z", "2027-01-01T00:00:00Z"),
    ("@weekly", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z"),
    ("@daily", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"),
    ("@midnight", "2028-02-28T13:00:00Z", "2028-02-29T00:00:00Z"),
    ("@Hourly", "2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z"),
    ("@every 90m", "2026-03-01T00:00:00Z", "2026-03-01T01:30:00Z"),
    ("* * * * * *", "1969-12-31T23:59:59.500Z", "1970-01-01T00:00:00Z"),
  ])
  func nextMoment(_ schedule: String, _ from: String, _ expected: String) throws {
    #expect(try next(schedule, after: from) == expected)
  }

  @Test func momentsThatNeverComeAreNone() throws {
    #expect(try next("0 0 0 30 2 *", after: "2026-01-01T00:00:00Z") == nil)
    #expect(try next("0 0 0 31 4,6,9,11 *", after: "2026-01-01T00:00:00Z") == nil)
  }

  @Test(arguments: [
    "", " ", "*", "* * * *", "* * * * * * *", "60 * * * * *", "* 60 * * * *", "* * 24 * * *",
    "* * * 0 * *", "* * * 32 * *", "* * * * 0 *", "* * * * 13 *", "* * * * * 8", "5-1 * * * * *",
    "*/0 * * * * *", "*/-1 * * * * *", "*/+5 * * * * *", "*/101 * * * * *", "a * * * * *",
    "1, * * * * *", ",1 * * * * *", "1-2-3 * * * * *", "1/2/3 * * * * *", "-1 * * * * *",
    "+1 * * * * *", "1- * * * * *", "* * * * foo *", "* * * * * fri-sun", "@reboot", "@every",
    "@every 0s", "@every -1h", "@every 500ms", "@every x", "@", "99999999999999999999 * * * * *",
    "١ * * * * *",
  ])
  func malformedSchedulesAreRefused(_ text: String) {
    #expect(throws: JobError.self) { try CronSchedule(text) }
  }

  @Test func anythingIsReadOrRefused() {
    var generator = SeededGenerator(seed: 1)
    let alphabet = Array("0123456789*/,-? @abcjanmonevryhs\u{301}é\u{0}")
    var read = 0
    for _ in 0..<3_000 {
      let length = Int.random(in: 0...24, using: &generator)
      let text = String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? " " })
      do {
        _ = try CronSchedule(text).next(after: Timestamp(seconds: 1_700_000_000))
        read += 1
      } catch {
        #expect((error as? JobError)?.code == .invalidRequest, "\(text)")
      }
    }
    #expect(throws: JobError.self) { try CronSchedule(String(repeating: "* ", count: 100_000)) }
    let list = "0" + String(repeating: ",0", count: 100_000) + " * * * * *"
    #expect(throws: JobError.self) { try CronSchedule(list) }
    #expect(read < 3_000)
  }

  /// A field as text and as the values it means.
  private func field(
    _ range: ClosedRange<Int>, _ generator: inout SeededGenerator
  ) -> (text: String, values: Set<Int>) {
    func value() -> Int { Int.random(in: range, using: &generator) }
    switch Int.random(in: 0..<6, using: &generator) {
    case 0, 1: return ("*", Set(range))
    case 2:
      let one = value()
      return ("\(one)", [one])
    case 3:
      let (one, other) = (value(), value())
      let bounds = min(one, other)...max(one, other)
      return ("\(bounds.lowerBound)-\(bounds.upperBound)", Set(bounds))
    case 4:
      let step = Int.random(in: 1...range.count, using: &generator)
      return ("*/\(step)", Set(stride(from: range.lowerBound, through: range.upperBound, by: step)))
    default:
      let (one, other) = (value(), value())
      return ("\(one),\(other)", [one, other])
    }
  }

  /// Minute by minute, what the table of fields says is what `next` says.
  @Test func nextIsTheFirstMomentThatFits() throws {
    var generator = SeededGenerator(seed: 2)
    for round in 0..<60 {
      let fields = [0...59, 0...23, 1...31, 1...12, 0...6].map { field($0, &generator) }
      let text = fields.map(\.text).joined(separator: " ")
      let schedule = try CronSchedule(text)
      // Days at the ends of months and years are met more often.
      let start = Timestamp(
        seconds: 1_703_700_000 + Int64.random(in: 0..<(3 * 365 * 86_400), using: &generator))
      let anyDay = fields[2].text.hasPrefix("*") || fields[4].text.hasPrefix("*")
      func fits(_ at: CalendarFields) -> Bool {
        let day = fields[2].values.contains(Int(at.day))
        let weekday = fields[4].values.contains(Int(at.weekday))
        return fields[0].values.contains(Int(at.minute)) && fields[1].values.contains(Int(at.hour))
          && fields[3].values.contains(Int(at.month)) && (anyDay ? day && weekday : day || weekday)
      }
      let found = schedule.next(after: start)
      if let found {
        #expect(found > start)
        #expect(found.milliseconds % 60_000 == 0)
        #expect(fits(CalendarFields(found)), "\(text) round \(round)")
      }
      var minute = Timestamp(seconds: (start.seconds / 60 + 1) * 60)
      for _ in 0..<(3 * 1_440) {
        if let found, minute >= found { break }
        #expect(!fits(CalendarFields(minute)), "\(text) round \(round) misses \(minute)")
        minute = minute + .seconds(60)
      }
    }
  }

  @Test func seriesOfDaysAreThoseOfTheCalendar() throws {
    let schedule = try CronSchedule("0 0 0 * * *")
    var at = try moment("2023-12-30T00:00:00Z")
    for _ in 0..<1_000 {
      let next = try #require(schedule.next(after: at))
      #expect(next - at == .seconds(86_400))
      at = next
    }
    #expect(at.description == "2026-09-25T00:00:00Z")
  }
}
