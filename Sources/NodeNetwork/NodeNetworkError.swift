/// A failure of the networks of a node, described so that a `docker` user can read it.
package struct NodeNetworkError: Error, Sendable, CustomStringConvertible {
  /// What kind of failure it is.
  package enum Code: String, Sendable {
    /// What was asked for is malformed or contradicts itself (HTTP 400).
    case invalidParameter
    /// There is no such network or endpoint (HTTP 404).
    case notFound
    /// The name is taken (HTTP 409).
    case conflict
    /// The state of things does not allow it: in use, predefined, overlapping (HTTP 403).
    case forbidden
    /// A host port is taken by another container or process (HTTP 500 in dockerd).
    case portUnavailable
    /// The kernel or the store refused (HTTP 500).
    case system
  }

  /// What kind of failure it is.
  package var code: Code
  /// The whole text, in dockerd's words where clients know them.
  package var message: String
  /// The facts, for logs.
  package var metadata: [String: String] = [:]
  /// What lies beneath.
  package var cause: (any Error)?

  /// Describes a failure.
  package init(
    _ code: Code, _ message: String, metadata: [String: String] = [:], cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.metadata = metadata
    self.cause = cause
  }

  package var description: String {
    guard let cause else { return message }
    return "\(message): \(cause)"
  }
}
