import ArgumentParser
import Host
import NIOHTTP1

/// `martlet registry settings`: what administrators set while the registry runs.
struct RegistrySettingsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings", abstract: "Settings that are changed while the registry runs.",
    discussion: """
      What is set in the configuration file is not among them.

      EXAMPLES
        martlet registry settings show
        martlet registry settings set readOnlyRegistry=true
        martlet registry settings set createRepositoryOnPush=true jobHistoryMaxAge=720h
      """,
    subcommands: [Show.self, Set.self])

  private static let path = "/api/v0/meta/settings"

  struct Show: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Show the settings.")
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let settings = try await client.get(RegistrySettingsCommand.path)
      if out.isQuiet {
        for member in settings.members { Terminal.say(member.key) }
        return
      }
      try out.show(settings, id: "", settings.members.map { Column($0.key, $0.key) })
    }
  }

  struct Set: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change settings; what is not given stays.")
    @Argument(help: "KEY=VALUE.") var settings: [KeyValue]
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      // what is set now tells what sort of value each takes
      let now = try await client.get(RegistrySettingsCommand.path)
      var form = Form()
      for setting in settings {
        form.set(setting.key, try Self.value(setting, like: now))
      }
      let changed = try await client.submit(.POST, RegistrySettingsCommand.path, form.document)
      for setting in settings {
        try out.did(
          "\(setting.key) is \(changed[setting.key].text)",
          setting.key == settings.last?.key ? changed : nil, id: setting.key)
      }
    }

    private static func value(_ setting: KeyValue, like now: JSONValue) throws -> JSONValue {
      switch now[setting.key] {
      case .bool:
        guard let value = ["true": true, "yes": true, "false": false, "no": false][setting.value]
        else { throw ClientError.usage("\(setting.key) must be true or false") }
        return .bool(value)
      case .integer, .number:
        guard let value = Int64(setting.value) else {
          throw ClientError.usage("\(setting.key) must be a number")
        }
        return .integer(value)
      case .string: return .string(setting.value)
      default:
        let near = suggestion(for: setting.key, from: now.members.map(\.key))
        throw ClientError.usage(
          "there is no setting \(setting.key)" + (near.map { "; did you mean \($0)?" } ?? ""))
      }
    }
  }
}

/// `martlet registry status`: how the registry fares.
struct RegistryStatusCommand: RegistryClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show how the registry fares.",
    discussion: """
      Administrators see more than others. Ends with status 69 when the registry is not well.
      """)
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    let (status, reply) = try await client.exchange(.GET, "/health")
    var document: JSONValue = [
      "server": .string(client.server.description), "healthy": .bool(status == 200),
      "health": reply.document ?? .null,
    ]
    for (key, path) in [
      ("version", "/api/v0/admin/version"), ("cluster", "/api/v0/meta/cluster_status"),
      ("workers", "/api/v0/workers"), ("alerts", "/api/v0/meta/alerts"),
    ] {
      let (status, reply) = try await client.exchange(.GET, path)
      // what the caller may not see is left out
      if status == 200, let found = reply.document { document[key] = found }
    }
    var columns = [
      Column("Registry", "server"), Column("Healthy", "healthy"),
      Column("Version") { $0["version"]["version"].text },
      Column("Processes") { $0["cluster"]["replica_health"].text },
      Column("Workers") {
        $0["workers"]["workers"].elements.map { $0["id"].text }.joined(separator: " ")
      },
    ]
    for alert in document["alerts"].elements {
      columns.append(Column("Note") { _ in alert["message"].text })
    }
    try out.show(
      document, id: client.server.description,
      columns.filter { !$0.text(document).isEmpty })
    guard status == 200 else {
      throw ClientError(.unreachable, "NOT_HEALTHY", "the registry is not well")
    }
  }
}

/// `martlet registry search`: finds accounts and repositories.
struct RegistrySearchCommand: RegistryClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "Find repositories and accounts by a part of their names.")
  @Argument(help: "The part.") var words: String
  @Option(help: "Only in this namespace.") var namespace: String?
  @Option(help: "Show at most so many of each.") var limit = 25
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    var query = [("query", words), ("limit", "\(limit)")]
    if let namespace { query.append(("namespace", namespace)) }
    let found = try await client.get("/api/v0/index/autocomplete", query: query)
    let repositories = found["repositoryResults"].elements.map { row -> JSONValue in
      [
        "kind": "repository", "name": .string(RegistryRepositoryCommand.name(row)),
        "description": row["shortDescription"],
      ]
    }
    let accounts = found["accountResults"].elements.map { row -> JSONValue in
      [
        "kind": row["isOrg"].isTrue ? "organization" : "user", "name": row["name"],
        "description": row["fullName"],
      ]
    }
    try out.list(
      .init(document: found, rows: repositories + accounts), id: { $0["name"].text },
      [Column("KIND", "kind"), Column("NAME", "name"), Column("DESCRIPTION", "description")])
  }
}
