/// Why the image store refused or failed.
package struct ImageStoreError: Error, Sendable, CustomStringConvertible {
  /// The kinds of failure; the door maps each to a status.
  package enum Code: Sendable, Hashable, CaseIterable {
    /// A name, digest, platform or other argument is not well formed.
    case invalidArgument
    /// No such image, layer, container root file system or repository.
    case notFound
    /// The image is in use, tagged elsewhere, or the name is ambiguous.
    case conflict
    /// The registry wants credentials, or refuses these.
    case unauthorized
    /// The registry knows who asks and refuses all the same.
    case denied
    /// The registry cannot be reached or answers nonsense.
    case registryUnavailable
    /// Content does not have the digest, size or form that was promised.
    case invalidContent
    /// An archive that tries to do harm or exceeds a limit.
    case hostileArchive
    /// A kind of image or platform that cannot be handled.
    case unsupported
    /// The machine failed us: disk, memory, mounts, the state store.
    case system
  }

  package var code: Code
  /// Says what happened, fit to be shown to a docker user.
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

  /// The message with the facts and the cause.
  package var description: String {
    var text = message
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { text += ", \(key): \(value)" }
    if let cause { text += ": \(cause)" }
    return text
  }
}
