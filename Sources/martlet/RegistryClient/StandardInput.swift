import Glibc
import Host

/// Lines that are typed or piped in, secrets above all.
enum StandardInput {
  private static let limit = 4_096

  /// The next line, without its end. `what` is named when there is none. Throws ``ClientError``.
  static func line(_ what: String) async throws -> String {
    try await BlockingPool.shared.run {
      var bytes: [UInt8] = []
      while bytes.count <= limit {
        let byte = getchar()
        if byte == EOF || byte == Int32(UInt8(ascii: "\n")) {
          if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
          guard !bytes.isEmpty else { break }
          return String(decoding: bytes, as: UTF8.self)
        }
        bytes.append(UInt8(truncatingIfNeeded: byte))
      }
      throw ClientError.usage("standard input holds no \(what)")
    }
  }

  /// A secret: the next line where it is piped in, else what is typed, which the terminal does not
  /// show. Throws ``ClientError``.
  static func secret(_ what: String, piped: Bool, flag: String) async throws -> String {
    if piped { return try await line(what) }
    guard isatty(STDIN_FILENO) == 1 else {
      throw ClientError.usage("the \(what) is missing: type it, or pipe it in with \(flag)")
    }
    var settings = termios()
    guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return try await line(what) }
    let before = settings
    settings.c_lflag &= ~tcflag_t(ECHO)
    // asked for only then: what is typed sooner would be seen, and dropped
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
    Terminal.prompt("\(what): ")
    defer {
      var before = before
      tcsetattr(STDIN_FILENO, TCSADRAIN, &before)
      Terminal.prompt("\n")
    }
    return try await line(what)
  }
}
