import DockerModel
import Glibc
import Host

/// Checks of what a request asks of the host; each failure says what was wrong, in dockerd's words
/// where clients know them.
enum HostConfigValidation {
  /// - Throws: `invalidParameter`.
  static func check(_ host: HostConfig) throws {
    try checkResources(host)
    try checkRestartPolicy(host)
    try checkNames(host)
    for limit in host.ulimits ?? [] { try checkUlimit(limit) }
    for (key, _) in host.sysctls ?? [:] where key.isEmpty {
      throw APIError.invalidParameter("invalid sysctl: empty name")
    }
  }

  /// The limits, as `create` and `update` take them.
  /// - Throws: `invalidParameter`.
  static func checkResources(_ host: HostConfig) throws {
    try checkMemory(host)
    try checkProcessor(host)
    if let swappiness = host.memorySwappiness, swappiness != -1, !(0...100).contains(swappiness) {
      throw APIError.invalidParameter(
        "Invalid value: \(swappiness), valid memory swappiness range is 0-100")
    }
    if host.blkioWeight != 0, !(10...1000).contains(host.blkioWeight) {
      throw APIError.invalidParameter("Range of blkio weight is from 10 to 1000")
    }
    if !(-1000...1000).contains(host.oomScoreAdj) {
      throw APIError.invalidParameter(
        "Invalid value \(host.oomScoreAdj), range for oom score adj is [-1000, 1000]")
    }
    if host.shmSize < 0 {
      throw APIError.invalidParameter("SHM size can not be less than 0")
    }
    for device in host.blkioWeightDevice ?? [] where !(10...1000).contains(device.weight) {
      throw APIError.invalidParameter("Range of blkio weight is from 10 to 1000")
    }
    let throttles = [
      host.blkioDeviceReadBps, host.blkioDeviceWriteBps, host.blkioDeviceReadIOps,
      host.blkioDeviceWriteIOps,
    ]
    for device in throttles.flatMap({ $0 ?? [] }) where device.rate < 0 {
      throw APIError.invalidParameter("invalid rate for device \(device.path): \(device.rate)")
    }
  }

  private static func checkMemory(_ host: HostConfig) throws {
    if host.memory < 0 || host.memoryReservation < 0 {
      throw APIError.invalidParameter("invalid memory limit: negative")
    }
    if host.memory > 0 && host.memory < 6 << 20 {
      throw APIError.invalidParameter("Minimum memory limit allowed is 6MB")
    }
    if host.memory > 0 && host.memorySwap > 0 && host.memorySwap < host.memory {
      throw APIError.invalidParameter(
        "Minimum memoryswap limit should be larger than memory limit, see usage")
    }
    if host.memory == 0 && host.memorySwap > 0 {
      throw APIError.invalidParameter(
        "You should always set the Memory limit when using Memoryswap limit, see usage")
    }
    if host.memoryReservation > 0 && host.memoryReservation < 6 << 20 {
      throw APIError.invalidParameter("Minimum memory reservation allowed is 6MB")
    }
    if host.memory > 0 && host.memoryReservation > 0 && host.memory < host.memoryReservation {
      throw APIError.invalidParameter(
        "Minimum memory limit can not be less than memory reservation limit, see usage")
    }
  }

  private static func checkProcessor(_ host: HostConfig) throws {
    let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    if host.nanoCpus != 0 {
      if host.cpuPeriod != 0 || host.cpuQuota != 0 {
        throw APIError.invalidParameter(
          "Conflicting options: Nano CPUs and CPU Period/Quota cannot both be set")
      }
      if host.nanoCpus < 10_000_000 || host.nanoCpus > Int64(processors) * 1_000_000_000 {
        throw APIError.invalidParameter(
          "Range of CPUs is from 0.01 to \(processors).00, "
            + "as there are only \(processors) CPUs available")
      }
    }
    if host.cpuShares < 0 {
      throw APIError.invalidParameter(
        "invalid CPU shares (\(host.cpuShares)): must not be negative")
    }
    if host.cpuPeriod != 0, !(1000...1_000_000).contains(host.cpuPeriod) {
      throw APIError.invalidParameter(
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    }
    if host.cpuQuota > 0 && host.cpuQuota < 1000 {
      throw APIError.invalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    }
    try checkSet(host.cpusetCpus, "cpus", "/sys/devices/system/cpu/online", label: "CPUs")
    try checkSet(host.cpusetMems, "mems", "/sys/devices/system/node/online", label: "memory nodes")
  }

  private static func checkSet(
    _ text: String, _ name: String, _ availablePath: String, label: String
  ) throws {
    guard !text.isEmpty else { return }
    guard let wanted = numbers(text) else {
      throw APIError.invalidParameter("Invalid value \(text) for cpuset \(name)")
    }
    // Where the host does not say what it has, the kernel judges.
    let available = (try? hostSet(availablePath)) ?? wanted
    if !wanted.isSubset(of: available) {
      let list = available.sorted().map(String.init).joined(separator: ",")
      throw APIError.invalidParameter(
        "Requested \(label) are not available - requested \(text), available: \(list)")
    }
  }

  /// The numbers of `0-2,4`; nil when it is not that.
  static func numbers(_ text: String) -> Set<Int>? {
    var result: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard let low = bounds.first ?? nil, let high = bounds.last ?? nil, bounds.count <= 2,
        low >= 0, low <= high, high < 8192
      else { return nil }
      result.formUnion(low...high)
    }
    return result
  }

