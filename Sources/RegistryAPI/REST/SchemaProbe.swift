import Identity

/// The JSON schema of a type, as OpenAPI 3.0 writes it.
indirect enum JSONSchema: Sendable, Hashable {
  case string
  case dateTime
  case integer
  case number
  case boolean
  case choice([String])
  case array(JSONSchema)
  case map(JSONSchema)
  /// An object whose schema stands among the components.
  case reference(String)
  /// Any JSON at all.
  case anything
}

/// A member of an object's schema.
struct JSONProperty: Sendable, Hashable {
  var name: String
  var schema: JSONSchema
  var isRequired: Bool
}

/// Text of a few known values in the API's documents.
protocol APIChoice: Codable, CaseIterable, RawRepresentable, Sendable where RawValue == String {}

/// A document of the API that its description names.
protocol APIObject: Codable, Sendable {
  /// The name among the description's schemas.
  static var schemaName: String { get }
}

extension APIObject {
  static var schemaName: String { String(describing: Self.self) }
}

/// Finds out how a type looks in JSON by letting it decode itself from a source that notes what is
/// asked for, so that the description cannot say anything else than the code does.
struct SchemaCollector {
  private(set) var objects: [String: [JSONProperty]] = [:]

  /// The schema of a type; those of the objects in it are collected.
  mutating func schema(of type: any Decodable.Type) -> JSONSchema {
    switch type {
    case is String.Type: return .string
    case is Bool.Type: return .boolean
    case is Int.Type, is Int64.Type, is Int32.Type: return .integer
    case is Double.Type: return .number
    case is Timestamp.Type: return .dateTime
    case let list as any SchemaList.Type: return .array(schema(of: list.element))
    case let map as any SchemaMap.Type: return .map(schema(of: map.value))
    case let optional as any SchemaOptional.Type: return schema(of: optional.wrapped)
    case let choice as any APIChoice.Type: return .choice(Self.values(choice))
    case let object as any APIObject.Type:
      let name = object.schemaName
      guard objects[name] == nil else { return .reference(name) }
      objects[name] = []
      let probe = Probe()
      // What a made-up document decodes to is of no interest, only what was asked for.
      _ = try? object.init(from: ProbeDecoder(probe: probe))
      var properties: [JSONProperty] = []
      for entry in probe.entries where !properties.contains(where: { $0.name == entry.name }) {
        properties.append(
          JSONProperty(
            name: entry.name, schema: schema(of: entry.type), isRequired: entry.isRequired))
      }
      objects[name] = properties
      return .reference(name)
    default: return .anything
    }
  }

  private static func values<Choice: APIChoice>(_ type: Choice.Type) -> [String] {
    type.allCases.map(\.rawValue)
  }
}

private protocol SchemaList { static var element: any Decodable.Type { get } }
private protocol SchemaMap { static var value: any Decodable.Type { get } }
private protocol SchemaOptional { static var wrapped: any Decodable.Type { get } }

extension Array: SchemaList where Element: Decodable {
  fileprivate static var element: any Decodable.Type { Element.self }
}

extension Dictionary: SchemaMap where Key == String, Value: Decodable {
  fileprivate static var value: any Decodable.Type { Value.self }
}

extension Optional: SchemaOptional where Wrapped: Decodable {
  fileprivate static var wrapped: any Decodable.Type { Wrapped.self }
}

/// What a type asked for.
private final class Probe {
  var entries: [(name: String, type: any Decodable.Type, isRequired: Bool)] = []
}

/// Answers every question with something that lets decoding go on.
private struct ProbeDecoder: Decoder {
  let probe: Probe
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
    KeyedDecodingContainer(ProbeContainer<Key>(probe: probe))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw ProbeFailure() }
  func singleValueContainer() throws -> any SingleValueDecodingContainer { throw ProbeFailure() }
}

private struct ProbeFailure: Error {}

private struct ProbeContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let probe: Probe
  var codingPath: [any CodingKey] { [] }
  var allKeys: [Key] { [] }

  func contains(_ key: Key) -> Bool { true }
  func decodeNil(forKey key: Key) -> Bool { true }

  private func note(_ key: Key, _ type: any Decodable.Type, _ isRequired: Bool) {
    probe.entries.append((key.stringValue, type, isRequired))
  }

  func decode(_ type: Bool.Type, forKey key: Key) -> Bool {
    note(key, type, true)
    return false
  }
  func decode(_ type: String.Type, forKey key: Key) -> String {
    note(key, type, true)
    return ""
  }
  func decode(_ type: Int.Type, forKey key: Key) -> Int {
    note(key, type, true)
    return 0
  }
  func decode(_ type: Int64.Type, forKey key: Key) -> Int64 {
    note(key, type, true)
    return 0
  }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    note(key, type, true)
    return try Self.sample(type)
  }

  func decodeIfPresent(_ type: Bool.Type, forKey key: Key) -> Bool? {
    note(key, type, false)
    return nil
  }
  func decodeIfPresent(_ type: String.Type, forKey key: Key) -> String? {
    note(key, type, false)
    return nil
  }
  func decodeIfPresent(_ type: Int.Type, forKey key: Key) -> Int? {
    note(key, type, false)
    return nil
  }
  func decodeIfPresent(_ type: Int64.Type, forKey key: Key) -> Int64? {
    note(key, type, false)
    return nil
  }
  func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) -> Value? {
    note(key, type, false)
    return nil
  }

  /// Some value of the type, whatever it be.
  private static func sample<Value: Decodable>(_ type: Value.Type) throws -> Value {
    if let value = Timestamp(milliseconds: 0) as? Value { return value }
    if let choice = type as? any APIChoice.Type, let value = first(choice) as? Value {
      return value
    }
    if let list = type as? any EmptyMaking.Type, let value = list.empty as? Value { return value }
    return try Value(from: ProbeDecoder(probe: Probe()))
  }

  private static func first<Choice: APIChoice>(_ type: Choice.Type) -> Any? {
    type.allCases.first
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<NestedKey> { throw ProbeFailure() }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    throw ProbeFailure()
  }
  func superDecoder() throws -> any Decoder { throw ProbeFailure() }
  func superDecoder(forKey key: Key) throws -> any Decoder { throw ProbeFailure() }
}

private protocol EmptyMaking { static var empty: Any { get } }
extension Array: EmptyMaking { fileprivate static var empty: Any { Self() } }
extension Dictionary: EmptyMaking { fileprivate static var empty: Any { Self() } }
