import Host
import Synchronization

/// Names an exec.
struct ExecKey: Hashable, Sendable {
  var containerID: String
  var execID: String
}

/// The processes of an exec, kept in its folder for a later daemon.
struct ExecRecord: Codable, Sendable {
  var process: ProcessIdentity
  var monitor: ProcessIdentity
  var terminal: Bool
}

/// An exec whose monitor this daemon watches.
final class SupervisedExec: Sendable {
  let key: ExecKey
  let record: ExecRecord
  let folder: String
  let hub: AttachHub?
  /// Whether its end is told to the runtime's consumer.
  let isReported: Bool
  let process: Descriptor?
  let monitor: Descriptor?
  /// How it ends.
  let ending = Ending<ExecExit>()
  private let watch = Mutex<Task<Void, Never>?>(nil)

  init(
    key: ExecKey, record: ExecRecord, folder: String, hub: AttachHub?, isReported: Bool = true
  ) {
    self.key = key
    self.record = record
    self.folder = folder
    self.hub = hub
    self.isReported = isReported
    process = record.process.open()
    monitor = record.monitor.open()
  }

  func setWatch(_ task: Task<Void, Never>) {
    watch.withLock { $0 = task }
  }

  /// Stops watching, without touching the process.
  func abandon() {
    watch.withLock { $0 }?.cancel()
    hub?.shutDown()
  }
}

/// A process that was started in a container.
package struct ExecHandle: Sendable {
  /// The container's id.
  package let containerID: String
  /// The exec's id.
  package let execID: String
  /// The process id on the host.
  package let pid: Int32
  /// Its standard streams; nil when nothing was attached.
  package let stream: AttachStream?
}

/// What a probe (health check) said.
package struct ProbeResult: Sendable, Equatable {
  /// Exit status, or 128 + the signal that ended it.
  package var exitCode: Int32
  /// The start of what it wrote to both streams.
  package var output: [UInt8]
  /// It was killed because it took too long.
  package var timedOut: Bool
}
