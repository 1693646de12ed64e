import CLinux
import Glibc

/// One control group: its processes, its freezer, its files. All of it blocks shortly.
package struct Cgroup: Sendable, Equatable {
  /// The hierarchies it lies in.
  package var tree: CgroupTree
  /// Absolute path below each hierarchy's root.
  package var path: String

  /// The cgroup `path`.
  package init(_ path: String, in tree: CgroupTree = .current) {
    self.path = Paths.cleaned(path)
    self.tree = tree
  }

  /// The folder that holds a file of `controller`; nil when the machine lacks it.
  package func directory(for controller: String) -> String? {
    tree.directory(for: controller, path)
  }

  /// Whether any of its folders is there.
  package var exists: Bool { tree.directories(of: path).contains(where: Paths.isDirectory) }

  /// The text of a file of the cgroup; nil when the kernel has no such file here.
  package func read(_ file: String, of controller: String) -> String? {
    guard let directory = directory(for: controller) else { return nil }
    return try? Paths.readText(directory + "/" + file)  // a kernel without the file is no error
  }

  /// The one number in a file; nil when there is none, or `max`.
  package func number(_ file: String, of controller: String) -> UInt64? {
    guard let text = read(file, of: controller) else { return nil }
    return UInt64(text.prefix { $0 != "\n" })
  }

  /// The lines `name number` of a file.
  package func table(_ file: String, of controller: String) -> [String: UInt64] {
    var result: [String: UInt64] = [:]
    for line in (read(file, of: controller) ?? "").split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count == 2, let value = UInt64(fields[1]) { result[String(fields[0])] = value }
    }
    return result
  }

  /// Writes to a file of the cgroup.
  /// - Throws: `SystemError`, with `ENOENT` when the machine lacks the controller.
  package func write(_ text: String, to file: String, of controller: String) throws {
    guard let directory = directory(for: controller) else {
      throw SystemError(ENOENT, "write", "\(controller):\(file)")
    }
    try Paths.write(text, toExisting: directory + "/" + file)
  }

  /// The processes in it and in the cgroups below it.
  package func processes() -> [Int32] {
    var seen: Set<Int32> = []
    for controller in ["pids", "freezer", "memory", "name=systemd"] {
      guard let directory = directory(for: controller), Paths.isDirectory(directory) else {
        continue
      }
      Self.collectProcesses(below: directory, into: &seen)
      break
    }
    return seen.sorted()
  }

  private static func collectProcesses(below directory: String, into seen: inout Set<Int32>) {
    // A cgroup that goes away while it is read has no processes.
    let text = (try? Paths.readText(directory + "/cgroup.procs")) ?? ""
    seen.formUnion(text.split(separator: "\n").compactMap { Int32($0) })
    for child in subdirectories(of: directory) { collectProcesses(below: child, into: &seen) }
  }

  private static func subdirectories(of directory: String) -> [String] {
    // One link each for itself and `.`, and one for each child: a leaf need not be listed.
    var information = stat()
    guard stat(directory, &information) == 0, information.st_nlink > 2 else { return [] }
    let names = (try? Paths.entries(of: directory)) ?? []  // gone meanwhile: nothing below
    return names.map { directory + "/" + $0 }.filter(Paths.isDirectory)
  }

  /// Sends a signal to every process in it.
  package func signalAll(_ signal: Int32) {
    for process in processes() { kill(process, signal) }
  }

  /// Removes its folders in all hierarchies, with those below; what is gone is no error.
  /// - Throws: `SystemError`, with `EBUSY` while a process is left.
  package func remove() throws {
    var failure: SystemError?
    for directory in tree.directories(of: path) {
      do { try Self.removeDirectory(directory) } catch let error as SystemError { failure = error }
    }
    if let failure { throw failure }
  }

  private static func removeDirectory(_ directory: String) throws {
    if rmdir(directory) == 0 || errno == ENOENT { return }
    // A process that has just ended still counts for a moment.
    var delay: UInt32 = 100
    while true {
      for child in subdirectories(of: directory) { try removeDirectory(child) }
      if rmdir(directory) == 0 || errno == ENOENT { return }
      guard errno == EBUSY, delay < 200_000 else { throw SystemError.last("rmdir", directory) }
      usleep(delay)
      delay *= 2
    }
  }

  /// Freezes or thaws its processes and waits until they are.
  /// - Throws: `SystemError`, with `ETIMEDOUT` when the kernel does not manage within five seconds.
  package func setFrozen(_ frozen: Bool) throws {
    let limit = ContinuousClock.now + .seconds(5)
    var delay: UInt32 = 50
    while true {
      if tree.isUnified {
        try write(frozen ? "1" : "0", to: "cgroup.freeze", of: "")
      } else {
        try write(frozen ? "FROZEN" : "THAWED", to: "freezer.state", of: "freezer")
      }
      if isFrozen == frozen { return }
      guard ContinuousClock.now < limit else {
        // A half-frozen cgroup must not stay behind.
        if frozen { try? setFrozen(false) }  // the timeout is the error to report
        throw SystemError(ETIMEDOUT, frozen ? "freeze" : "thaw", path)
      }
      usleep(delay)
      delay = min(delay * 2, 10_000)
    }
  }

  /// Whether its processes are frozen.
  package var isFrozen: Bool {
    if tree.isUnified { return table("cgroup.events", of: "")["frozen"] == 1 }
    return read("freezer.state", of: "freezer")?.hasPrefix("FROZEN") ?? false
  }
}
