import Identity
import NIOHTTP1
import Registry
import RegistryJobs
import Transport

/// What happened, and who is told of it.
enum EventOperations {
  private static let query: [RESTParameter] =
    RESTParameter.page + [
      .string("publishedBefore", "Only events before this time."),
      .string("publishedAfter", "Only events at or after this time."),
      .string("actorId", "Only what this account did."),
      .string("eventType", "Only events of this type."),
      .string("objectType", "Only events about things of this sort."),
    ]
  private static let noWebhook: (HTTPResponseStatus, String) = (.notFound, "NO_SUCH_WEBHOOK")

  static let all: [RESTOperation] = events + webhooks

  private static let events: [RESTOperation] = [
    RESTOperation(
      .GET, "/api/v0/events",
      .init(
        "listEvents", "events", "List what happened, newest first.", query: query,
        errors: [(.badRequest, "INVALID_PARAMETERS")])
    ) { try await list($0, of: nil, seesAll: $0.caller.isAdmin) },
    RESTOperation(
      .GET, "/api/v0/repositories/{namespace}/{repository}/events",
      .init(
        "listRepositoryEvents", "events", "List what happened to a repository, newest first.",
        query: query + [.flag("excludePull", "Whether to leave pulls out.")],
        errors: [(.notFound, "NO_SUCH_REPOSITORY"), (.badRequest, "INVALID_PARAMETERS")])
    ) { request in
      let repository = try await request.repository(.view)
      let level = try await request.registry.access(of: request.caller, to: repository)
      return try await list(
        request, of: repository,
        seesAll: PermissionTable.allows(level, .viewAllEvents))
    },
  ]

  private static let webhooks: [RESTOperation] = [
    RESTOperation(
      .GET, "/api/v0/webhooks",
      .init(
        "listWebhooks", "webhooks", "List the webhooks you may change.",
        query: [.string("webhookType", "Only this type; any unless given.")])
    ) { try await listWebhooks($0, key: nil) },
    RESTOperation(
      .POST, "/api/v0/webhooks",
      .init(
        "createWebhook", "webhooks",
        "Have an address told of something. The answer has the secret its messages are signed with.",
        errors: [(.badRequest, "INVALID_PARAMETERS"), (.notFound, "NO_SUCH_REPOSITORY")]),
      takes: WebhookForm.self, success: .created
    ) { request, form in
      let draft = try form.draft()
      let repository = try await authorize(draft.type, draft.key, request)
      let made = try await request.automation.webhooks.create(
        draft, repository: repository, by: request.caller)
      return .init(WebhookWire(made.webhook, secret: made.secret))
    },
    RESTOperation(
      .POST, "/api/v0/webhooks/test",
      .init(
        "testWebhook", "webhooks", "Send a made-up message to an address.",
        errors: [(.badRequest, "INVALID_PARAMETERS")]), takes: WebhookForm.self
    ) { request, form in
      let draft = try form.draft()
      _ = try await authorize(draft.type, draft.key, request)
      let answer = try await request.automation.testWebhook(draft)
      return .init(
        WebhookTestResult(
          success: answer.isSuccess, statusCode: answer.status ?? 0, error: answer.error ?? "",
          milliseconds: answer.milliseconds))
    },
    RESTOperation(
      .POST, "/api/v0/webhooks/update",
      .init("updateWebhook", "webhooks", "Change a webhook.", errors: [noWebhook]),
      takes: WebhookChangeForm.self
    ) { request, form in
      let webhook = try await webhook(form.id, request)
      let changed = try await request.automation.webhooks.update(
        webhook.id, isInactive: form.inactive, tlsCertificate: form.tlsCert,
        skipsTLSVerification: form.skipTLSVerification)
      return .init([WebhookWire(changed)])
    },
    RESTOperation(
      .DELETE, "/api/v0/webhooks/{id}",
      .init("deleteWebhook", "webhooks", "Delete a webhook.", errors: [noWebhook]),
      success: .noContent
    ) { request in
      let webhook = try await webhook(request.path("id"), request)
      try await request.automation.webhooks.delete(webhook.id)
      return .init(Nothing())
    },
    RESTOperation(
      .GET, "/api/v0/webhooks/{id}/deliveries",
      .init(
        "listWebhookDeliveries", "webhooks", "List the last messages of a webhook.",
        errors: [noWebhook])
    ) { request in
      let webhook = try await webhook(request.path("id"), request)
      let found = try await request.automation.webhooks.deliveries(of: webhook.id)
      return .init(found.map { DeliveryWire($0) })
    },
    RESTOperation(
      .GET, "/api/v0/repositories/{namespace}/{repository}/webhooks",
      .init(
        "listRepositoryWebhooks", "webhooks", "List the webhooks of a repository.",
        errors: [(.notFound, "NO_SUCH_REPOSITORY")])
    ) { request in
      let repository = try await request.repository(.manageAccess)
      return try await listWebhooks(request, key: repository.name.description)
    },
    RESTOperation(
      .GET, "/api/v0/accounts/{namespace}/webhooks",
      .init(
        "listNamespaceWebhooks", "webhooks", "List the webhooks of a namespace.",
        errors: [(.notFound, "NO_SUCH_ACCOUNT")])
    ) { request in
      try await RepositoryOperations.requireNamespaceAdmin(request)
      return try await listWebhooks(request, key: request.path("namespace"))
    },
  ]

