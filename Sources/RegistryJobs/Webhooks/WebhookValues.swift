package import Identity
import Registry

/// What a webhook waits for.
package enum WebhookType: String, Hashable, Sendable, Codable, CaseIterable {
  case tagPush = "TAG_PUSH"
  case tagPull = "TAG_PULL"
  case tagDelete = "TAG_DELETE"
  case manifestPush = "MANIFEST_PUSH"
  case manifestPull = "MANIFEST_PULL"
  case manifestDelete = "MANIFEST_DELETE"
  case scanCompleted = "SCAN_COMPLETED"
  case scanFailed = "SCAN_FAILED"
  case promotion = "PROMOTION"
  case pushMirroring = "PUSH_MIRRORING"
  case pollMirroring = "POLL_MIRRORING"
  case repositoryEvent = "REPO_EVENT"
  case repositoryCreated = "REPO_CREATED"
  case repositoryUpdated = "REPO_UPDATED"
  case repositoryDeleted = "REPO_DELETED"
  case scannerUpdateCompleted = "SCANNER_UPDATE_COMPLETED"

  /// What a webhook of this type is bound to.
  package enum Scope: Hashable, Sendable { case repository, namespace, registry }

  /// What the key of such a webhook names.
  package var scope: Scope {
    switch self {
    case .repositoryEvent, .repositoryCreated, .repositoryUpdated, .repositoryDeleted: .namespace
    case .scannerUpdateCompleted: .registry
    default: .repository
    }
  }
}

/// An address that is told when something happens.
package struct Webhook: Hashable, Sendable {
  package var id: String
  package var type: WebhookType
  /// `namespace/name`, a namespace, or nothing for the whole registry.
  package var key: String
  package var endpoint: String
  package var author: String
  package var createdAt: Timestamp
  package var lastSuccessfulAt: Timestamp?
  package var isInactive: Bool
  /// PEM certificates that the endpoint's may be signed by, besides the machine's.
  package var tlsCertificate: String
  package var skipsTLSVerification: Bool
}

/// What a webhook is made of.
package struct WebhookDraft: Sendable {
  package var type: WebhookType
  package var key = ""
  package var endpoint: String
  package var tlsCertificate = ""
  package var skipsTLSVerification = false
  /// What deliveries are signed with; nil to have one made.
  package var secret: String?

  /// A webhook of this type to this address.
  package init(type: WebhookType, endpoint: String) {
    self.type = type
    self.endpoint = endpoint
  }
}

/// One try to tell an endpoint something.
package struct WebhookDelivery: Hashable, Sendable {
  /// Later ones have greater ids.
  package var id: String
  package var webhookID: String
  package var jobID: String
  package var type: WebhookType
  package var at: Timestamp
  /// The status that the endpoint answered; nil when it did not.
  package var status: Int?
  package var error: String?
  /// Milliseconds it took.
  package var milliseconds: Int64
  package var isSuccess: Bool
}

/// A webhook as it is stored.
struct WebhookRecord: JobStoredRecord {
  var v = 1
  var type: WebhookType
  var key: String
  /// The repository that the key named, so that a later one of its name is not listened to.
  var repositoryID: String?
  var endpoint: String
  var author: String
  var created: Int64
  var inactive: Bool
  var certificate: String
  var skipsVerification: Bool
  /// The sealed secret.
  var secret: String

  func webhook(_ id: String, success: Int64?) -> Webhook {
    Webhook(
      id: id, type: type, key: key, endpoint: endpoint, author: author,
      createdAt: Timestamp(milliseconds: created),
      lastSuccessfulAt: success.map { Timestamp(milliseconds: $0) }, isInactive: inactive,
      tlsCertificate: certificate, skipsTLSVerification: skipsVerification)
  }
}

/// When a webhook last worked.
struct WebhookSuccessRecord: JobStoredRecord {
  var v = 1
  var at: Int64
}

/// A delivery as it is stored.
struct DeliveryRecord: JobStoredRecord {
  var v = 1
  var job: String
  var type: WebhookType
  var at: Int64
  var status: Int?
  var error: String?
  var took: Int64
  var success: Bool
}
