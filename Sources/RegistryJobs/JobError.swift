/// Why work on jobs, policies or webhooks was refused or failed.
package struct JobError: Error, Sendable, CustomStringConvertible {
  /// The kinds of refusal.
  package enum Code: String, Sendable, Hashable {
    case noSuchJob
    case noSuchCron
    case noSuchActionConfiguration
    case noSuchWorker
    case noSuchWebhook
    case noSuchPolicy
    /// A value in the request cannot be used; `metadata["field"]` names it.
    case invalidRequest
    /// The job has ended, or has not.
    case wrongStatus
    /// A registry elsewhere cannot be reached or refuses.
    case remoteFailed
    /// The store does not answer.
    case unavailable
    /// Stored records cannot be read.
    case corrupt
    /// The job's time is over.
    case deadlineExceeded
    /// The job says that it failed.
    case failed
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

  static func invalid(_ field: String, _ message: String) -> JobError {
    JobError(.invalidRequest, message, metadata: ["field": field])
  }

  package var description: String {
    var text = message
    for (name, value) in metadata.sorted(by: { $0.key < $1.key }) { text += " \(name)=\(value)" }
    if let cause { text += ": \(cause)" }
    return text
  }
}
