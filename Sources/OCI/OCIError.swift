/// What the values of this module refuse: text and documents that are not what they claim to be.
package struct OCIError: Error, Sendable, CustomStringConvertible {
  /// The kinds of refusal.
  package enum Code: Sendable, Hashable {
    case invalidDigest
    case invalidReference
    case invalidPlatform
    case invalidDocument
    case unsupportedDocument
  }

  package var code: Code
  /// Constant text, the same for every failure of this kind.
  package var message: String
  package var metadata: [String: String]
  package var cause: (any Error)?

  package init(
    _ code: Code, _ message: String, metadata: [String: String] = [:], cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.metadata = metadata
    self.cause = cause
  }

  /// The message followed by the facts, fit to be shown to a person.
  package var description: String {
    let facts = metadata.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
    return ([message] + facts).joined(separator: ", ")
  }
}
