/// The JSON object without members, as in `"ExposedPorts": {"80/tcp": {}}`.
package struct EmptyObject: Codable, Sendable, Hashable {
  /// The only value there is.
  package init() {}
}

/// A list of strings that clients may also send as one string.
package struct StringList: Codable, Sendable, Hashable, ExpressibleByArrayLiteral {
  /// The strings.
  package var values: [String]

  /// Wraps a list.
  package init(_ values: [String]) { self.values = values }

  package init(arrayLiteral elements: String...) { values = elements }

  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let single = try? value.decode(String.self) {  // not a string: then a list, or an error
      values = [single]
    } else {
      values = try value.decode([String].self)
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    try value.encode(values)
  }
}

extension KeyedDecodingContainer {
  /// The member's value, or nil where it is missing or null.
  func value<Value: Decodable>(_ key: Key) throws -> Value? {
    try decodeIfPresent(Value.self, forKey: key)
  }
}

/// A value that the API leaves out when it is at its unset state.
protocol Omittable: Encodable {
  var isUnset: Bool { get }
}

extension String: Omittable { var isUnset: Bool { isEmpty } }
extension Bool: Omittable { var isUnset: Bool { !self } }
extension Int: Omittable { var isUnset: Bool { self == 0 } }
extension Int64: Omittable { var isUnset: Bool { self == 0 } }
extension UInt64: Omittable { var isUnset: Bool { self == 0 } }
extension UInt32: Omittable { var isUnset: Bool { self == 0 } }
extension Array: Omittable where Element: Encodable { var isUnset: Bool { isEmpty } }
extension Dictionary: Omittable where Key == String, Value: Encodable {
  var isUnset: Bool { isEmpty }
}

extension KeyedEncodingContainer {
  /// Encodes a member unless it is unset.
  mutating func encodeUnlessUnset(_ value: some Omittable, forKey key: Key) throws {
    if !value.isUnset { try encode(value, forKey: key) }
  }
}
