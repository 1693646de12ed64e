import ContainerRuntime
import DockerModel
import NIOCore

/// What a container's log options add to each line that is asked for with details: labels and
/// variables, as in `shade=red,zone=a`.
struct LogDetails: Sendable {
  private let text: [UInt8]

  /// - Throws: `invalidParameter` for an expression that cannot be read.
  init(_ record: ContainerRecord) throws {
    let options = record.hostConfig.logConfig.config
    let labels = record.config.labels ?? [:]
    var variables: [String: String] = [:]
    for variable in record.config.env ?? [] {
      let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
    }
    var chosen = try Self.choose(labels, named: options["labels"], like: options["labels-regex"])
    chosen.merge(try Self.choose(variables, named: options["env"], like: options["env-regex"])) {
      $1
    }
    if options["tag"] != nil { chosen["tag"] = record.shortID }
    let list = chosen.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    text = Array((list.joined(separator: ",") + " ").utf8)
  }

  private static func choose(
    _ values: [String: String], named names: String?, like pattern: String?
  ) throws -> [String: String] {
    let names = Set((names ?? "").split(separator: ",").map(String.init))
    guard let pattern else { return values.filter { names.contains($0.key) } }
    do {
      let expression = try Regex(pattern)
      return values.filter { names.contains($0.key) || $0.key.firstMatch(of: expression) != nil }
    } catch {
      throw APIError.invalidParameter("invalid expression in log options: \(pattern)")
    }
  }

  /// Lines as clients expect them: the time if wanted, the details, the text.
  func frames(
    _ entries: [ContainerLog.Entry], _ framing: StreamFraming, timestamps: Bool
  ) -> ByteBuffer {
    var buffer = ByteBuffer()
    for entry in entries {
      var line = ByteBuffer()
      if timestamps {
        line.writeString(Timestamp(nanosecondsSinceEpoch: entry.timestamp).rfc3339 + " ")
      }
      line.writeBytes(text)
      line.writeImmutableBuffer(entry.text)
      switch framing {
      case .raw: buffer.writeImmutableBuffer(line)
      case .multiplexed:
        buffer.writeFrame(entry.stream == .standardOutput ? .output : .error, line)
      }
    }
    return buffer
  }
}
