import Identity
import NIOHTTP1
import Registry
import RegistryJobs
import Transport

/// The registry itself: features, settings, health; and search.
enum MetaOperations {
  static let all: [RESTOperation] = meta + search

  private static let meta: [RESTOperation] = [
    RESTOperation(
      .GET, "/api/v0/meta/features",
      .init("getFeatures", "meta", "Show what the registry can do.")
    ) { _ in
      .init(
        FeaturesWire(
          scanningEnabled: false, scanningLicensed: true, promotionLicensed: true,
          mirroringLicensed: true, metadataStoreOptedIn: true, onlineGCEnabled: true,
          db_version: 0, ucpHost: ""))
    },
    RESTOperation(
      .GET, "/api/v0/meta/alerts",
      .init(
        "getAlerts", "meta", "List what administrators should know.", access: .administrator)
    ) { try await alerts($0) },
    RESTOperation(
      .GET, "/api/v0/meta/settings",
      .init("getSettings", "meta", "Show the settings.", access: .administrator)
    ) { .init(try await settings($0)) },
    RESTOperation(
      .POST, "/api/v0/meta/settings",
      .init(
        "updateSettings", "meta", "Change settings; what is left out stays.",
        access: .administrator, errors: [(.badRequest, "INVALID_SETTINGS")]),
      takes: SettingsWire.self, success: .accepted
    ) { request, form in
      var governance = try await request.registry.governance()
      var history = try await request.automation.history.settings()
      let before = (governance, history)
      try form.apply(&governance, &history)
      if governance != before.0 {
        try await request.registry.setGovernance(governance, by: request.caller)
      }
      if history != before.1 { try await request.automation.history.set(history) }
      return .init(try await settings(request))
    },
    RESTOperation(
      .GET, "/api/v0/meta/cluster_status",
      .init(
        "getClusterStatus", "meta", "Show how the registry's processes fare.",
        access: .administrator)
    ) { try await clusterStatus($0) },
    RESTOperation(
      .GET, "/api/v0/admin/version", .init("getVersion", "meta", "Show the version.")
    ) { .init(VersionWire(version: $0.services.version)) },
  ]

  private static let search: [RESTOperation] = [
    RESTOperation(
      .GET, "/api/v0/index/autocomplete",
      .init(
        "autocomplete", "search", "Find accounts and repositories by a part of their names.",
        access: .anyone,
        query: [
          .string("query", "The part."), .string("namespace", "Only in this namespace."),
          .flag("includeRepositories", "Whether repositories are wanted; they are."),
          .flag("includeAccounts", "Whether accounts are wanted; they are."),
          .number("limit", "How many of each; 25 unless given."),
        ])
    ) { try await autocomplete($0) },
    RESTOperation(
      .GET, "/api/v0/index/dockersearch",
      .init(
        "dockerSearch", "search", "Find repositories, as `docker search` does.",
        access: .anyone,
        query: [.string("q", "The part."), .number("n", "How many; 25 unless given.")])
    ) { try await dockerSearch($0) },
    RESTOperation(
      .GET, "/v1/search",
      .init(
        "legacySearch", "search", "What `docker search HOST/…` calls.", access: .anyone,
        query: [.string("q", "The part."), .number("n", "How many; 25 unless given.")])
    ) { try await dockerSearch($0) },
  ]

  private static func settings(_ request: RESTRequest) async throws -> SettingsWire {
    SettingsWire(
      try await request.registry.governance(), try await request.automation.history.settings(),
      host: request.services.host, replica: request.services.replica)
  }

  private static func alerts(_ request: RESTRequest) async throws -> RESTAnswer<[AlertWire]> {
    var alerts: [AlertWire] = []
    func add(_ id: String, _ message: String) {
      alerts.append(AlertWire(message: message, class: "warning", id: id, img: "", url: ""))
    }
    if try await request.registry.governance().readOnly {
      add("read_only", "The registry is in read-only mode: nothing can be pushed.")
    }
    var running = JobFilter()
    running.action = "onlinegc"
    running.isRunning = true
    if try await !request.automation.queue.jobs(running, offset: 0, limit: 1).isEmpty {
      add("gc_running", "Garbage is being collected.")
    }
    return .init(alerts)
  }

