import Glibc

/// A job that is watched until it ends.
struct JobFollowing: Sendable {
  static let columns = [
    Column("ID", "id"), Column("ACTION", "action"), Column("STATUS", "status"),
    Column("PROGRESS", progress), .time("SCHEDULED", "scheduledAt"),
    .time("UPDATED", "lastUpdated"), Column("WORKER", "workerID"), Column("RESULT", "result"),
  ]

  static let details = [
    Column("Job", "id"), Column("Action", "action"), Column("Parameters", "parameters"),
    Column("Status", "status"), Column("Progress", progress),
    .time("Scheduled", "scheduledAt"), .time("Updated", "lastUpdated"),
    Column("Worker", "workerID"), Column("Retry of", "retryFromID"),
    Column("Retries left") { "\($0["retriesLeft"].text) of \($0["retriesTotal"].text)" },
    Column("Deadline", "deadline"), Column("Result", "result"),
  ]

  let client: RegistryClient
  let id: String

  static func path(_ id: String) -> String { RegistryClient.path("/api/v0/jobs", id) }

  private static func progress(_ job: JSONValue) -> String {
    guard let done = job["progress"]["done"].integer else { return "" }
    return job["progress"]["total"].integer.map { "\(done)/\($0)" } ?? "\(done)"
  }

  private static func hasEnded(_ job: JSONValue) -> Bool {
    ["done", "errored", "canceled", "worker_dead"].contains(job["status"].text)
  }

  /// Gives each line of the log to `line`, until the job has ended; the job then. Where people watch,
  /// progress is shown meanwhile. Throws ``ClientError``.
  func run(_ line: (JSONValue) -> Void) async throws -> JSONValue {
    var lines = 0
    var pause = Duration.milliseconds(50)
    // the lines of one answer
    let page = 1_000
    while true {
      // asked before the log, so that what the log gains up to the end is not missed
      let job = try await client.get(Self.path(id))
      let found = try await log(after: lines, limit: page)
      lines += found.count
      if !found.isEmpty { Terminal.showProgress("") }
      for entry in found { line(entry) }
      Terminal.flush()
      if found.count == page { continue }
      if Self.hasEnded(job) {
        Terminal.showProgress("")
        return job
      }
      Terminal.showProgress("\(job["action"].text) \(job["status"].text) \(Self.progress(job))")
      do {
        try await Task.sleep(for: pause)
      } catch {
        throw ClientError(.refused, "INTERRUPTED", "the job goes on, unwatched")
      }
      pause = min(pause * 2, .seconds(1))
    }
  }

  /// The whole log so far. Throws ``ClientError``.
  func log() async throws -> [JSONValue] {
    var lines: [JSONValue] = []
    while true {
      let found = try await log(after: lines.count, limit: 1_000)
      lines += found
      if found.count < 1_000 { return lines }
    }
  }

  private func log(after count: Int, limit: Int) async throws -> [JSONValue] {
    try await client.get(
      Self.path(id) + "/logs", query: [("offset", "\(count)"), ("limit", "\(limit)")]
    ).elements
  }

  /// Waits for the job, showing its log, and shows how it ended. Throws ``ClientError``, also when
  /// the job failed.
  func waiting(_ out: Output) async throws {
    let job = try await run { out.remark($0["data"].text) }
    let result = job["result"].text
    let status = job["status"].text
    try out.did(
      "job \(id): \(status)" + (result.isEmpty ? "" : ", \(result)"), job, id: id)
    guard status == "done" else {
      throw ClientError(
        .refused, "JOB_FAILED", "job \(id) ended as \(status)")
    }
  }
}
