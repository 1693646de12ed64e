// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Identity
import RegistryJobs

/// Statuses by the names of the API.
enum JobStatusName: String, APIChoice {
  case waiting, running, done, errored
  case cancelRequest = "cancel_request"
  case canceled
  case workerDead = "worker_dead"

  init(_ status: JobStatus) {
    self =
      switch status {
      case .waiting: .waiting
      case .running: .running
      case .done: .done
      case .error: .errored
      case .cancelRequest: .cancelRequest
      case .cancel: .canceled
      case .workerDead: .workerDead
      }
  }
}

struct JobWire: APIObject {
  static let schemaName = "Job"
  struct Progress: APIObject {
    static let schemaName = "JobProgress"
    var done: Int64
    var total: Int64?
  }

  var id: String
  var retryFromID: String
  var workerID: String
  var status: JobStatusName
  var scheduledAt: Timestamp
  var lastUpdated: Timestamp
  var action: String
  var retriesLeft: Int
  var retriesTotal: Int
  var capacityMap: [String: Int]
  var parameters: [String: String]
  var deadline: String
  var stopTimeout: String
  var progress: Progress?
  var result: String?

  /// Parameters that hold sealed secrets are not shown.
  init(_ job: Job) {
    id = job.id
    retryFromID = job.retryFromID ?? ""
    workerID = job.workerID ?? ""
    status = JobStatusName(job.status)
    scheduledAt = job.scheduledAt
    lastUpdated = job.lastUpdated
    action = job.action
    retriesLeft = job.retriesLeft
    retriesTotal = job.retriesTotal
    capacityMap = job.capacityMap
    parameters = job.parameters.filter { $0.key != "mirror" }
    deadline = job.deadline.map(GoDuration.text) ?? ""
    stopTimeout = job.stopTimeout.map(GoDuration.text) ?? ""
    progress = job.progress.map { Progress(done: $0.done, total: $0.total) }
    result = job.result
  }
}

struct JobList: APIObject {
  var jobs: [JobWire]
}

struct JobForm: APIObject {
  var action: String
  var parameters: [String: String]?
  var retries: Int?
  var capacityMap: [String: Int]?
  var deadline: String?
  var stopTimeout: String?
  var scheduledAt: Timestamp?

  /// Throws ``RESTError``.
  func draft() throws -> JobDraft {
    var draft = JobDraft(action, parameters ?? [:])
    draft.retries = retries
    draft.capacityMap = capacityMap.flatMap { $0.isEmpty ? nil : $0 }
    draft.deadline = try Self.duration("deadline", deadline)
    draft.stopTimeout = try Self.duration("stopTimeout", stopTimeout)
    draft.scheduledAt = scheduledAt
    return draft
  }

  static func duration(_ name: String, _ text: String?) throws -> Duration? {
    guard let text, !text.isEmpty else { return nil }
    guard let duration = GoDuration.parse(text), duration >= .zero else {
      throw RESTError.invalidParameters("\(name) must be a duration such as 30s")
    }
    return duration
  }
}

struct JobLogLineWire: APIObject {
  static let schemaName = "JobLogLine"
  var data: String
  var lineNum: Int
}

struct CronWire: APIObject {
  static let schemaName = "Cron"
  var id: String
  var action: String
  var schedule: String
  var retries: Int
  var capacityMap: [String: Int]
  var parameters: [String: String]
  var deadline: String
  var stopTimeout: String
  var nextRun: Timestamp?

  init(_ cron: Cron) {
    id = cron.id
    action = cron.action
    schedule = cron.schedule
    retries = cron.retries ?? 0
    capacityMap = cron.capacityMap ?? [:]
    parameters = cron.parameters
    deadline = cron.deadline.map(GoDuration.text) ?? ""
    stopTimeout = cron.stopTimeout.map(GoDuration.text) ?? ""
    nextRun = cron.nextRun
  }
}

struct CronList: APIObject {
  var crons: [CronWire]
}

struct CronForm: APIObject {
  var action: String
  var schedule: String
  var parameters: [String: String]?
  var retries: Int?
  var capacityMap: [String: Int]?
  var deadline: String?
  var stopTimeout: String?
}

struct ActionConfiguration: APIObject {
  static let schemaName = "ActionConfig"
  var action: String
  var parameters: [String: String]
}

struct ActionConfigurationList: APIObject {
  static let schemaName = "ActionConfigList"
  var actionConfigs: [ActionConfiguration]
}

struct WorkerWire: APIObject {
  static let schemaName = "Worker"
  var id: String
  var status: String
  var capacityMap: [String: Int]
  var heartbeatExpiration: Timestamp
}

struct WorkerList: APIObject {
  var workers: [WorkerWire]
}

struct CapacityForm: APIObject {
  var capacityMap: [String: Int]
}
