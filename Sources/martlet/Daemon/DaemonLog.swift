import DaemonConfiguration
import DockerModel
import Glibc
import Logging
import Synchronization

/// Where the daemon's log lines go: standard error, in one of two forms, from a level on that a
/// reload may change.
final class DaemonLog: Sendable {
  private let format: DaemonConfiguration.LogFormat
  private let threshold: Mutex<Logger.Level>
  /// Facts that every line carries.
  private let facts: Logger.Metadata

  init(
    format: DaemonConfiguration.LogFormat, level: Logger.Level, facts: [String: String] = [:]
  ) {
    self.format = format
    self.facts = facts.mapValues { .string($0) }
    threshold = Mutex(level)
  }

  /// From which level on lines are written.
  var level: Logger.Level {
    get { threshold.withLock { $0 } }
    set { threshold.withLock { $0 = newValue } }
  }

  /// A logger that writes here.
  func logger(label: String) -> Logger {
    Logger(label: label) { _ in DaemonLogHandler(log: self) }
  }

  /// Writes one line.
  func write(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) {
    let facts = metadata.merging(facts) { own, _ in own }.sorted { $0.key < $1.key }
    var line: String
    switch format {
    case .text:
      line = "\(Timestamp.now.rfc3339) \(level) \(message)"
      for (key, value) in facts { line += " \(key)=\(Self.quoted("\(value)"))" }
    case .json:
      line = "{\"time\":\"\(Timestamp.now.rfc3339)\",\"level\":\"\(level)\",\"msg\":"
      line += Self.json(message)
      for (key, value) in facts { line += ",\(Self.json(key)):\(Self.json("\(value)"))" }
      line += "}"
    }
    line += "\n"
    // One call for one line, so that lines of several threads do not mix.
    line.withUTF8 { bytes in _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
  }

  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { $0 > 32 && $0 != UInt8(ascii: "\"") && $0 != 127 }
    return isPlain && !text.isEmpty ? text : json(text)
  }

  private static func json(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 32:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// Brings swift-log's lines to a `DaemonLog`.
private struct DaemonLogHandler: LogHandler {
  let log: DaemonLog
  var metadata: Logger.Metadata = [:]
  /// What this one logger was told; a reload changes all that were told nothing.
  private var ownLevel: Logger.Level?
  var logLevel: Logger.Level {
    get { ownLevel ?? log.level }
    set { ownLevel = newValue }
  }

  init(log: DaemonLog) { self.log = log }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    log.write(
      event.level, "\(event.message)", metadata.merging(event.metadata ?? [:]) { $1 })
  }
}
