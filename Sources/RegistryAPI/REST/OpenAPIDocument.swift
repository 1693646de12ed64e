import FoundationEssentials
import NIOCore
import NIOHTTP1
import Transport

/// The description of the REST API, OpenAPI 3.0.3, made of the operations themselves.
struct OpenAPIDocument {
  private let operations: [RESTOperation]
  private let version: String

  init(_ operations: [RESTOperation], version: String) {
    self.operations = operations
    self.version = version
  }

  /// The document.
  func bytes() throws -> ByteBuffer {
    var collector = SchemaCollector()
    var paths: [String: JSONText] = [:]
    for path in Set(operations.map(\.path)) {
      var methods: [String: JSONText] = [:]
      for operation in operations where operation.path == path {
        methods[operation.method.rawValue.lowercased()] = describe(operation, &collector)
      }
      paths[path] = .object(methods)
    }
    let errors = collector.schema(of: Errors.self)
    var schemas: [String: JSONText] = [:]
    for (name, properties) in collector.objects { schemas[name] = Self.object(properties) }
    let document = JSONText.object([
      "openapi": .string("3.0.3"),
      "info": .object([
        "title": .string("Martlet Registry"), "version": .string(version),
        "description": .string("Governs a registry: repositories, people, policies and jobs."),
      ]),
      "paths": .object(paths),
      "security": .array([
        .object(["basic": .array([])]), .object(["bearer": .array([])]),
        .object(["session": .array([])]), .object([:]),
      ]),
      "components": .object([
        "schemas": .object(schemas),
        "responses": .object([
          "Refusal": .object([
            "description": .string("A refusal; the code says why."),
            "content": .object([
              "application/json": .object(["schema": Self.json(errors)])
            ]),
          ])
        ]),
        "securitySchemes": .object([
          "basic": .object(["type": .string("http"), "scheme": .string("basic")]),
          "bearer": .object(["type": .string("http"), "scheme": .string("bearer")]),
          "session": .object([
            "type": .string("apiKey"), "in": .string("cookie"), "name": .string("root_session"),
          ]),
        ]),
      ]),
    ])
    var bytes = ByteBuffer()
    document.write(to: &bytes)
    bytes.writeStaticString("\n")
    return bytes
  }

  private func describe(
    _ operation: RESTOperation, _ collector: inout SchemaCollector
  ) -> JSONText {
    var success: [String: JSONText] = ["description": .string("Done.")]
    if let type = operation.answerType {
      success["content"] = .object([
        "application/json": .object(["schema": Self.json(collector.schema(of: type))])
      ])
    }
    var responses: [String: JSONText] = ["\(operation.success.code)": .object(success)]
    responses["default"] = .object(["$ref": .string("#/components/responses/Refusal")])
    var own: [UInt: [String]] = [:]
    for (status, code) in operation.facts.errors { own[status.code, default: []].append(code) }
    for (status, codes) in own {
      responses["\(status)"] = .object([
        "description": .string("Refused: \(codes.joined(separator: ", "))."),
        "content": .object([
          "application/json": .object(["schema": Self.json(collector.schema(of: Errors.self))])
        ]),
      ])
    }
    var fields: [String: JSONText] = [
      "operationId": .string(operation.facts.id), "summary": .string(operation.facts.summary),
      "tags": .array([.string(operation.facts.group)]),
      "parameters": .array(parameters(operation)), "responses": .object(responses),
      "x-access": .string("\(operation.facts.access)"),
    ]
    if let type = operation.bodyType {
      fields["requestBody"] = .object([
        "content": .object([
          "application/json": .object(["schema": Self.json(collector.schema(of: type))])
        ])
      ])
    }
    return .object(fields)
  }

  private func parameters(_ operation: RESTOperation) -> [JSONText] {
    let holes = operation.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { hole in
      JSONText.object([
        "name": .string(String(hole.dropFirst().dropLast())), "in": .string("path"),
        "required": .bool(true), "schema": .object(["type": .string("string")]),
      ])
    }
    return holes
      + operation.facts.query.map { parameter in
        .object([
          "name": .string(parameter.name), "in": .string("query"),
          "description": .string(parameter.text), "schema": Self.json(parameter.schema),
        ])
      }
  }

  private static func object(_ properties: [JSONProperty]) -> JSONText {
    var fields: [String: JSONText] = ["type": .string("object")]
    fields["properties"] = .object(
      Dictionary(properties.map { ($0.name, json($0.schema)) }, uniquingKeysWith: { $1 }))
    let required = properties.filter(\.isRequired).map(\.name)
    if !required.isEmpty { fields["required"] = .array(required.map { .string($0) }) }
    return .object(fields)
  }

  private static func json(_ schema: JSONSchema) -> JSONText {
    switch schema {
    case .string: .object(["type": .string("string")])
    case .dateTime:
      .object(["type": .string("string"), "format": .string("date-time")])
    case .integer: .object(["type": .string("integer"), "format": .string("int64")])
    case .number: .object(["type": .string("number")])
    case .boolean: .object(["type": .string("boolean")])
    case .choice(let values):
      .object(["type": .string("string"), "enum": .array(values.map { .string($0) })])
    case .array(let element):
      .object(["type": .string("array"), "items": json(element)])
    case .map(let value):
      .object(["type": .string("object"), "additionalProperties": json(value)])
    case .reference(let name): .object(["$ref": .string("#/components/schemas/\(name)")])
    case .anything: .object([:])
    }
  }
}

/// JSON that is put together by hand, its members in order.
private indirect enum JSONText {
  case string(String)
  case bool(Bool)
  case array([JSONText])
  case object([String: JSONText])

  func write(to bytes: inout ByteBuffer) {
    switch self {
    case .string(let text): bytes.writeJSONString(text)
    case .bool(let value): bytes.writeString(value ? "true" : "false")
    case .array(let items):
      bytes.writeStaticString("[")
      for (index, item) in items.enumerated() {
        if index > 0 { bytes.writeStaticString(",") }
        item.write(to: &bytes)
      }
      bytes.writeStaticString("]")
    case .object(let members):
      bytes.writeStaticString("{")
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { bytes.writeStaticString(",") }
        bytes.writeJSONString(member.key)
        bytes.writeStaticString(":")
        member.value.write(to: &bytes)
      }
      bytes.writeStaticString("}")
    }
  }
}
