/// Why the engine refused or failed a request, in the terms that clients act on.
package struct APIError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure; the door maps each to one HTTP status.
  package enum Code: String, Sendable, CaseIterable {
    case invalidParameter, notFound, conflict, unauthorized, forbidden, notModified, unavailable,
      notImplemented, system
  }

  /// The kind of failure.
  package var code: Code
  /// The text that the client shows to a person.
  package var message: String
  /// What caused it, for the log.
  package var cause: (any Error)?

  /// Describes a failure.
  package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  package var description: String { message }
}

extension APIError {
  /// The request itself is wrong.
  package static func invalidParameter(_ message: String) -> APIError {
    APIError(.invalidParameter, message)
  }

  /// What the request names is not there.
  package static func notFound(_ message: String) -> APIError { APIError(.notFound, message) }

  /// The state of what the request names does not allow it.
  package static func conflict(_ message: String) -> APIError { APIError(.conflict, message) }
}
