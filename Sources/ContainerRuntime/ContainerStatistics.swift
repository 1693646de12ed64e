/// What a container has used, as its cgroups count it, in the units of Docker's `stats`.
package struct ContainerStatistics: Sendable, Equatable {
  /// Processor time.
  package struct Processor: Sendable, Equatable {
    /// Nanoseconds.
    package var total: UInt64 = 0
    /// Nanoseconds on each processor; empty on v2.
    package var perProcessor: [UInt64] = []
    /// Nanoseconds in user mode.
    package var user: UInt64 = 0
    /// Nanoseconds in the kernel.
    package var system: UInt64 = 0
    /// Periods with a quota in force.
    package var periods: UInt64 = 0
    /// Periods in which the quota was used up.
    package var throttledPeriods: UInt64 = 0
    /// Nanoseconds held back.
    package var throttledTime: UInt64 = 0
  }
  /// Memory.
  package struct Memory: Sendable, Equatable {
    /// Bytes in use, page cache included.
    package var usage: UInt64 = 0
    /// The most ever used; v1 only.
    package var maximumUsage: UInt64?
    /// Times that the limit was hit; v1 only.
    package var failureCount: UInt64?
    /// Bytes allowed; the machine's memory when there is no limit.
    package var limit: UInt64 = 0
    /// `memory.stat` as it stands.
    package var details: [String: UInt64] = [:]
  }
  /// One figure of a block device.
  package struct BlockEntry: Sendable, Equatable {
    /// Device number.
    package var major: UInt64
    /// Device number.
    package var minor: UInt64
    /// `Read`, `Write`, `Sync`, `Async`, `Discard` or `Total`.
    package var operation: String
    /// Bytes or operations.
    package var value: UInt64
  }

  /// When it was read, in nanoseconds since 1970.
  package var readAt: Int64 = 0
  /// Processor time.
  package var processor = Processor()
  /// Nanoseconds that all processors of the machine worked or idled.
  package var systemUsage: UInt64 = 0
  /// Processors in use.
  package var onlineProcessors = 0
  /// Memory.
  package var memory = Memory()
  /// Bytes per block device.
  package var blockBytes: [BlockEntry] = []
  /// Operations per block device.
  package var blockOperations: [BlockEntry] = []
  /// Processes and threads.
  package var processes: UInt64 = 0
  /// Processes and threads allowed; 0 when unlimited.
  package var processLimit: UInt64 = 0
}
