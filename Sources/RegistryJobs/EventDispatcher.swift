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
    /// The policies and webhooks whose jobs for the next event were made, when those were too many
    /// for one transaction.
    var made: [String]?
  }

  /// The cursor, the revision of its record, and how many events were seen since it was written.
  private struct Place {
    var cursor: Cursor
    var revision: Revision
    var unwritten = 0
  }

  /// Dispatches until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      do {
        try await follow()
      } catch {
        guard !Task.isCancelled else { return }
        logger.warning("events are not followed", metadata: ["error": "\(error)"])
      }
      // Cancellation is seen by the loop's condition.
      try? await Task.sleep(for: .seconds(1))
    }
  }

  /// Follows the events; returns when another process that dispatches was faster, to begin again
  /// from where that is.
  private func follow() async throws {
    var place = try await place()
    while true {
      do {
        let stream = try await registry.watchEvents(from: place.cursor.revision)
        for try await (revision, event) in stream {
          guard try await dispatch(event, revision, &place) else { return }
        }
        return
      } catch let error where Self.historyIsLost(error) {
        guard try await catchUp(&place) else { return }
      }
    }
  }

  private static func historyIsLost(_ error: any Error) -> Bool {
    let store = error as? StateStoreError ?? (error as? RegistryError)?.cause as? StateStoreError
    return store?.code == .compacted || store?.code == .watcherFellBehind
  }

  /// Where to go on; a new registry begins with what happens from now on.
  private func place() async throws -> Place {
    while true {
      if let known = try await queue.records.fetch(Self.cursor, as: Cursor.self) {
        return Place(cursor: known.record, revision: known.revision)
      }
      let now = try await queue.records.read(RangeRequest(.key(Self.cursor))).revision
      let first = Cursor(
        revision: now + 1, seen: [],
        last: FixedWidth.hexadecimal(max(queue.clock().milliseconds, 0), 12))
      _ = try await queue.records.commit(
        when: [.missing(Self.cursor)], do: [.put(Self.cursor, try first.encoded())])
    }
  }

  /// Makes an event's jobs and moves the place; false when somebody else moved it.
  private func dispatch(
    _ event: RegistryEvent, _ revision: Revision, _ place: inout Place
  ) async throws -> Bool {
    var next = place.cursor
    if revision > next.revision {
      next.revision = revision
      next.seen = []
    } else if revision < next.revision || next.seen.contains(event.sequence) {
      return true
    }
    next.seen.append(event.sequence)
    next.last = max(next.last, event.sequence)
    next.made = nil
    let made = Set(place.cursor.made ?? [])
    let jobs = try await jobs(for: event).filter { !made.contains(Self.subject($0)) }
    // Before the place moves: after a crash in between it is done again.
    try await tidy(event)
    place.unwritten += 1
    guard !jobs.isEmpty || !made.isEmpty || place.unwritten >= Self.stride else {
      place.cursor = next
      return true
    }
    return try await write(jobs, next, &place)
  }

  /// Dispatches the events that the watch can no longer tell of; false when somebody else moved the
  /// place.
  private func catchUp(_ place: inout Place) async throws -> Bool {
    let now = try await queue.records.read(RangeRequest(.key(Self.cursor))).revision
    // Events written by several processes need not be written in the order of their places.
    let last = Int64(place.cursor.last.prefix(12), radix: 16) ?? 0
    let missed = try await registry.events(
      since: Timestamp(milliseconds: last) - Self.disorder, writtenFrom: place.cursor.revision,
      through: now, limit: Self.catchUpLimit)
    logger.info("events are caught up with", metadata: ["count": "\(missed.count)"])
    for (revision, event) in missed {
      guard try await dispatch(event, revision, &place) else { return false }
    }
    var next = place.cursor
    next.revision = max(next.revision, now + 1)
    next.seen = []
    return try await write([], next, &place)
  }

  /// How many missed events are made up for at most.
  private static let catchUpLimit = 100_000
  /// How far the order of events' places may be from the order in which they were written.
  private static let disorder = Duration.seconds(600)

  /// Whose job it is: an event makes one for each policy and webhook at most.
  private static func subject(_ draft: JobDraft) -> String {
    draft.parameters["webhook"] ?? draft.parameters["policy"] ?? ""
  }

  /// Writes jobs down and moves the place; false when somebody else moved it.
  private func write(
    _ drafts: [JobDraft], _ next: Cursor, _ place: inout Place
  ) async throws -> Bool {
    var rest = drafts[...]
    while true {
      let part = rest.prefix(Self.batch)
      rest = rest.dropFirst(Self.batch)
      var cursor = next
      if !rest.isEmpty {
        cursor = place.cursor
        cursor.made = (cursor.made ?? []) + part.map(Self.subject)
      }
      var operations: [Operation] = [.put(Self.cursor, try cursor.encoded())]
      for draft in part {
        let (id, record) = try await queue.prepare(draft)
        operations += try JobQueue.submission(id, record)
      }
      guard
        let revision = try await queue.records.commitAt(
          when: [.modifyRevision(of: Self.cursor, is: place.revision)], do: operations)
      else { return false }
      place = Place(cursor: cursor, revision: revision)
      if rest.isEmpty { return true }
    }
  }

  /// Takes away what belonged to a repository that is gone.
  private func tidy(_ event: RegistryEvent) async throws {
    guard event.kind == .delete, event.object == .repository, let id = event.repositoryID,
      let name = event.repository
    else { return }
    try await policies.deletePolicies(ofRepository: id, named: name, since: event.time)
    try await webhooks.deleteWebhooks(ofRepository: id)
  }

  // MARK: What events ask for

  private func jobs(for event: RegistryEvent) async throws -> [JobDraft] {
    let version = try await queue.records.read(RangeRequest(.key(JobKeys.subscriptions))).items
      .first?.modifyRevision
    let known = try await subscriptions.current(version ?? 0) {
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

  private let state = Mutex<(version: Revision, snapshot: Snapshot)?>(nil)

  /// What there is at this version or later, read anew when what is known is of another.
  func current(
    _ version: Revision, _ load: () async throws -> Snapshot
  ) async throws -> Snapshot {
    if let known = state.withLock({ $0 }), known.version == version { return known.snapshot }
    let fresh = try await load()
    state.withLock { $0 = (version, fresh) }
    return fresh
  }
}
