package import AsyncHTTPClient
import FoundationEssentials
package import Identity
package import Logging
import NIOCore
import OCI
package import Registry
package import StateStore

/// What the registry does by itself: jobs and their schedules, policies, webhooks, history.
package struct RegistryAutomation: Sendable {
  package let queue: JobQueue
  package let policies: PolicyService
  package let webhooks: WebhookService
  package let history: JobHistory
  /// What hands on the images of another registry, if that is asked for.
  package let upstream: PullThroughCache?
  private let registry: RegistryService
  private let worker: JobWorker
  private let dispatcher: EventDispatcher
  private let sender: WebhookSender
  private let runner: PolicyRunner
  private let secrets: SecretBox
  private let host: String
  private let schedules: [String: CronSchedule?]

  /// How it works.
  package struct Settings: Sendable {
    package var worker: JobWorker.Settings
    /// The registry's name in the names of images, `host[:port]`.
    package var host: String
    /// The schedules of actions that the configuration decides about: they are set at every start,
    /// nil takes one away. Others have those that administrators gave them.
    package var schedules: [String: CronSchedule?] = [:]
    /// The registry whose images are handed on, if any.
    package var upstream: PullThroughCache.Settings?

    /// The usual settings.
    package init(worker: JobWorker.Settings, host: String) {
      self.worker = worker
      self.host = host
    }
  }

  /// The automation of this registry. `http` is what it reaches others with; it must not follow
  /// redirects.
  package init(
    registry: RegistryService, store: any StateStore, secrets: SecretBox, http: HTTPClient,
    settings: Settings, logger: Logger
  ) {
    let policies = PolicyService(store: store, secrets: secrets)
    let webhooks = WebhookService(store: store, secrets: secrets)
    let sender = WebhookSender(http: http)
    let runner = PolicyRunner(
      registry: registry, policies: policies, http: http, logger: logger)
    // Deleting old jobs needs no kinds of jobs.
    let history = JobHistory(
      registry: registry, queue: JobQueue(store: store, kinds: [], logger: logger))
    var kinds: [any JobKind] = [
      GarbageCollectionJob(
        action: "onlinegc", registry: registry, defaultSchedule: "0 0 2 * * *"),
      GarbageCollectionJob(action: "gc", registry: registry),
      GarbageCollectionJob(action: "onlinegc_blobs", registry: registry),
      UploadPurgeJob(registry: registry), ReadOnlyJob(registry: registry), SleepJob(),
      FailingJob(), JobHistoryJob(purge: { try await history.purgeJobs() }),
      EventHistoryJob(purge: { try await history.purgeEvents() }),
      WebhookJob(webhooks: webhooks, sender: sender), PromotionJob(runner: runner),
      PruningJob(runner: runner), PushMirrorJob(runner: runner, secrets: secrets),
      PollMirrorJob(runner: runner),
    ]
    upstream = settings.upstream.map {
      PullThroughCache(registry: registry, settings: $0, http: http, logger: logger)
    }
    if let upstream = settings.upstream {
      kinds.append(
        ProxyExpiryJob(registry: registry, runner: runner, timeToLive: upstream.timeToLive))
    }
    queue = JobQueue(store: store, kinds: kinds, logger: logger)
    worker = JobWorker(queue: queue, settings: settings.worker)
    dispatcher = EventDispatcher(
      registry: registry, queue: queue, policies: policies, webhooks: webhooks,
      host: settings.host)
    self.history = history
    self.registry = registry
    self.policies = policies
    self.webhooks = webhooks
    self.sender = sender
    self.runner = runner
    self.secrets = secrets
    host = settings.host
    schedules = settings.schedules
  }
}

