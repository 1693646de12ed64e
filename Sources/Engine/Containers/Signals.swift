import DockerModel

/// Signals by the names that clients use.
enum Signals {
  /// The number of `KILL`, `SIGKILL`, `9`, `RTMIN+3`.
  /// - Throws: `invalidParameter`.
  static func number(_ text: String) throws -> Int32 {
    if let number = Int32(text) {
      if (1...64).contains(number) { return number }
    } else {
      let upper = text.uppercased()
      let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
      if let number = numbers[name] { return number }
      if name.hasPrefix("RTMIN+"), let offset = Int32(name.dropFirst(6)), (0...30).contains(offset)
      {
        return realtimeMinimum + offset
      }
      if name.hasPrefix("RTMAX-"), let offset = Int32(name.dropFirst(6)), (0...30).contains(offset)
      {
        return realtimeMaximum - offset
      }
    }
    throw APIError.invalidParameter("Invalid signal: \(text)")
  }

  /// Linux's own bounds: the C library keeps two of the realtime signals for itself.
  private static let realtimeMinimum: Int32 = 34
  private static let realtimeMaximum: Int32 = 64

  private static let numbers: [String: Int32] = [
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "IOT": 6, "BUS": 7, "FPE": 8,
    "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
    "STKFLT": 16, "CHLD": 17, "CLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21,
    "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28,
    "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31, "RTMIN": 34, "RTMAX": 64,
  ]
}
