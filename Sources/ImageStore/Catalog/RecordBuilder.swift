import FoundationEssentials
import OCI

/// Makes records, as the engine sees them, of what the catalog knows.
struct RecordBuilder {
  private let state: CatalogState
  private let referencesByImage: [Digest: [String]]
  private let useCounts: [Digest: Int]

  init(_ state: CatalogState) {
    self.state = state
    var references: [Digest: [String]] = [:]
    for (name, image) in state.names { references[image, default: []].append(name) }
    referencesByImage = references
    var counts: [Digest: Int] = [:]
    for image in state.images.values {
      for layer in Set(image.layers) { counts[layer, default: 0] += 1 }
    }
    useCounts = counts
  }

  /// All records, newest first.
  func all() -> [ImageRecord] {
    state.images.keys.compactMap(record).sorted { left, right in
      let (first, second) = (left.created ?? .distantPast, right.created ?? .distantPast)
      return first == second ? left.id > right.id : first > second
    }
  }

  /// One record; nil if there is no such image.
  func record(_ id: Digest) -> ImageRecord? {
    guard let image = state.images[id] else { return nil }
    var tags: [String] = []
    var digests: [String] = []
    for name in referencesByImage[id] ?? [] {
      // Names were parsed before they came in.
      guard let reference = try? ImageReference(parsing: name) else { continue }
      if reference.digest != nil {
        digests.append(reference.familiar)
      } else {
        tags.append(reference.familiar)
      }
    }
    let sizes = image.layers.map { state.layers[$0]?.size ?? 0 }
    let shared = zip(image.layers, sizes).filter { useCounts[$0.0, default: 0] > 1 }
    return ImageRecord(
      id: id, repoTags: tags.sorted(), repoDigests: digests.sorted(),
      configuration: image.configuration, configurationBytes: image.configurationBytes,
      created: image.configuration.created.flatMap(Timestamp.parse),
      size: sizes.reduce(0, +), sharedSize: shared.reduce(0) { $0 + $1.1 }, layers: image.layers,
      lastTagTime: image.stored.lastTagTime.map(Date.init(timeIntervalSince1970:)),
      manifest: image.stored.manifest, parent: image.stored.parent)
  }
}

/// Times in the notation of RFC 3339, with any number of digits in the fraction.
enum Timestamp {
  /// The moment; nil if the text is not one.
  static func parse(_ text: String) -> Date? {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t")
    else { return nil }
    func number(_ range: Range<Int>) -> Int? {
      var value = 0
      for byte in bytes[range] {
        guard (48...57).contains(byte) else { return nil }
        value = value * 10 + Int(byte - 48)
      }
      return value
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
      (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    var rest = bytes[19...]
    var fraction = 0.0
    if rest.first == UInt8(ascii: ".") {
      var scale = 0.1
      rest = rest.dropFirst()
      while let byte = rest.first, (48...57).contains(byte) {
        fraction += Double(byte - 48) * scale
        scale /= 10
        rest = rest.dropFirst()
      }
    }
    var offset = 0
    if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
      guard rest.count == 6, let hours = number((rest.startIndex + 1)..<(rest.startIndex + 3)),
        let minutes = number((rest.startIndex + 4)..<(rest.startIndex + 6))
      else { return nil }
      offset = (hours * 3600 + minutes * 60) * (sign == UInt8(ascii: "-") ? -1 : 1)
    } else {
      guard rest.count == 1, rest.first == UInt8(ascii: "Z") || rest.first == UInt8(ascii: "z")
      else { return nil }
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
    return Date(timeIntervalSince1970: Double(seconds) + fraction)
  }

  /// The text for a moment, in UTC to the nanosecond that a double can tell.
  static func text(_ date: Date) -> String {
    let whole = Int(date.timeIntervalSince1970.rounded(.down))
    let nanoseconds = Int((date.timeIntervalSince1970 - Double(whole)) * 1_000_000_000)
    let day = whole >= 0 ? whole / 86_400 : (whole - 86_399) / 86_400
    let second = whole - day * 86_400
    let (year, month, dayOfMonth) = civil(day)
    func padded(_ value: Int, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let time = [second / 3600, second / 60 % 60, second % 60].map { padded($0, 2) }
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))T"
      + time.joined(separator: ":") + ".\(padded(nanoseconds, 9))Z"
  }

  /// Days since 1970 of a date in the Gregorian calendar, counted in eras of 400 years that begin
  /// in March.
  private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
    return (
      yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
      dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    )
  }
}
