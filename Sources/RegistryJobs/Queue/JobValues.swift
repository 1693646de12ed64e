package import Identity

/// Where a job stands.
package enum JobStatus: String, Hashable, Sendable, Codable, CaseIterable {
  /// It waits for its time and for a worker with room.
  case waiting
  case running
  case done
  /// It failed; with retries left another job of the same action waits.
  case error
  /// It runs and is asked to stop.
  case cancelRequest = "cancel_request"
  case cancel
  /// Its worker was lost too often.
  case workerDead = "worker_dead"

  /// Whether nothing more happens to the job.
  package var isFinal: Bool {
    switch self {
    case .waiting, .running, .cancelRequest: false
    case .done, .error, .cancel, .workerDead: true
    }
  }
}

/// Some work that is done once, now or later, by whichever worker has room for it.
package struct Job: Hashable, Sendable {
  /// Later jobs have greater ids.
  package var id: String
  /// The job that failed and that this one tries again.
  package var retryFromID: String?
  /// The worker that runs it or ran it.
  package var workerID: String?
  package var status: JobStatus
  package var scheduledAt: Timestamp
  package var lastUpdated: Timestamp
  package var action: String
  package var retriesLeft: Int
  package var retriesTotal: Int
  /// How much of each capacity of a worker it takes.
  package var capacityMap: [String: Int]
  package var parameters: [String: String]
  /// How long it may run; nil for as long as it takes.
  package var deadline: Duration?
  /// How long it may take to stop when asked to; nil for as long as it takes.
  package var stopTimeout: Duration?
  /// How far it is, where that is known.
  package var progress: JobProgress?
  /// What it answered or why it failed, in one line.
  package var result: String?
}

/// How far a job is.
package struct JobProgress: Hashable, Sendable, Codable {
  package var done: Int64
  /// Nil while it is not known.
  package var total: Int64?

  /// So much of so much.
  package init(done: Int64, total: Int64?) {
    self.done = done
    self.total = total
  }
}

/// What a job is made of.
package struct JobDraft: Hashable, Sendable {
  package var action: String
  package var parameters: [String: String] = [:]
  /// How often it is tried again; nil for the action's own number.
  package var retries: Int?
  /// Nil for one of the action's own capacity.
  package var capacityMap: [String: Int]?
  package var deadline: Duration?
  package var stopTimeout: Duration?
  /// Nil for at once.
  package var scheduledAt: Timestamp?

  /// A job of this action.
  package init(_ action: String, _ parameters: [String: String] = [:]) {
    self.action = action
    self.parameters = parameters
  }
}

/// A job that is made again and again.
package struct Cron: Hashable, Sendable {
  package var id: String
  package var action: String
  /// Six fields in UTC, or `@daily` and the like; ``CronSchedule``.
  package var schedule: String
  package var retries: Int?
  package var capacityMap: [String: Int]?
  package var parameters: [String: String]
  package var deadline: Duration?
  package var stopTimeout: Duration?
  /// When the next job is made; nil when the schedule has no more moments.
  package var nextRun: Timestamp?
}

/// One line of what a job had to say.
package struct JobLogLine: Hashable, Sendable {
  /// Counted from 0.
  package var number: Int
  package var text: String
}

/// A process that runs jobs.
package struct WorkerDescription: Hashable, Sendable {
  package var id: String
  package var capacityMap: [String: Int]
  /// When it counts as lost unless it is heard of again.
  package var heartbeatExpiration: Timestamp
}

/// Which jobs are wanted; nil wants all.
package struct JobFilter: Hashable, Sendable {
  package var action: String?
  package var worker: String?
  package var isRunning: Bool?
  package var status: JobStatus?

  /// Every job.
  package init() {}

  func accepts(_ job: Job) -> Bool {
    (action.map { $0 == job.action } ?? true)
      && (worker.map { $0 == job.workerID } ?? true)
      && (status.map { $0 == job.status } ?? true)
      && (isRunning.map { $0 == (job.status == .running || job.status == .cancelRequest) } ?? true)
  }
}
