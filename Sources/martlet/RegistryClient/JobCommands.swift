import ArgumentParser
import Identity
import NIOHTTP1

/// `martlet registry job`: what the registry does in the background.
struct RegistryJobCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "job", abstract: "Jobs: work in the background.",
    discussion: """
      Actions are onlinegc (collects garbage), upload_purge, onlinegc_joblogs, onlinegc_metadata, \
      ro_registry, tag_prune, poll_mirror and others; martlet registry cron list shows those that \
      run by the clock.

      EXAMPLES
        martlet registry job list --running
        martlet registry job run upload_purge dryRun=true
        martlet registry job logs 6dc8f2… --follow
        martlet registry job cancel 6dc8f2…
      """,
    subcommands: [
      List.self, Show.self, Logs.self, Run.self, Cancel.self, Delete.self, Configure.self,
    ])

  struct List: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "List jobs, newest first.")
    @Option(help: "Only of this action.") var action: String?
    @Option(help: "Only of this worker.") var worker: String?
    @Flag(inversion: .prefixedNo, help: "Only those that run, or do not.") var running: Bool?
    @Option(help: "Show at most so many.") var limit = 50
    @Flag(help: "Show every one, however many.") var all = false
    @OptionGroup var options: ClientOptions

    func validate() throws {
      guard limit > 0 else { throw ValidationError("--limit must be 1 or more") }
    }

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var query: [(String, String)] = []
      if let action { query.append(("action", action)) }
      if let worker { query.append(("worker", worker)) }
      if let running { query.append(("running", "\(running)")) }
      let found = try await client.list(
        "/api/v0/jobs", key: "jobs", .offset, query: query, limit: all ? nil : limit)
      try out.list(found, id: { $0["id"].text }, JobFollowing.columns)
    }
  }

  struct Show: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Show a job.")
    @Argument(help: "The job's id.") var id: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try out.show(
        try await client.get(JobFollowing.path(id)), id: id, JobFollowing.details)
    }
  }

  struct Logs: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show a job's log.",
      discussion: "With --output json and --follow, each line is a document of its own.")
    @Argument(help: "The job's id.") var id: String
    @Flag(name: .shortAndLong, help: "Go on until the job has ended.") var follow = false
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let following = JobFollowing(client: client, id: id)
      guard follow else {
        let lines = try await following.log()
        if out.format == .json { return try out.json(.array(lines)) }
        for line in lines { Terminal.say(Terminal.printable(line["data"].text)) }
        return
      }
      _ = try await following.run { line in
        // what was parsed can be written
        let json = out.format == .json ? try? line.compact() : nil
        Terminal.say(
          json.map { String(decoding: $0, as: UTF8.self) }
            ?? Terminal.printable(line["data"].text))
      }
    }
  }

  struct Run: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Put a job into the queue.",
      discussion:
        "With --wait its log is shown, and a job that fails ends the command with status 1.")
    @Argument(help: "What is to be done.") var action: String
    @Argument(help: "The action's parameters, KEY=VALUE.") var parameters: [KeyValue] = []
    @OptionGroup var schedule: JobSettings
    @Option(help: "When: a time such as 2027-01-31T12:00:00Z, or in how long, such as 2h.")
    var at: String?
    @Flag(help: "Wait until it has ended.") var wait = false
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = schedule.form
      form.set("action", action)
      form.set("parameters", KeyValue.object(parameters))
      if let at {
        guard let moment = Durations.parse(at).map({ Timestamp.now() + $0 }) ?? Timestamp(at)
        else { throw ClientError.usage("--at must be a time or a duration, not \(at)") }
        form.set("scheduledAt", moment.description)
      }
      let job = try await client.submit(.POST, "/api/v0/jobs", form.document)
      let id = job["id"].text
      guard wait else { return try out.did("job \(id) waits", job, id: id) }
      try await JobFollowing(client: client, id: id).waiting(out)
    }
  }

  struct Cancel: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Ask a job to stop.")
    @Argument(help: "The job's id.") var id: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.POST, JobFollowing.path(id) + "/cancel")
      try out.did("job \(id) is asked to stop", id: id)
    }
  }

  struct Delete: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete a job that has ended or waits.")
    @Argument(help: "The job's id.") var id: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, JobFollowing.path(id))
      try out.did("job \(id) deleted", id: id)
    }
  }

  struct Configure: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Set parameters for every job of an action.",
      discussion: """
        Without parameters it shows what is set; --clear forgets that. Parameters of a job go \
        before these.
        """)
    @Argument(help: "The action; every one unless given.") var action: String?
    @Argument(help: "Its parameters, KEY=VALUE.") var parameters: [KeyValue] = []
    @Flag(help: "Forget what is set.") var clear = false
    @OptionGroup var options: ClientOptions

    func validate() throws {
      guard !clear || (action != nil && parameters.isEmpty) else {
        throw ValidationError("--clear goes with an action alone")
      }
    }

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let root = "/api/v0/action_configs"
      let columns = [Column("ACTION", "action"), Column("PARAMETERS", "parameters")]
      guard let action else {
        let found = try await client.list(root, key: "actionConfigs", .whole)
        return try out.list(found, id: { $0["action"].text }, columns)
      }
      if clear {
        try await client.send(.DELETE, RegistryClient.path(root, action))
        return try out.did("nothing is set for \(action) any more", id: action)
      }
      guard !parameters.isEmpty else {
        let found = try await client.get(RegistryClient.path(root, action))
        return try out.show(found, id: action, columns)
      }
      let set = try await client.submit(
        .POST, root,
        ["action": .string(action), "parameters": KeyValue.object(parameters)])
      try out.did("parameters of \(action) set", set, id: action)
    }
  }
}

/// How a job is to be run.
struct JobSettings: ParsableArguments {
  @Option(help: "How often it is tried again when it fails.") var retries: Int?
  @Option(help: "How long it may take, such as 1h.") var deadline: String?
  @Option(help: "How long it may take to stop, such as 30s.") var stopTimeout: String?

  var form: Form {
    var form = Form()
    form.set("retries", retries)
    form.set("deadline", deadline)
    form.set("stopTimeout", stopTimeout)
    return form
  }
}

/// `martlet registry gc`: collects garbage.
struct RegistryGarbageCommand: RegistryClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "gc", abstract: "Collect garbage, while pushes and pulls go on.",
    discussion: """
      Removes blobs that no manifest needs. Runs as a job at the registry and shows its log; ends \
      with status 1 when the job fails.

      EXAMPLES
        martlet registry gc --dry-run
        martlet registry gc --untagged
        martlet registry gc --grace 0s
      """)
  @Flag(help: "Only say what would be removed.") var dryRun = false
  @Flag(help: "Remove manifests that have no tag, too.") var untagged = false
  @Option(help: "Keep what is younger than this, such as 24h.") var grace: String?
  @Flag(inversion: .prefixedNo, help: "Whether to wait until it is done.") var wait = true
  @OptionGroup var options: ClientOptions

  func perform(_ client: RegistryClient, _ out: Output) async throws {
    var parameters = Form()
    if dryRun { parameters.set("dryRun", "true") }
    if untagged { parameters.set("untagged", "true") }
    parameters.set("grace", grace)
    let job = try await client.submit(
      .POST, "/api/v0/jobs", ["action": "onlinegc", "parameters": parameters.document])
    let id = job["id"].text
    guard wait else { return try out.did("job \(id) waits", job, id: id) }
    try await JobFollowing(client: client, id: id).waiting(out)
  }
}
