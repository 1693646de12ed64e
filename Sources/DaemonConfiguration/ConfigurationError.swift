/// Everything that is wrong with the daemon's settings.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of an error. More may come; compare with the constants.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    /// The constant's name.
    package let description: String

    /// The configuration file cannot be read.
    package static let unreadable = Code(description: "unreadable")
    /// Settings are unknown, wrong or at odds.
    package static let invalid = Code(description: "invalid")
  }

  /// One thing that is wrong.
  package struct Problem: Hashable, Sendable, CustomStringConvertible {
    /// Where: `/etc/martlet/daemon.json:7` or `--bip`.
    package var place: String
    /// What is wrong, and where it helps, what would be right.
    package var message: String

    /// The place and the message.
    package var description: String { "\(place): \(message)" }
  }

  /// The kind of the error.
  package var code: Code
  /// What it comes to, the same text for every error of its sort.
  package var message: String
  /// All problems, in the order of the file, the flags after it.
  package var problems: [Problem]

  /// The problems, a line each.
  package var description: String {
    problems.map(\.description).joined(separator: "\n")
  }

  init(_ code: Code, _ message: String, problems: [Problem]) {
    self.code = code
    self.message = message
    self.problems = problems
  }
}

/// Collects problems while settings are read.
struct ProblemList {
  /// After this many problems the rest of a file is not read.
  static let limit = 200

  /// Where the setting that is being read comes from.
  enum Source: Hashable, Sendable {
    case file(path: String)
    case flag(String)

    func place(line: Int) -> String {
      switch self {
      case .file(let path): "\(path):\(line)"
      case .flag(let name): name
      }
    }
  }

  fileprivate(set) var problems: [ConfigurationError.Problem] = []
  var source: Source

  init(source: Source) {
    self.source = source
  }

  /// Notes what is wrong with a node.
  mutating func add(_ message: String, at node: JSONNode) {
    add(message, line: node.line)
  }

  /// Notes what is wrong in a line.
  mutating func add(_ message: String, line: Int) {
    add(message, place: source.place(line: line))
  }

  /// Notes what is wrong at a place. Values that are quoted in the message may be absurdly long.
  mutating func add(_ message: String, place: String) {
    let message = message.utf8.count > 500 ? message.prefix(497) + "..." : message
    problems.append(ConfigurationError.Problem(place: place, message: message))
  }
}

extension ProblemList {
  /// Puts the name of the setting before the messages from `index` on.
  mutating func prefix(with text: String, from index: Int) {
    for position in problems.indices.dropFirst(index) {
      problems[position].message = text + problems[position].message
    }
  }
}
