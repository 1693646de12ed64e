/// One sample of `GET /containers/{id}/stats`. Times are RFC 3339 with nanoseconds; the zero time
/// is `0001-01-01T00:00:00Z`.
package struct ContainerStats: Sendable, Equatable, Codable {
  /// The zero time.
  package static let never = "0001-01-01T00:00:00Z"

  package var name = ""
  package var id = ""
  package var read = never
  /// When `precpu` was taken; the zero time when there is no earlier sample.
  package var preread = never
  package var pids = Pids()
  package var blockIO = BlockIO()
  package var processCount: UInt32 = 0
  package var storage = Storage()
  package var cpu = CPU()
  package var precpu = CPU()
  package var memory = Memory()
  /// By interface name; nil when the container has no network of its own.
  package var networks: [String: Network]?

  package init() {}

  private enum CodingKeys: String, CodingKey {
    case name, id, read, preread, networks
    case pids = "pids_stats"
    case blockIO = "blkio_stats"
    case processCount = "num_procs"
    case storage = "storage_stats"
    case cpu = "cpu_stats"
    case precpu = "precpu_stats"
    case memory = "memory_stats"
  }

  package struct Pids: Sendable, Equatable, Codable {
    package var current: UInt64?
    package var limit: UInt64?
    package init() {}
  }

  /// Windows only; always empty here, but clients expect the object.
  package struct Storage: Sendable, Equatable, Codable {
    package init() {}
  }

  package struct BlockIO: Sendable, Equatable, Codable {
    package struct Entry: Sendable, Equatable, Codable {
      package var major: UInt64
      package var minor: UInt64
      /// `read`, `write`, …
      package var operation: String
      package var value: UInt64

      package init(major: UInt64, minor: UInt64, operation: String, value: UInt64) {
        self.major = major
        self.minor = minor
        self.operation = operation
        self.value = value
      }

      private enum CodingKeys: String, CodingKey {
        case major, minor, value
        case operation = "op"
      }
    }

    package var serviceBytes: [Entry]?
    package var serviced: [Entry]?
    package var queue: [Entry]?
    package var serviceTime: [Entry]?
    package var waitTime: [Entry]?
    package var merged: [Entry]?
    package var time: [Entry]?
    package var sectors: [Entry]?

    package init() {}

    private enum CodingKeys: String, CodingKey {
      case serviceBytes = "io_service_bytes_recursive"
      case serviced = "io_serviced_recursive"
      case queue = "io_queue_recursive"
      case serviceTime = "io_service_time_recursive"
      case waitTime = "io_wait_time_recursive"
      case merged = "io_merged_recursive"
      case time = "io_time_recursive"
      case sectors = "sectors_recursive"
    }

    /// Clients expect every list, null when unknown.
    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(serviceBytes, forKey: .serviceBytes)
      try container.encode(serviced, forKey: .serviced)
      try container.encode(queue, forKey: .queue)
      try container.encode(serviceTime, forKey: .serviceTime)
      try container.encode(waitTime, forKey: .waitTime)
      try container.encode(merged, forKey: .merged)
      try container.encode(time, forKey: .time)
      try container.encode(sectors, forKey: .sectors)
    }
  }

  package struct CPU: Sendable, Equatable, Codable {
    package struct Usage: Sendable, Equatable, Codable {
      /// Nanoseconds.
      package var total: UInt64 = 0
      /// Nanoseconds by processor; cgroups v1 only.
      package var perCPU: [UInt64]?
      /// Nanoseconds.
      package var kernelMode: UInt64 = 0
      /// Nanoseconds.
      package var userMode: UInt64 = 0
      package init() {}

      private enum CodingKeys: String, CodingKey {
        case total = "total_usage"
        case perCPU = "percpu_usage"
        case kernelMode = "usage_in_kernelmode"
        case userMode = "usage_in_usermode"
      }
    }

    package struct Throttling: Sendable, Equatable, Codable {
      package var periods: UInt64 = 0
      package var throttledPeriods: UInt64 = 0
      /// Nanoseconds.
      package var throttledTime: UInt64 = 0
      package init() {}

      private enum CodingKeys: String, CodingKey {
        case periods
        case throttledPeriods = "throttled_periods"
        case throttledTime = "throttled_time"
      }
    }

    package var usage = Usage()
    /// Nanoseconds all processors of the host have been busy or idle.
    package var system: UInt64?
    package var onlineCPUs: UInt32?
    package var throttling = Throttling()
    package init() {}

    private enum CodingKeys: String, CodingKey {
      case usage = "cpu_usage"
      case system = "system_cpu_usage"
      case onlineCPUs = "online_cpus"
      case throttling = "throttling_data"
    }
  }

  package struct Memory: Sendable, Equatable, Codable {
    package var usage: UInt64?
    /// cgroups v1 only.
    package var maxUsage: UInt64?
    /// The fields of `memory.stat`.
    package var stats: [String: UInt64]?
    package var failureCount: UInt64?
    package var limit: UInt64?
    package init() {}

    private enum CodingKeys: String, CodingKey {
      case usage, stats, limit
      case maxUsage = "max_usage"
      case failureCount = "failcnt"
    }
  }

  package struct Network: Sendable, Equatable, Codable {
    package var receivedBytes: UInt64 = 0
    package var receivedPackets: UInt64 = 0
    package var receiveErrors: UInt64 = 0
    package var receiveDropped: UInt64 = 0
    package var sentBytes: UInt64 = 0
    package var sentPackets: UInt64 = 0
    package var sendErrors: UInt64 = 0
    package var sendDropped: UInt64 = 0
    package init() {}

    private enum CodingKeys: String, CodingKey {
      case receivedBytes = "rx_bytes"
      case receivedPackets = "rx_packets"
      case receiveErrors = "rx_errors"
      case receiveDropped = "rx_dropped"
      case sentBytes = "tx_bytes"
      case sentPackets = "tx_packets"
      case sendErrors = "tx_errors"
      case sendDropped = "tx_dropped"
    }
  }
}
