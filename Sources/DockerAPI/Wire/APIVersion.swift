/// A version of the Docker Engine API, as in `/v1.47/…`.
package struct APIVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  package let major: Int
  package let minor: Int

  package init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }

  /// The newest version spoken.
  package static let maximum = APIVersion(1, 47)
  /// The oldest version spoken.
  package static let minimum = APIVersion(1, 24)

  /// Reads `1.47`; nil for anything but digits and dots. Further parts are ignored.
  init?(_ text: some StringProtocol) {
    guard !text.isEmpty, text.utf8.count < 32 else { return nil }
    var parts = [0, 0]
    var index = 0
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "."): index += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        guard index < 2 else { continue }
        // bounded: what matters is only that it is too new
        parts[index] = min(parts[index] * 10 + Int(byte - UInt8(ascii: "0")), 1_000_000)
      default: return nil
      }
    }
    self.init(parts[0], parts[1])
  }

  package static func < (left: APIVersion, right: APIVersion) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }

  package var description: String { "\(major).\(minor)" }
}
