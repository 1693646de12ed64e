import ArgumentParser

/// `martlet registry`: the image registry and its tools.
struct RegistryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "registry", abstract: "Store, serve and govern images.",
    discussion: """
      The registry that docker, skopeo, podman and every other OCI client push to and pull from. \
      `martlet registry init` sets it up, `martlet registry serve` runs it; it needs nothing beside it.

      The other commands govern a registry that runs, here or elsewhere. Log in once, then ask:

        martlet registry login registry.example.com -u admin
        martlet registry repo list

      They print tables for people, with --output json the documents of the REST API for scripts, \
      and with --quiet names only. They end with status

         0  done
         1  refused, or a job that was waited for failed
        64  the command line is wrong
        66  there is no such thing
        69  the registry cannot be reached, or is not ready
        75  too much at once: try again later
        77  not logged in, or not allowed
        78  the file of logins is broken

      and say why on standard error: `martlet: MESSAGE (CODE)`.
      """,
    subcommands: [RegistryServeCommand.self, RegistryInitCommand.self] + RegistryTools.subcommands)
}
