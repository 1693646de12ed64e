import ContainerRuntime
package import DockerModel
import NodeNetwork

extension ContainerService {
  /// Samples of a container's use of resources, one each second or one in all.
  package func stats(
    container: String, options: StatsOptions
  ) async throws -> any AsyncSequence<ContainerStats, any Error> & Sendable {
    let container = try find(container)
    let (stream, samples) = AsyncThrowingStream.makeStream(
      of: ContainerStats.self, bufferingPolicy: .bufferingNewest(2))
    let task = Task { [self] in
      do {
        try await sample(container, options, into: samples)
        samples.finish()
      } catch {
        samples.finish(throwing: error)
      }
    }
    samples.onTermination = { _ in task.cancel() }
    return stream
  }

  private func sample(
    _ container: Container, _ options: StatsOptions,
    into samples: AsyncThrowingStream<ContainerStats, any Error>.Continuation
  ) async throws {
    var previous: ContainerStats?
    if !options.stream && !options.oneShot && container.lifecycle.isRunning {
      // One sample that can be compared needs another one before it.
      previous = try await read(container, after: nil)
      try await Task.sleep(for: .seconds(1))
    }
    repeat {
      let sample = try await read(container, after: previous)
      samples.yield(sample)
      guard options.stream else { return }
      previous = sample
      try await Task.sleep(for: .seconds(1))
    } while !container.isGone
  }

  private func read(
    _ container: Container, after previous: ContainerStats?
  ) async throws -> ContainerStats {
    var stats = ContainerStats()
    stats.id = container.id
    stats.name = "/" + container.name
    guard container.lifecycle.isRunning else { return stats }
    let figures: ContainerStatistics
    do {
      figures = try await context.runtime.statistics(container.id)
    } catch {
      // It ended while we looked.
      if !container.lifecycle.isRunning { return stats }
      throw APIError(translating: error)
    }
    stats.fill(with: figures)
    if let previous {
      stats.preread = previous.read
      stats.precpu = previous.cpu
    }
    if NetworkMode(container.record.hostConfig.networkMode).isPrivate {
      let interfaces = try await translatingErrors {
        try await context.network.statistics(containerID: container.id)
      }
      stats.networks = Dictionary(
        interfaces.map { ($0.name, ContainerStats.Network($0)) }, uniquingKeysWith: { $1 })
    }
    return stats
  }
}

extension ContainerStats {
  fileprivate mutating func fill(with figures: ContainerStatistics) {
    read = Timestamp(nanosecondsSinceEpoch: figures.readAt).rfc3339
    pids.current = figures.processes
    pids.limit = figures.processLimit == 0 ? nil : figures.processLimit
    cpu.usage.total = figures.processor.total
    cpu.usage.perCPU = figures.processor.perProcessor.isEmpty ? nil : figures.processor.perProcessor
    cpu.usage.kernelMode = figures.processor.system
    cpu.usage.userMode = figures.processor.user
    cpu.system = figures.systemUsage
    cpu.onlineCPUs = UInt32(clamping: figures.onlineProcessors)
    cpu.throttling.periods = figures.processor.periods
    cpu.throttling.throttledPeriods = figures.processor.throttledPeriods
    cpu.throttling.throttledTime = figures.processor.throttledTime
    memory.usage = figures.memory.usage
    memory.maxUsage = figures.memory.maximumUsage
    memory.failureCount = figures.memory.failureCount
    memory.limit = figures.memory.limit
    memory.stats = figures.memory.details
    blockIO.serviceBytes = figures.blockBytes.map(BlockIO.Entry.init)
    blockIO.serviced = figures.blockOperations.map(BlockIO.Entry.init)
  }
}

extension ContainerStats.BlockIO.Entry {
  fileprivate init(_ entry: ContainerStatistics.BlockEntry) {
    self.init(
      major: entry.major, minor: entry.minor, operation: entry.operation, value: entry.value)
  }
}

extension ContainerStats.Network {
  fileprivate init(_ figures: InterfaceStatistics) {
    self.init()
    receivedBytes = figures.receivedBytes
    receivedPackets = figures.receivedPackets
    receiveErrors = figures.receiveErrors
    receiveDropped = figures.receiveDropped
    sentBytes = figures.transmittedBytes
    sentPackets = figures.transmittedPackets
    sendErrors = figures.transmitErrors
    sendDropped = figures.transmitDropped
  }
}
