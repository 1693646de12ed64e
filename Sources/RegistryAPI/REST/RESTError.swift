// swift-format-ignore-file: AlwaysUseLowerCamelCase

import FoundationEssentials
import Identity
import NIOHTTP1
import OCI
import Registry
import RegistryJobs

/// A refusal as the REST API answers it: `{"errors":[{"code":…,"message":…,"detail":…}]}`.
struct RESTError: Error, Sendable {
  var status: HTTPResponseStatus
  var code: String
  var message: String
  var detail: [String: String] = [:]
  /// Seconds after which asking again may help.
  var retryAfter: Int64?

  init(
    _ status: HTTPResponseStatus, _ code: String, _ message: String,
    detail: [String: String] = [:], retryAfter: Int64? = nil
  ) {
    self.status = status
    self.code = code
    self.message = message
    self.detail = detail
    self.retryAfter = retryAfter
  }

  static let notAuthenticated = RESTError(
    .unauthorized, "NOT_AUTHENTICATED", "the caller is not authenticated")
  static let notAuthorized = RESTError(
    .forbidden, "NOT_AUTHORIZED", "the caller is not authorized to do this")
  static func invalidParameters(_ message: String) -> RESTError {
    RESTError(.badRequest, "INVALID_PARAMETERS", message)
  }
  static func noSuchAccount(_ name: String) -> RESTError {
    RESTError(
      .notFound, "NO_SUCH_ACCOUNT", "there is no such account",
      detail: ["account": String(name.prefix(128))])
  }

  /// What an error of the modules below means to a client of the REST API; nil for one that has no
  /// meaning of its own.
  init?(_ error: any Error) {
    switch error {
    case let error as RESTError: self = error
    case let error as RegistryError: self.init(registry: error)
    case let error as IdentityError: self.init(identity: error)
    case let error as JobError: self.init(jobs: error)
    default: return nil
    }
  }

  private init(registry error: RegistryError) {
    let (status, code): (HTTPResponseStatus, String) =
      switch error.code {
      case .unauthorized:
        error.metadata["reason"] == "scope"
          ? (.forbidden, "NOT_AUTHORIZED") : (.unauthorized, "NOT_AUTHENTICATED")
      case .denied: (.forbidden, "NOT_AUTHORIZED")
      case .unsupported, .readOnly: (.methodNotAllowed, "NOT_ALLOWED")
      case .tooManyRequests: (.tooManyRequests, "TOO_MANY_REQUESTS")
      case .nameInvalid: (.badRequest, "INVALID_REPOSITORY_NAME")
      case .repositoryUnknown: (.notFound, "NO_SUCH_REPOSITORY")
      case .digestInvalid: (.badRequest, "INVALID_DIGEST")
      case .manifestUnknown: (.notFound, "NO_SUCH_MANIFEST")
      case .manifestInvalid, .manifestBlobUnknown, .manifestTooLarge:
        (.badRequest, "INVALID_MANIFEST")
      case .tagInvalid: (.badRequest, "INVALID_TAG_NAME")
      case .tagUnknown: (.notFound, "NO_SUCH_TAG")
      case .tagImmutable: (.conflict, "TAG_IMMUTABLE")
      case .uploadUnknown: (.notFound, "NO_SUCH_UPLOAD")
      case .blobUnknown: (.notFound, "NO_SUCH_BLOB")
      case .quotaExceeded: (.forbidden, "QUOTA_EXCEEDED")
      case .repositoryExists: (.badRequest, "REPOSITORY_EXISTS")
      case .namespaceUnknown: (.notFound, "NO_SUCH_ACCOUNT")
      case .teamUnknown: (.badRequest, "TEAM_NOT_IN_ORGANIZATION")
      case .notAnOrganization: (.badRequest, "NOT_AN_ORGANIZATION")
      case .unavailable: (.serviceUnavailable, "UNAVAILABLE")
      case .conflict, .uploadBusy: (.conflict, "CONFLICT")
      case .corrupt: (.internalServerError, "INTERNAL_ERROR")
      default: (.badRequest, "INVALID_PARAMETERS")
      }
    var detail = error.metadata
    detail["reason"] = nil
    self.init(
      status, code, error.message, detail: detail,
      retryAfter: error.metadata["retryAfter"].flatMap { Int64($0) })
  }

  private init(identity error: IdentityError) {
    let (status, code): (HTTPResponseStatus, String) =
      switch error.code {
      case .unauthenticated, .invalidToken: (.unauthorized, "NOT_AUTHENTICATED")
      case .throttled: (.tooManyRequests, "TOO_MANY_REQUESTS")
      case .inactive: (.forbidden, "ACCOUNT_INACTIVE")
      case .noSuchAccount: (.notFound, "NO_SUCH_ACCOUNT")
      case .noSuchTeam: (.notFound, "NO_SUCH_TEAM")
      case .noSuchMember: (.notFound, "NO_SUCH_MEMBER")
      case .noSuchToken: (.notFound, "NO_SUCH_API_TOKEN")
      case .nameTaken: (.badRequest, "ACCOUNT_EXISTS")
      case .wrongKind: (.badRequest, "INVALID_ACCOUNT_KIND")
      case .invalidPassword: (.badRequest, "INVALID_PASSWORD")
      case .invalidRequest: (.badRequest, "INVALID_PARAMETERS")
      case .lastAdministrator: (.conflict, "LAST_ADMINISTRATOR")
      case .conflict: (.conflict, "CONFLICT")
      case .unavailable: (.serviceUnavailable, "UNAVAILABLE")
      default: (.internalServerError, "INTERNAL_ERROR")
      }
    self.init(
      status, code, error.message, detail: error.metadata,
      retryAfter: error.retryAfter.map { max(1, $0.components.seconds) })
  }

  private init(jobs error: JobError) {
    let (status, code): (HTTPResponseStatus, String) =
      switch error.code {
      case .noSuchJob: (.notFound, "NO_SUCH_JOB")
      case .noSuchCron: (.notFound, "NO_SUCH_CRON")
      case .noSuchActionConfiguration: (.notFound, "NO_SUCH_ACTION_CONFIG")
      case .noSuchWorker: (.notFound, "NO_SUCH_WORKER")
      case .noSuchWebhook: (.notFound, "NO_SUCH_WEBHOOK")
      case .noSuchPolicy: (.notFound, "NO_SUCH_POLICY")
      case .invalidRequest: (.badRequest, "INVALID_PARAMETERS")
      case .wrongStatus: (.conflict, "WRONG_JOB_STATUS")
      case .remoteFailed: (.badRequest, "REMOTE_REGISTRY_INVALID_PERMISSIONS")
      case .unavailable: (.serviceUnavailable, "UNAVAILABLE")
      default: (.internalServerError, "INTERNAL_ERROR")
      }
    var message = error.message
    if error.code == .remoteFailed, let cause = error.cause { message += ": \(cause)" }
    self.init(status, code, message, detail: error.metadata)
  }
}

/// The document of a refusal.
struct Errors: APIObject {
  struct Item: APIObject {
    static let schemaName = "Error"
    var code: String
    var message: String
    var detail: [String: String]?
  }

  var errors: [Item]
}
