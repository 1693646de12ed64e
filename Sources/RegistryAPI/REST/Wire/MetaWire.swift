// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Identity
import NIOHTTP1
import Registry
import RegistryJobs

struct FeaturesWire: APIObject {
  static let schemaName = "Features"
  var scanningEnabled: Bool
  var scanningLicensed: Bool
  var promotionLicensed: Bool
  var mirroringLicensed: Bool
  var metadataStoreOptedIn: Bool
  var onlineGCEnabled: Bool
  var db_version: Int
  var ucpHost: String
}

struct AlertWire: APIObject {
  static let schemaName = "Alert"
  var message: String
  var `class`: String
  var id: String
  var img: String
  var url: String
}

/// The settings that administrators see and change; nil in a change leaves a value as it is.
struct SettingsWire: APIObject {
  static let schemaName = "Settings"
  var dtrHost: String?
  var createRepositoryOnPush: Bool?
  var createRepositoryOnPushVisibility: String?
  var readOnlyRegistry: Bool?
  var scanOnPush: Bool?
  var jobHistoryCompactionEnabled: Bool?
  var jobHistoryToKeep: Int?
  var jobHistoryMaxAge: String?
  var repoEventHistoryCompactionEnabled: Bool?
  var repoEventHistoryToKeep: Int?
  var repoEventHistoryMaxAge: String?
  var replicaID: String?

  init(
    _ settings: GovernanceSettings, _ history: HistorySettings, host: String, replica: String
  ) {
    dtrHost = host
    createRepositoryOnPush = settings.createOnPush
    createRepositoryOnPushVisibility = settings.createOnPushVisibility.rawValue
    readOnlyRegistry = settings.readOnly
    scanOnPush = settings.scanOnPush
    jobHistoryCompactionEnabled = history.compactsJobs
    jobHistoryToKeep = history.jobsKept
    jobHistoryMaxAge = GoDuration.text(.seconds(history.jobAge))
    repoEventHistoryCompactionEnabled = history.compactsEvents
    repoEventHistoryToKeep = history.eventsKept
    repoEventHistoryMaxAge = GoDuration.text(.seconds(history.eventAge))
    replicaID = replica
  }

  /// Throws ``RESTError``.
  func apply(_ settings: inout GovernanceSettings, _ history: inout HistorySettings) throws {
    settings.createOnPush = createRepositoryOnPush ?? settings.createOnPush
    settings.readOnly = readOnlyRegistry ?? settings.readOnly
    settings.scanOnPush = scanOnPush ?? settings.scanOnPush
    if let text = createRepositoryOnPushVisibility {
      guard let visibility = RepositoryVisibility(rawValue: text) else {
        throw Self.invalid("createRepositoryOnPushVisibility must be public or private")
      }
      settings.createOnPushVisibility = visibility
    }
    history.compactsJobs = jobHistoryCompactionEnabled ?? history.compactsJobs
    history.compactsEvents = repoEventHistoryCompactionEnabled ?? history.compactsEvents
    history.jobsKept = try Self.count(jobHistoryToKeep) ?? history.jobsKept
    history.eventsKept = try Self.count(repoEventHistoryToKeep) ?? history.eventsKept
    history.jobAge = try Self.age(jobHistoryMaxAge) ?? history.jobAge
    history.eventAge = try Self.age(repoEventHistoryMaxAge) ?? history.eventAge
  }

  private static func count(_ number: Int?) throws -> Int? {
    guard let number else { return nil }
    guard number >= 0 else { throw invalid("counts cannot be negative") }
    return number
  }

  private static func age(_ text: String?) throws -> Int64? {
    guard let text else { return nil }
    if text.isEmpty { return 0 }
    guard let duration = GoDuration.parse(text), duration >= .zero else {
      throw invalid("ages must be durations such as 720h")
    }
    return duration.components.seconds
  }

  private static func invalid(_ message: String) -> RESTError {
    RESTError(.badRequest, "INVALID_SETTINGS", message)
  }
}

/// The state of the processes that share the registry, by their names.
struct ClusterStatus: APIObject {
  struct Tables: APIObject {
    static let schemaName = "ClusterTables"
    struct Server: APIObject {
      static let schemaName = "ClusterServer"
      var id: String
      var name: String
    }
    struct Issue: APIObject {
      static let schemaName = "ClusterIssue"
      var critical: Bool
      var description: String
    }

    var current_issues: [Issue]
    var server_status: [Server]
  }

  var rethink_system_tables: Tables
  var replica_health: [String: String]
  var replica_timestamp: [String: String]
  var replica_readonly: [String: Bool]
  var gc_lock_holder: String
}

struct VersionWire: APIObject {
  static let schemaName = "Version"
  var version: String
}

struct AutocompleteResult: APIObject {
  var accountResults: [AccountWire]
  var repositoryResults: [RepositoryWire]
}

struct SearchResults: APIObject {
  struct Result: APIObject {
    static let schemaName = "SearchResult"
    var name: String
    var description: String
    var star_count: Int
    var is_official: Bool
    var is_trusted: Bool
    var is_automated: Bool
  }

  var num_results: Int
  var query: String
  var results: [Result]
}
