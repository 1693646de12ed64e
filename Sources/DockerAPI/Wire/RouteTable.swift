import NIOHTTP1

/// Which handler answers a method and path. Image names hold slashes in the middle of a path, which
/// prefix trees of routers for other APIs cannot express.
struct RouteTable: Sendable {
  typealias Handler = @Sendable (APIRequest) async throws -> Void

  private enum Segment: Sendable {
    case literal(String)
    case one, several
  }

  private struct Route: Sendable {
    let segments: [Segment]
    let handler: Handler

    /// What the path's segments give for the pattern's holes; nil when it does not match.
    func match(_ path: [String]) -> [String]? {
      guard path.count >= segments.count else { return nil }
      var captures: [String] = []
      var index = 0
      for (position, segment) in segments.enumerated() {
        switch segment {
        case .literal(let text):
          guard path[index] == text else { return nil }
          index += 1
        case .one:
          captures.append(path[index])
          index += 1
        case .several:
          let end = path.count - (segments.count - position - 1)
          captures.append(path[index..<end].joined(separator: "/"))
          index = end
        }
      }
      return index == path.count ? captures : nil
    }
  }

  private struct Key: Hashable {
    let method: String
    let first: String
  }

  private var routes: [Key: [Route]] = [:]

  /// Adds a route such as `images/{name...}/json`: `{…}` stands for one segment, `{…...}` for one or
  /// more. Of routes that match, the one added first is taken.
  mutating func on(_ method: HTTPMethod, _ pattern: String, _ handler: @escaping Handler) {
    let parts = pattern.split(separator: "/").map(String.init)
    let segments = parts.map { part -> Segment in
      part.hasSuffix("...}") ? .several : part.hasPrefix("{") ? .one : .literal(part)
    }
    routes[Key(method: method.rawValue, first: parts[0]), default: []].append(
      Route(segments: segments, handler: handler))
  }

  mutating func get(_ pattern: String, _ handler: @escaping Handler) { on(.GET, pattern, handler) }
  mutating func post(_ pattern: String, _ handler: @escaping Handler) {
    on(.POST, pattern, handler)
  }
  mutating func put(_ pattern: String, _ handler: @escaping Handler) { on(.PUT, pattern, handler) }
  mutating func head(_ pattern: String, _ handler: @escaping Handler) {
    on(.HEAD, pattern, handler)
  }
  mutating func delete(_ pattern: String, _ handler: @escaping Handler) {
    on(.DELETE, pattern, handler)
  }

  /// The handler for a request, and what the path gives for the holes of its pattern.
  func resolve(_ method: HTTPMethod, _ path: [String]) -> (Handler, [String])? {
    guard let first = path.first else { return nil }
    for route in routes[Key(method: method.rawValue, first: first)] ?? [] {
      if let captures = route.match(path) { return (route.handler, captures) }
    }
    return nil
  }
}
