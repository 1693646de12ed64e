import CLinux
import Glibc
import Synchronization

/// Keeps the kernel ready for processes to be moved between cgroups while somebody is about to.
///
/// Moving a process takes a lock of the kernel that is made for readers: the first writer waits
/// for an RCU grace period, some 15 milliseconds, and writers that follow soon after do not. The OCI
/// runtime moves each new process. So while a container or exec is being created, a thread here
/// takes the lock again and again, by moving this process to where it is already, and the wait passes
/// while the runtime is still starting up.
package final class CgroupWriterLock: Sendable {
  /// The one of this process.
  package static let shared = CgroupWriterLock()

  private struct State {
    var holders = 0
    var isRunning = false
    var lastRelease = ContinuousClock.now
  }

  /// Microseconds between two moves: less than a grace period.
  private static let pause: UInt32 = 4000
  /// How long it goes on after the last holder, for the next.
  private static let linger: Duration = .milliseconds(50)

  private let state = Mutex(State())
  private let path: String?

  private init() {
    path = Self.ownProcessesFile()
  }

  /// Keeps the lock ready until `release` is called as often as `hold`.
  package func hold() {
    guard path != nil else { return }
    let mustStart = state.withLock { state in
      state.holders += 1
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard mustStart else { return }
    var thread = pthread_t()
    let opaque = Unmanaged.passRetained(self).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<CgroupWriterLock>.fromOpaque(argument).takeRetainedValue().loop()
        return nil
      }, opaque)
    if status == 0 {
      pthread_detach(thread)
    } else {
      // Creation is then slower, no more.
      Unmanaged<CgroupWriterLock>.fromOpaque(opaque).release()
      state.withLock { $0.isRunning = false }
    }
  }

  /// Ends one `hold`.
  package func release() {
    guard path != nil else { return }
    state.withLock { state in
      state.holders -= 1
      state.lastRelease = .now
    }
  }

  private func loop() {
    let descriptor = path.map { open($0, O_WRONLY | O_CLOEXEC) } ?? -1
    defer { if descriptor >= 0 { close(descriptor) } }
    while isWanted() {
      // Refused or not, the lock was taken.
      if descriptor >= 0 { write(descriptor, "0", 1) }
      usleep(Self.pause)
    }
  }

  private func isWanted() -> Bool {
    state.withLock { state in
      if state.holders > 0 || state.lastRelease.duration(to: .now) < Self.linger { return true }
      state.isRunning = false
      return false
    }
  }

  /// The `cgroup.procs` of this process's own cgroup in one hierarchy.
  private static func ownProcessesFile() -> String? {
    let tree = CgroupTree.current
    let lines = ((try? Paths.readText("/proc/self/cgroup")) ?? "").split(separator: "\n")  // none
    for line in lines {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let controllers = fields[1].split(separator: ",").map(String.init)
      if controllers.isEmpty != tree.isUnified { continue }
      guard let folder = tree.directory(for: controllers.first ?? "", String(fields[2])) else {
        continue
      }
      let path = folder + (folder.hasSuffix("/") ? "" : "/") + "cgroup.procs"
      if access(path, W_OK) == 0 { return path }
    }
    return nil
  }
}
