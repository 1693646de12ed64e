import DockerModel
import FoundationEssentials

/// The Dockerfile instructions that `commit --change` and `import --change` take.
enum ImageChanges {
  /// Applies instructions to a configuration.
  /// - Throws: `invalidParameter`.
  static func apply(_ changes: [String], to config: inout ContainerConfig) throws {
    for change in changes {
      for line in change.split(separator: "\n") { try apply(line, to: &config) }
    }
  }

  private static func apply(_ line: Substring, to config: inout ContainerConfig) throws {
    let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
    guard let word = parts.first else { return }
    let instruction = word.uppercased()
    let rest = parts.count == 2 ? String(parts[1].drop { $0 == " " }) : ""
    switch instruction {
    case "CMD": config.cmd = StringList(try command(rest))
    case "ENTRYPOINT": config.entrypoint = StringList(try command(rest))
    case "ENV":
      let variables = try assignments(rest, instruction)
      let names = Set(variables.map(\.name))
      config.env =
        (config.env ?? []).filter { variable in
          !names.contains(String(variable.prefix { $0 != "=" }))
        } + variables.map { "\($0.name)=\($0.value)" }
    case "LABEL":
      for label in try assignments(rest, instruction) {
        config.labels = (config.labels ?? [:]).merging([label.name: label.value]) { $1 }
      }
    case "EXPOSE":
      for port in rest.split(separator: " ") {
        for one in try PortSpecification.range(String(port)) {
          config.exposedPorts[one.text] = EmptyObject()
        }
      }
    case "USER": config.user = rest
    case "WORKDIR": config.workingDir = rest
    case "STOPSIGNAL":
      _ = try Signals.number(rest)
      config.stopSignal = rest
    case "VOLUME":
      for path in try rest.hasPrefix("[")
        ? command(rest) : rest.split(separator: " ").map(String.init)
      {
        config.volumes = (config.volumes ?? [:]).merging([path: EmptyObject()]) { $1 }
      }
    case "ONBUILD": config.onBuild = (config.onBuild ?? []) + [rest]
    default:
      throw APIError.invalidParameter("\(instruction.lowercased()) is not a valid change command")
    }
  }

  /// `["a", "b"]` as a list, anything else for the shell.
  private static func command(_ text: String) throws -> [String] {
    guard text.hasPrefix("[") else { return ["/bin/sh", "-c", text] }
    do {
      return try JSONDecoder().decode([String].self, from: Data(text.utf8))
    } catch {
      throw APIError.invalidParameter("invalid JSON array in change: \(text)")
    }
  }

  /// `A=1 B="two words"`, or the old `A 1`.
  private static func assignments(
    _ text: String, _ instruction: String
  ) throws -> [(name: String, value: String)] {
    let words = quotedWords(text)
    guard let first = words.first else {
      throw APIError.invalidParameter("\(instruction) must have at least one argument")
    }
    if !first.contains("=") {
      return [(first, words.dropFirst().joined(separator: " "))]
    }
    return try words.map { word in
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw APIError.invalidParameter("can't find = in \"\(word)\"")
      }
      return (String(parts[0]), String(parts[1]))
    }
  }

  private static func quotedWords(_ text: String) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    for character in text {
      if isEscaped {
        word = (word ?? "") + String(character)
        isEscaped = false
      } else if character == "\\" && quote != "'" {
        isEscaped = true
      } else if let open = quote {
        if character == open { quote = nil } else { word = (word ?? "") + String(character) }
      } else if character == "\"" || character == "'" {
        quote = character
        word = word ?? ""
      } else if character == " " || character == "\t" {
        if let done = word { words.append(done) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    if let word { words.append(word) }
    return words
  }
}
