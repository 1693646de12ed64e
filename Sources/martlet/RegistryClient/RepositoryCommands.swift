import ArgumentParser
import NIOHTTP1

/// `martlet registry repo`: repositories and what is in them.
struct RegistryRepositoryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repo", abstract: "Repositories, their tags, manifests and uploads.",
    discussion: """
      A repository is NAMESPACE/NAME; the namespace is a user or an organization.

      EXAMPLES
        martlet registry repo create library/app --private --immutable-tags
        martlet registry repo list library
        martlet registry repo tags library/app
        martlet registry repo quota library --bytes 50GB --repositories 100
      """,
    subcommands: [
      List.self, Create.self, Show.self, Update.self, Delete.self, Tags.self, DeleteTag.self,
      Promote.self, Manifests.self, DeleteManifest.self, Events.self, Uploads.self,
      CancelUpload.self, Quota.self,
    ])

  static let columns = [
    Column("REPOSITORY") { "\($0["namespace"].text)/\($0["name"].text)" },
    Column("VISIBILITY", "visibility"),
    Column("TAGS") {
      let limit = $0["tagLimit"].integer ?? 0
      return $0["immutableTags"].isTrue ? "immutable" : limit > 0 ? "at most \(limit)" : "any"
    },
    Column("PULLS", "pulls"), Column("PUSHES", "pushes"),
    Column("DESCRIPTION", "shortDescription"),
  ]

  static let details = [
    Column("Repository") { "\($0["namespace"].text)/\($0["name"].text)" },
    Column("Id", "id"), Column("Namespace of", "namespaceType"),
    Column("Visibility", "visibility"), Column("Immutable tags", "immutableTags"),
    Column("Tag limit") { $0["tagLimit"].integer.map { $0 == 0 ? "none" : "\($0)" } ?? "" },
    Column("Pulls", "pulls"), Column("Pushes", "pushes"),
    Column("Description", "shortDescription"), Column("Long description", "longDescription"),
  ]

  static func name(_ row: JSONValue) -> String {
    "\(row["namespace"].text)/\(row["name"].text)"
  }

  struct List: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "List the repositories you may see.")
    @Argument(help: "Only those of this user or organization.") var namespace: String?
    @OptionGroup var list: ListOptions
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let root = "/api/v0/repositories"
      let found = try await client.list(
        namespace.map { RegistryClient.path(root, $0) } ?? root, key: "repositories", .header,
        limit: list.limit)
      try out.list(found, id: RegistryRepositoryCommand.name, RegistryRepositoryCommand.columns)
    }
  }

  /// What can be set of a repository.
  struct Settings: ParsableArguments {
    enum Visibility: String, EnumerableFlag { case `public`, `private` }

    @Flag(help: "Who may see it and pull from it.") var visibility: Visibility?
    @Flag(inversion: .prefixedNo, help: "Whether a tag can never be moved to another image.")
    var immutableTags: Bool?
    @Option(help: "How many tags there may be, the oldest going first; 0 for any number.")
    var tagLimit: Int?
    @Option(help: "What it is, in a line.") var description: String?
    @Option(help: "What it is, in Markdown.") var longDescription: String?

    var form: Form {
      var form = Form()
      form.set("visibility", visibility?.rawValue)
      form.set("immutableTags", immutableTags)
      form.set("tagLimit", tagLimit)
      form.set("shortDescription", description)
      form.set("longDescription", longDescription)
      return form
    }
  }

  struct Create: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create a repository; public unless told otherwise.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @OptionGroup var settings: Settings
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = settings.form
      form.set("name", repository.name)
      let made = try await client.submit(
        .POST, RegistryClient.path("/api/v0/repositories", repository.namespace), form.document)
      try out.did("repository \(repository) created", made, id: "\(repository)")
    }
  }

  struct Show: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Show a repository.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.get(repository.path)
      try out.show(found, id: "\(repository)", RegistryRepositoryCommand.details)
    }
  }

  struct Update: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change a repository; what is not given stays.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @OptionGroup var settings: Settings
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let form = settings.form
      try form.requireChanges()
      let changed = try await client.submit(.PATCH, repository.path, form.document)
      try out.did("repository \(repository) changed", changed, id: "\(repository)")
    }
  }

  struct Delete: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete a repository with its tags and manifests.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, repository.path)
      try out.did("repository \(repository) deleted", id: "\(repository)")
    }
  }

  struct Promote: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give a tag to another repository of this registry.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @Argument(help: "The tag.") var tag: String
    @Argument(help: "The repository that gets it, NAMESPACE/NAME.") var target: RepositoryPath
    @Option(help: "What it is called there; the same unless given.") var targetTag: String?
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = Form()
      form.set("targetRepository", target.description)
      form.set("targetTag", targetTag)
      let done = try await client.submit(
        .POST, RegistryClient.path(repository.path + "/tags", tag) + "/promotion", form.document)
      try out.did(
        "\(repository):\(tag) promoted to \(target):\(targetTag ?? tag)", done,
        id: done["string"].text)
    }
  }

  struct Events: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "List what happened to a repository, newest first.")
    @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
    @OptionGroup var filter: EventFilterOptions
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await filter.show(client, repository.path + "/events", out)
    }
  }

  struct Quota: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show or set how much a namespace may hold.",
      discussion: """
        Without options it shows the limits and what is used. Sizes are numbers of bytes, or such \
        as 500MB, 10GB (powers of 1000) and 10GiB (powers of 1024); 0 lifts a limit.
        """)
    @Argument(help: "The user or organization.") var namespace: String
    @Option(help: "How many bytes it may hold; 0 for any number.") var bytes: ByteSize?
    @Option(help: "How many repositories it may have; 0 for any number.") var repositories: Int?
    @OptionGroup var options: ClientOptions

    static let details = [
      Column("Namespace", "namespace"),
      Column("Bytes") {
        let limit = $0["maximumBytes"].integer ?? 0
        let used = Human.bytes($0["usedBytes"].integer ?? 0)
        return "\(used) of \(limit == 0 ? "any number" : Human.bytes(limit))"
      },
      Column("Repositories") {
        let limit = $0["maximumRepositories"].integer ?? 0
        return "\($0["usedRepositories"].text) of \(limit == 0 ? "any number" : "\(limit)")"
      },
    ]

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let path = RegistryClient.path("/api/v0/accounts", namespace) + "/quota"
      var form = Form()
      form.set("maximumBytes", bytes?.count)
      form.set("maximumRepositories", repositories)
      let quota =
        form.members.isEmpty
        ? try await client.get(path) : try await client.submit(.PUT, path, form.document)
      try out.show(quota, id: namespace, Self.details)
    }
  }
}

/// A number of bytes as an argument.
struct ByteSize: ExpressibleByArgument, Sendable {
  private static let units: [(name: String, factor: Int64)] = [
    ("", 1), ("b", 1), ("k", 1_000), ("kb", 1_000), ("m", 1_000_000), ("mb", 1_000_000),
    ("g", 1_000_000_000), ("gb", 1_000_000_000), ("t", 1_000_000_000_000),
    ("tb", 1_000_000_000_000), ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30),
    ("tib", 1 << 40),
  ]

  let count: Int64

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    let name = argument.dropFirst(digits.count).lowercased()
    guard let number = Int64(digits),
      let unit = Self.units.first(where: { $0.name == name })
    else { return nil }
    let product = number.multipliedReportingOverflow(by: unit.factor)
    guard !product.overflow else { return nil }
    count = product.partialValue
  }
}
