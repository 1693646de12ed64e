package import NIOHTTP1

/// What went wrong between a client and a handler.
package struct TransportError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure.
  package enum Code: String, Sendable, CaseIterable {
    /// The client went away, or broke off in the middle of its request.
    case clientGone
    /// The request's body is longer than what it may be.
    case bodyTooLarge
    /// The request cannot be what the handler needs it to be.
    case badRequest
    /// A listener's address or TLS settings cannot be used.
    case badConfiguration
    /// Another server listens there.
    case addressInUse
    /// Two readers at once, or two answers to one request: a mistake in a handler.
    case misuse
  }

  /// The kind of failure.
  package var code: Code
  /// What went wrong, without the facts.
  package var message: String
  /// The facts.
  package var metadata: [String: String] = [:]
  /// What caused it.
  package var cause: (any Error)?

  package init(
    code: Code, message: String, metadata: [String: String] = [:], cause: (any Error)? = nil
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

  /// The status this is answered with, where an answer is still possible.
  package var status: HTTPResponseStatus {
    switch code {
    case .clientGone, .badRequest: .badRequest
    case .bodyTooLarge: .payloadTooLarge
    case .badConfiguration, .addressInUse, .misuse: .internalServerError
    }
  }
}