  private static func clusterStatus(
    _ request: RESTRequest
  ) async throws -> RESTAnswer<ClusterStatus> {
    let replica = request.services.replica
    var problems: [String] = []
    do { try await request.registry.checkStorage() } catch { problems.append("storage: \(error)") }
    do { try await request.registry.checkStore() } catch { problems.append("metadata: \(error)") }
    var health = [replica: problems.isEmpty ? "OK" : problems.joined(separator: "; ")]
    let workers = try await request.automation.queue.workers()
    for worker in workers where worker.id != replica { health[worker.id] = "OK" }
    let now = Timestamp(seconds: Timestamp.now().seconds)
    let isReadOnly = try await request.registry.governance().readOnly
    var collecting = JobFilter()
    collecting.action = "onlinegc"
    collecting.isRunning = true
    let collector = try await request.automation.queue.jobs(collecting, offset: 0, limit: 1).first
    return .init(
      ClusterStatus(
        rethink_system_tables: .init(
          current_issues: problems.map { .init(critical: true, description: $0) },
          server_status: health.keys.sorted().map {
            .init(id: $0, name: "dtr_rethinkdb_\($0)")
          }),
        replica_health: health, replica_timestamp: health.mapValues { _ in now.description },
        replica_readonly: health.mapValues { _ in isReadOnly },
        gc_lock_holder: collector?.workerID ?? ""))
  }

  // MARK: Search

  private static func repositories(
    matching part: String, in namespace: String?, limit: Int, _ request: RESTRequest
  ) async throws -> [Repository] {
    let wanted = part.lowercased()
    var found: [Repository] = []
    var after: RepositoryName?
    while found.count < limit {
      let page = try await request.registry.repositories(
        visibleTo: request.caller, namespace: namespace, after: after, limit: 500)
      for repository in page.items where found.count < limit {
        if wanted.isEmpty || repository.name.description.contains(wanted) {
          found.append(repository)
        }
      }
      guard page.more, let last = page.items.last else { break }
      after = last.name
    }
    return found
  }

  private static func autocomplete(
    _ request: RESTRequest
  ) async throws -> RESTAnswer<AutocompleteResult> {
    let part = request.query["query"] ?? ""
    let limit = min(max(try request.number("limit", default: 25), 1), 1_000)
    let namespace = request.query["namespace"].flatMap { $0.isEmpty ? nil : $0 }
    var repositories: [RepositoryWire] = []
    if try request.flag("includeRepositories", default: true) {
      for repository in try await self.repositories(
        matching: part, in: namespace, limit: limit, request)
      {
        repositories.append(try await RepositoryOperations.wire(repository, request))
      }
    }
    var accounts: [AccountWire] = []
    // Whoever is not logged in learns no names of people.
    if try request.flag("includeAccounts", default: true), !request.caller.isAnonymous {
      let all = try await request.identity.accounts(.all, limit: 100_000).accounts
      accounts = all.filter { part.isEmpty || $0.name.description.contains(part.lowercased()) }
        .prefix(limit).map { AccountWire($0) }
    }
    return .init(AutocompleteResult(accountResults: accounts, repositoryResults: repositories))
  }

  private static func dockerSearch(
    _ request: RESTRequest
  ) async throws -> RESTAnswer<SearchResults> {
    let query = request.query["q"] ?? ""
    let limit = min(max(try request.number("n", default: 25), 1), 100)
    // The docker client sends the registry's host before the words.
    let part =
      query.split(separator: "/").count > 1 && query.contains(".")
      ? String(query.drop { $0 != "/" }.dropFirst()) : query
    let found = try await repositories(matching: part, in: nil, limit: limit, request)
    return .init(
      SearchResults(
        num_results: found.count, query: query,
        results: found.map {
          .init(
            name: $0.name.description, description: $0.shortDescription, star_count: 0,
            is_official: false, is_trusted: false, is_automated: false)
        }))
  }
}
