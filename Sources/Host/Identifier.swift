/// Names that nobody can guess or meet twice.
package enum Identifier {
  /// 64 random hexadecimal digits, as container and network ids have.
  package static func random() -> String { hexadecimal(bytes: 32) }

  /// Random hexadecimal digits, two for each byte.
  package static func hexadecimal(bytes count: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(count * 2)
    for _ in 0..<count {
      let byte = UInt8.random(in: .min ... .max, using: &generator)
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
