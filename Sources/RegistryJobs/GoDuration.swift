/// Lengths of time as the products' clients write them: Go's `1h30m`, `500ms`, `-2s`.
package enum GoDuration {
  private static let units: [(name: String, attoseconds: Int64, seconds: Int64)] = [
    ("ns", 1_000_000_000, 0), ("us", 1_000_000_000_000, 0), ("µs", 1_000_000_000_000, 0),
    ("μs", 1_000_000_000_000, 0), ("ms", 1_000_000_000_000_000, 0), ("s", 0, 1), ("m", 0, 60),
    ("h", 0, 3_600),
  ]

  /// The duration of this text; nil when it is none, or longer than a hundred years.
  package static func parse(_ text: String) -> Duration? {
    var rest = Substring(text)
    let isNegative = rest.hasPrefix("-")
    if rest.hasPrefix("-") || rest.hasPrefix("+") { rest.removeFirst() }
    if rest == "0" { return .zero }
    guard !rest.isEmpty, text.utf8.count <= 64 else { return nil }
    var sum = Duration.zero
    while !rest.isEmpty {
      let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      rest = rest.dropFirst(number.count)
      let name = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
      rest = rest.dropFirst(name.count)
      guard let unit = units.first(where: { $0.name == String(name) }),
        let amount = Double(number),
        amount * (Double(unit.seconds) + Double(unit.attoseconds) / 1e18) < 3_155_760_000
      else { return nil }
      let one = Duration(
        secondsComponent: unit.seconds, attosecondsComponent: unit.attoseconds)
      sum += multiply(one, number)
    }
    guard sum < .seconds(3_155_760_000) else { return nil }
    return isNegative ? .zero - sum : sum
  }

  /// A unit times a decimal number, exact to nine digits behind the point.
  private static func multiply(_ unit: Duration, _ number: Substring) -> Duration {
    let parts = number.split(separator: ".", omittingEmptySubsequences: false)
    let digits = parts.count == 2 ? parts[1].prefix(9) : ""
    let divisor = digits.reduce(Int64(1)) { product, _ in product * 10 }
    return unit * (Int64(parts[0]) ?? 0) + unit * (Int64(digits) ?? 0) / divisor
  }

  /// The text of a duration, as Go writes it to the millisecond: `1h30m0s`, `1.5s`.
  package static func text(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let milliseconds = abs(attoseconds / 1_000_000_000_000_000)
    let magnitude = abs(seconds)
    let sign = seconds < 0 || attoseconds < 0 ? "-" : ""
    if magnitude == 0 { return milliseconds == 0 ? "0s" : "\(sign)\(milliseconds)ms" }
    var text = sign
    if magnitude >= 3_600 { text += "\(magnitude / 3_600)h" }
    if magnitude >= 60 { text += "\(magnitude / 60 % 60)m" }
    text += "\(magnitude % 60)"
    if milliseconds > 0 {
      let digits = String(milliseconds)
      var fraction = String(repeating: "0", count: 3 - digits.count) + digits
      while fraction.hasSuffix("0") { fraction.removeLast() }
      text += "." + fraction
    }
    return text + "s"
  }
}
