import Identity

/// A sort of job: what it is called and what it does.
package protocol JobKind: Sendable {
  /// The name that jobs of this sort carry.
  var action: String { get }
  /// How many of these one worker runs at once unless told otherwise.
  var concurrency: Int { get }
  /// How often one that fails is tried again.
  var retries: Int { get }
  /// The schedule that a new registry has for it; nil for none.
  var defaultSchedule: String? { get }

  /// Does the work and answers what there is to say of it in a line. Ends early, by throwing, when
  /// the task is cancelled. May be run again after the process died in the middle of it.
  func run(_ job: RunningJob) async throws -> String?
}

extension JobKind {
  package var concurrency: Int { 1 }
  package var retries: Int { 0 }
  package var defaultSchedule: String? { nil }
}

/// A job that runs, as its kind sees it.
package struct RunningJob: Sendable {
  package let id: String
  package let parameters: [String: String]
  /// How many more times it will be tried if it fails now.
  package let retriesLeft: Int
  private let journal: JobJournal

  init(id: String, parameters: [String: String], retriesLeft: Int, journal: JobJournal) {
    self.id = id
    self.parameters = parameters
    self.retriesLeft = retriesLeft
    self.journal = journal
  }

  /// Writes a line to the job's log. Lines come into the store together, now and then.
  package func log(_ text: String) async {
    await journal.append(text)
  }

  /// Says how far the job is.
  package func report(_ progress: JobProgress) async {
    await journal.report(progress)
  }

  /// A parameter that the job cannot do without. Throws ``JobError`` (`invalidRequest`).
  package func required(_ name: String) throws -> String {
    guard let value = parameters[name], !value.isEmpty else {
      throw JobError.invalid(name, "the job has no parameter of this name")
    }
    return value
  }

  /// A boolean parameter. Throws ``JobError`` (`invalidRequest`).
  package func flag(_ name: String) throws -> Bool {
    switch parameters[name] {
    case nil, "", "false", "0", "no": false
    case "true", "1", "yes": true
    default: throw JobError.invalid(name, "the parameter must be true or false")
    }
  }
}
