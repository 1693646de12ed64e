/// Reads the OCI runtime's error texts.
enum RuntimeFailure {
  /// The error that the runtime's own words stand for, put as Docker's clients expect to read them:
  /// they tell exit status 126 and 127 by phrases in the message.
  static func error(
    saying text: String, during purpose: MonitorLaunch.Purpose
  ) -> ContainerRuntimeError {
    let words = cleaned(text)
    let prefix: String
    switch purpose {
    case .container: prefix = "failed to create task for container: OCI runtime create failed: "
    case .exec: prefix = "OCI runtime exec failed: "
    }
    return ContainerRuntimeError(code(of: words), prefix + (words.isEmpty ? "no reason" : words))
  }

  /// The kind of failure that a text describes.
  static func code(of text: String) -> ContainerRuntimeError.Code {
    guard text.contains("exec: \"") || text.contains("exec /") || text.contains("chdir to cwd")
    else { return .runtimeFailed }
    if text.contains("executable file not found") || text.contains("no such file or directory") {
      return .commandNotFound
    }
    if text.contains("permission denied") || text.contains("is a directory")
      || text.contains("exec format error")
    {
      return .commandNotExecutable
    }
    return .runtimeFailed
  }

  private static func cleaned(_ text: String) -> String {
    let lines = text.split(separator: "\n").map { line in
      // Warnings come before the error, which is the last line.
      var line = line
      while line.last == " " || line.last == "\r" { line.removeLast() }
      return line
    }
    return lines.last { !$0.isEmpty }.map(String.init) ?? ""
  }
}
