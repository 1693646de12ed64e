import Glibc
import Host

/// What this machine is, read once or when asked.
enum HostFacts {
  /// The host's name.
  static var hostname: String { text(of: &names.nodename) }
  /// The kernel's version.
  static var kernelVersion: String { text(of: &names.release) }
  /// The kernel's word for the processor, as in `x86_64`.
  static var machine: String { text(of: &names.machine) }

  private static var names: utsname {
    get {
      var names = utsname()
      uname(&names)
      return names
    }
    set {}
  }

  private static func text<Tuple>(of field: inout Tuple) -> String {
    withUnsafeBytes(of: &field) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// The processors in use.
  static var processors: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }

  /// Bytes of memory.
  static var memory: Int64 {
    Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// The distribution's name and version.
  static let operatingSystem: (name: String, version: String) = {
    var values: [Substring: String] = [:]
    let text = (try? Paths.readText("/etc/os-release")) ?? ""  // none: then without a name
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { continue }
      values[parts[0]] = String(parts[1].filter { $0 != "\"" })
    }
    return (values["PRETTY_NAME"] ?? "Linux", values["VERSION_ID"] ?? "")
  }()

  /// The number in a small file of /proc or /sys; nil when there is none.
  static func number(in path: String) -> Int? {
    guard let text = try? Paths.readText(path) else { return nil }  // not there: not known
    return Int(text.prefix { $0 != "\n" })
  }

  /// How many files this process has open.
  static var openFiles: Int {
    (try? Paths.entries(of: "/proc/self/fd").count) ?? 0  // only a figure in `docker info`
  }

  /// What the cgroups of this host can do.
  struct CgroupFeatures: Sendable {
    var isUnified: Bool
    var hasMemoryLimit: Bool
    var hasSwapLimit: Bool
    var hasOOMControl: Bool
    var hasPidsLimit: Bool
    var hasCPUShares: Bool
    var hasCPUQuota: Bool
    var hasCPUSet: Bool
    var hasBlockWeight: Bool
  }

  /// What the cgroups of this host can do; fixed while it runs.
  static let cgroups: CgroupFeatures = {
    let root = "/sys/fs/cgroup"
    if Paths.exists(root + "/cgroup.controllers") {
      let text = (try? Paths.readText(root + "/cgroup.controllers")) ?? ""  // none: nothing works
      let controllers = Set(text.split { $0 == " " || $0 == "\n" })
      return CgroupFeatures(
        isUnified: true, hasMemoryLimit: controllers.contains("memory"),
        hasSwapLimit: controllers.contains("memory") && Paths.exists("/proc/swaps"),
        hasOOMControl: false, hasPidsLimit: controllers.contains("pids"),
        hasCPUShares: controllers.contains("cpu"), hasCPUQuota: controllers.contains("cpu"),
        hasCPUSet: controllers.contains("cpuset"), hasBlockWeight: controllers.contains("io"))
    }
    return CgroupFeatures(
      isUnified: false, hasMemoryLimit: Paths.exists(root + "/memory/memory.limit_in_bytes"),
      hasSwapLimit: Paths.exists(root + "/memory/memory.memsw.limit_in_bytes"),
      hasOOMControl: Paths.exists(root + "/memory/memory.oom_control"),
      hasPidsLimit: Paths.exists(root + "/pids"),
      hasCPUShares: Paths.exists(root + "/cpu/cpu.shares"),
      hasCPUQuota: Paths.exists(root + "/cpu/cpu.cfs_quota_us"),
      hasCPUSet: Paths.exists(root + "/cpuset"),
      hasBlockWeight: Paths.exists(root + "/blkio/blkio.weight")
        || Paths.exists(root + "/blkio/blkio.bfq.weight"))
  }()
}
