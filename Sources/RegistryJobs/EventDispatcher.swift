import Host
import Identity
import Logging
import OCI
import Registry
import StateStore
import Synchronization

/// Reads the stream of events and makes the jobs that webhooks and policies ask for.
///
/// Where it is stands in the store and moves in the transaction that makes the jobs: however many
/// processes do this, and whenever one dies, each event makes its jobs once.
struct EventDispatcher: Sendable {
  private static let cursor: Key = "/jobs/dispatcher"
  /// How many jobs one transaction makes.
  private static let batch = 32
  /// After so many events without a job the place is written down all the same.
  private static let stride = 2_000

  let registry: RegistryService
  let queue: JobQueue
  let policies: PolicyService
  let webhooks: WebhookService
  let host: String
  let logger: Logger
  private let subscriptions = Subscriptions()

  init(
    registry: RegistryService, queue: JobQueue, policies: PolicyService,
    webhooks: WebhookService, host: String
  ) {
    self.registry = registry
    self.queue = queue
    self.policies = policies
    self.webhooks = webhooks
    self.host = host
    logger = queue.logger
  }

  /// Where the dispatcher is: everything before `revision` was seen, and of its own events `seen`.
  struct Cursor: JobStoredRecord {
    var v = 1
    var revision: Int64
    var seen: [String]
    /// The greatest place in the stream that was seen.
    var last: String
  }

  /// Dispatches until the task is cancelled.
  func run() async {
    await withTaskGroup(of: Void.self) { group in
      for keys in [PolicyService.watchedKeys, WebhookService.watchedKeys] {
        group.addTask { await self.followSubscriptions(keys) }
      }
      group.addTask {
        while !Task.isCancelled {
          do {
            try await self.follow()
          } catch {
            guard !Task.isCancelled else { return }
            self.logger.warning("events are not followed", metadata: ["error": "\(error)"])
          }
          // Cancellation is seen by the loop's condition.
          try? await Task.sleep(for: .seconds(1))
        }
      }
    }
  }

  private func followSubscriptions(_ keys: KeyRange) async {
    while !Task.isCancelled {
      do {
        let watch = try await queue.records.store.watch(WatchRequest(keys))
        subscriptions.invalidate()
        while try await watch.next() != nil { subscriptions.invalidate() }
      } catch {
        guard !Task.isCancelled else { return }
        logger.warning("policies are not followed", metadata: ["error": "\(error)"])
      }
      subscriptions.invalidate()
      // Cancellation is seen by the loop's condition.
      try? await Task.sleep(for: .seconds(1))
    }
  }

  private func follow() async throws {
    var (cursor, revision) = try await place()
    var skipped: Set<String> = []
    while true {
      do {
        let stream = try await registry.watchEvents(from: cursor.revision)
        try await dispatch(stream, &cursor, &revision, skipping: skipped)
        return
      } catch let error where Self.historyIsLost(error) {
        skipped = try await catchUp(&cursor, &revision)
      }
    }
  }

  private static func historyIsLost(_ error: any Error) -> Bool {
    let store = error as? StateStoreError ?? (error as? RegistryError)?.cause as? StateStoreError
    return store?.code == .compacted || store?.code == .watcherFellBehind
  }

  /// Where to go on; a new registry begins with what happens from now on.
  private func place() async throws -> (Cursor, Revision) {
    while true {
      if let known = try await queue.records.fetch(Self.cursor, as: Cursor.self) { return known }
      let now = try await queue.records.read(RangeRequest(.key(Self.cursor))).revision
      let first = Cursor(
        revision: now + 1, seen: [],
        last: FixedWidth.hexadecimal(max(queue.clock().milliseconds, 0), 12))
      _ = try await queue.records.commit(
        when: [.missing(Self.cursor)], do: [.put(Self.cursor, try first.encoded())])
    }
  }

  private func dispatch(
    _ stream: AsyncThrowingStream<(revision: Int64, event: RegistryEvent), any Error>,
    _ cursor: inout Cursor, _ revision: inout Revision, skipping skipped: Set<String>
  ) async throws {
    var count = 0
    for try await (at, event) in stream {
      if at > cursor.revision {
        cursor.revision = at
        cursor.seen = []
      } else if cursor.seen.contains(event.sequence) {
        continue
      }
      cursor.seen.append(event.sequence)
      cursor.last = max(cursor.last, event.sequence)
      guard !skipped.contains(event.sequence) else { continue }
      count += 1
      let jobs = try await jobs(for: event)
      if !jobs.isEmpty || count % Self.stride == 0 {
        // Another process that dispatches was faster: begin again from where it is.
        guard let next = try await write(jobs, cursor, revision) else { return }
        revision = next
      }
      try await tidy(event)
    }
  }

  /// Reads the events that the watch can no longer tell of; answers their places.
  private func catchUp(
    _ cursor: inout Cursor, _ revision: inout Revision
  ) async throws -> Set<String> {
    let now = try await queue.records.read(RangeRequest(.key(Self.cursor))).revision
    var missed: [RegistryEvent] = []
    var filter = EventFilter()
    reading: while true {
      let page = try await registry.events(filter, limit: 500)
      for event in page.items {
        guard event.sequence > cursor.last else { break reading }
        missed.append(event)
      }
      guard let next = page.next, missed.count < Self.catchUpLimit else { break }
      filter.before = next
    }
    logger.info("events are caught up with", metadata: ["count": "\(missed.count)"])
    for event in missed.reversed() {
      cursor.last = max(cursor.last, event.sequence)
      let jobs = try await jobs(for: event)
      if !jobs.isEmpty {
        guard let next = try await write(jobs, cursor, revision) else {
          throw JobError(.unavailable, "another process dispatches events")
        }
        revision = next
      }
      try await tidy(event)
    }
    cursor.revision = now + 1
    cursor.seen = []
    return Set(missed.map(\.sequence))
  }

