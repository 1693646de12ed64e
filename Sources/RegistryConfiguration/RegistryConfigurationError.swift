/// Everything that is wrong with the registry's settings.
package struct RegistryConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
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
    /// Where: `/etc/martlet/registry.yml:7:3`, `REGISTRY_HTTP_ADDR` or `--listen`.
    package var place: String
    /// The setting's keys with dots between them; empty where it is about the file as a whole.
    package var key: String
    /// What is wrong, and where it helps, what would be right.
    package var message: String

    /// The place, the key and the message.
    package var description: String {
      key.isEmpty ? "\(place): \(message)" : "\(place): \(key): \(message)"
    }
  }

  /// The kind of the error.
  package var code: Code
  /// What it comes to, the same text for every error of its sort.
  package var message: String
  /// All problems: those of the file in its order, then those of settings that are at odds.
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
  /// After this many problems the rest is not read.
  static let limit = 200

  private(set) var problems: [RegistryConfigurationError.Problem] = []
  /// The keys of the setting that is being read.
  var key = ""

  var isFull: Bool { problems.count >= Self.limit }

  /// Notes what is wrong with a value.
  mutating func add(_ message: String, at node: YAMLNode) {
    add(message, at: "\(node.place)", key: key)
  }

  /// Notes what is wrong at a place. Values that are quoted in the message may be absurdly long.
  mutating func add(_ message: String, at place: String, key: String) {
    guard problems.count <= Self.limit else { return }
    let isLast = problems.count == Self.limit
    problems.append(
      RegistryConfigurationError.Problem(
        place: place, key: isLast ? "" : Self.shortened(key),
        message: isLast
          ? "there are too many problems; the rest is not read" : Self.shortened(message)))
  }

  private static func shortened(_ text: String) -> String {
    text.utf8.count > 500 ? text.prefix(490) + "..." : text
  }
}
