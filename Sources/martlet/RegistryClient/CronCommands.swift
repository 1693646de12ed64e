import ArgumentParser
import NIOHTTP1

/// `martlet registry cron`: what runs by the clock.
struct RegistryCronCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cron", abstract: "Schedules of jobs.",
    discussion: """
      A schedule has six fields (second minute hour day-of-month month day-of-week), in UTC, or is \
      @hourly, @daily, @weekly, @monthly or "@every 6h".

      EXAMPLES
        martlet registry cron list
        martlet registry cron set onlinegc "0 0 3 * * *" untagged=true
        martlet registry cron delete onlinegc
      """,
    subcommands: [List.self, Set.self, Delete.self])

  struct List: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "List the schedules.")
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list("/api/v0/crons", key: "crons", .whole)
      try out.list(
        found, id: { $0["action"].text },
        [
          Column("ACTION", "action"), Column("SCHEDULE", "schedule"), .time("NEXT", "nextRun"),
          Column("PARAMETERS", "parameters"),
        ])
    }
  }

  struct Set: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make or replace the schedule of an action.")
    @Argument(help: "The action.") var action: String
    @Argument(help: "When.") var schedule: String
    @Argument(help: "The action's parameters, KEY=VALUE.") var parameters: [KeyValue] = []
    @OptionGroup var settings: JobSettings
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var form = settings.form
      form.set("action", action)
      form.set("schedule", schedule)
      form.set("parameters", KeyValue.object(parameters))
      let set = try await client.submit(.POST, "/api/v0/crons", form.document)
      try out.did(
        "\(action) runs next at \(Human.time(set["nextRun"].text))", set, id: action)
    }
  }

  struct Delete: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "Delete the schedule of an action.")
    @Argument(help: "The action.") var action: String
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      try await client.send(.DELETE, RegistryClient.path("/api/v0/crons", action))
      try out.did("\(action) runs no more by the clock", id: action)
    }
  }
}

/// `martlet registry worker`: who runs jobs.
struct RegistryWorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Workers: the processes that run jobs.",
    discussion: """
      EXAMPLES
        martlet registry worker list
        martlet registry worker capacity 1f2e3d4c5b6a poll_mirror=4 push_mirror=4
      """,
    subcommands: [List.self, Capacity.self])

  static let columns = [
    Column("ID", "id"), Column("STATUS", "status"), .time("ALIVE UNTIL", "heartbeatExpiration"),
    Column("CAPACITY", "capacityMap"),
  ]

  struct List: RegistryClientCommand {
    static let configuration = CommandConfiguration(abstract: "List the workers.")
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      let found = try await client.list("/api/v0/workers", key: "workers", .whole)
      try out.list(found, id: { $0["id"].text }, RegistryWorkerCommand.columns)
    }
  }

  struct Capacity: RegistryClientCommand {
    static let configuration = CommandConfiguration(
      abstract: "Set how many jobs of each action a worker runs at once.")
    @Argument(help: "The worker's id.") var id: String
    @Argument(help: "ACTION=NUMBER.") var capacities: [KeyValue]
    @OptionGroup var options: ClientOptions

    func perform(_ client: RegistryClient, _ out: Output) async throws {
      var map: [String: JSONValue] = [:]
      for pair in capacities {
        guard let number = Int64(pair.value), number >= 0 else {
          throw ClientError.usage("\(pair.key) must be a number, not \(pair.value)")
        }
        map[pair.key] = .integer(number)
      }
      let set = try await client.submit(
        .POST, RegistryClient.path("/api/v0/workers", id) + "/capacity",
        ["capacityMap": .object(map)])
      try out.did("capacities of \(id) set", set, id: id)
    }
  }
}
