import ContainerRuntime
import DockerModel
import Synchronization

/// A command in a container beside its main one, as the daemon holds it.
struct ExecRecord: Sendable {
  /// What it is doing.
  enum Phase: Sendable {
    case created
    case starting
    case running(pid: Int32)
    case ended(code: Int32)
  }

  let id: String
  let container: Container
  let request: ExecCreateRequest
  var phase = Phase.created
}

/// The commands of this daemon's containers. They are kept in memory, as those of dockerd are: a
/// client that lost its daemon cannot ask for one again, but the command itself goes on.
final class ExecTable: Sendable {
  private let records = Mutex<[String: ExecRecord]>([:])

  /// Takes a command in.
  func insert(_ record: ExecRecord) { records.withLock { $0[record.id] = record } }

  /// The command a client names, by id or the beginning of one.
  /// - Throws: `notFound`.
  func find(_ id: String) throws -> ExecRecord {
    try records.withLock { records in
      if let exact = records[id] { return exact }
      let matches = records.values.filter { id.utf8.count >= 12 && $0.id.hasPrefix(id) }
      guard matches.count == 1 else { throw APIError.notFound("No such exec instance: \(id)") }
      return matches[0]
    }
  }

  /// Claims a command for its one start.
  /// - Throws: `conflict` when it was started before.
  func claimStart(_ id: String) throws {
    try records.withLock { records in
      guard let record = records[id] else {
        throw APIError.notFound("No such exec instance: \(id)")
      }
      switch record.phase {
      case .created: records[id]?.phase = .starting
      case .starting, .running:
        throw APIError.conflict("Error: Exec command \(id) is already running")
      case .ended:
        throw APIError.conflict("Error: Exec command \(id) has already run")
      }
    }
  }

  /// Notes what a command does now.
  /// - Returns: the record, unless it is not known.
  @discardableResult
  func set(_ phase: ExecRecord.Phase, of id: String) -> ExecRecord? {
    records.withLock { records in
      if case .ended = records[id]?.phase { return nil }
      records[id]?.phase = phase
      return records[id]
    }
  }

  /// Forgets a container's commands.
  func removeAll(ofContainer container: String) {
    records.withLock { records in
      records = records.filter { $0.value.container.id != container }
    }
  }

  /// Forgets one command.
  func remove(_ id: String) { records.withLock { $0[id] = nil } }

  /// The commands of a container that have not ended; nil when there are none.
  func identifiers(ofContainer container: String) -> [String]? {
    let ids = records.withLock { records in
      records.values.filter { record in
        if case .ended = record.phase { return false }
        return record.container.id == container
      }.map(\.id).sorted()
    }
    return ids.isEmpty ? nil : ids
  }
}
