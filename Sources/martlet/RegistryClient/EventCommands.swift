import ArgumentParser
import Identity

/// Which events are wanted.
struct EventFilterOptions: ParsableArguments {
  static let columns = [
    Column.time("TIME", "publishedAt"), Column("TYPE", "type"),
    Column("OBJECT") { $0["object"]["type"].text }, Column("NAME") { $0["object"]["name"].text },
    Column("REPOSITORY", "repository"),
    Column("BY") { $0["actor"].text.isEmpty ? "anonymous" : $0["actor"].text },
    Column("FROM", "actorAddress"),
  ]

  @Option(help: "Only CREATE, GET, UPDATE, DELETE, SEND, FAIL, SCAN or PROMOTION.")
  var type: String?
  @Option(help: "Only about things of this sort: REPOSITORY, TAG, MANIFEST and so on.")
  var object: String?
  @Option(help: "Only what this account did.") var actor: String?
  @Option(help: "Only since: a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h.")
  var since: String?
  @Option(help: "Only before: a time, or how long ago.") var until: String?
  @Option(help: "Show at most so many.") var limit = 50
  @Flag(help: "Show every one, however many.") var all = false

  func validate() throws {
    guard limit > 0 else { throw ValidationError("--limit must be 1 or more") }
  }

  /// Reads and shows them. Throws ``ClientError``.
  func show(_ client: RegistryClient, _ path: String, _ out: Output) async throws {
    var query: [(String, String)] = []
    if let type { query.append(("eventType", type.uppercased())) }
    if let object { query.append(("objectType", object)) }
    if let actor { query.append(("actorId", actor)) }
    if let since { query.append(("publishedAfter", try Self.moment("--since", since))) }
    if let until { query.append(("publishedBefore", try Self.moment("--until", until))) }
    let found = try await client.list(
      path, key: "events", .header, query: query, limit: all ? nil : limit)
    try out.list(found, id: { $0["id"].text }, Self.columns)
  }

  private static func moment(_ flag: String, _ text: String) throws -> String {
    if let ago = Durations.parse(text) { return (Timestamp.now() - ago).description }
    guard Timestamp(text) != nil else {
      throw ClientError.usage("\(flag) must be a time or a duration, not \(text)")
    }
    return text
  }
}

/// `martlet registry events`: what happened.
struct RegistryEventsCommand: RegistryClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "List what happened, newest first.",
    discussion: """
      EXAMPLES
        martlet registry events --since 1h
        martlet registry events --type DELETE --actor alice --all --output json
        martlet registry repo events library/app
      """)
  @OptionGroup var filter: EventFilterOptions
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    try await filter.show(client, "/api/v0/events", out)
  }
}
