// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Identity
import Registry
import RegistryJobs

struct RuleWire: APIObject {
  static let schemaName = "Rule"
  var field: String
  var `operator`: String
  var values: [String]

  init(_ rule: Rule) {
    field = rule.field
    `operator` = rule.operator
    values = rule.values
  }

  var rule: Rule { Rule(field: field, operator: `operator`, values: values) }
}

struct PolicyStatusWire: APIObject {
  static let schemaName = "PolicyStatus"
  var code: String
  var detail: String
  var timestamp: Timestamp
}

struct PromotionPolicyWire: APIObject {
  static let schemaName = "PromotionPolicy"
  var id: String
  var rules: [RuleWire]
  var sourceRepository: String
  var targetRepository: String
  var tagTemplate: String
  var enabled: Bool
  var lastPromotedAt: Timestamp
  var lastStatus: PolicyStatusWire?

  init(_ policy: Policy) {
    id = policy.id
    rules = policy.rules.map(RuleWire.init)
    sourceRepository = policy.repository.description
    targetRepository = policy.target?.description ?? ""
    tagTemplate = policy.tagTemplate
    enabled = policy.isEnabled
    lastPromotedAt = policy.lastRunAt ?? .never
    lastStatus = policy.status
  }
}

struct PruningPolicyWire: APIObject {
  static let schemaName = "PruningPolicy"
  var id: String
  var rules: [RuleWire]
  var repository: String
  var enabled: Bool
  var lastPrunedAt: Timestamp
  var lastStatus: PolicyStatusWire?

  init(_ policy: Policy) {
    id = policy.id
    rules = policy.rules.map(RuleWire.init)
    repository = policy.repository.description
    enabled = policy.isEnabled
    lastPrunedAt = policy.lastRunAt ?? .never
    lastStatus = policy.status
  }
}

/// Which way a mirroring goes.
enum MirroringType: String, APIChoice { case push, poll }

/// A mirroring policy: pushed ones have rules and a template.
struct MirroringPolicyWire: APIObject {
  static let schemaName = "MirroringPolicy"
  var id: String
  var mirroringType: MirroringType
  var rules: [RuleWire]?
  var tagTemplate: String?
  var username: String
  var localRepository: String
  var remoteHost: String
  var remoteRepository: String
  var remoteCA: String
  var skipTLSVerification: Bool
  var enabled: Bool
  var lastMirroredAt: Timestamp
  var lastStatus: PolicyStatusWire

  init(_ policy: Policy) {
    id = policy.id
    let isPush = policy.kind == .pushMirroring
    mirroringType = isPush ? .push : .poll
    rules = isPush ? policy.rules.map(RuleWire.init) : nil
    tagTemplate = isPush ? policy.tagTemplate : nil
    username = policy.remote?.username ?? ""
    localRepository = policy.repository.description
    remoteHost = policy.remote?.host ?? ""
    remoteRepository = policy.remote?.repository ?? ""
    remoteCA = policy.remote?.certificateAuthority ?? ""
    skipTLSVerification = policy.remote?.skipsTLSVerification ?? false
    enabled = policy.isEnabled
    lastMirroredAt = policy.lastRunAt ?? .never
    lastStatus =
      policy.status ?? PolicyStatusWire(code: "", detail: "", timestamp: .never)
  }
}

extension Policy {
  fileprivate var status: PolicyStatusWire? {
    lastStatus.map {
      PolicyStatusWire(code: $0.code, detail: $0.detail, timestamp: $0.timestamp)
    }
  }
}

/// What a policy of any kind is made of, or what of it is changed.
struct PolicyForm: APIObject {
  var rules: [RuleWire]?
  var tagTemplate: String?
  var enabled: Bool?
  var targetRepository: String?
  var remoteHost: String?
  var remoteRepository: String?
  var remoteCA: String?
  var skipTLSVerification: Bool?
  var username: String?
  var password: String?
  var authToken: String?

  /// Throws `RegistryError` when the target's name is not well formed.
  func draft() throws -> PolicyDraft {
    var draft = PolicyDraft()
    draft.rules = rules?.map(\.rule)
    draft.tagTemplate = tagTemplate
    draft.isEnabled = enabled
    draft.target = try targetRepository.map { try RepositoryName($0) }
    draft.remoteHost = remoteHost
    draft.remoteRepository = remoteRepository
    draft.remoteCertificateAuthority = remoteCA
    draft.skipsTLSVerification = skipTLSVerification
    draft.username = username
    draft.password = password
    draft.token = authToken
    return draft
  }
}

struct PolicyReference: APIObject {
  var id: String
}

struct PruningTestForm: APIObject {
  var rules: [RuleWire]?
}

struct RemoteForm: APIObject {
  var remoteHost: String
  var remoteRepository: String
  var remoteCA: String?
  var skipTLSVerification: Bool?
  var username: String?
  var password: String?
  var authToken: String?
}

struct RemoteCheck: APIObject {
  struct Permissions: APIObject {
    static let schemaName = "RemotePermissions"
    var read: Bool
    var write: Bool
  }

  var registryType: String
  var permissions: Permissions
}
