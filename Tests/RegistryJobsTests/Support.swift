import Identity
import Logging
import Synchronization
import Testing

@testable import RegistryJobs

/// A generator of numbers that are the same each time.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A clock that is moved by hand.
final class TestClock: Sendable {
  private let milliseconds = Mutex<Int64>(1_700_000_000_000)

  var now: Timestamp { Timestamp(milliseconds: milliseconds.withLock { $0 }) }

  func advance(_ duration: Duration) {
    milliseconds.withLock { $0 += duration.milliseconds }
  }
}

/// Something that did not come in a time that is long enough for any machine.
struct NeverCame: Error, CustomStringConvertible {
  var description: String
}

/// What `look` finds, looked for until it finds something.
func eventually<Value>(
  _ what: String, _ look: () async throws -> Value?
) async throws -> Value {
  let deadline = ContinuousClock.now + .seconds(60)
  while ContinuousClock.now < deadline {
    if let found = try await look() { return found }
    try await Task.sleep(for: .milliseconds(5))
  }
  throw NeverCame(description: "never came: \(what)")
}

/// Waits until `holds`.
func until(_ what: String, _ holds: () async throws -> Bool) async throws {
  try await eventually(what) { try await holds() ? () : nil }
}

/// The code of the error that `body` throws.
func refusal<Value>(_ body: () async throws -> Value) async -> JobError.Code? {
  do {
    _ = try await body()
    return nil
  } catch let error as JobError {
    return error.code
  } catch {
    Issue.record("unexpected error: \(error)")
    return nil
  }
}

/// Runs `work` beside `body` and ends it after.
func beside(
  _ work: [@Sendable () async -> Void], _ body: () async throws -> Void
) async throws {
  let tasks = work.map { work in Task { await work() } }
  var result = Result<Void, any Error>.success(())
  do {
    try await body()
  } catch {
    result = .failure(error)
  }
  for task in tasks { task.cancel() }
  for task in tasks { await task.value }
  try result.get()
}
