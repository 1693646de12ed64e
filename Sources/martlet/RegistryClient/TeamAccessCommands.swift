import ArgumentParser
import NIOHTTP1

extension RegistryTeamCommand {
  struct AccessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "access", abstract: "What a team may do.",
      subcommands: [ListAccess.self, SetAccess.self, RemoveAccess.self])
  }

  enum Level: String, ExpressibleByArgument, CaseIterable {
    case readOnly = "read-only"
    case readWrite = "read-write"
    case admin
  }

  /// What a level is on: a repository, or a namespace with everything in it.
  enum AccessTarget: ExpressibleByArgument, Sendable, CustomStringConvertible {
    case repository(RepositoryPath)
    case namespace(String)

    init?(argument: String) {
      if let repository = RepositoryPath(argument: argument) {
        self = .repository(repository)
      } else if !argument.isEmpty, !argument.contains("/") {
        self = .namespace(argument)
      } else {
        return nil
      }
    }

    var description: String {
      switch self {
      case .repository(let path): path.description
      case .namespace(let name): name
      }
    }

    func path(_ team: String) -> String {
      let root =
        switch self {
        case .repository(let repository): repository.path
        case .namespace(let name): RegistryClient.path("/api/v0/repositoryNamespaces", name)
        }
      return RegistryClient.path(root + "/teamAccess", team)
    }
  }

  struct ListAccess: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "List the repositories a team has a level on.",
      discussion: "A level on the whole namespace is remarked after the table.")
    @OptionGroup var team: TeamArguments
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list(
        RegistryClient.path("/api/v0/accounts", team.organization)
          + RegistryClient.path("/teams", team.team) + "/repositoryAccess",
        key: "repositoryAccessList", .whole)
      try out.list(
        found, id: { RegistryRepositoryCommand.name($0["repository"]) },
        [
          Column("REPOSITORY") { RegistryRepositoryCommand.name($0["repository"]) },
          Column("LEVEL", "accessLevel"),
        ])
      let path = AccessTarget.namespace(team.organization).path(team.team)
      let (status, reply) = try await client.exchange(.GET, path)
      if status == 200, let level = reply.document?["accessLevel"].string {
        out.remark("Every repository of \(team.organization): \(level)")
      } else if status != 404 {
        throw ClientError(httpStatus: status, document: reply.document)
      }
    }
  }

  struct SetAccess: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "set", abstract: "Give a team a level on a repository or a namespace.")
    @OptionGroup var team: TeamArguments
    @Argument(help: "The level.") var level: Level
    @Argument(help: "NAMESPACE/NAME, or a whole NAMESPACE.") var target: AccessTarget
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let set = try await client.submit(
        .PUT, target.path(team.team), ["accessLevel": .string(level.rawValue)])
      try out.did(
        "team \(team.team) has \(level.rawValue) on \(target)", set, id: target.description)
    }
  }

  struct RemoveAccess: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Take a team's level on a repository or a namespace away.")
    @OptionGroup var team: TeamArguments
    @Argument(help: "NAMESPACE/NAME, or a whole NAMESPACE.") var target: AccessTarget
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, target.path(team.team))
      try out.did("team \(team.team) has no level on \(target) any more", id: target.description)
    }
  }
}
