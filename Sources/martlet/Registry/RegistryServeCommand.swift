import ArgumentParser
import Glibc
import Host

/// `martlet registry serve`: runs the registry.
struct RegistryServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run the registry.",
    discussion: """
      Settings come from the configuration file (martlet registry init writes one), whose keys are \
      those of the reference registry's config.yml where they mean the same; variables such as \
      REGISTRY_HTTP_ADDR override keys, and flags override both. Without any, everything is kept in \
      one folder.
      At its first start it makes the administrator and prints a password for it, once; \
      MARTLET_REGISTRY_ADMIN_PASSWORD sets one instead.
      Ends at SIGTERM or SIGINT, when the requests under way are done. A configuration that is \
      wrong ends it with status 78.
      """)

  @OptionGroup var options: RegistryOptions

  @Flag(
    name: .customLong("validate"),
    help: "Check the configuration, say whether it is right, and end.")
  var validates = false

  func run() async throws {
    let configuration = try options.configuration()
    if validates {
      print("configuration OK")
      return
    }
    // A client that goes away is an error of that write, not the end of the registry.
    signal(SIGPIPE, SIG_IGN)
    MemoryAllocator.keepSmall()
    try await RegistryServer(configuration: configuration).run()
  }
}
