package import Identity
package import Registry

/// The tag that a promoted or mirrored tag gets: text with `%n` for the tag itself and the parts of
/// the time in UTC.
package struct TagTemplate: Sendable, Hashable {
  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]
  private static let weekdays = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]

  /// The template's text.
  package let text: String

  /// A template from its text; the empty one means `%n`. Throws ``JobError`` (`invalidRequest`)
  /// when it cannot make a tag.
  package init(_ text: String) throws {
    self.text = text.isEmpty ? "%n" : text
    guard self.text.utf8.count <= 128,
      tag(for: "latest", at: Timestamp(milliseconds: 0)) != nil
    else { throw JobError.invalid("tagTemplate", "the template makes no tag") }
  }

  /// The tag that `name` gets at this time; nil when it would be none.
  package func tag(for name: String, at time: Timestamp) -> Tag? {
    let at = CalendarFields(time)
    var result = ""
    var symbols = text.makeIterator()
    while let character = symbols.next() {
      guard character == "%" else {
        result.append(character)
        continue
      }
      guard let symbol = symbols.next(), let part = Self.part(symbol, name, at, time) else {
        return nil
      }
      result += part
    }
    return Tag(result)
  }

  private static func part(
    _ symbol: Character, _ name: String, _ at: CalendarFields, _ time: Timestamp
  ) -> String? {
    switch symbol {
    case "n": name
    case "A": weekdays[Int(at.weekday)]
    case "a": String(weekdays[Int(at.weekday)].prefix(3))
    case "w": String(at.weekday)
    case "d": digits(at.day)
    case "B": months[Int(at.month) - 1]
    case "b": String(months[Int(at.month) - 1].prefix(3))
    case "m": digits(at.month)
    case "Y": digits(at.year, 4)
    case "y": digits(at.year % 100)
    case "H": digits(at.hour)
    case "I": digits(at.hour % 12 == 0 ? 12 : at.hour % 12)
    case "p": at.hour < 12 ? "AM" : "PM"
    case "M": digits(at.minute)
    case "S": digits(at.second)
    case "f": digits((time.milliseconds % 1_000 + 1_000) % 1_000 * 1_000, 6)
    case "Z": "UTC"
    case "j": digits(at.dayOfYear, 3)
    // Weeks begin on Monday; days before the first Monday are in week 0.
    case "W": digits((at.dayOfYear + 6 - (at.weekday + 6) % 7) / 7)
    case "%": "%"
    default: nil
    }
  }

  private static func digits(_ number: Int64, _ width: Int = 2) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.count)) + text
  }
}
