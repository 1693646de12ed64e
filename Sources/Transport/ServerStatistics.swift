import Synchronization

/// What a server counts; safe to read at any time.
package final class ServerStatistics: Sendable {
  /// What a connection is doing.
  enum Activity { case closed, waiting, reading, writing }

  /// The counts at some moment.
  package struct Snapshot: Sendable, Hashable {
    /// Connections accepted since the start.
    package var accepted = 0
    /// Requests whose head has arrived since the start.
    package var requests = 0
    /// Open connections that wait for their next request.
    package var waiting = 0
    /// Open connections whose request is still arriving.
    package var reading = 0
    /// Open connections whose request is being answered.
    package var writing = 0
    /// Open connections.
    package var active: Int { waiting + reading + writing }

    package init() {}
  }

  private let accepted = Atomic(0)
  private let requests = Atomic(0)
  private let waiting = Atomic(0)
  private let reading = Atomic(0)
  private let writing = Atomic(0)

  package init() {}

  /// The counts now. Those of connections are not taken at one instant.
  package var snapshot: Snapshot {
    var snapshot = Snapshot()
    snapshot.accepted = accepted.load(ordering: .relaxed)
    snapshot.requests = requests.load(ordering: .relaxed)
    // between the two halves of a move a count may be seen one short
    snapshot.waiting = max(0, waiting.load(ordering: .relaxed))
    snapshot.reading = max(0, reading.load(ordering: .relaxed))
    snapshot.writing = max(0, writing.load(ordering: .relaxed))
    return snapshot
  }

  func countConnection() { accepted.wrappingAdd(1, ordering: .relaxed) }

  func countRequest() { requests.wrappingAdd(1, ordering: .relaxed) }

  func move(from old: Activity, to new: Activity) {
    guard old != new else { return }
    add(-1, to: old)
    add(1, to: new)
  }

  private func add(_ count: Int, to activity: Activity) {
    switch activity {
    case .closed: break
    case .waiting: waiting.wrappingAdd(count, ordering: .relaxed)
    case .reading: reading.wrappingAdd(count, ordering: .relaxed)
    case .writing: writing.wrappingAdd(count, ordering: .relaxed)
    }
  }
}
