import ArgumentParser
import DaemonConfiguration

/// The one binary: each role of the platform is a subcommand.
@main
struct Martlet: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "martlet", abstract: "A container platform in one binary.",
    version: "Martlet \(Version.text)",
    subcommands: [DaemonCommand.self, RegistryCommand.self])

  static func main() async {
    // Booleans may stand alone, as those of dockerd.
    let arguments = DaemonFlags.spellingOutSwitches(Array(CommandLine.arguments.dropFirst()))
    do {
      var command = try parseAsRoot(arguments)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      exit(withError: error)
    }
  }
}

/// The product's version.
enum Version {
  static let text = "0.1.0"
}
