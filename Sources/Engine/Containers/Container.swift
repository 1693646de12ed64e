import ContainerRuntime
import DockerModel
import Synchronization

/// A container as the running daemon holds it: its durable record, and who waits for what.
final class Container: Sendable {
  private typealias Observer = AsyncStream<ContainerWaitResponse>.Continuation

  private struct Live {
    var record: ContainerRecord
    var isGone = false
    var exitObservers: [Observer] = []
    var removalObservers: [Observer] = []
    var attachers: [AsyncStream<AttachStream>.Continuation] = []
    var tasks: [BackgroundTask: Task<Void, Never>] = [:]
  }

  /// Work that goes on beside a container, at most one of each kind.
  enum BackgroundTask: Hashable {
    case restart, health
  }

  /// The container's id.
  let id: String
  /// Serialises what changes the container: start, stop, exit, removal, connection to networks.
  let operations = AsyncLock()
  private let live: Mutex<Live>

  init(_ record: ContainerRecord) {
    id = record.id
    live = Mutex(Live(record: record))
  }

  /// The record as it stands.
  var record: ContainerRecord { live.withLock { $0.record } }

  /// Looks at the record without a copy, which takes hundreds of retains; `body` must be short.
  func read<Value>(_ body: (ContainerRecord) throws -> Value) rethrows -> Value {
    try live.withLock { try body($0.record) }
  }

  /// What it is doing.
  var lifecycle: ContainerLifecycle { live.withLock { $0.record.lifecycle } }

  /// The name without a slash.
  var name: String { live.withLock { $0.record.name } }

  /// Whether it has been removed.
  var isGone: Bool { live.withLock { $0.isGone } }

  /// Changes the record in memory; whoever calls this writes it to the store.
  @discardableResult
  func update<Value>(_ change: (inout ContainerRecord) throws -> Value) rethrows -> Value {
    try live.withLock { try change(&$0.record) }
  }

  // MARK: - Waiting for its end

  /// Registers a wait; what happens from now on is not missed by it.
  func registerWait(for condition: WaitCondition) -> PendingWait {
    let (stream, observer) = AsyncStream.makeStream(
      of: ContainerWaitResponse.self, bufferingPolicy: .bufferingOldest(1))
    let answer: ContainerWaitResponse? = live.withLock { live in
      let phase = live.record.lifecycle.phase
      let rests = !live.record.lifecycle.isRunning && phase != .restarting
      if live.isGone || condition == .notRunning && rests {
        return Self.response(live.record)
      }
      if condition == .removed {
        live.removalObservers.append(observer)
      } else {
        live.exitObservers.append(observer)
      }
      return nil
    }
    return PendingWait {
      if let answer { return answer }
      for await response in stream { return response }
      throw CancellationError()
    }
  }

  /// Tells those who wait for an exit.
  func announceExit() {
    let (observers, response) = live.withLock { live in
      defer { live.exitObservers = [] }
      return (live.exitObservers, Self.response(live.record))
    }
    for observer in observers { observer.yield(response) }
  }

  /// Marks the container as gone and tells those who wait for that, or for an exit.
  func announceRemoval() {
    let (observers, response, attachers) = live.withLock { live in
      defer {
        live.exitObservers = []
        live.removalObservers = []
        live.attachers = []
      }
      live.isGone = true
      return (
        live.exitObservers + live.removalObservers, Self.response(live.record), live.attachers
      )
    }
    for observer in observers { observer.yield(response) }
    for attacher in attachers { attacher.finish() }
  }

  private static func response(_ record: ContainerRecord) -> ContainerWaitResponse {
    var response = ContainerWaitResponse()
    response.statusCode = record.lifecycle.exitCode
    if !record.lifecycle.error.isEmpty && record.lifecycle.phase == .created {
      response.error = ContainerWaitExitError()
      response.error?.message = record.lifecycle.error
    }
    return response
  }

  // MARK: - Attaching before there is something to attach to

  /// Registers someone who is to be attached at the next start, before the process runs.
  /// - Returns: a stream of that one attachment; it ends without one if the start fails.
  func registerAttacher() -> AsyncStream<AttachStream> {
    let (stream, attacher) = AsyncStream.makeStream(
      of: AttachStream.self, bufferingPolicy: .bufferingOldest(1))
    live.withLock { $0.attachers.append(attacher) }
    return stream
  }

  /// Takes those who wait to be attached.
  func takeAttachers() -> [AsyncStream<AttachStream>.Continuation] {
    live.withLock { live in
      defer { live.attachers = [] }
      return live.attachers
    }
  }

  // MARK: - Work beside it

  /// Puts a task in the place of the one of its kind, which is cancelled.
  func setTask(_ kind: BackgroundTask, _ task: Task<Void, Never>?) {
    let old = live.withLock { live in
      defer { live.tasks[kind] = task }
      return live.tasks[kind]
    }
    old?.cancel()
  }
}
