import FoundationEssentials
import Identity
import StateStore

/// Where records of jobs lie in the store.
enum JobKeys {
  static let records: Key = "/jobs/records/"
  /// Jobs that wait, by action and by when they are due: a worker that has no room for one action
  /// need not read past its jobs to find others.
  static let due: Key = "/jobs/due/"
  /// Jobs that run, with the worker that runs them.
  static let running: Key = "/jobs/running/"
  /// Jobs that run and are asked to stop.
  static let cancellations: Key = "/jobs/cancellations/"
  static let logs: Key = "/jobs/logs/"
  static let crons: Key = "/jobs/crons/"
  static let configurations: Key = "/jobs/configurations/"
  static let workers: Key = "/jobs/workers/"
  /// What an operator set for a worker.
  static let capacities: Key = "/jobs/capacities/"
  static let defaults: Key = "/jobs/defaults"
  /// Written with every change of a policy or a webhook.
  static let subscriptions: Key = "/jobs/subscriptions"

  static func record(_ id: String) -> Key { records.appending(id) }
  static func due(_ action: String) -> Key { due.appending(action + "/") }
  static func due(_ action: String, _ time: Int64, _ id: String) -> Key {
    due(action).appending(FixedWidth.hexadecimal(max(time, 0), 12) + "/" + id)
  }
  static func running(_ id: String) -> Key { running.appending(id) }
  static func cancellation(_ id: String) -> Key { cancellations.appending(id) }
  static func logs(_ id: String) -> Key { logs.appending(id + "/") }
  static func cron(_ action: String) -> Key { crons.appending(action) }
  static func configuration(_ action: String) -> Key { configurations.appending(action) }
  static func worker(_ id: String) -> Key { workers.appending(id) }
  static func capacity(_ id: String) -> Key { capacities.appending(id) }
}

/// Numbers whose text sorts as they do.
enum FixedWidth {
  static func hexadecimal(_ value: Int64, _ width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

/// A record of this module, kept as JSON.
protocol JobStoredRecord: Codable, Sendable {}

extension JobStoredRecord {
  func encoded() throws -> [UInt8] {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return try Array(encoder.encode(self))
    } catch {
      throw JobError(.corrupt, "a record cannot be written", cause: error)
    }
  }

  init(_ item: KeyValue) throws {
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(item.value))
    } catch {
      throw JobError(
        .corrupt, "a record cannot be read", metadata: ["key": item.key.string], cause: error)
    }
  }
}

/// A job. Times in milliseconds since 1970, durations in milliseconds.
struct JobRecord: JobStoredRecord {
  var v = 1
  var action: String
  var status: JobStatus
  var parameters: [String: String]
  var capacity: [String: Int]
  var scheduled: Int64
  var updated: Int64
  var retriesLeft: Int
  var retriesTotal: Int
  var retryFrom: String?
  var worker: String?
  var deadline: Int64?
  var stopTimeout: Int64?
  var progress: JobProgress?
  var result: String?
  /// How many workers were lost while they ran it.
  var losses: Int?

  func job(_ id: String) -> Job {
    Job(
      id: id, retryFromID: retryFrom, workerID: worker, status: status,
      scheduledAt: Timestamp(milliseconds: scheduled),
      lastUpdated: Timestamp(milliseconds: updated), action: action, retriesLeft: retriesLeft,
      retriesTotal: retriesTotal, capacityMap: capacity, parameters: parameters,
      deadline: deadline.map { .milliseconds($0) },
      stopTimeout: stopTimeout.map { .milliseconds($0) }, progress: progress, result: result)
  }
}

/// A cron.
struct CronRecord: JobStoredRecord {
  var v = 1
  var id: String
  var schedule: String
  var retries: Int?
  var capacity: [String: Int]?
  var parameters: [String: String]
  var deadline: Int64?
  var stopTimeout: Int64?
  var next: Int64?

  func cron(_ action: String) -> Cron {
    Cron(
      id: id, action: action, schedule: schedule, retries: retries, capacityMap: capacity,
      parameters: parameters, deadline: deadline.map { .milliseconds($0) },
      stopTimeout: stopTimeout.map { .milliseconds($0) },
      nextRun: next.map { Timestamp(milliseconds: $0) })
  }
}

/// That a worker runs a job.
struct RunningRecord: JobStoredRecord {
  var v = 1
  var worker: String
  var action: String
}

/// A worker; its record goes with its lease.
struct WorkerRecord: JobStoredRecord {
  var v = 1
  var capacity: [String: Int]
  var expires: Int64
}

/// Parameters or capacities that an operator set.
struct ParametersRecord: JobStoredRecord {
  var v = 1
  var parameters: [String: String]
}

struct CapacityRecord: JobStoredRecord {
  var v = 1
  var capacity: [String: Int]
}

extension String {
  /// The text, cut to so many bytes: a single character may be of any length.
  func shortened(to bytes: Int) -> String {
    utf8.count <= bytes ? self : String(decoding: utf8.prefix(bytes), as: UTF8.self) + "…"
  }
}

extension Duration {
  /// The duration in milliseconds, towards zero.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
  }
}