  /// How many missed events are made up for at most.
  private static let catchUpLimit = 100_000

  /// Writes jobs down and moves the place; nil when somebody else moved it.
  private func write(
    _ drafts: [JobDraft], _ cursor: Cursor, _ revision: Revision
  ) async throws -> Revision? {
    var rest = drafts[...]
    while true {
      var operations: [Operation] = []
      for draft in rest.prefix(Self.batch) {
        let (id, record) = try await queue.prepare(draft)
        operations += try JobQueue.submission(id, record)
      }
      rest = rest.dropFirst(Self.batch)
      // The place moves with the last of them: after a crash before that, some are made twice.
      if rest.isEmpty {
        operations.append(.put(Self.cursor, try cursor.encoded()))
        return try await queue.records.commitAt(
          when: [.modifyRevision(of: Self.cursor, is: revision)], do: operations)
      }
      _ = try await queue.records.commit(do: operations)
    }
  }

  /// Takes away what belonged to a repository that is gone.
  private func tidy(_ event: RegistryEvent) async throws {
    guard event.kind == .delete, event.object == .repository, let id = event.repositoryID,
      let name = event.repository
    else { return }
    try await policies.deletePolicies(ofRepository: id, named: name)
    try await webhooks.deleteWebhooks(ofRepository: id)
  }

  // MARK: What events ask for

  private func jobs(for event: RegistryEvent) async throws -> [JobDraft] {
    let known = try await subscriptions.current {
      Subscriptions.Snapshot(
        policies: try await policies.activePolicies(),
        webhooks: try await webhooks.stored().filter { !$0.record.inactive })
    }
    return policyJobs(known.policies, event) + (try await webhookJobs(known.webhooks, event))
  }

  private func policyJobs(_ policies: [Policy], _ event: RegistryEvent) -> [JobDraft] {
    guard event.kind == .push, event.object == .tag, let tag = event.tag, let digest = event.digest,
      !RegistryService.isAttachment(tag)
    else { return [] }
    let subject = RuleSubject(tag: tag.description, updatedAt: event.time)
    let depth = event.facts?["promotionDepth"] ?? "0"
    return policies.compactMap { policy in
      guard policy.repositoryID == event.repositoryID,
        policy.rules.allSatisfy({ $0.holds(for: subject, at: event.time) })
      else { return nil }
      var parameters = ["policy": policy.id, "tag": tag.description, "digest": digest.description]
      switch policy.kind {
      case .promotion:
        guard Int(depth) ?? 0 < PromotionJob.depthLimit else { return nil }
        parameters["depth"] = depth
        return JobDraft("tag_promotion", parameters)
      case .pushMirroring: return JobDraft("push_mirror_tag", parameters)
      case .pollMirroring, .pruning: return nil
      }
    }
  }

  private func webhookJobs(
    _ webhooks: [(id: String, record: WebhookRecord)], _ event: RegistryEvent
  ) async throws -> [JobDraft] {
    let types = WebhookPayload.types(of: event)
    let wanted = webhooks.filter { types.contains($0.record.type) && $0.record.listens(to: event) }
    guard !wanted.isEmpty else { return [] }
    let image = try await summary(event)
    return try wanted.map { id, record in
      let payload = WebhookPayload.make(record.type, event, host: host, image: image)
      return JobDraft(
        "webhook",
        [
          "webhook": id, "type": record.type.rawValue, "delivery": "msg_" + event.sequence + id,
          "message": String(decoding: try payload.encoded(), as: UTF8.self),
        ])
    }
  }

  private func summary(_ event: RegistryEvent) async throws -> ManifestSummary? {
    guard let name = event.repository, let digest = event.digest,
      let repository = try await registry.repository(name), repository.id == event.repositoryID
    else { return nil }
    do {
      return try await registry.manifestSummary(repository, digest)
    } catch let error as RegistryError where error.code == .manifestUnknown {
      return nil
    }
  }
}

extension WebhookRecord {
  /// Whether an event is of what the webhook's key names.
  fileprivate func listens(to event: RegistryEvent) -> Bool {
    if key.isEmpty { return true }
    if type.scope == .namespace { return key == event.repository?.namespace }
    return key == event.repository?.description
      && (repositoryID == nil || repositoryID == event.repositoryID)
  }
}

/// The policies and webhooks there are, kept until one of them changes.
final class Subscriptions: Sendable {
  struct Snapshot: Sendable {
    var policies: [Policy]
    var webhooks: [(id: String, record: WebhookRecord)]
  }

  private struct State {
    var snapshot: Snapshot?
    /// Counts changes, so that what was read before one is not kept after it.
    var version = 0
  }

  private let state = Mutex(State())

  /// Something changed.
  func invalidate() {
    state.withLock { state in
      state.snapshot = nil
      state.version += 1
    }
  }

  /// What there is now, read anew when something changed.
  func current(_ load: () async throws -> Snapshot) async throws -> Snapshot {
    let (known, version) = state.withLock { ($0.snapshot, $0.version) }
    if let known { return known }
    let fresh = try await load()
    state.withLock { if $0.version == version { $0.snapshot = fresh } }
    return fresh
  }
}
