import Identity
package import Registry

/// How long what happened is remembered; one record in the store, changed by administrators.
package struct HistorySettings: Hashable, Sendable, Codable {
  /// Whether jobs that ended are deleted at all.
  package var compactsJobs = true
  /// How many ended jobs are kept; 0 for any number.
  package var jobsKept = 10_000
  /// How old ended jobs may get, in seconds; 0 for any age.
  package var jobAge: Int64 = 30 * 86_400
  /// Whether events are deleted at all.
  package var compactsEvents = true
  /// How many events are kept; 0 for any number.
  package var eventsKept = 1_000_000
  /// How old events may get, in seconds; 0 for any age.
  package var eventAge: Int64 = 90 * 86_400

  /// The settings of a new registry.
  package init() {}
}

extension HistorySettings: JobStoredRecord {}

/// Collects garbage while pushes go on. Parameters: `untagged` removes manifests without a tag as
/// well, `dryRun` removes nothing, `grace` is how long what nobody needs is kept (Go's duration).
struct GarbageCollectionJob: JobKind {
  let action: String
  let registry: RegistryService
  var defaultSchedule: String?

  func run(_ job: RunningJob) async throws -> String? {
    var options = GarbageOptions()
    options.removesUntaggedManifests = try job.flag("untagged")
    options.dryRun = try job.flag("dryRun")
    if let text = job.parameters["grace"], !text.isEmpty {
      guard let grace = GoDuration.parse(text), grace >= .zero else {
        throw JobError.invalid("grace", "the grace must be a duration such as 24h")
      }
      options.grace = grace
    }
    let report = try await registry.collectGarbage(options) { await job.log($0) }
    let result = report.summary(isDryRun: options.dryRun)
    await job.log(result)
    return result
  }
}

extension GarbageReport {
  /// What was done, in a line.
  package func summary(isDryRun: Bool) -> String {
    let verb = isDryRun ? "would remove" : "removed"
    return "\(repositories) repositories: \(verb) \(manifestsRemoved) manifests, \(linksRemoved) "
      + "links, \(blobsRemoved) blobs, \(orphansRemoved) stray files, \(uploadsRemoved) uploads; "
      + "\(bytesFreed) bytes"
  }
}

/// Drops uploads that rested too long; with the parameter `dryRun` it only counts them.
struct UploadPurgeJob: JobKind {
  let action = "upload_purge"
  let registry: RegistryService
  let defaultSchedule: String? = "0 10 * * * *"

  func run(_ job: RunningJob) async throws -> String? {
    let isDryRun = try job.flag("dryRun") || registry.settings.uploadPurging == .counts
    let count = try await registry.purgeUploads(dryRun: isDryRun)
    return "\(count) uploads " + (isDryRun ? "would be dropped" : "dropped")
  }
}

/// Deletes jobs that ended long ago, with their logs.
struct JobHistoryJob: JobKind {
  let action = "onlinegc_joblogs"
  let defaultSchedule: String? = "0 40 3 * * *"
  let purge: @Sendable () async throws -> Int

  func run(_ job: RunningJob) async throws -> String? { "\(try await purge()) jobs deleted" }
}

/// Deletes old events.
struct EventHistoryJob: JobKind {
  let action = "onlinegc_metadata"
  let defaultSchedule: String? = "0 20 3 * * *"
  let purge: @Sendable () async throws -> Int

  func run(_ job: RunningJob) async throws -> String? { "\(try await purge()) events deleted" }
}

/// Ends or begins read-only mode; parameter `readOnly`, true unless it says otherwise.
struct ReadOnlyJob: JobKind {
  let action = "ro_registry"
  let registry: RegistryService

  func run(_ job: RunningJob) async throws -> String? {
    let readOnly = job.parameters["readOnly"] == nil ? true : try job.flag("readOnly")
    var settings = try await registry.governance()
    settings.readOnly = readOnly
    try await registry.setGovernance(settings, by: .system)
    return readOnly ? "the registry is read-only" : "the registry takes changes"
  }
}

/// Sleeps for a minute, or for the parameter `duration`: to see whether jobs run.
struct SleepJob: JobKind {
  let action = "sleep"
  let concurrency = 4

  func run(_ job: RunningJob) async throws -> String? {
    let text = job.parameters["duration"] ?? "60s"
    guard let duration = GoDuration.parse(text), duration >= .zero, duration <= .seconds(86_400)
    else { throw JobError.invalid("duration", "the duration must be one of up to 24h") }
    await job.log("sleeping for \(GoDuration.text(duration))")
    let steps = max(1, min(duration.components.seconds, 60))
    for step in 0..<steps {
      await job.report(JobProgress(done: step, total: steps))
      try await Task.sleep(for: duration / Int(steps))
    }
    await job.report(JobProgress(done: steps, total: steps))
    await job.log("awake")
    return nil
  }
}

/// Fails: to see what happens then.
struct FailingJob: JobKind {
  let action = "false"
  let concurrency = 4

  func run(_ job: RunningJob) async throws -> String? {
    await job.log("failing, as it was asked to")
    throw JobError(.failed, "the job fails by its nature")
  }
}
