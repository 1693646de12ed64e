/// A host and perhaps a port, as text: `example.com`, `10.0.0.1:5000`, `[::1]:443`, `:5000`.
struct HostText: Equatable {
  /// Without brackets; empty where there is only a port.
  let host: String
  let port: Int?

  /// Reads the text; nil when it is something else.
  init?(_ text: some StringProtocol) {
    var rest = text[...]
    if rest.hasPrefix("[") {
      guard let end = rest.firstIndex(of: "]") else { return nil }
      host = String(rest[rest.index(after: rest.startIndex)..<end])
      rest = rest[rest.index(after: end)...]
      let isAddress = host.utf8.allSatisfy {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
          || UInt8(ascii: "A")...UInt8(ascii: "F") ~= $0 || $0 == UInt8(ascii: ":")
          || $0 == UInt8(ascii: ".")
      }
      guard host.contains(":"), isAddress else { return nil }
    } else {
      let end = rest.firstIndex(of: ":") ?? rest.endIndex
      host = String(rest[..<end])
      rest = rest[end...]
      guard host.utf8.count <= 253, host.utf8.allSatisfy(Self.isHostByte) else { return nil }
    }
    if rest.isEmpty {
      guard !host.isEmpty else { return nil }
      port = nil
    } else {
      let digits = rest.dropFirst()
      guard rest.hasPrefix(":"), digits.utf8.allSatisfy({ (48...57).contains($0) }),
        let number = UInt16(digits)
      else { return nil }
      port = Int(number)
    }
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// What follows `http://` or `https://`, without a name before an `@`; nil for all else.
  static func afterScheme(_ text: String) -> Substring? {
    for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
      let rest = text.dropFirst(scheme.count)
      let isClean = rest.utf8.allSatisfy {
        $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "@") && $0 != UInt8(ascii: "\\")
      }
      return isClean && !rest.hasPrefix(":") && !rest.isEmpty ? rest : nil
    }
    return nil
  }
}
