package import NIOCore
import NIOHTTP1

/// The error answer of every door: `{"message":"…"}`.
package enum Envelope {
  /// The JSON text, with the newline that Docker's daemon ends it with.
  package static func body(_ message: String) -> ByteBuffer {
    var bytes = ByteBuffer()
    bytes.reserveCapacity(message.utf8.count + 16)
    bytes.writeStaticString("{\"message\":")
    bytes.writeJSONString(message)
    bytes.writeStaticString("}\n")
    return bytes
  }

  /// The whole answer.
  static func response(
    _ status: HTTPResponseStatus, message: String, closing: Bool = false
  ) -> (head: HTTPResponseHead, body: ByteBuffer) {
    let body = body(message)
    var headers: HTTPHeaders = [
      "Content-Type": "application/json", "Content-Length": String(body.readableBytes),
    ]
    if closing { headers.add(name: "Connection", value: "close") }
    return (HTTPResponseHead(version: .http1_1, status: status, headers: headers), body)
  }
}

extension ByteBuffer {
  /// Appends a string as a JSON literal.
  package mutating func writeJSONString(_ text: String) {
    writeInteger(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { utf8 in
      var start = 0
      for index in utf8.indices {
        let byte = utf8[index]
        guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
          continue
        }
        writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(utf8)[start..<index]))
        start = index + 1
        writeJSONEscape(byte)
      }
      writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(utf8)[start...]))
    }
    writeInteger(UInt8(ascii: "\""))
  }

  private mutating func writeJSONEscape(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): writeStaticString("\\\"")
    case UInt8(ascii: "\\"): writeStaticString("\\\\")
    case 0x0A: writeStaticString("\\n")
    case 0x0D: writeStaticString("\\r")
    case 0x09: writeStaticString("\\t")
    default:
      let digits: StaticString = "0123456789abcdef"
      writeStaticString("\\u00")
      writeInteger(digits.utf8Start[Int(byte >> 4)])
      writeInteger(digits.utf8Start[Int(byte & 15)])
    }
  }
}
