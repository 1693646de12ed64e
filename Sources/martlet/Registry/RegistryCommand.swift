import ArgumentParser

/// `martlet registry`: the image registry and its tools.
struct RegistryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "registry", abstract: "Store, serve and govern images.",
    discussion: """
      The registry that docker, skopeo, podman and every other OCI client push to and pull from. \
      `martlet registry serve` runs it; it needs nothing beside it.
      """,
    subcommands: [RegistryServeCommand.self])
}
