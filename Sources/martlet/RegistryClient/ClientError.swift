import ArgumentParser
import Glibc
import Synchronization

/// Why a command of the registry's client ended without having done its work.
struct ClientError: Error {
  /// The statuses that the process ends with, as `martlet registry --help` lists them.
  enum Status: Int32 {
    case refused = 1
    case usage = 64
    case notFound = 66
    case unreachable = 69
    case temporary = 75
    case notAllowed = 77
    case configuration = 78
  }

  var status: Status
  var code: String
  var message: String

  init(_ status: Status, _ code: String, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }

  static func usage(_ message: String) -> ClientError { ClientError(.usage, "USAGE", message) }

  /// What the server's refusal means to the caller of the command.
  init(httpStatus: UInt, document: JSONValue?) {
    let first = document?["errors"].elements.first
    code = first?["code"].string ?? "HTTP_\(httpStatus)"
    message = first?["message"].string ?? "the server answers with status \(httpStatus)"
    let detail = first?["detail"].members.map { "\($0.key)=\($0.value.text)" } ?? []
    if !detail.isEmpty { message += ": " + detail.joined(separator: ", ") }
    status =
      switch httpStatus {
      case 401: .notAllowed
      case 403: code == "QUOTA_EXCEEDED" ? .refused : .notAllowed
      // policies that make no sense are answered with 404 too
      case 404: code.hasPrefix("INVALID_") ? .refused : .notFound
      // other conflicts do not go away by themselves
      case 409: code == "CONFLICT" ? .temporary : .refused
      case 429: .temporary
      case 502, 503, 504: .unreachable
      default: .refused
      }
  }

  /// Tells people, on standard error, and gives what ends the process.
  func report() -> ExitCode {
    Terminal.complain("martlet: \(message) (\(code))")
    return ExitCode(status.rawValue)
  }
}

/// The streams of the process.
enum Terminal {
  /// Whether people watch standard error.
  static var showsProgress: Bool { isatty(STDERR_FILENO) == 1 }

  /// What was said and is not written yet.
  private static let pending = Mutex<[UInt8]>([])

  /// A line on standard error, after everything that was said before.
  static func complain(_ line: String) {
    flush()
    prompt(printable(line) + "\n")
  }

  /// Text on standard error, at once. When it cannot be said there is no other place to say so.
  static func prompt(_ text: String) { _ = send(Array(text.utf8), to: STDERR_FILENO) }

  /// A line on standard output, when enough is gathered.
  static func say(_ line: String) {
    let isEnough = pending.withLock { bytes in
      bytes += line.utf8
      bytes.append(UInt8(ascii: "\n"))
      return bytes.count >= 64 << 10
    }
    if isEnough { flush() }
  }

  /// Writes what was said. Ends the process when that cannot be: nobody reads it any more, or there
  /// is no room for it.
  static func flush() {
    let bytes = pending.withLock { bytes in
      let taken = bytes
      bytes = []
      return taken
    }
    guard let problem = send(bytes, to: STDOUT_FILENO) else { return }
    if problem != EPIPE {
      prompt("martlet: standard output cannot be written: \(String(cString: strerror(problem)))\n")
    }
    _exit(ClientError.Status.refused.rawValue)
  }

  /// Writes all of it; the error's number when that fails.
  private static func send(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return count < 0 ? errno : EIO }
      rest = rest.dropFirst(count)
    }
    return nil
  }

  /// Text that the next replaces, where people watch.
  static func showProgress(_ text: String) {
    guard showsProgress else { return }
    prompt("\r\u{1B}[K" + printable(text))
  }

  /// What strangers wrote, without anything that a terminal would obey.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if isControl(scalar) {
        result += scalar == "\n" || scalar == "\t" ? " " : "\u{FFFD}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
  }
}
