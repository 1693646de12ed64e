import ArgumentParser
import NIOHTTP1

/// A list of members, of an organization or a team.
enum Members {
  static let columns = [
    Column("NAME") { $0["member"]["name"].text },
    Column("FULL NAME") { $0["member"]["fullName"].text },
  ]

  static func columns(admin: String) -> [Column] {
    columns + [Column("ROLE") { $0["isAdmin"].isTrue ? admin : "member" }]
  }
}

/// `martlet registry org`: organizations and who belongs to them.
struct RegistryOrganizationCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "org", abstract: "Organizations and their members.",
    discussion: """
      An organization is a namespace that several people share; what each may do there is said by \
      teams (martlet registry team) and by owning it.

      EXAMPLES
        martlet registry org create library --full-name "The library"
        martlet registry org members add library alice --owner
        martlet registry org members list library
      """,
    subcommands: [
      List.self, Create.self, Show.self, Update.self, Delete.self, MembersCommand.self,
    ])

  static let columns = [
    Column("NAME", "name"), Column("FULL NAME", "fullName"), Column("MEMBERS", "membersCount"),
    Column("TEAMS", "teamsCount"),
  ]

  static let details = [
    Column("Name", "name"), Column("Id", "id"), Column("Full name", "fullName"),
    Column("Members", "membersCount"), Column("Teams", "teamsCount"),
  ]

  struct List: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "List organizations.",
      discussion: "With --user those that a user belongs to.")
    @Option(help: "Only those of this user.") var user: String?
    @OptionGroup var list: ListOptions
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      if let user {
        let found = try await client.list(
          AccountPath.account(user) + "/organizations", key: "members", .whole, limit: list.limit)
        return try out.list(
          found, id: { $0["member"]["name"].text }, Members.columns(admin: "owner"))
      }
      let found = try await client.list(
        AccountPath.root, key: "accounts", .start, query: [("filter", "orgs")], limit: list.limit)
      try out.list(found, id: { $0["name"].text }, RegistryOrganizationCommand.columns)
    }
  }

  struct Create: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create an organization, of which you become an owner.")
    @Argument(help: "The organization's name.") var name: String
    @Option(help: "What people call it.") var fullName: String?
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = Form()
      form.set("name", name)
      form.set("fullName", fullName)
      form.set("isOrg", true)
      let made = try await client.submit(.POST, AccountPath.root, form.document)
      try out.did("organization \(name) created", made, id: name)
    }
  }

  struct Show: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Show an organization.")
    @Argument(help: "The organization's name or id.") var name: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.get(AccountPath.account(name))
      try out.show(found, id: found["name"].text, RegistryOrganizationCommand.details)
    }
  }

  struct Update: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Rename an organization for people.")
    @Argument(help: "The organization's name or id.") var name: String
    @Option(help: "What people call it.") var fullName: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let changed = try await client.submit(
        .PATCH, AccountPath.account(name), ["fullName": .string(fullName)])
      try out.did("organization \(name) changed", changed, id: name)
    }
  }

  struct Delete: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete an organization with its teams and repositories.")
    @Argument(help: "The organization's name or id.") var name: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, AccountPath.account(name))
      try out.did("organization \(name) deleted", id: name)
    }
  }

  struct MembersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "members", abstract: "Who belongs to an organization.",
      subcommands: [ListMembers.self, AddMember.self, RemoveMember.self])
  }

  struct ListMembers: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "List the members.")
    @Argument(help: "The organization.") var organization: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list(
        AccountPath.account(organization) + "/members", key: "members", .whole)
      try out.list(found, id: { $0["member"]["name"].text }, Members.columns(admin: "owner"))
    }
  }

  struct AddMember: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "add", abstract: "Make a user a member, or change a member's role.")
    @Argument(help: "The organization.") var organization: String
    @Argument(help: "The user.") var user: String
    @Flag(help: "Whether the user may do everything there.") var owner = false
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let path = RegistryClient.path(AccountPath.account(organization) + "/members", user)
      let set = try await client.submit(.PUT, path, ["isAdmin": .bool(owner)])
      try out.did(
        "\(user) is \(owner ? "an owner" : "a member") of \(organization)", set, id: user)
    }
  }

  struct RemoveMember: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Take a user out of the organization and its teams.")
    @Argument(help: "The organization.") var organization: String
    @Argument(help: "The user.") var user: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(
        .DELETE, RegistryClient.path(AccountPath.account(organization) + "/members", user))
      try out.did("\(user) is no member of \(organization) any more", id: user)
    }
  }
}
