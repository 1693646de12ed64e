// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Identity
import OCI
import Registry
import RegistryJobs

/// The types of events by the names of the API.
enum EventTypeName: String, APIChoice {
  case create = "CREATE"
  case get = "GET"
  case update = "UPDATE"
  case delete = "DELETE"
  case send = "SEND"
  case fail = "FAIL"
  case scan = "SCAN"
  case promotion = "PROMOTION"

  init(_ event: RegistryEvent) {
    self =
      switch event.kind {
      case .push, .create: .create
      case .pull: .get
      case .update: .update
      case .delete: .delete
      case .webhook: .send
      case .mirror: event.facts?["direction"] == "poll" ? .create : .send
      case .failure: .fail
      case .scan: .scan
      case .promotion: .promotion
      }
  }

  /// The kinds that may show as this type.
  var kinds: Set<RegistryEvent.Kind> {
    switch self {
    case .create: [.push, .create]
    case .get: [.pull]
    case .update: [.update]
    case .delete: [.delete]
    case .send: [.webhook, .mirror]
    case .fail: [.failure]
    case .scan: [.scan]
    case .promotion: [.promotion]
    }
  }
}

struct EventWire: APIObject {
  static let schemaName = "Event"
  struct Object: APIObject {
    static let schemaName = "EventObject"
    var id: String
    var type: String
    var name: String
    var content: [String: String]?
  }

  var id: String
  var publishedAt: Timestamp
  var actor: String
  var actorType: String
  var actorAddress: String?
  var type: EventTypeName
  var object: Object
  var repository: String

  init(_ event: RegistryEvent) {
    id = event.sequence
    publishedAt = event.time
    actor = event.actor
    actorType = event.actor == "system" ? "system" : event.actor.isEmpty ? "anonymous" : "user"
    actorAddress = event.address
    type = EventTypeName(event)
    object = Object(
      id: event.digest?.description ?? event.repositoryID ?? "", type: event.object.rawValue,
      name: event.tag?.description ?? event.repository?.description ?? "", content: event.facts)
    repository = event.repository?.description ?? ""
  }
}

struct EventList: APIObject {
  var events: [EventWire]
}

/// The types of webhooks by the names of the API.
enum WebhookTypeName: String, APIChoice {
  case TAG_PUSH, TAG_PULL, TAG_DELETE, MANIFEST_PUSH, MANIFEST_PULL, MANIFEST_DELETE
  case SCAN_COMPLETED, SCAN_FAILED, PROMOTION, PUSH_MIRRORING, POLL_MIRRORING
  case REPO_EVENT, REPO_CREATED, REPO_UPDATED, REPO_DELETED, SCANNER_UPDATE_COMPLETED
}

struct WebhookWire: APIObject {
  static let schemaName = "Webhook"
  var id: String
  var type: WebhookTypeName
  var key: String
  var endpoint: String
  var authorID: String
  var createdAt: Timestamp
  var lastSuccessfulAt: Timestamp
  var inactive: Bool
  var tlsCert: String
  var skipTLSVerification: Bool
  /// What deliveries are signed with; only in the answer to its making.
  var secret: String?

  init(_ webhook: Webhook, secret: String? = nil) {
    id = webhook.id
    type = WebhookTypeName(rawValue: webhook.type.rawValue) ?? .TAG_PUSH
    key = webhook.key
    endpoint = webhook.endpoint
    authorID = webhook.author
    createdAt = webhook.createdAt
    lastSuccessfulAt = webhook.lastSuccessfulAt ?? .never
    inactive = webhook.isInactive
    tlsCert = webhook.tlsCertificate
    skipTLSVerification = webhook.skipsTLSVerification
    self.secret = secret
  }
}

struct WebhookForm: APIObject {
  var type: String
  var key: String?
  var endpoint: String
  var tlsCert: String?
  var skipTLSVerification: Bool?
  var secret: String?

  /// Throws ``RESTError``.
  func draft() throws -> WebhookDraft {
    guard let type = WebhookType(rawValue: type) else {
      throw RESTError.invalidParameters("there is no such type of webhook")
    }
    var draft = WebhookDraft(type: type, endpoint: endpoint)
    draft.key = key ?? ""
    draft.tlsCertificate = tlsCert ?? ""
    draft.skipsTLSVerification = skipTLSVerification ?? false
    draft.secret = secret
    return draft
  }
}

struct WebhookChangeForm: APIObject {
  var id: String
  var inactive: Bool?
  var tlsCert: String?
  var skipTLSVerification: Bool?
}

/// What an endpoint answered to a made-up message.
struct WebhookTestResult: APIObject {
  var success: Bool
  var statusCode: Int
  var error: String
  var milliseconds: Int64
}

struct DeliveryWire: APIObject {
  static let schemaName = "WebhookDelivery"
  var id: String
  var jobID: String
  var type: WebhookTypeName
  var deliveredAt: Timestamp
  var statusCode: Int
  var error: String
  var milliseconds: Int64
  var success: Bool

  init(_ delivery: WebhookDelivery) {
    id = delivery.id
    jobID = delivery.jobID
    type = WebhookTypeName(rawValue: delivery.type.rawValue) ?? .TAG_PUSH
    deliveredAt = delivery.at
    statusCode = delivery.status ?? 0
    error = delivery.error ?? ""
    milliseconds = delivery.milliseconds
    success = delivery.isSuccess
  }
}