  // MARK: Events

  private static func list(
    _ request: RESTRequest, of repository: Repository?, seesAll: Bool
  ) async throws -> RESTAnswer<EventList> {
    var filter = try filter(request)
    filter.repository = repository?.name
    if repository != nil, try request.flag("excludePull") { try exclude([.pull], &filter) }
    let hidden: Set<RegistryEvent.Kind> = [.pull, .promotion, .mirror]
    if !seesAll { try exclude(hidden, &filter) }
    let size = try request.pageSize()
    filter.before = request.pageStart
    var events: [RegistryEvent] = []
    var next: String?
    reading: repeat {
      let page = try await request.registry.events(filter, limit: size)
      for event in page.items where try await mayShow(event, repository, request, seesAll) {
        guard events.count < size else {
          next = events.last?.sequence
          break reading
        }
        events.append(event)
      }
      next = page.next
      filter.before = page.next
    } while events.count < size && next != nil
    return RESTAnswer(EventList(events: events.map { EventWire($0) }), next: next)
  }

  private static func exclude(
    _ kinds: Set<RegistryEvent.Kind>, _ filter: inout EventFilter
  ) throws {
    filter.kinds = (filter.kinds ?? Set(RegistryEvent.Kind.allCases)).subtracting(kinds)
  }

  /// Whether the caller may see an event: those of a repository that it may see, not those of one
  /// that had the name before.
  private static func mayShow(
    _ event: RegistryEvent, _ repository: Repository?, _ request: RESTRequest, _ seesAll: Bool
  ) async throws -> Bool {
    if request.caller.isAdmin { return true }
    if let repository { return event.repositoryID == repository.id }
    guard let name = event.repository, let found = try await request.registry.repository(name),
      found.id == event.repositoryID
    else { return false }
    return try await request.registry.access(of: request.caller, to: found) > .none
  }

  private static func filter(_ request: RESTRequest) throws -> EventFilter {
    func value(_ name: String) -> String? {
      request.query[name].flatMap { $0.isEmpty || $0 == "any" ? nil : $0 }
    }
    func time(_ name: String) throws -> Timestamp? {
      guard let text = value(name) else { return nil }
      guard let time = Timestamp(text) else {
        throw RESTError.invalidParameters("\(name) must be a time such as 2026-01-31T12:00:00Z")
      }
      return time
    }
    var filter = EventFilter()
    filter.since = try time("publishedAfter")
    filter.until = try time("publishedBefore")
    filter.actor = value("actorId")
    if let text = value("eventType") {
      guard let type = EventTypeName(rawValue: text) else {
        throw RESTError.invalidParameters("there is no such eventType")
      }
      filter.kinds = type.kinds
    }
    if let text = value("objectType") {
      guard let object = RegistryEvent.Object(rawValue: text) else {
        throw RESTError.invalidParameters("there is no such objectType")
      }
      filter.object = object
    }
    return filter
  }

  // MARK: Webhooks

  /// Whether the caller may have webhooks of this type and key; the repository that the key names.
  private static func authorize(
    _ type: WebhookType, _ key: String, _ request: RESTRequest
  ) async throws -> Repository? {
    guard !key.isEmpty, type.scope != .registry else {
      try request.requireAdministrator()
      guard key.isEmpty else {
        throw RESTError.invalidParameters("webhooks of this type have no key")
      }
      return nil
    }
    if type.scope == .namespace {
      guard try await request.registry.namespaceAccess(of: request.caller, to: key) == .admin
      else { throw RESTError.notAuthorized }
      _ = try await request.account(key)
      return nil
    }
    return try await request.registry.authorize(
      request.caller, .manageAccess, on: RepositoryName(key))
  }

  private static func webhook(_ id: String, _ request: RESTRequest) async throws -> Webhook {
    let webhook = try await request.automation.webhooks.webhook(id)
    guard try await mayChange(webhook, request) else {
      throw RESTError(.notFound, "NO_SUCH_WEBHOOK", "no such webhook")
    }
    return webhook
  }

  private static func mayChange(
    _ webhook: Webhook, _ request: RESTRequest
  ) async throws -> Bool {
    if request.caller.isAdmin { return true }
    do {
      _ = try await authorize(webhook.type, webhook.key, request)
      return true
    } catch is RESTError {
      return false
    } catch is RegistryError {
      return false
    }
  }

  private static func listWebhooks(
    _ request: RESTRequest, key: String?
  ) async throws -> RESTAnswer<[WebhookWire]> {
    let type = request.query["webhookType"].flatMap { $0.isEmpty || $0 == "any" ? nil : $0 }
    var wires: [WebhookWire] = []
    for webhook in try await request.automation.webhooks.webhooks(key: key)
    where type.map({ $0 == webhook.type.rawValue }) ?? true {
      guard try await mayChange(webhook, request) else { continue }
      wires.append(WebhookWire(webhook))
    }
    return .init(wires)
  }
}
