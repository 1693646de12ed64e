import ArgumentParser
import Host
import NIOHTTP1
import RegistryJobs

/// `martlet registry webhook`: addresses that are told.
struct RegistryWebhookCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "webhook", abstract: "Webhooks: addresses that are told what happens.",
    discussion: """
      Messages are signed by the Standard Webhooks scheme with the secret that is shown when the \
      webhook is made, and are sent again for a while when they are not taken.

      EXAMPLES
        martlet registry webhook types
        martlet registry webhook create TAG_PUSH https://ci.example.com/hook --key library/app
        martlet registry webhook deliveries 6dc8f2…
        martlet registry webhook update 6dc8f2… --disable
      """,
    subcommands: [
      List.self, Create.self, Test.self, Update.self, Delete.self, Deliveries.self, Types.self,
    ])

  static let columns = [
    Column("ID", "id"), Column("TYPE", "type"),
    Column("KEY") { $0["key"].text.isEmpty ? "everything" : $0["key"].text },
    Column("ENDPOINT", "endpoint"),
    Column("STATE") { $0["inactive"].isTrue ? "disabled" : "enabled" },
    .time("LAST SUCCESS", "lastSuccessfulAt"),
  ]

  /// What a webhook is made of.
  struct Settings: ParsableArguments {
    @Argument(help: "What it waits for; martlet registry webhook types lists them.")
    var type: String
    @Argument(help: "The URL that is told.") var endpoint: String
    @Option(help: "NAMESPACE/NAME or a namespace, as the type wants it; everything unless given.")
    var key: String?
    @Option(help: "PEM certificates that the endpoint's may be signed by.") var endpointCa: String?
    @Flag(help: "Take any certificate of the endpoint.") var endpointInsecure = false
    @Flag(help: "Read the secret that messages are signed with from standard input.")
    var secretStdin = false

    func form() async throws -> Form {
      var form = Form()
      form.set("type", type.uppercased())
      form.set("endpoint", endpoint)
      form.set("key", key)
      form.set("skipTLSVerification", endpointInsecure ? true : nil)
      form.set("tlsCert", try await RegistryWebhookCommand.certificates(endpointCa))
      if secretStdin { form.set("secret", try await StandardInput.line("secret")) }
      return form
    }
  }

  static func certificates(_ path: String?) async throws -> String? {
    guard let path else { return nil }
    do {
      let bytes = try await BlockingPool.shared.run { try Paths.read(path, limit: 1 << 20) }
      return String(decoding: bytes, as: UTF8.self)
    } catch {
      throw ClientError.usage("\(path) cannot be read: \(error)")
    }
  }

  struct List: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the webhooks you may change.")
    @Option(help: "Only of this type.") var type: String?
    @Option(help: "Only those of this repository (NAMESPACE/NAME) or namespace.") var key: String?
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var path = "/api/v0/webhooks"
      if let key {
        path =
          (RepositoryPath(argument: key)?.path ?? RegistryClient.path("/api/v0/accounts", key))
          + "/webhooks"
      }
      let query = type.map { [("webhookType", $0.uppercased())] } ?? []
      let found = try await client.list(path, key: nil, .whole, query: query)
      try out.list(found, id: { $0["id"].text }, RegistryWebhookCommand.columns)
    }
  }

  struct Create: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Have an address told; prints the secret that messages are signed with, once.")
    @OptionGroup var settings: Settings
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let made = try await client.submit(
        .POST, "/api/v0/webhooks", try await settings.form().document)
      try out.show(
        made, id: made["id"].text,
        [
          Column("Webhook", "id"), Column("Type", "type"), Column("Endpoint", "endpoint"),
          Column("Secret", "secret"),
        ])
    }
  }

  struct Test: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Send a made-up message to an address.",
      discussion: "Ends with status 1 when the address does not take it.")
    @OptionGroup var settings: Settings
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let result = try await client.submit(
        .POST, "/api/v0/webhooks/test", try await settings.form().document)
      try out.show(
        result, id: settings.endpoint,
        [
          Column("Taken", "success"),
          Column("Status") { $0["statusCode"].integer == 0 ? "none" : $0["statusCode"].text },
          Column("Took") { "\($0["milliseconds"].text) ms" }, Column("Error", "error"),
        ])
      guard result["success"].isTrue else {
        throw ClientError(.refused, "NOT_TAKEN", "\(settings.endpoint) does not take the message")
      }
    }
  }

  struct Update: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change a webhook; what is not given stays.")
    @Argument(help: "The webhook's id.") var id: String
    @Flag(help: "Whether it is told.") var enablement: Enablement?
    @Option(help: "PEM certificates that the endpoint's may be signed by.") var endpointCa: String?
    @Flag(inversion: .prefixedNo, help: "Whether any certificate of the endpoint is taken.")
    var endpointInsecure: Bool?
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = Form()
      form.set("inactive", enablement.map { $0 == .disable })
      form.set("skipTLSVerification", endpointInsecure)
      form.set("tlsCert", try await RegistryWebhookCommand.certificates(endpointCa))
      try form.requireChanges()
      form.set("id", id)
      let changed = try await client.submit(.POST, "/api/v0/webhooks/update", form.document)
      try out.did("webhook \(id) changed", changed, id: id)
    }
  }

  struct Delete: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Delete a webhook.")
    @Argument(help: "The webhook's id.") var id: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, RegistryClient.path("/api/v0/webhooks", id))
      try out.did("webhook \(id) deleted", id: id)
    }
  }

  struct Deliveries: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the last messages of a webhook.")
    @Argument(help: "The webhook's id.") var id: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list(
        RegistryClient.path("/api/v0/webhooks", id) + "/deliveries", key: nil, .whole)
      try out.list(
        found, id: { $0["id"].text },
        [
          Column("ID", "id"), .time("TIME", "deliveredAt"), Column("TAKEN", "success"),
          Column("STATUS") { $0["statusCode"].integer == 0 ? "none" : $0["statusCode"].text },
          Column("TOOK") { "\($0["milliseconds"].text) ms" }, Column("JOB", "jobID"),
          Column("ERROR", "error"),
        ])
    }
  }

  struct Types: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the types of webhooks, and what their keys name.")
    @Option(name: .shortAndLong, help: "How results are shown.") var output = OutputFormat.table
    @Flag(name: .shortAndLong, help: "Print names only.") var quiet = false

    func run() async throws {
      try await ClientError.reporting {
        let rows = WebhookType.allCases.map { type -> JSONValue in
          let key =
            switch type.scope {
            case .repository: "repository"
            case .namespace: "namespace"
            case .registry: "none"
            }
          return ["type": .string(type.rawValue), "key": .string(key)]
        }
        try Output(format: output, isQuiet: quiet).list(
          .init(document: .array(rows), rows: rows), id: { $0["type"].text },
          [Column("TYPE", "type"), Column("KEY", "key")])
      }
    }
  }
}
