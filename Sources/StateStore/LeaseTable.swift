/// The living leases and when they end. Times are durations since the origin of the store's clock.
package struct LeaseTable: Sendable {
  /// One lease.
  package struct Entry: Hashable, Sendable {
    /// How long it lives from a sign of life on.
    package var granted: Duration
    /// When it ends.
    package var deadline: Duration
  }

  /// The longest time to live: some 285 years, as etcd has it.
  package static let longestTimeToLive = Duration.seconds(9_000_000_000)

  private var entries: [LeaseID: Entry] = [:]

  /// No leases.
  package init() {}

  /// The living leases.
  package var ids: Set<LeaseID> { Set(entries.keys) }

  /// The lease, nil when there is none of this number.
  package func entry(_ id: LeaseID) -> Entry? {
    entries[id]
  }

  /// Whether the lease has ended by `now`; true also when there is none.
  package func hasEnded(_ id: LeaseID, now: Duration) -> Bool {
    entries[id].map { $0.deadline <= now } ?? true
  }

  /// Adds a lease, or puts one back.
  package mutating func insert(_ id: LeaseID, timeToLive: Duration, now: Duration) {
    entries[id] = Entry(granted: timeToLive, deadline: now + timeToLive)
  }

  /// Starts a lease's time anew; nil when there is none or it has ended.
  package mutating func renew(_ id: LeaseID, now: Duration) -> Duration? {
    guard let entry = entries[id], entry.deadline > now else { return nil }
    entries[id]?.deadline = now + entry.granted
    return entry.granted
  }

  /// Takes a lease away; nil when there is none.
  @discardableResult
  package mutating func remove(_ id: LeaseID) -> Entry? {
    entries.removeValue(forKey: id)
  }
}

/// The time by which leases end, as a parameter, so that tests need not wait.
package struct StateStoreClock: Sendable {
  /// The time since a fixed origin; never goes back.
  package var now: @Sendable () -> Duration
  /// Returns when `now` has reached the given time; throws when the task is cancelled.
  package var sleep: @Sendable (_ until: Duration) async throws -> Void

  /// A clock of these functions.
  package init(
    now: @escaping @Sendable () -> Duration,
    sleep: @escaping @Sendable (_ until: Duration) async throws -> Void
  ) {
    self.now = now
    self.sleep = sleep
  }

  /// The machine's clock, which goes on while the machine is suspended.
  package static let continuous: StateStoreClock = {
    let clock = ContinuousClock()
    let origin = clock.now
    return StateStoreClock(
      now: { origin.duration(to: clock.now) },
      sleep: { try await clock.sleep(until: origin.advanced(by: $0)) })
  }()
}
