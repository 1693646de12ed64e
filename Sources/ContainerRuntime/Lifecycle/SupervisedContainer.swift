import Glibc
import Host
import Synchronization

/// A container whose monitor this daemon watches.
final class SupervisedContainer: Sendable {
  let record: ContainerRecord
  let handle: RuntimeHandle
  let folder: String
  let hub: AttachHub
  let cgroup: Cgroup
  /// Process 1; nil when it had ended before it could be opened.
  let process: Descriptor?
  /// conmon; nil when it had ended before it could be opened.
  let monitor: Descriptor?
  /// How it ends.
  let ending = Ending<ContainerExit>()
  private let watch = Mutex<Task<Void, Never>?>(nil)

  var id: String { record.settings.id }

  init(record: ContainerRecord, handle: RuntimeHandle, folder: String, patience: Duration) {
    let settings = record.settings
    self.record = record
    self.handle = handle
    self.folder = folder
    hub = AttachHub(
      folder: folder, acceptsInput: settings.openStdin,
      closesInput: settings.stdinOnce && !settings.terminal, patience: patience)
    cgroup = Cgroup(record.cgroupPath)
    process = handle.process.open()
    monitor = handle.monitor.open()
  }

  /// How it ended, if it has.
  var exit: ContainerExit? { ending.value }

  /// Notes the task that watches the monitor.
  func setWatch(_ task: Task<Void, Never>) {
    watch.withLock { $0 = task }
  }

  /// Stops watching, without touching the container.
  func abandon() {
    watch.withLock { $0 }?.cancel()
    hub.shutDown()
  }

  /// Sends a signal to process 1; false when it has ended.
  func signal(_ number: Int32) -> Bool {
    process?.signal(number) ?? false
  }
}
