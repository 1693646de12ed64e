/// Sizes as people write them.
enum ByteCount {
  /// The bytes of `64m`, `1g`, `10KB`, `512`, counted in powers of 1024; nil when it is not that.
  static func parse(_ text: String) -> Int64? {
    var digits = text.lowercased()
    if digits.hasSuffix("ib") {
      digits.removeLast(2)
    } else if digits.hasSuffix("b") {
      digits.removeLast()
    }
    let shifts: [Character: Int] = ["k": 10, "m": 20, "g": 30, "t": 40]
    var shift = 0
    if let last = digits.last, let known = shifts[last] {
      shift = known
      digits.removeLast()
    }
    if let whole = Int64(digits) {
      let (product, overflow) = whole.multipliedReportingOverflow(by: 1 << shift)
      return overflow || whole < 0 ? nil : product
    }
    guard let fraction = Double(digits), fraction >= 0 else { return nil }
    return Int64(exactly: (fraction * Double(1 << shift)).rounded())
  }
}