extension RegistryAutomation {
  /// Works until the task is cancelled. Jobs that run then wait again for the next start.
  package func run() async {
    do {
      try await queue.makeDefaultCrons()
      for (action, schedule) in schedules { try await queue.ensureCron(action, schedule) }
    } catch {
      queue.logger.warning("schedules were not set", metadata: ["error": "\(error)"])
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await worker.run() }
      group.addTask { await dispatcher.run() }
    }
  }

  /// Closes the connections to others; to be called after ``run()`` has ended.
  package func shutdown() async throws {
    try await sender.http.shutdown()
  }

  /// Sends a made-up message to an endpoint, to see whether it takes it. Throws ``JobError``
  /// (`invalidRequest`).
  package func testWebhook(_ draft: WebhookDraft) async throws -> WebhookAnswer {
    try WebhookSender.check(draft.endpoint, certificate: draft.tlsCertificate)
    let now = Timestamp.now()
    let body = try WebhookPayload.sample(draft.type, host: host, now: now).encoded()
    return try await sender.send(
      body, id: "msg_test_\(now.milliseconds)", to: draft.endpoint, secret: draft.secret,
      certificate: draft.tlsCertificate, skipsVerification: draft.skipsTLSVerification, at: now)
  }

  /// Whether a remote repository can be read and written. Throws ``JobError`` (`invalidRequest`,
  /// `remoteFailed`).
  package func checkRemote(
    _ remote: RemoteRepository, password: String, token: String
  ) async throws -> (read: Bool, write: Bool) {
    try RemoteRegistry.check(remote)
    let secret = RemoteSecret(password: password, token: token)
    func connect(_ actions: String) async throws -> RemoteRegistry {
      try await RemoteRegistry.connect(
        remote, secret, http: runner.http, actions: actions, logger: runner.logger)
    }
    let canRead = try await connect("pull").canRead()
    do {
      return (canRead, try await connect("pull,push").canWrite())
    } catch let error as JobError where error.code == .remoteFailed {
      return (canRead, false)
    }
  }

  /// Carries out a policy for everything that is there already. Answers the job.
  @discardableResult
  package func evaluate(_ policy: Policy) async throws -> Job {
    let action =
      switch policy.kind {
      case .promotion: "tag_promotion"
      case .pushMirroring: "push_mirror_tag"
      case .pollMirroring: "poll_mirror"
      case .pruning: "tag_pruning"
      }
    return try await queue.submit(JobDraft(action, ["policy": policy.id]))
  }

  /// The tags of a repository that rules hold for, in order.
  package func matchingTags(_ rules: [Rule], _ repository: Repository) async throws -> [TagRecord] {
    for rule in rules { try rule.check() }
    return try await runner.matchingTags(rules, repository, now: .now())
  }

  /// Gives one tag to another repository, now.
  package func promote(
    _ source: Repository, _ tag: TagRecord, to target: Repository, as targetTag: Tag
  ) async throws {
    let promotion = Promotion(
      source: source, sourceTag: tag.name, digest: tag.digest, target: target,
      targetTag: targetTag, policy: "", depth: 1)
    _ = try await promotion.run(registry, log: { _ in })
  }

  /// Sends one tag to another registry, by a job. Throws ``JobError`` (`invalidRequest`).
  package func pushMirror(
    _ repository: Repository, _ tag: TagRecord, to remote: RemoteRepository, as remoteTag: Tag,
    password: String, token: String
  ) async throws -> Job {
    try RemoteRegistry.check(remote)
    let mirror = ManualMirror(
      repository: repository.name, repositoryID: repository.id, tag: tag.name.description,
      digest: tag.digest, remote: remote, remoteTag: remoteTag.description,
      secret: RemoteSecret(password: password, token: token))
    do {
      return try await queue.submit(
        JobDraft("push_mirror_tag", ["mirror": try mirror.sealed(secrets)]))
    } catch let error as IdentityError {
      throw JobError(.unavailable, "the credentials cannot be sealed", cause: error)
    }
  }
}

/// How long jobs and events are remembered, and their deletion after that.
package struct JobHistory: Sendable {
  private static let key: Key = "/jobs/history"

  let registry: RegistryService
  let queue: JobQueue

  /// The settings.
  package func settings() async throws -> HistorySettings {
    try await queue.records.fetch(Self.key, as: HistorySettings.self)?.record ?? HistorySettings()
  }

  /// Changes the settings. Throws ``JobError`` (`invalidRequest`).
  package func set(_ settings: HistorySettings) async throws {
    guard settings.jobsKept >= 0, settings.eventsKept >= 0, settings.jobAge >= 0,
      settings.eventAge >= 0
    else { throw JobError.invalid("history", "counts and ages cannot be negative") }
    _ = try await queue.records.commit(do: [.put(Self.key, try settings.encoded())])
  }

  func purgeJobs() async throws -> Int {
    let settings = try await settings()
    guard settings.compactsJobs else { return 0 }
    return try await queue.purge(
      before: settings.jobAge > 0 ? Timestamp.now() - .seconds(settings.jobAge) : nil,
      keeping: settings.jobsKept > 0 ? settings.jobsKept : nil)
  }

  func purgeEvents() async throws -> Int {
    let settings = try await settings()
    guard settings.compactsEvents else { return 0 }
    return try await registry.purgeEvents(
      before: settings.eventAge > 0 ? Timestamp.now() - .seconds(settings.eventAge) : nil,
      keeping: settings.eventsKept > 0 ? settings.eventsKept : nil)
  }
}