  private static func checkRestartPolicy(_ host: HostConfig) throws {
    let policy = host.restartPolicy
    switch policy.name {
    case "", "no", "always", "unless-stopped":
      if policy.maximumRetryCount != 0 {
        throw APIError.invalidParameter(
          "invalid restart policy: maximum retry count can only be used with 'on-failure'")
      }
    case "on-failure":
      if policy.maximumRetryCount < 0 {
        throw APIError.invalidParameter(
          "invalid restart policy: maximum retry count cannot be negative")
      }
    default:
      throw APIError.invalidParameter(
        "invalid restart policy: unknown policy '\(policy.name)'; use one of 'no', 'always', "
          + "'on-failure', or 'unless-stopped'")
    }
    if host.autoRemove && !["", "no"].contains(policy.name) {
      throw APIError.invalidParameter(
        "can't create 'AutoRemove' container with restart policy")
    }
  }

  private static func checkNames(_ host: HostConfig) throws {
    try checkMode(host.ipcMode, ["", "none", "host", "private", "shareable"], "IPC mode")
    try checkMode(host.pidMode, ["", "host"], "PID mode")
    try checkMode(host.utsMode, ["", "host"], "UTS mode", allowsContainer: false)
    try checkMode(host.usernsMode, ["", "host"], "user namespace mode", allowsContainer: false)
    try checkMode(
      host.cgroupnsMode, ["", "host", "private"], "cgroup namespace mode", allowsContainer: false)
    if !["", "default"].contains(host.isolation) {
      throw APIError.invalidParameter(
        "invalid isolation (\(host.isolation)): not supported on linux")
    }
    for host in host.extraHosts ?? [] where !host.contains(":") && !host.contains("=") {
      throw APIError.invalidParameter("bad format for add-host: \"\(host)\"")
    }
    if let requests = host.deviceRequests, !requests.isEmpty {
      let wanted = requests.flatMap { $0.capabilities ?? [] }.map { $0.joined(separator: ",") }
      throw APIError.invalidParameter(
        "could not select device driver \"\(requests[0].driver)\" with capabilities: "
          + "[[\(wanted.joined(separator: "] ["))]]")
    }
  }

  private static func checkMode(
    _ mode: String, _ allowed: Set<String>, _ kind: String, allowsContainer: Bool = true
  ) throws {
    if allowed.contains(mode) { return }
    if allowsContainer, let other = containerReference(inMode: mode), !other.isEmpty { return }
    throw APIError.invalidParameter("invalid \(kind): \(mode)")
  }

  private static let ulimitNames: Set<String> = [
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
  ]

  private static func checkUlimit(_ limit: Ulimit) throws {
    guard ulimitNames.contains(limit.name) else {
      throw APIError.invalidParameter("invalid ulimit type: \(limit.name)")
    }
    if limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard) {
      throw APIError.invalidParameter(
        "ulimit soft limit must be less than or equal to hard limit: \(limit.soft) > \(limit.hard)")
    }
  }
}

extension HostConfigValidation {
  /// The processors or memory nodes that the host has.
  private static func hostSet(_ path: String) throws -> Set<Int> {
    let text = try Paths.readText(path).prefix { $0 != "\n" }
    return numbers(String(text)) ?? []
  }
}
