import FoundationEssentials

/// Decodes JSON that strangers wrote: its size and the depth of its nesting are bounded before a
/// decoder sees it, since a recursive decoder would run out of stack.
package enum BoundedJSON {
  /// The deepest nesting that any document of ours needs.
  package static let maximumDepth = 64

  /// Decodes `bytes`; throws ``OCIError`` (`invalidDocument`) naming `kind`.
  package static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: [UInt8], kind: String, maximumBytes: Int
  ) throws -> Value {
    guard bytes.count <= maximumBytes else {
      throw OCIError(
        .invalidDocument, "the document is larger than is allowed",
        metadata: ["kind": kind, "size": "\(bytes.count)", "limit": "\(maximumBytes)"])
    }
    guard depthIsBounded(bytes) else {
      throw OCIError(
        .invalidDocument, "the document is nested too deeply", metadata: ["kind": kind])
    }
    do {
      return try JSONDecoder().decode(type, from: Data(bytes))
    } catch {
      throw OCIError(
        .invalidDocument, "the document is not valid",
        metadata: ["kind": kind, "problem": describe(error)], cause: error)
    }
  }

  /// Whether the nesting of arrays and objects stays within ``maximumDepth``.
  static func depthIsBounded(_ bytes: [UInt8]) -> Bool {
    var depth = 0
    var inString = false
    var escaped = false
    for byte in bytes {
      if inString {
        if escaped {
          escaped = false
        } else if byte == UInt8(ascii: "\\") {
          escaped = true
        } else if byte == UInt8(ascii: "\"") {
          inString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): inString = true
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        if depth > maximumDepth { return false }
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      default: break
      }
    }
    return true
  }

  private static func describe(_ error: any Error) -> String {
    func place(_ context: DecodingError.Context) -> String {
      let path = context.codingPath.map(\.stringValue).joined(separator: ".")
      return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
    }
    switch error {
    case DecodingError.keyNotFound(let key, _): return "\(key.stringValue) is missing"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
      DecodingError.dataCorrupted(let context):
      return place(context)
    default: return "\(error)"
    }
  }
}
