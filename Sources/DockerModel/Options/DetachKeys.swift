/// The key sequence that leaves an attached terminal without stopping the process.
package struct DetachKeys: Sendable, Equatable {
  /// The bytes the terminal sends for the sequence, at least one.
  package let bytes: [UInt8]

  /// Ctrl-p Ctrl-q.
  package static let standard = DetachKeys(bytes: [16, 17])

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// Reads `ctrl-p,ctrl-q`, `a,b`, …: single characters or `ctrl-` with a letter or one of
  /// `@ [ \ ] ^ _`. Throws `invalidParameter`.
  package init(_ text: String) throws {
    var bytes: [UInt8] = []
    for key in text.split(separator: ",", omittingEmptySubsequences: false) {
      let characters = Array(key.utf8)
      if characters.count == 1, let byte = characters.first, byte < 128 {
        bytes.append(byte)
      } else if characters.count == 6, key.lowercased().hasPrefix("ctrl-"),
        let code = Self.control(characters[5])
      {
        bytes.append(code)
      } else {
        throw APIError.invalidParameter("Invalid detach keys (\(text)) provided")
      }
    }
    self.bytes = bytes
  }

  private static func control(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 1
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A") + 1
    case UInt8(ascii: "@"): 0
    case UInt8(ascii: "["): 27
    case UInt8(ascii: "\\"): 28
    case UInt8(ascii: "]"): 29
    case UInt8(ascii: "^"): 30
    case UInt8(ascii: "_"): 31
    default: nil
    }
  }
}

/// Looks for the detach sequence in a client's input, piece by piece.
package struct DetachKeyScanner: Sendable {
  private let keys: [UInt8]
  private var matched = 0

  package init(_ keys: DetachKeys) { self.keys = keys.bytes }

  /// What to pass on of a piece of input, and whether the sequence was completed. Keys of a
  /// sequence begun but not finished are held back until the next piece decides.
  package mutating func scan(_ input: some Sequence<UInt8>) -> (pass: [UInt8], detached: Bool) {
    var pass: [UInt8] = []
    for byte in input {
      if byte == keys[matched] {
        matched += 1
        if matched == keys.count { return (pass, true) }
        continue
      }
      pass.append(contentsOf: keys[..<matched])
      matched = 0
      if byte == keys[0] {
        matched = 1
        if keys.count == 1 { return (pass, true) }
      } else {
        pass.append(byte)
      }
    }
    return (pass, false)
  }
}
