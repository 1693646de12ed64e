/// How much somebody may do with a repository; each level includes those before it.
package enum AccessLevel: Int, Sendable, Hashable, Comparable, Codable, CaseIterable {
  case none
  case readOnly
  case readWrite
  case admin

  /// The name in the REST API; nil for none and anything else.
  package init?(name: String) {
    switch name {
    case "read-only": self = .readOnly
    case "read-write": self = .readWrite
    case "admin": self = .admin
    default: return nil
    }
  }

  /// The name in the REST API.
  package var name: String {
    switch self {
    case .none: "none"
    case .readOnly: "read-only"
    case .readWrite: "read-write"
    case .admin: "admin"
    }
  }

  /// Order of rights.
  package static func < (left: AccessLevel, right: AccessLevel) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// Something that can be done with a repository.
package enum RepositoryAction: Sendable, Hashable, CaseIterable {
  case view
  case pull
  case push
  case startScan
  case deleteTag
  case editDescription
  case setVisibility
  case viewPolicies
  /// Promote one tag by hand, with this repository as the source.
  case promoteFrom
  /// Promote one tag by hand, with this repository as the target.
  case promoteInto
  /// Mirror one tag to another registry by hand.
  case pushMirrorByHand
  /// See and change the teams' access and the webhooks.
  case manageAccess
  case managePromotionPolicies
  /// Mirroring and pruning policies.
  case managePolicies
  case changeSettings
  /// See pulls, promotions and mirrorings among the events.
  case viewAllEvents
  case deleteRepository
}

/// What each level allows. Pure: who has which level is another question.
package enum PermissionTable {
  /// The lowest level that may do `action`.
  package static func required(for action: RepositoryAction) -> AccessLevel {
    switch action {
    case .view, .pull, .viewPolicies, .promoteFrom, .pushMirrorByHand: .readOnly
    case .push, .startScan, .deleteTag, .promoteInto: .readWrite
    case .editDescription, .setVisibility, .manageAccess, .managePromotionPolicies,
      .managePolicies, .changeSettings, .viewAllEvents, .deleteRepository:
      .admin
    }
  }

  /// Whether somebody of this level may do `action`.
  package static func allows(_ level: AccessLevel, _ action: RepositoryAction) -> Bool {
    level >= required(for: action)
  }

  /// The registry token actions of a level, as they stand in a token's `access` entry.
  package static func tokenActions(_ level: AccessLevel) -> [String] {
    switch level {
    case .none: []
    case .readOnly: ["pull"]
    case .readWrite: ["pull", "push", "delete"]
    case .admin: ["pull", "push", "delete", "*"]
    }
  }

  /// The registry token action that an action of ours needs of a token that lists its actions.
  package static func tokenAction(for action: RepositoryAction) -> String {
    switch action {
    case .view, .pull, .viewPolicies, .promoteFrom, .pushMirrorByHand: "pull"
    case .push, .startScan, .promoteInto: "push"
    case .deleteTag: "delete"
    default: "*"
    }
  }
}
