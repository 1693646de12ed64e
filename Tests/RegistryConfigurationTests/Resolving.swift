@testable import RegistryConfiguration

/// The configuration of a file with this text after the version, and of variables and flags.
func configuration(
  _ text: String, environment: [String: String] = [:], flags: [RegistryFlag] = []
) throws -> RegistryConfiguration {
  try RegistryConfiguration.resolve(
    file: file(text), environment: environment, flags: flags)
}

/// The problems that resolving ends with, a line each; empty when there are none.
func problems(
  _ text: String, environment: [String: String] = [:], flags: [RegistryFlag] = []
) -> [String] {
  do {
    _ = try configuration(text, environment: environment, flags: flags)
    return []
  } catch let error as RegistryConfigurationError {
    return error.problems.map(\.description)
  } catch {
    return ["\(error)"]
  }
}

/// A file `c.yml` of the version, in line 1, and this text, from line 2 on.
func file(_ text: String) -> RegistryConfigurationFile {
  RegistryConfigurationFile(path: "c.yml", contents: Array("version: 0.1\n\(text)".utf8))
}
