/// What a registry asks for in `WWW-Authenticate`.
enum Challenge: Sendable, Hashable {
  case basic
  case bearer(realm: String, service: String?, scope: String?)

  /// The first challenge of the headers that can be met; bearer tokens are preferred.
  static func parse(_ headers: [String]) -> Challenge? {
    let all = headers.compactMap(parseOne)
    return all.first { $0 != .basic } ?? all.first
  }

  private static func parseOne(_ header: String) -> Challenge? {
    let trimmed = header.drop { $0 == " " }
    let space = trimmed.firstIndex(of: " ") ?? trimmed.endIndex
    switch trimmed[..<space].lowercased() {
    case "basic": return .basic
    case "bearer":
      let parameters = parameters(trimmed[space...])
      guard let realm = parameters["realm"],
        realm.hasPrefix("https://") || realm.hasPrefix("http://")
      else { return nil }
      return .bearer(
        realm: realm, service: parameters["service"], scope: parameters["scope"])
    default: return nil
    }
  }

  /// `key="value", key=value` with backslash escapes inside the quotes.
  private static func parameters(_ text: Substring) -> [String: String] {
    var found: [String: String] = [:]
    var rest = text
    while true {
      rest = rest.drop { $0 == " " || $0 == "," || $0 == "\t" }
      guard let equals = rest.firstIndex(of: "=") else { return found }
      let key = rest[..<equals].lowercased()
      rest = rest[rest.index(after: equals)...]
      var value = ""
      if rest.first == "\"" {
        rest = rest.dropFirst()
        while let character = rest.popFirst(), character != "\"" {
          if character == "\\" {
            if let escaped = rest.popFirst() { value.append(escaped) }
          } else {
            value.append(character)
          }
        }
      } else {
        let end = rest.firstIndex { $0 == "," || $0 == " " } ?? rest.endIndex
        value = String(rest[..<end])
        rest = rest[end...]
      }
      found[key] = value
    }
  }
}

/// Base 64 and percent-encoding, for headers and queries.
enum TextEncoding {
  static func base64(_ bytes: some Collection<UInt8>) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let group = Array(rest.prefix(3))
      rest = rest.dropFirst(3)
      let value =
        UInt32(group[0]) << 16 | UInt32(group.count > 1 ? group[1] : 0) << 8
        | UInt32(group.count > 2 ? group[2] : 0)
      for index in 0..<4 {
        text.append(
          index <= group.count
            ? alphabet[Int(value >> UInt32(18 - 6 * index)) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  static func percent(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in text.utf8 {
      let isPlain =
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        || byte == 45 || byte == 46 || byte == 95 || byte == 126
      if isPlain {
        encoded.append(byte)
      } else {
        encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }

  /// `a=1&b=2`, encoded.
  static func form(_ pairs: [(String, String)]) -> String {
    pairs.map { percent($0.0) + "=" + percent($0.1) }.joined(separator: "&")
  }
}
