import DockerModel
import FoundationEssentials
import NIOCore

/// Encoding and decoding of bodies.
enum JSON {
  /// Encodes a value, with the newline that Docker's daemon ends each document with.
  static func encode(_ value: some Encodable, end: StaticString = "\n") throws -> ByteBuffer {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    let data = try encoder.encode(value)
    var bytes = ByteBuffer()
    bytes.reserveCapacity(data.count + 2)
    bytes.writeBytes(data)
    bytes.writeStaticString(end)
    return bytes
  }

  /// Decodes a request's body. Throws `invalidParameter`, saying what is wrong where.
  static func decode<Value: Decodable>(_ type: Value.Type, from bytes: ByteBuffer) throws -> Value {
    guard bytes.readableBytesView.contains(where: { !isSpace($0) }) else {
      throw APIError.invalidParameter("invalid JSON: got EOF while reading request body")
    }
    return try decode(type, from: Data(bytes.readableBytesView), prefix: "invalid JSON")
  }

  /// Decodes a parameter or header; `what` names it in the error.
  static func decode<Value: Decodable>(
    _ type: Value.Type, from text: String, what: String
  ) throws -> Value {
    try decode(type, from: Data(text.utf8), prefix: "invalid \(what)")
  }

  private static func decode<Value: Decodable>(
    _ type: Value.Type, from data: Data, prefix: String
  ) throws -> Value {
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch let error as DecodingError {
      throw APIError.invalidParameter("\(prefix): \(error.explanation)")
    } catch let error as APIError {
      throw error
    } catch {
      throw APIError.invalidParameter("\(prefix): not a JSON document")
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}

extension DecodingError {
  /// What is wrong where, as in `HostConfig.Memory: expected Int64, found a string`.
  fileprivate var explanation: String {
    switch self {
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "\(Self.path(context)): \(context.debugDescription)"
    case .keyNotFound(let key, let context):
      "\(Self.path(context)): member \"\(key.stringValue)\" is missing"
    case .dataCorrupted(let context):
      context.codingPath.isEmpty
        ? context.debugDescription : "\(Self.path(context)): \(context.debugDescription)"
    @unknown default: "not what is expected"
    }
  }

  private static func path(_ context: Context) -> String {
    if context.codingPath.isEmpty { return "the document" }
    var text = ""
    for key in context.codingPath {
      if let index = key.intValue {
        text += "[\(index)]"
      } else {
        text += (text.isEmpty ? "" : ".") + key.stringValue
      }
    }
    return text
  }
}
