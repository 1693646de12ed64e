import ArgumentParser
import Identity
import NIOHTTP1

/// `martlet registry token`: personal access tokens.
struct RegistryTokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Personal access tokens: passwords for machines.",
    discussion: """
      A token works wherever the password does, docker login among them, and can be taken back \
      alone. It is shown once, when it is made.

      EXAMPLES
        martlet registry token create --label ci --expires 90d
        martlet registry token create --label ci --quiet | docker login -u alice --password-stdin HOST
        martlet registry token list
        martlet registry token disable 6dc8f2…
      """,
    subcommands: [List.self, Create.self, Enable.self, Disable.self, Delete.self])

  static let columns = [
    Column("ID", "hashedToken"), Column("LABEL", "tokenLabel"),
    Column("STATE") { $0["isActive"].isTrue ? "active" : "disabled" },
    .time("CREATED", "createdAt"), .time("LAST USED", "lastUsed"),
    Column("EXPIRES") { $0["expiresAt"].string.map(Human.time) ?? "never" },
  ]

  /// Whose tokens are meant.
  struct Owner: ParsableArguments {
    @Option(help: "Whose; your own unless given. Others' are for administrators.")
    var user: String?

    var query: [(String, String)] { user.map { [("username", $0)] } ?? [] }
  }

  static func path(_ id: String) -> String { RegistryClient.path("/api/v0/api_tokens", id) }

  struct List: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "List tokens.")
    @OptionGroup var owner: Owner
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list(
        "/api/v0/api_tokens", key: nil, .header, query: owner.query)
      try out.list(found, id: { $0["hashedToken"].text }, RegistryTokenCommand.columns)
    }
  }

  struct Create: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create a token and print it; with --quiet nothing else.")
    @Option(help: "What it is for.") var label: String
    @Option(
      help: "When it ends: a time such as 2027-01-31T12:00:00Z, or after how long, such as 90d.")
    var expires: String?
    @OptionGroup var owner: Owner
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = Form()
      form.set("tokenLabel", label)
      if let expires {
        guard
          let moment = Durations.parse(expires).map({ Timestamp.now() + $0 }) ?? Timestamp(expires)
        else { throw ClientError.usage("--expires must be a time or a duration, not \(expires)") }
        form.set("expiresAt", moment.description)
      }
      let made = try await client.submit(
        .POST, "/api/v0/api_tokens", query: owner.query, form.document)
      try out.show(
        made, id: made["token"].text,
        [
          Column("Token", "token"), Column("Id", "hashedToken"), Column("Label", "tokenLabel"),
          Column("Expires") { $0["expiresAt"].string.map(Human.time) ?? "never" },
        ])
    }
  }

  struct Enable: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Have a token work again.")
    @Argument(help: "The token's id.") var id: String
    @OptionGroup var owner: Owner
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let changed = try await client.submit(
        .PATCH, RegistryTokenCommand.path(id), query: owner.query, ["isActive": true])
      try out.did("token \(id) enabled", changed, id: id)
    }
  }

  struct Disable: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Have a token not work for now.")
    @Argument(help: "The token's id.") var id: String
    @OptionGroup var owner: Owner
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let changed = try await client.submit(
        .PATCH, RegistryTokenCommand.path(id), query: owner.query, ["isActive": false])
      try out.did("token \(id) disabled", changed, id: id)
    }
  }

  struct Delete: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Delete a token.")
    @Argument(help: "The token's id.") var id: String
    @OptionGroup var owner: Owner
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, RegistryTokenCommand.path(id), query: owner.query)
      try out.did("token \(id) deleted", id: id)
    }
  }
}
