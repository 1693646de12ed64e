/// What went wrong in this module, fit to be shown to a user of the `docker` client.
package struct ContainerRuntimeError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure.
  package enum Code: String, Sendable, CaseIterable {
    /// The runtime knows no such container or exec.
    case notFound
    /// The container exists, but not in the state that the call needs.
    case wrongState
    /// A setting cannot be honoured as given.
    case invalidSetting
    /// The program to run is not there (exit status 127 by custom).
    case commandNotFound
    /// The program to run cannot be executed (exit status 126 by custom).
    case commandNotExecutable
    /// The OCI runtime refused to make or change the container.
    case runtimeFailed
    /// The work took longer than allowed.
    case timedOut
    /// A system call or a program of the host failed.
    case system
  }

  /// The kind of failure.
  package var code: Code
  /// What happened, constant but for what the OCI runtime itself said.
  package var message: String
  /// The facts: ids, paths, values.
  package var metadata: [String: String]
  /// What lay behind it.
  package var cause: (any Error)?

  /// An error of this module.
  package init(
    _ code: Code, _ message: String, metadata: [String: String] = [:], cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.metadata = metadata
    self.cause = cause
  }

  /// The exit status that `docker run` and `docker exec` report for it: 127, 126 or 128.
  package var exitCode: Int32 {
    switch code {
    case .commandNotFound: 127
    case .commandNotExecutable: 126
    default: 128
    }
  }

  package var description: String {
    var text = message
    if !metadata.isEmpty {
      let facts = metadata.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      text += " (" + facts.joined(separator: ", ") + ")"
    }
    if let cause { text += ": \(cause)" }
    return text
  }
}
