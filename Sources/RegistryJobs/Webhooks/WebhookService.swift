import Host
package import Identity
package import Registry
package import StateStore

/// The webhooks of the registry; they lie in the store under `/webhooks/`.
///
/// Who may make them is for the caller to find out. Every method throws ``JobError``, or
/// `CancellationError`.
package final class WebhookService: Sendable {
  private static let root: Key = "/webhooks/records/"
  private static let successes: Key = "/webhooks/successes/"
  private static let deliveries: Key = "/webhooks/deliveries/"
  /// The most webhooks of one key.
  private static let limit = 100
  /// How many deliveries of each webhook are remembered.
  private static let deliveryLimit = 100

  private let records: JobStore
  private let secrets: SecretBox
  private let clock: @Sendable () -> Timestamp

  /// The webhooks in this store. Their secrets are sealed in `secrets`.
  package init(
    store: any StateStore, secrets: SecretBox,
    clock: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
  ) {
    records = JobStore(store: store)
    self.secrets = secrets
    self.clock = clock
  }

  private static func key(_ id: String) -> Key { root.appending(id) }

  /// The webhooks, by age; those of one key, or all.
  package func webhooks(key: String? = nil) async throws -> [Webhook] {
    var found: [Webhook] = []
    for (id, record) in try await stored() where key.map({ $0 == record.key }) ?? true {
      let success = try await records.fetch(
        Self.successes.appending(id), as: WebhookSuccessRecord.self)
      found.append(record.webhook(id, success: success?.record.at))
    }
    return found.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
  }

  func stored() async throws -> [(id: String, record: WebhookRecord)] {
    var found: [(id: String, record: WebhookRecord)] = []
    try await records.scan(Self.root) { item in
      guard let id = item.key.suffix(after: Self.root) else { return }
      found.append((id, try WebhookRecord(item)))
    }
    return found
  }

  /// A webhook. Throws `noSuchWebhook`.
  package func webhook(_ id: String) async throws -> Webhook {
    let success = try await records.fetch(
      Self.successes.appending(id), as: WebhookSuccessRecord.self)
    return try await record(id).record.webhook(id, success: success?.record.at)
  }

  func record(_ id: String) async throws -> (record: WebhookRecord, revision: Revision) {
    guard (1...64).contains(id.utf8.count), !id.utf8.contains(UInt8(ascii: "/")),
      let found = try await records.fetch(Self.key(id), as: WebhookRecord.self)
    else {
      throw JobError(
        .noSuchWebhook, "no such webhook", metadata: ["webhook": String(id.prefix(64))])
    }
    return found
  }

  /// Makes a webhook; answers it with the secret that its deliveries are signed with, which is not
  /// shown again. `repository` is the one its key names. Throws `invalidRequest`.
  package func create(
    _ draft: WebhookDraft, repository: Repository?, by caller: Caller
  ) async throws -> (webhook: Webhook, secret: String) {
    try WebhookSender.check(draft.endpoint, certificate: draft.tlsCertificate)
    guard try await stored().filter({ $0.record.key == draft.key }).count < Self.limit else {
      throw JobError.invalid("key", "there are as many webhooks as there may be")
    }
    let secret = draft.secret ?? WebhookSignature.newSecret()
    guard (16...256).contains(secret.utf8.count) else {
      throw JobError.invalid("secret", "the secret must have 16 to 256 bytes")
    }
    let record = WebhookRecord(
      type: draft.type, key: draft.key, repositoryID: repository?.id, endpoint: draft.endpoint,
      author: caller.name, created: clock().milliseconds, inactive: false,
      certificate: draft.tlsCertificate, skipsVerification: draft.skipsTLSVerification,
      secret: try sealed(secret))
    let id = Identifier.hexadecimal(bytes: 16)
    _ = try await records.commit(
      do: [.put(Self.key(id), try record.encoded()), .put(JobKeys.subscriptions, [])])
    return (record.webhook(id, success: nil), secret)
  }

  private func sealed(_ secret: String) throws -> String {
    do {
      return try secrets.seal(secret)
    } catch {
      throw JobError(.unavailable, "the secret cannot be sealed", cause: error)
    }
  }

  /// The secret of a webhook.
  func secret(_ record: WebhookRecord) throws -> String {
    do {
      return try secrets.open(record.secret)
    } catch {
      throw JobError(.corrupt, "the secret cannot be opened", cause: error)
    }
  }

  /// Changes a webhook; nil leaves a value as it is. Throws `noSuchWebhook`, `invalidRequest`.
  package func update(
    _ id: String, isInactive: Bool?, tlsCertificate: String?, skipsTLSVerification: Bool?
  ) async throws -> Webhook {
    try await records.retrying { () -> Void? in
      var found = try await record(id)
      if let tlsCertificate {
        try WebhookSender.check(found.record.endpoint, certificate: tlsCertificate)
      }
      found.record.inactive = isInactive ?? found.record.inactive
      found.record.certificate = tlsCertificate ?? found.record.certificate
      found.record.skipsVerification = skipsTLSVerification ?? found.record.skipsVerification
      let done = try await records.commit(
        when: [.modifyRevision(of: Self.key(id), is: found.revision)],
        do: [.put(Self.key(id), try found.record.encoded()), .put(JobKeys.subscriptions, [])])
      return done ? () : nil
    }
    return try await webhook(id)
  }

  /// Deletes a webhook with its deliveries. Throws `noSuchWebhook`.
  package func delete(_ id: String) async throws {
    _ = try await record(id)
    _ = try await records.commit(
      do: [
        .delete(Self.key(id)), .delete(Self.successes.appending(id)),
        .delete(DeleteRequest(.prefix(Self.deliveries.appending(id + "/")))),
        .put(JobKeys.subscriptions, []),
      ])
  }

  /// Deletes the webhooks of a repository that is gone. Those that wait for just that are its
  /// namespace's.
  func deleteWebhooks(ofRepository id: String) async throws {
    for (webhook, record) in try await stored() where record.repositoryID == id {
      do {
        try await delete(webhook)
      } catch let error as JobError where error.code == .noSuchWebhook {
        continue
      }
    }
  }

  /// The last deliveries of a webhook, newest first. Throws `noSuchWebhook`.
  package func deliveries(of id: String) async throws -> [WebhookDelivery] {
    _ = try await record(id)
    let prefix = Self.deliveries.appending(id + "/")
    let response = try await records.read(
      RangeRequest(
        .prefix(prefix), limit: Self.deliveryLimit, sortOrder: .descending, sortTarget: .key))
    return try response.items.compactMap { item in
      guard let name = item.key.suffix(after: prefix) else { return nil }
      let record = try DeliveryRecord(item)
      return WebhookDelivery(
        id: name, webhookID: id, jobID: record.job, type: record.type,
        at: Timestamp(milliseconds: record.at), status: record.status, error: record.error,
        milliseconds: record.took, isSuccess: record.success)
    }
  }

  /// Writes down a delivery and forgets those that are too many.
  func report(_ delivery: DeliveryRecord, of id: String) async throws {
    let prefix = Self.deliveries.appending(id + "/")
    let name =
      FixedWidth.hexadecimal(max(delivery.at, 0), 12) + Identifier.hexadecimal(bytes: 4)
    var operations: [Operation] = [.put(prefix.appending(name), try delivery.encoded())]
    if delivery.success {
      operations.append(
        .put(
          Self.successes.appending(id), try WebhookSuccessRecord(at: delivery.at).encoded()))
    }
    let kept = try await records.read(
      RangeRequest(
        .prefix(prefix), limit: Self.deliveryLimit, sortOrder: .descending, sortTarget: .key,
        keysOnly: true))
    if kept.more, let oldest = kept.items.last {
      operations.append(.delete(DeleteRequest(.interval(prefix, oldest.key))))
    }
    _ = try await records.commit(when: [.exists(Self.key(id))], do: operations)
  }
}
