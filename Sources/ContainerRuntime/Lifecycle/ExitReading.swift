import CLinux
import Glibc
import Host

extension Descriptor {
  /// Sends a signal to the process that this descriptor means; false when it has ended.
  func signal(_ number: Int32) -> Bool {
    martlet_pidfd_send_signal(rawValue, number) == 0
  }

  /// Waits for the process that this descriptor means to end; false after `milliseconds`. Blocks.
  func waitForExit(milliseconds: Int32) -> Bool {
    var poller = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
    return retryingInterrupts { poll(&poller, 1, milliseconds) } == 1
  }
}

/// Finds out how a container or exec ended, from what its monitor left.
enum ExitReading {
  /// The exit status in a monitor's folder with the time it was written; nil when there is none.
  static func status(in folder: String) -> (code: Int32, at: Int64)? {
    let path = folder + "/" + MonitorLaunch.exitFile
    // No file: the monitor was killed, or has not got there yet.
    guard let text = try? Paths.readText(path), let code = Int32(text) else { return nil }
    var information = stat()
    guard stat(path, &information) == 0 else { return nil }
    let time = information.st_mtim
    // conmon writes -1 when it killed the process itself.
    return (code < 0 ? 137 : code, Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  /// Nanoseconds since 1970.
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// How a container ended whose monitor has ended. Where the monitor left no status, what is left
  /// of the container is killed: nobody holds its streams any more. Blocks.
  static func container(
    _ id: String, folder: String, cgroup: Cgroup, process: Descriptor?
  ) -> ContainerExit {
    let oom = wasOutOfMemory(folder: folder, cgroup: cgroup)
    if let status = status(in: folder) {
      return ContainerExit(id: id, code: status.code, oomKilled: oom, finishedAt: status.at)
    }
    if let process {
      _ = process.signal(SIGKILL)
      if cgroup.exists, cgroup.isFrozen { try? cgroup.setFrozen(false) }  // else the kill waits
      cgroup.signalAll(SIGKILL)
      _ = process.waitForExit(milliseconds: 10_000)
    }
    return ContainerExit(
      id: id, code: 137, oomKilled: oom, finishedAt: now(),
      error: "the container's monitor ended without leaving an exit status")
  }

  private static func wasOutOfMemory(folder: String, cgroup: Cgroup) -> Bool {
    let file = cgroup.tree.isUnified ? "memory.events" : "memory.oom_control"
    if let kills = cgroup.table(file, of: "memory")["oom_kill"], kills > 0 { return true }
    return Paths.exists(folder + "/" + MonitorLaunch.oomFile)
  }
}
