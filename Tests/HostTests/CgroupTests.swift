import Glibc
import Testing

@testable import Host

@Suite struct CgroupTests {
  @Test func hierarchiesOfBothVersions() {
    func entry(_ type: String, _ target: String, _ options: String) -> MountEntry {
      MountEntry(
        target: target, type: type, source: "cgroup", superOptions: options, propagation: [])
    }
    let first = CgroupTree(mounts: [
      entry("cgroup", "/cg/cpu", "rw,cpu,cpuacct"),
      entry("cgroup", "/cg/systemd", "rw,xattr,name=systemd"),
      entry("cgroup2", "/cg/unified", "rw"),
      entry("tmpfs", "/cg", "rw"),
    ])
    #expect(!first.isUnified)
    #expect(first.directory(for: "cpuacct", "/a") == "/cg/cpu/a")
    #expect(first.directory(for: "memory", "/a") == nil)
    #expect(first.directories(of: "/a") == ["/cg/cpu/a", "/cg/systemd/a", "/cg/unified/a"])
    let second = CgroupTree(mounts: [entry("cgroup2", "/sys/fs/cgroup", "rw,nsdelegate")])
    #expect(second.isUnified)
    #expect(second.directory(for: "memory", "/a") == "/sys/fs/cgroup/a")
    #expect(second.directories(of: "/a") == ["/sys/fs/cgroup/a"])
  }

  @Test func processesFreezerAndRemoval() throws {
    let tree = CgroupTree.current
    guard let folder = tree.directory(for: "freezer", "") ?? tree.unifiedRoot else { return }
    let cgroup = Cgroup("/martlet-test-\(getpid())/inner")
    try Paths.makeDirectories(folder + cgroup.path)
    defer { try? Cgroup("/martlet-test-\(getpid())").remove() }
    #expect(cgroup.exists)
    let child = try Command("/bin/sleep", ["1000"]).spawn()
    try cgroup.write("\(child.pid)", to: "cgroup.procs", of: "freezer")
    #expect(Cgroup("/martlet-test-\(getpid())", in: frozenOnly(tree)).processes() == [child.pid])
    try cgroup.setFrozen(true)
    #expect(cgroup.isFrozen)
    try cgroup.setFrozen(false)
    #expect(!cgroup.isFrozen)
    child.signal(SIGKILL)
    #expect(try child.waitBlocking() == .signaled(SIGKILL))
    try Cgroup("/martlet-test-\(getpid())").remove()
    #expect(!cgroup.exists)
  }

  /// The tree with no hierarchy but that of the freezer.
  private func frozenOnly(_ tree: CgroupTree) -> CgroupTree {
    var tree = tree
    tree.roots = tree.roots.filter { $0.key == "freezer" }
    return tree
  }

  @Test func theWriterLockLetsGo() async throws {
    let clock = ContinuousClock()
    CgroupWriterLock.shared.hold()
    CgroupWriterLock.shared.hold()
    CgroupWriterLock.shared.release()
    CgroupWriterLock.shared.release()
    // A second round starts the thread anew.
    try await clock.sleep(for: .milliseconds(100))
    CgroupWriterLock.shared.hold()
    CgroupWriterLock.shared.release()
  }
}

@Suite struct InotifyTests {
  @Test func reportsAndInterruptions() throws {
    var template = Array("/tmp/martlet-inotify-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? TreeRemoval.remove(folder) }
    let inotify = try Inotify()
    let watch = try inotify.watch(folder, for: UInt32(IN_CREATE))
    #expect(throws: SystemError.self) { try inotify.watch(folder + "/no", for: UInt32(IN_CREATE)) }
    try Paths.makeDirectories(folder + "/new")
    let events = try inotify.wait(timeout: 5000)
    #expect(events.map(\.name) == ["new"])
    #expect(events.map(\.watch) == [watch])
    inotify.interrupt()
    #expect(try inotify.wait() == [])
    inotify.unwatch(watch)
  }

  @Test(arguments: [[], [1, 2, 3], [UInt8](repeating: 255, count: 40)])
  func brokenReports(_ bytes: [UInt8]) {
    #expect(Inotify.parse(bytes).isEmpty)
  }
}
