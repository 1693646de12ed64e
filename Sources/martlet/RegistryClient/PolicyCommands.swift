import ArgumentParser
import NIOHTTP1

/// `martlet registry policy`: what happens to tags by themselves.
struct RegistryPolicyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy", abstract: "Policies that promote and prune tags.",
    discussion: """
      EXAMPLES
        martlet registry policy promotion create library/dev --target library/app --rule "tag sw v"
        martlet registry policy pruning test library/app --rule "updated_at_duration bf 720h"
      """,
    subcommands: [PolicyGroup<PromotionSort>.self, PruningGroup.self])
}

/// `martlet registry mirror`: copies between registries.
struct RegistryMirrorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mirror", abstract: "Policies that copy tags between registries.",
    discussion: """
      Push mirroring sends tags away as they are pushed here; poll mirroring fetches those of \
      another registry. Passwords for other registries are kept encrypted.

      EXAMPLES
        martlet registry mirror check --remote mirror.example.com/library/app
        martlet registry mirror poll create library/debian --remote registry.example.com/library/debian
        martlet registry mirror send library/app v1 --remote mirror.example.com/library/app
      """,
    subcommands: [
      PolicyGroup<PushMirroringSort>.self, PolicyGroup<PollMirroringSort>.self, MirrorCheck.self,
      MirrorSend.self,
    ])
}

/// The commands of one kind of policy.
struct PolicyGroup<Sort: PolicySort>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: Sort.name, abstract: Sort.abstract, discussion: Sort.discussion,
      subcommands: [
        PolicyList<Sort>.self, PolicyCreate<Sort>.self, PolicyShow<Sort>.self,
        PolicyUpdate<Sort>.self, PolicyDelete<Sort>.self, PolicyRun<Sort>.self,
      ])
  }
}

/// The commands of pruning: rules can be tried out.
struct PruningGroup: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: PruningSort.name, abstract: PruningSort.abstract,
    discussion: PruningSort.discussion,
    subcommands: PolicyGroup<PruningSort>.configuration.subcommands + [PruningTest.self])
}

struct PolicyList<Sort: PolicySort>: RegistryClientCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "list", abstract: "List the policies of a repository.")
  }
  @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    let found = try await client.list(Sort.root(repository), key: nil, .whole)
    try out.list(found, id: { $0["id"].text }, Sort.allColumns)
  }
}

/// Whether a policy is in force.
enum Enablement: EnumerableFlag, Sendable {
  case enable, disable
}

struct PolicyCreate<Sort: PolicySort>: RegistryClientCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "create", abstract: "Create a \(Sort.noun).")
  }
  @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
  @OptionGroup var settings: Sort.Settings
  @Flag(help: "Whether it is in force.") var enablement = Enablement.enable
  @Flag(help: "Carry it out now for what is there already.") var now = false
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    var form = Form()
    try await Sort.fill(&form, settings)
    form.set("enabled", enablement == .enable)
    let made = try await client.submit(
      .POST, Sort.root(repository), query: now ? [("initialEvaluation", "true")] : [],
      form.document)
    let id = made["id"].text
    try out.did("\(Sort.noun) \(id) created", made, id: id)
  }
}

struct PolicyShow<Sort: PolicySort>: RegistryClientCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "show", abstract: "Show a \(Sort.noun).")
  }
  @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
  @Argument(help: "The policy's id.") var id: String
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    try out.show(try await client.get(Sort.path(repository, id)), id: id, Sort.allColumns)
  }
}

struct PolicyUpdate<Sort: PolicySort>: RegistryClientCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "update", abstract: "Change a \(Sort.noun); what is not given stays.")
  }
  @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
  @Argument(help: "The policy's id.") var id: String
  @OptionGroup var settings: Sort.Settings
  @Flag(help: "Whether it is in force.") var enablement: Enablement?
  @Flag(help: "Carry it out now for what is there already.") var now = false
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    var form = Form()
    try await Sort.fill(&form, settings)
    form.set("enabled", enablement.map { $0 == .enable })
    if !now { try form.requireChanges() }
    let changed = try await client.submit(
      .PUT, Sort.path(repository, id), query: now ? [("initialEvaluation", "true")] : [],
      form.document)
    try out.did("\(Sort.noun) \(id) changed", changed, id: id)
  }
}

