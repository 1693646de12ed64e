import ArgumentParser
import NIOHTTP1

/// A team of an organization as two arguments.
struct TeamArguments: ParsableArguments {
  @Argument(help: "The organization.") var organization: String
  @Argument(help: "The team.") var team: String

  static func root(_ organization: String) -> String {
    AccountPath.account(organization) + "/teams"
  }

  var path: String { RegistryClient.path(Self.root(organization), team) }
}

/// `martlet registry team`: who may do what in an organization.
struct RegistryTeamCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "team", abstract: "Teams, their members and what they may do.",
    discussion: """
      A team has a level on repositories of its organization: read-only (pull), read-write (push \
      and delete tags too) or admin (everything); on one repository, or on the whole namespace.

      EXAMPLES
        martlet registry team create library builders
        martlet registry team members add library builders alice
        martlet registry team access set library builders read-write library/app
        martlet registry team access set library builders read-only library
        martlet registry team access list library builders
      """,
    subcommands: [
      List.self, Create.self, Show.self, Update.self, Delete.self, MembersCommand.self,
      AccessCommand.self,
    ])

  static let columns = [
    Column("NAME", "name"), Column("MEMBERS", "membersCount"),
    Column("DESCRIPTION", "description"),
  ]

  struct List: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "List the teams.")
    @Argument(help: "The organization.") var organization: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list(
        TeamArguments.root(organization), key: "teams", .whole)
      try out.list(found, id: { $0["name"].text }, RegistryTeamCommand.columns)
    }
  }

  struct Create: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Create a team.")
    @OptionGroup var team: TeamArguments
    @Option(help: "What it is for.") var description: String?
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = Form()
      form.set("name", team.team)
      form.set("description", description)
      let made = try await client.submit(
        .POST, TeamArguments.root(team.organization), form.document)
      try out.did("team \(team.team) created", made, id: team.team)
    }
  }

  struct Show: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Show a team.")
    @OptionGroup var team: TeamArguments
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.get(team.path)
      try out.show(
        found, id: found["name"].text,
        [
          Column("Name", "name"), Column("Id", "id"), Column("Members", "membersCount"),
          Column("Description", "description"),
        ])
    }
  }

  struct Update: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change a team; what is not given stays.")
    @OptionGroup var team: TeamArguments
    @Option(help: "Its new name.") var name: String?
    @Option(help: "What it is for.") var description: String?
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = Form()
      form.set("name", name)
      form.set("description", description)
      try form.requireChanges()
      let changed = try await client.submit(.PATCH, team.path, form.document)
      try out.did("team \(team.team) changed", changed, id: changed["name"].text)
    }
  }

  struct Delete: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Delete a team.")
    @OptionGroup var team: TeamArguments
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, team.path)
      try out.did("team \(team.team) deleted", id: team.team)
    }
  }

  struct MembersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "members", abstract: "Who is in a team.",
      subcommands: [ListMembers.self, AddMember.self, RemoveMember.self])
  }

  struct ListMembers: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "List the members.")
    @OptionGroup var team: TeamArguments
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list(team.path + "/members", key: "members", .whole)
      try out.list(found, id: { $0["member"]["name"].text }, Members.columns(admin: "admin"))
    }
  }

  struct AddMember: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "add",
      abstract: "Put a user into a team, and into its organization unless there already.")
    @OptionGroup var team: TeamArguments
    @Argument(help: "The user.") var user: String
    @Flag(help: "Whether the user may change who is in the team.") var admin = false
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let set = try await client.submit(
        .PUT, RegistryClient.path(team.path + "/members", user), ["isAdmin": .bool(admin)])
      try out.did("\(user) is in team \(team.team)", set, id: user)
    }
  }

  struct RemoveMember: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Take a user out of a team.")
    @OptionGroup var team: TeamArguments
    @Argument(help: "The user.") var user: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, RegistryClient.path(team.path + "/members", user))
      try out.did("\(user) is not in team \(team.team) any more", id: user)
    }
  }
}
