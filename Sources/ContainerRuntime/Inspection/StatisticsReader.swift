import Glibc
import Host

/// Reads what a container has used from its cgroups. Blocks shortly.
struct StatisticsReader {
  let cgroup: Cgroup

  /// All figures. Those that this kernel does not keep are zero or missing.
  func read() -> ContainerStatistics {
    var statistics = ContainerStatistics()
    statistics.readAt = ExitReading.now()
    (statistics.systemUsage, statistics.onlineProcessors) = Self.machine()
    statistics.processes = cgroup.number("pids.current", of: "pids") ?? 0
    statistics.processLimit = cgroup.number("pids.max", of: "pids") ?? 0
    if cgroup.tree.isUnified {
      statistics.processor = unifiedProcessor()
      statistics.memory = unifiedMemory()
      (statistics.blockBytes, statistics.blockOperations) = unifiedBlocks()
    } else {
      statistics.processor = processor()
      statistics.memory = memory()
      statistics.blockBytes = blocks(
        ["blkio.throttle.io_service_bytes_recursive", "blkio.io_service_bytes_recursive"])
      statistics.blockOperations = blocks(
        ["blkio.throttle.io_serviced_recursive", "blkio.io_serviced_recursive"])
    }
    if statistics.memory.limit == 0 || statistics.memory.limit > Self.machineMemory {
      statistics.memory.limit = Self.machineMemory
    }
    return statistics
  }

  // MARK: machine

  private static let tick: UInt64 = {
    let perSecond = sysconf(Int32(_SC_CLK_TCK))
    return 1_000_000_000 / UInt64(max(1, perSecond))
  }()

  private static let machineMemory: UInt64 = {
    let text = (try? Paths.readText("/proc/meminfo")) ?? ""  // always there
    let line = text.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
    return (line?.split(separator: " ").dropFirst().first.flatMap { UInt64($0) } ?? 0) << 10
  }()

  /// Nanoseconds of all processors together and their number, as the first line of `/proc/stat` and
  /// the count of those after it tell.
  private static func machine() -> (UInt64, Int) {
    let text = (try? Paths.readText("/proc/stat")) ?? ""  // always there
    var usage: UInt64 = 0
    var count = 0
    for line in text.split(separator: "\n") {
      guard line.hasPrefix("cpu") else { break }
      if line.hasPrefix("cpu ") {
        let ticks = line.split(separator: " ").dropFirst().prefix(7).compactMap { UInt64($0) }
        usage = ticks.reduce(0, &+) &* tick
      } else {
        count += 1
      }
    }
    return (usage, count)
  }

  // MARK: v1

  private func processor() -> ContainerStatistics.Processor {
    var processor = ContainerStatistics.Processor()
    processor.total = cgroup.number("cpuacct.usage", of: "cpuacct") ?? 0
    processor.perProcessor = (cgroup.read("cpuacct.usage_percpu", of: "cpuacct") ?? "")
      .split { $0 == " " || $0 == "\n" }.compactMap { UInt64($0) }
    let ticks = cgroup.table("cpuacct.stat", of: "cpuacct")
    processor.user = (ticks["user"] ?? 0) &* Self.tick
    processor.system = (ticks["system"] ?? 0) &* Self.tick
    let throttling = cgroup.table("cpu.stat", of: "cpu")
    processor.periods = throttling["nr_periods"] ?? 0
    processor.throttledPeriods = throttling["nr_throttled"] ?? 0
    processor.throttledTime = throttling["throttled_time"] ?? 0
    return processor
  }

  private func memory() -> ContainerStatistics.Memory {
    var memory = ContainerStatistics.Memory()
    memory.usage = cgroup.number("memory.usage_in_bytes", of: "memory") ?? 0
    memory.maximumUsage = cgroup.number("memory.max_usage_in_bytes", of: "memory")
    memory.failureCount = cgroup.number("memory.failcnt", of: "memory")
    memory.limit = cgroup.number("memory.limit_in_bytes", of: "memory") ?? 0
    memory.details = cgroup.table("memory.stat", of: "memory")
    return memory
  }

  private func blocks(_ files: [String]) -> [ContainerStatistics.BlockEntry] {
    for file in files {
      let entries = (cgroup.read(file, of: "blkio") ?? "").split(separator: "\n")
        .compactMap { line -> ContainerStatistics.BlockEntry? in
          let fields = line.split { $0 == " " || $0 == ":" }
          guard fields.count == 4, let major = UInt64(fields[0]), let minor = UInt64(fields[1]),
            let value = UInt64(fields[3])
          else { return nil }
          return .init(major: major, minor: minor, operation: String(fields[2]), value: value)
        }
      if !entries.isEmpty { return entries }
    }
    return []
  }

  // MARK: v2

  private func unifiedProcessor() -> ContainerStatistics.Processor {
    let table = cgroup.table("cpu.stat", of: "cpu")
    var processor = ContainerStatistics.Processor()
    processor.total = (table["usage_usec"] ?? 0) &* 1000
    processor.user = (table["user_usec"] ?? 0) &* 1000
    processor.system = (table["system_usec"] ?? 0) &* 1000
    processor.periods = table["nr_periods"] ?? 0
    processor.throttledPeriods = table["nr_throttled"] ?? 0
    processor.throttledTime = (table["throttled_usec"] ?? 0) &* 1000
    return processor
  }

  private func unifiedMemory() -> ContainerStatistics.Memory {
    var memory = ContainerStatistics.Memory()
    memory.usage = cgroup.number("memory.current", of: "memory") ?? 0
    memory.limit = cgroup.number("memory.max", of: "memory") ?? 0
    memory.details = cgroup.table("memory.stat", of: "memory")
    return memory
  }

  /// `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`
  private func unifiedBlocks() -> (
    [ContainerStatistics.BlockEntry], [ContainerStatistics.BlockEntry]
  ) {
    var bytes: [ContainerStatistics.BlockEntry] = []
    var operations: [ContainerStatistics.BlockEntry] = []
    for line in (cgroup.read("io.stat", of: "io") ?? "").split(separator: "\n") {
      let fields = line.split(separator: " ")
      let numbers = fields.first?.split(separator: ":").compactMap { UInt64($0) } ?? []
      guard numbers.count == 2 else { continue }
      for field in fields.dropFirst() {
        let pair = field.split(separator: "=")
        guard pair.count == 2, let value = UInt64(pair[1]) else { continue }
        func entry(_ operation: String) -> ContainerStatistics.BlockEntry {
          .init(major: numbers[0], minor: numbers[1], operation: operation, value: value)
        }
        switch pair[0] {
        case "rbytes": bytes.append(entry("Read"))
        case "wbytes": bytes.append(entry("Write"))
        case "rios": operations.append(entry("Read"))
        case "wios": operations.append(entry("Write"))
        default: continue
        }
      }
    }
    return (bytes, operations)
  }
}

extension ContainerRuntime {
  /// What a container has used so far.
  /// - Throws: `ContainerRuntimeError.notFound` or `.wrongState`.
  package func statistics(_ id: String) async throws -> ContainerStatistics {
    let container = try liveContainer(id)
    return try await BlockingPool.shared.run { StatisticsReader(cgroup: container.cgroup).read() }
  }
}
