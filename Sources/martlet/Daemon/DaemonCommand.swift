import ArgumentParser
import DaemonConfiguration
import Glibc
import Host

/// `martlet daemon`: the node daemon.
struct DaemonCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "daemon", abstract: "Run the engine of this node.",
    discussion: """
      Serves the Docker Engine API. Settings come from the configuration file and from flags, which \
      mean what they mean to dockerd; the same setting in both is an error.
      SIGHUP reads the file again and takes over what can change while running. Containers outlive \
      the daemon: stop it, or kill it, and the next one finds them.
      """)

  @OptionGroup var options: DaemonOptions

  @Option(
    name: .customLong("validate"),
    help: "Check the configuration, say whether it is right, and end.")
  var validates: Bool = false

  func run() async throws {
    // A client that goes away is an error of that write, not the end of the daemon.
    signal(SIGPIPE, SIG_IGN)
    MemoryAllocator.keepSmall()
    let configuration: DaemonConfiguration
    do {
      configuration = try DaemonConfiguration.load(flags: options.flags)
    } catch {
      throw CommandFailure("\(error)")
    }
    if validates {
      print("configuration OK")
      return
    }
    guard geteuid() == 0 else { throw CommandFailure("the daemon must be run as root") }
    try await Daemon(configuration: configuration, flags: options.flags).run()
  }
}

/// Why a command ended, as it is printed.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