struct PolicyDelete<Sort: PolicySort>: RegistryClientCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "delete", abstract: "Delete a \(Sort.noun).")
  }
  @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
  @Argument(help: "The policy's id.") var id: String
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    try await client.send(.DELETE, Sort.path(repository, id))
    try out.did("\(Sort.noun) \(id) deleted", id: id)
  }
}

struct PolicyRun<Sort: PolicySort>: RegistryClientCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "run", abstract: "Carry a \(Sort.noun) out now for what is there already.",
      discussion: "It runs as a job; martlet registry job list shows it.")
  }
  @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
  @Argument(help: "The policy's id.") var id: String
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    let policy = try await client.submit(
      .PUT, Sort.path(repository, id), query: [("initialEvaluation", "true")], [:])
    guard policy["enabled"].isTrue else {
      throw ClientError(.refused, "DISABLED", "the policy is disabled: update it with --enable")
    }
    try out.did("\(Sort.noun) \(id) is being carried out", policy, id: id)
  }
}

struct PruningTest: RegistryClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "test", abstract: "List the tags that rules would delete, and delete nothing.")
  @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
  @OptionGroup var rules: RuleOptions
  @OptionGroup var options: ClientOptions

  func validate() throws {
    guard !rules.rules.isEmpty else { throw ValidationError("--rule is missing") }
  }

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    var form = Form()
    form.set("rules", rules.document)
    // one page that holds every tag there may be
    let found = try await client.submit(
      .POST, repository.path + "/pruningPolicies/test", query: [("pageSize", "100000")],
      form.document)
    try out.list(
      .init(document: found, rows: found.elements), id: { $0["name"].text },
      [Column("TAG", "name"), Column("DIGEST") { Human.digest($0["digest"].text) }])
  }
}

struct MirrorCheck: RegistryClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "See whether a repository of another registry can be used.")
  @OptionGroup var remote: RemoteOptions
  @OptionGroup var options: ClientOptions

  func validate() throws {
    guard remote.remote != nil else { throw ValidationError("--remote is missing") }
  }

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    var form = Form()
    try await remote.fill(&form)
    let found = try await client.submit(.POST, "/api/v0/remote/registry", form.document)
    try out.show(
      found, id: remote.remote ?? "",
      [
        Column("Readable") { $0["permissions"]["read"].text },
        Column("Writable") { $0["permissions"]["write"].text },
      ])
  }
}

struct MirrorSend: RegistryClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "send", abstract: "Send a tag to another registry, once.",
    discussion: "Waits until it is there; ends with status 1 when that fails.")
  @Argument(help: "NAMESPACE/NAME.") var repository: RepositoryPath
  @Argument(help: "The tag.") var tag: String
  @OptionGroup var remote: RemoteOptions
  @Option(help: "What it is called there; the same unless given.") var remoteTag: String?
  @Flag(inversion: .prefixedNo, help: "Whether to wait until it is done.") var wait = true
  @OptionGroup var options: ClientOptions

  func validate() throws {
    guard remote.remote != nil else { throw ValidationError("--remote is missing") }
  }

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    var form = Form()
    try await remote.fill(&form)
    form.set("remoteTag", remoteTag)
    let path = RegistryClient.path(repository.path + "/tags", tag) + "/pushMirroring"
    let made = try await client.submit(.POST, path, form.document)
    let id = made["jobID"].text
    guard wait else { return try out.did("job \(id) waits", made, id: id) }
    do {
      try await JobFollowing(client: client, id: id).waiting(out)
    } catch let error as ClientError where error.status == .notAllowed {
      try out.did("job \(id) waits; only administrators may watch it", made, id: id)
    }
  }
}
