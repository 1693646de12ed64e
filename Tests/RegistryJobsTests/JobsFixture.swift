import AsyncHTTPClient
import BlobStorage
import FoundationEssentials
import Identity
import NIOCore
import OCI
import Registry
import StateStore
import Testing

@testable import RegistryJobs

/// A registry over memory and a folder of its own, with policies and webhooks.
final class JobsFixture: Sendable {
  /// Lives as long as the process; follows no redirects and tries once, as the registry's own.
  static let http: HTTPClient = {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  let store: InMemoryStateStore
  let registry: RegistryService
  let secrets: SecretBox
  let policies: PolicyService
  let webhooks: WebhookService
  /// A queue whose jobs nobody runs, to see which are made.
  let queue: JobQueue
  private let root: String

  init(store: InMemoryStateStore = InMemoryStateStore()) throws {
    self.store = store
    root = FileManager.default.temporaryDirectory.path + "/martlet-jobs-\(UUID().uuidString)"
    let identity = IdentityService(store: store, logger: quietLogger)
    registry = RegistryService(
      store: store, storage: try FilesystemStorage(root: root), identity: identity,
      logger: quietLogger)
    secrets = try SecretBox(key: Array(repeating: 7, count: 32))
    policies = PolicyService(store: store, secrets: secrets)
    webhooks = WebhookService(store: store, secrets: secrets)
    queue = JobQueue(
      store: store,
      kinds: ["webhook", "tag_promotion", "push_mirror_tag"].map { TestJob($0) { _ in nil } },
      logger: quietLogger)
  }

  deinit {
    // A folder that stays does no harm to other tests.
    try? FileManager.default.removeItem(atPath: root)
  }

  func dispatcher() -> EventDispatcher {
    EventDispatcher(
      registry: registry, queue: queue, policies: policies, webhooks: webhooks, host: "reg.test")
  }

  func automation(_ worker: String = "w1") -> RegistryAutomation {
    RegistryAutomation(
      registry: registry, store: store, secrets: secrets, http: Self.http,
      settings: .init(worker: .init(id: worker), host: "reg.test"), logger: quietLogger)
  }

  /// Runs the whole automation for the length of `body`, from when it listens.
  func running(_ body: (RegistryAutomation) async throws -> Void) async throws {
    let automation = automation()
    try await beside([{ await automation.run() }]) {
      try await isListening()
      try await body(automation)
    }
  }

  func isListening() async throws {
    try await until("the dispatcher has its place") {
      try await !self.store.range(RangeRequest(.key("/jobs/dispatcher"))).items.isEmpty
    }
  }

  /// Runs dispatchers for the length of `body`.
  func dispatching(_ count: Int = 1, _ body: () async throws -> Void) async throws {
    try await beside((0..<count).map { _ in { await self.dispatcher().run() } }, body)
  }

  /// Gives the dispatcher its place, so that whatever happens from now on is told of.
  func begin() async throws {
    try await dispatching { try await isListening() }
  }

  // MARK: Content

  func repository(_ name: String) async throws -> Repository {
    try await registry.authorizePush(.system, to: RepositoryName(name))
  }

  func tags(_ name: String) async throws -> [String: Digest] {
    let repository = try await repository(name)
    let records = try await registry.tagRecords(repository, after: nil, limit: 1_000).items
    return Dictionary(uniqueKeysWithValues: records.map { ($0.name.description, $0.digest) })
  }

  @discardableResult
  func pushBlob(_ text: String, to repository: Repository) async throws -> Digest {
    let bytes = Array(text.utf8)
    let digest = Digest.sha256(of: bytes)
    let session = try await registry.beginUpload(repository, by: .system)
    try await session.append(ByteBuffer(bytes: bytes))
    _ = try await session.finish(digest, by: .system)
    return digest
  }

  /// Pushes an image of one layer under a tag, or by its digest.
  @discardableResult
  func push(
    _ name: String, _ tag: String?, layer: String = "layer", subject: Digest? = nil,
    facts: [String: String]? = nil
  ) async throws -> Digest {
    let repository = try await repository(name)
    let config = try await pushBlob("{}", to: repository)
    let blob = try await pushBlob(layer, to: repository)
    let about = subject.map {
      #","subject":{"mediaType":"\#(MediaType.ociManifest)","digest":"\#($0)","size":3}"#
    }
    let text =
      #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)","config":{"mediaType":"#
      + #""application/vnd.test.config","digest":"\#(config)","size":2},"layers":[{"mediaType":"#
      + #""\#(MediaType.ociLayer)","digest":"\#(blob)","size":\#(layer.utf8.count)}]"#
      + "\(about ?? "")}"
    let digest = Digest.sha256(of: Array(text.utf8))
    return try await registry.putManifest(
      repository, Reference(tag ?? digest.description), mediaType: nil,
      content: ByteBuffer(string: text), by: .system, facts: facts
    ).digest
  }

  // MARK: Policies and webhooks

  @discardableResult
  func webhook(
    _ type: WebhookType, _ name: String, to endpoint: String = "http://127.0.0.1:9/",
    _ change: (inout WebhookDraft) -> Void = { _ in }
  ) async throws -> Webhook {
    var draft = WebhookDraft(type: type, endpoint: endpoint)
    draft.key = name
    change(&draft)
    var repository: Repository?
    if type.scope == .repository, !name.isEmpty { repository = try await self.repository(name) }
    return try await webhooks.create(draft, repository: repository, by: .system).webhook
  }

  @discardableResult
  func policy(
    _ kind: PolicyKind, _ name: String, _ change: (inout PolicyDraft) throws -> Void
  ) async throws -> Policy {
    var draft = PolicyDraft()
    try change(&draft)
    return try await policies.create(
      kind, of: try await repository(name), draft, by: .system)
  }

  @discardableResult
  func promotion(
    _ source: String, _ target: String, rules: [Rule] = [], template: String = "%n"
  ) async throws -> Policy {
    _ = try await repository(target)
    return try await policy(.promotion, source) { draft in
      draft.rules = rules
      draft.target = try RepositoryName(target)
      draft.tagTemplate = template
    }
  }

  // MARK: Jobs

  func jobs(_ action: String? = nil) async throws -> [Job] {
    var filter = JobFilter()
    filter.action = action
    return try await queue.jobs(filter, offset: 0, limit: 100_000)
  }

  /// Waits until whatever happened before was dispatched.
  func settle() async throws {
    let hook = try await webhook(.tagPush, "sentinel/sentinel")
    try await push("sentinel/sentinel", "t")
    try await until("the sentinel") {
      try await self.jobs("webhook").contains { $0.parameters["webhook"] == hook.id }
    }
    try await webhooks.delete(hook.id)
  }

  /// The jobs that were made but for sentinels': as text, with how many there are of each.
  func made() async throws -> [String: Int] {
    var counts: [String: Int] = [:]
    for job in try await jobs() {
      var text = job.parameters["policy"].map { "\(job.action) \($0)" } ?? job.action
      if job.action == "webhook" {
        let message = try JSONDecoder().decode(
          WebhookPayload.self, from: Data((job.parameters["message"] ?? "").utf8))
        guard message.contents.namespace != "sentinel" else { continue }
        text = "\(job.parameters["webhook"] ?? "") \(message.contents.tag ?? "-")"
      } else {
        text += " " + (job.parameters["tag"] ?? "-")
      }
      counts[text, default: 0] += 1
    }
    return counts
  }
}
