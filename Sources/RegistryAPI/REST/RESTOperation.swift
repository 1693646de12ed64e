import FoundationEssentials
import NIOCore
import NIOHTTP1

/// Who may call an operation at all; what it is called on decides about the rest.
enum RESTAccess: Sendable {
  /// Everybody; what is private is not shown.
  case anyone
  /// Whoever is logged in.
  case user
  /// Administrators of the registry.
  case administrator
}

/// A parameter of an operation's query.
struct RESTParameter: Sendable {
  var name: String
  var schema: JSONSchema
  var text: String

  static func string(_ name: String, _ text: String) -> RESTParameter {
    RESTParameter(name: name, schema: .string, text: text)
  }
  static func flag(_ name: String, _ text: String) -> RESTParameter {
    RESTParameter(name: name, schema: .boolean, text: text)
  }
  static func number(_ name: String, _ text: String) -> RESTParameter {
    RESTParameter(name: name, schema: .integer, text: text)
  }

  /// The parameters of lists that come in pages.
  static let page: [RESTParameter] = [
    .number("pageSize", "How many entries to answer; 10 unless given."),
    .string("pageStart", "Where the page begins: `X-Next-Page-Start` of the one before."),
    .flag("count", "Whether to say how many entries there are in all, in `X-Resource-Count`."),
  ]
}

/// What an operation answers with.
struct RESTAnswer<Value: Encodable & Sendable>: Sendable {
  var value: Value
  var nextPageStart: String?
  var count: Int?
  var headers: HTTPHeaders = [:]

  init(_ value: Value, next: String? = nil, count: Int? = nil) {
    self.value = value
    nextPageStart = next
    self.count = count
  }
}

/// No document at all.
struct Nothing: Codable, Sendable {}

/// One operation of the REST API: enough to answer it, and to describe it truly.
struct RESTOperation: Sendable {
  /// What is known of an operation besides what it does.
  struct Facts: Sendable {
    var id: String
    var group: String
    var summary: String
    var access = RESTAccess.user
    var query: [RESTParameter] = []
    /// The codes of refusals that are its own.
    var errors: [(status: HTTPResponseStatus, code: String)] = []

    init(
      _ id: String, _ group: String, _ summary: String, access: RESTAccess = .user,
      query: [RESTParameter] = [], errors: [(status: HTTPResponseStatus, code: String)] = []
    ) {
      self.id = id
      self.group = group
      self.summary = summary
      self.access = access
      self.query = query
      self.errors = errors
    }
  }

  let method: HTTPMethod
  /// The path with its holes, `/api/v0/repositories/{namespace}`.
  let path: String
  let facts: Facts
  let success: HTTPResponseStatus
  let bodyType: (any (Decodable & Sendable).Type)?
  let answerType: (any (Decodable & Sendable).Type)?
  /// Does it: sends the answer.
  let run: @Sendable (RESTRequest) async throws -> Void

  /// An operation that takes no document and answers one.
  init<Value: Codable & Sendable>(
    _ method: HTTPMethod, _ path: String, _ facts: Facts, success: HTTPResponseStatus = .ok,
    _ body: @escaping @Sendable (RESTRequest) async throws -> RESTAnswer<Value>
  ) {
    self.method = method
    self.path = path
    self.facts = facts
    self.success = success
    bodyType = nil
    answerType = Value.self == Nothing.self ? nil : Value.self
    run = { request in try await request.respond(success, try await body(request)) }
  }

  /// An operation that takes a document and answers one.
  init<Body: Codable & Sendable, Value: Codable & Sendable>(
    _ method: HTTPMethod, _ path: String, _ facts: Facts, takes type: Body.Type,
    success: HTTPResponseStatus = .ok,
    _ body: @escaping @Sendable (RESTRequest, Body) async throws -> RESTAnswer<Value>
  ) {
    self.method = method
    self.path = path
    self.facts = facts
    self.success = success
    bodyType = type
    answerType = Value.self == Nothing.self ? nil : Value.self
    run = { request in
      let document = try await request.document(type)
      try await request.respond(success, try await body(request, document))
    }
  }
}

/// Finds the operation of a request.
struct RESTOperationTable: Sendable {
  let operations: [RESTOperation]
  private let routes: [(segments: [Substring], index: Int)]

  init(_ operations: [RESTOperation]) {
    self.operations = operations
    // A word in a path is meant before a hole.
    routes = operations.enumerated().map { ($0.element.path.split(separator: "/"), $0.offset) }
      .sorted { left, right in
        Self.holes(left.0) < Self.holes(right.0)
      }
  }

  private static func holes(_ segments: [Substring]) -> Int {
    segments.count { $0.hasPrefix("{") }
  }

  /// What a path means for a method: an operation with what fills its holes, or the methods that the
  /// path would take; none when there is no such path.
  enum Match {
    case operation(RESTOperation, [String: String])
    case otherMethods([String])
  }

  func match(_ method: HTTPMethod, _ path: [String]) -> Match {
    var methods: [String] = []
    for (segments, index) in routes {
      guard let holes = Self.fill(segments, path) else { continue }
      let operation = operations[index]
      let isHead = method == .HEAD && operation.method == .GET
      if operation.method == method || isHead { return .operation(operation, holes) }
      methods.append(operation.method.rawValue)
    }
    return .otherMethods(methods)
  }

  private static func fill(_ segments: [Substring], _ path: [String]) -> [String: String]? {
    guard segments.count == path.count else { return nil }
    var holes: [String: String] = [:]
    for (segment, text) in zip(segments, path) {
      if segment.hasPrefix("{") {
        holes[String(segment.dropFirst().dropLast())] = text
      } else if segment != text {
        return nil
      }
    }
    return holes
  }
}
