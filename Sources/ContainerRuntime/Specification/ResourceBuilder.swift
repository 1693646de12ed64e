import CLinux
import Glibc
import Host
import Logging
import OCI

/// Limits in the specification's form. What this kernel lacks is left out with a warning.
struct ResourceBuilder {
  let settings: ResourceSettings
  let logger: Logger
  var tree = CgroupTree.current

  /// The limits, without device rules.
  /// - Throws: `ContainerRuntimeError.invalidSetting`.
  func build() throws -> RuntimeSpecification.Resources {
    var resources = RuntimeSpecification.Resources()
    resources.memory = try memory()
    resources.cpu = try processor()
    if let limit = settings.pidsLimit {
      resources.pids = .init(limit: limit <= 0 ? -1 : limit)
    }
    resources.blockIO = try blockIO()
    return resources
  }

  private func has(_ file: String, of controller: String) -> Bool {
    // A limit's file is missing from the root of a hierarchy on v2, so v2 counts by controller.
    guard let folder = tree.directory(for: controller, "") else { return false }
    if tree.isUnified {
      let controllers = (try? Paths.readText(folder + "/cgroup.controllers")) ?? ""  // none listed
      return controllers.split { $0 == " " || $0 == "\n" }.contains { $0 == controller }
    }
    return Paths.exists(folder + "/" + file)
  }

  private func leaveOut(_ setting: String) {
    logger.warning("kernel does not support a limit; left out", metadata: ["limit": "\(setting)"])
  }

  private func memory() throws -> RuntimeSpecification.Memory? {
    var memory = RuntimeSpecification.Memory()
    if let limit = settings.memory, limit != 0 { memory.limit = limit }
    memory.reservation = settings.memoryReservation
    if let swap = settings.memorySwap, swap != 0 {
      memory.swap = swap
    } else if let limit = memory.limit, limit > 0 {
      memory.swap = limit.multipliedReportingOverflow(by: 2).overflow ? nil : limit * 2
    }
    if let limit = memory.limit, let swap = memory.swap, swap > 0, swap < limit {
      throw ContainerRuntimeError(
        .invalidSetting, "Minimum memoryswap limit should be larger than memory limit")
    }
    if memory.swap != nil,
      !(tree.isUnified || has("memory.memsw.limit_in_bytes", of: "memory"))
    {
      if settings.memorySwap != nil { leaveOut("memory swap") }
      memory.swap = nil
    }
    if !tree.isUnified {
      memory.swappiness = settings.memorySwappiness
      memory.disableOOMKiller = settings.oomKillDisabled == true ? true : nil
    } else {
      if settings.memorySwappiness != nil { leaveOut("memory swappiness") }
      if settings.oomKillDisabled == true { leaveOut("OOM kill disable") }
    }
    return memory == .init() ? nil : memory
  }

  private func processor() throws -> RuntimeSpecification.Processor? {
    var cpu = RuntimeSpecification.Processor()
    if let shares = settings.cpuShares, shares > 0 { cpu.shares = shares }
    if let period = settings.cpuPeriod, period > 0 { cpu.period = period }
    if let quota = settings.cpuQuota, quota != 0 { cpu.quota = quota }
    if let nano = settings.nanoCPUs, nano > 0 {
      guard cpu.quota == nil, cpu.period == nil else {
        throw ContainerRuntimeError(
          .invalidSetting,
          "conflicting options: nano CPUs and CPU quota or period cannot both be set")
      }
      cpu.period = 100_000
      cpu.quota = nano / 10_000
    }
    if settings.cpuRealtimePeriod ?? 0 > 0 || settings.cpuRealtimeRuntime ?? 0 > 0 {
      if has("cpu.rt_runtime_us", of: "cpu"), !tree.isUnified {
        cpu.realtimePeriod = settings.cpuRealtimePeriod
        cpu.realtimeRuntime = settings.cpuRealtimeRuntime
      } else {
        leaveOut("CPU realtime")
      }
    }
    if let cpus = settings.cpusetCPUs, !cpus.isEmpty { cpu.cpus = cpus }
    if let mems = settings.cpusetMemory, !mems.isEmpty { cpu.mems = mems }
    return cpu == .init() ? nil : cpu
  }

  private func blockIO() throws -> RuntimeSpecification.BlockIO? {
    var block = RuntimeSpecification.BlockIO()
    let weight = tree.isUnified ? "io" : "blkio"
    if let value = settings.blockWeight, value > 0 {
      if hasWeight(weight) { block.weight = value } else { leaveOut("blkio weight") }
    }
    if !settings.blockWeightDevices.isEmpty {
      if hasWeight(weight) {
        block.weightDevice = try settings.blockWeightDevices.map { device in
          let (major, minor) = try Self.number(of: device)
          return .init(major: major, minor: minor, weight: UInt16(clamping: device.value))
        }
      } else {
        leaveOut("blkio weight of a device")
      }
    }
    block.throttleReadBpsDevice = try throttles(
      settings.blockReadBytes, "blkio.throttle.read_bps_device")
    block.throttleWriteBpsDevice = try throttles(
      settings.blockWriteBytes, "blkio.throttle.write_bps_device")
    block.throttleReadIOPSDevice = try throttles(
      settings.blockReadOperations, "blkio.throttle.read_iops_device")
    block.throttleWriteIOPSDevice = try throttles(
      settings.blockWriteOperations, "blkio.throttle.write_iops_device")
    return block == .init() ? nil : block
  }

  private func hasWeight(_ controller: String) -> Bool {
    if tree.isUnified { return has("io.weight", of: controller) }
    return has("blkio.weight", of: controller) || has("blkio.bfq.weight", of: controller)
  }

  private func throttles(
    _ devices: [ResourceSettings.BlockDevice], _ file: String
  ) throws -> [RuntimeSpecification.BlockIO.ThrottleDevice]? {
    guard !devices.isEmpty else { return nil }
    guard has(file, of: tree.isUnified ? "io" : "blkio") else {
      leaveOut(file)
      return nil
    }
    return try devices.map { device in
      let (major, minor) = try Self.number(of: device)
      return .init(major: major, minor: minor, rate: device.value)
    }
  }

  private static func number(
    of device: ResourceSettings.BlockDevice
  ) throws -> (Int64, Int64) {
    guard let node = DeviceBuilder.node(device.path, device.path, followsLinks: true) else {
      throw ContainerRuntimeError(
        .invalidSetting, "no such device: \(device.path)")
    }
    return (node.major, node.minor)
  }
}
