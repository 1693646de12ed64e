import ArgumentParser

/// The commands of `martlet registry` that speak with a registry over its REST API.
enum RegistryTools {
  static var subcommands: [any ParsableCommand.Type] {
    [
      RegistryLoginCommand.self, RegistryLogoutCommand.self, RegistryStatusCommand.self,
      RegistrySearchCommand.self, RegistryRepositoryCommand.self, RegistryUserCommand.self,
      RegistryOrganizationCommand.self, RegistryTeamCommand.self, RegistryTokenCommand.self,
      RegistryPolicyCommand.self, RegistryMirrorCommand.self, RegistryWebhookCommand.self,
      RegistryJobCommand.self, RegistryCronCommand.self, RegistryWorkerCommand.self,
      RegistryGarbageCommand.self, RegistrySettingsCommand.self, RegistryEventsCommand.self,
    ]
  }
}
