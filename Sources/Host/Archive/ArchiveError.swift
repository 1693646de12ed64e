/// Why an archive was not read, written or unpacked.
package struct ArchiveError: Error, Sendable, CustomStringConvertible {
  /// The kinds of failure.
  package enum Code: Sendable, Hashable {
    /// It is not an archive, or it is damaged or cut short.
    case malformed
    /// It tries to write where it must not, or to use more than it may.
    case hostile
    /// A kind of entry or compression that is not handled.
    case unsupported
    /// Unpacking would replace a folder by something else, which the caller did not allow.
    case typeConflict
    /// The other end of the stream went away.
    case abandoned
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

  /// The message followed by the facts and the cause.
  package var description: String {
    var text = message
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { text += ", \(key): \(value)" }
    if let cause { text += ": \(cause)" }
    return text
  }

  /// A failure about one entry of an archive.
  static func entry(_ code: Code, _ message: String, _ path: [UInt8]) -> ArchiveError {
    let name = String(decoding: path.prefix(200), as: UTF8.self)
    return ArchiveError(code, message, metadata: ["entry": name])
  }
}
