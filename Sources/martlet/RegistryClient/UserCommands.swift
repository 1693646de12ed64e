import ArgumentParser
import Host
import NIOHTTP1

/// The account service of the API.
enum AccountPath {
  static let root = "/enzi/v0/accounts"

  static func account(_ name: String) -> String { RegistryClient.path(root, name) }
}

/// `martlet registry user`: people and machines that log in.
struct RegistryUserCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user", abstract: "Users.",
    discussion: """
      EXAMPLES
        martlet registry user create alice --full-name "Alice Example"
        printf '%s' "$PASSWORD" | martlet registry user create ci --new-password-stdin
        martlet registry user update alice --admin
        martlet registry user password alice
        martlet registry user list --filter admins
      """,
    subcommands: [
      List.self, Create.self, Show.self, Update.self, Delete.self, Password.self,
    ])

  static let columns = [
    Column("NAME", "name"), Column("FULL NAME", "fullName"),
    Column("ROLE") { $0["isAdmin"].isTrue ? "admin" : "user" },
    Column("STATE") { $0["isActive"].isTrue ? "active" : "inactive" },
  ]

  static let details = [
    Column("Name", "name"), Column("Id", "id"), Column("Full name", "fullName"),
    Column("Administrator", "isAdmin"), Column("Active", "isActive"),
  ]

  enum Filter: String, ExpressibleByArgument, CaseIterable {
    case users, admins
    case nonAdmins = "non-admins"
    case activeUsers = "active-users"
    case inactiveUsers = "inactive-users"
  }

  struct List: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "List users.")
    @Option(help: "Which of them.") var filter = Filter.users
    @OptionGroup var list: ListOptions
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list(
        AccountPath.root, key: "accounts", .start, query: [("filter", filter.rawValue)],
        limit: list.limit)
      try out.list(found, id: { $0["name"].text }, RegistryUserCommand.columns)
    }
  }

  struct Create: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create a user.",
      discussion: """
        The password is typed, or is the next line of standard input with --new-password-stdin; \
        with --no-password the user can log in once an administrator sets one.
        """)
    @Argument(help: "The user's name.") var name: String
    @Option(help: "What people call the user.") var fullName: String?
    @Flag(help: "Whether the user administers the registry.") var admin = false
    @Flag(help: "Whether the user may not log in yet.") var inactive = false
    @Flag(help: "Read the new password from standard input.") var newPasswordStdin = false
    @Flag(help: "Set no password.") var noPassword = false
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = Form()
      form.set("name", name)
      form.set("fullName", fullName)
      if !noPassword {
        form.set(
          "password",
          try await StandardInput.secret(
            "New password", piped: newPasswordStdin, flag: "--new-password-stdin"))
      }
      form.set("isAdmin", admin)
      form.set("isActive", !inactive)
      let made = try await client.submit(.POST, AccountPath.root, form.document)
      try out.did("user \(name) created", made, id: name)
    }
  }

  struct Show: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Show a user.")
    @Argument(help: "The user's name or id.") var name: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.get(AccountPath.account(name))
      try out.show(found, id: found["name"].text, RegistryUserCommand.details)
    }
  }

  struct Update: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change a user; what is not given stays.")
    enum Activity: String, EnumerableFlag { case active, inactive }

    @Argument(help: "The user's name or id.") var name: String
    @Option(help: "What people call the user.") var fullName: String?
    @Flag(inversion: .prefixedNo, help: "Whether the user administers the registry.")
    var admin: Bool?
    @Flag(help: "Whether the user may log in.") var activity: Activity?
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = Form()
      form.set("fullName", fullName)
      form.set("isAdmin", admin)
      form.set("isActive", activity.map { $0 == .active })
      try form.requireChanges()
      let changed = try await client.submit(.PATCH, AccountPath.account(name), form.document)
      try out.did("user \(name) changed", changed, id: name)
    }
  }

  struct Delete: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete a user with all repositories of that name.")
    @Argument(help: "The user's name or id.") var name: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, AccountPath.account(name))
      try out.did("user \(name) deleted", id: name)
    }
  }

  struct Password: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change a password, your own unless a user is named.",
      discussion: """
        Your own needs the old one: it is asked for, or is the line before the new one with \
        --new-password-stdin.
        """)
    @Argument(help: "The user's name.") var name: String?
    @Flag(help: "Read the new password (your own: the old one, then the new) from standard input.")
    var newPasswordStdin = false
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      guard let name = name ?? client.username else { throw ClientError.usage("who?") }
      let flag = "--new-password-stdin"
      var form = Form()
      if name == client.username {
        form.set(
          "oldPassword",
          try await StandardInput.secret("Old password", piped: newPasswordStdin, flag: flag))
      }
      form.set(
        "newPassword",
        try await StandardInput.secret("New password", piped: newPasswordStdin, flag: flag))
      let changed = try await client.submit(
        .POST, AccountPath.account(name) + "/changePassword", form.document)
      try out.did("password of \(name) changed", changed, id: name)
    }
  }
}
