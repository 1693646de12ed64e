/// Why a storage refused or failed.
package struct BlobStorageError: Error, Sendable, CustomStringConvertible {
  /// The kinds of failure.
  package enum Code: String, Sendable, Hashable, CaseIterable {
    /// No such file or upload.
    case notFound
    /// The content does not have the digest that was said.
    case digestMismatch
    /// There is no room left.
    case storageFull
    /// The storage does not answer, or refuses.
    case unavailable
    /// A key is malformed.
    case invalidKey
    /// A range reaches beyond the file.
    case invalidRange
    /// Settings cannot be used.
    case badConfiguration
    /// The upload was ended already.
    case uploadEnded
  }

  package var code: Code
  /// What went wrong, without the facts.
  package var message: String
  /// The facts.
  package var metadata: [String: String]
  /// What caused it.
  package var cause: (any Error)?

  /// An error of these parts.
  package init(
    _ code: Code, _ message: String, metadata: [String: String] = [:], cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.metadata = metadata
    self.cause = cause
  }

  package var description: String {
    var text = message
    for (name, value) in metadata.sorted(by: { $0.key < $1.key }) { text += " \(name)=\(value)" }
    if let cause { text += ": \(cause)" }
    return text
  }
}
