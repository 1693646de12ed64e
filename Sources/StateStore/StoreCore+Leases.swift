import Synchronization

extension StoreCore {
  /// Adds a lease and has `expire` called when it has ended; that is a guess: the store asks
  /// `hasEnded` again in its turn. Throws `leaseExists` and `closed`.
  package func addLease(
    _ id: LeaseID, timeToLive: Duration, expire: @escaping @Sendable (LeaseID) async -> Void
  ) throws {
    try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      guard state.leases.entry(id) == nil else {
        throw StateStoreError(
          .leaseExists, "there is a lease of this number already",
          metadata: ["lease": id.description])
      }
      state.leases.insert(id, timeToLive: timeToLive, now: clock.now())
      state.leaseTasks[id] = Task { [weak self] in
        while let self, let deadline = self.deadline(of: id) {
          if deadline <= self.clock.now() { return await expire(id) }
          let sleep = self.clock.sleep
          // Only cancellation ends a sleep early, and it means that the lease is gone.
          guard (try? await sleep(deadline)) != nil else { return }
        }
      }
    }
  }

  /// Takes a lease away, so that it cannot be kept alive; nil when there is none, or, with
  /// `onlyEnded`, when it was kept alive meanwhile.
  package func removeLease(_ id: LeaseID, onlyEnded: Bool = false) -> LeaseTable.Entry? {
    let (entry, task) = state.withLock { state -> (LeaseTable.Entry?, Task<Void, Never>?) in
      guard !onlyEnded || state.leases.hasEnded(id, now: clock.now()) else { return (nil, nil) }
      return (state.leases.remove(id), state.leaseTasks.removeValue(forKey: id))
    }
    // The task of a lease that has ended is the one that calls this.
    if !onlyEnded { task?.cancel() }
    return entry
  }

  /// Starts a lease's time anew. Throws `leaseNotFound` and `closed`.
  package func keepAlive(_ id: LeaseID) throws -> Duration {
    try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      guard let granted = state.leases.renew(id, now: clock.now()) else {
        throw StateStoreError.leaseNotFound(id)
      }
      return granted
    }
  }

  /// What is known of a lease. Throws `closed`.
  package func leaseStatus(_ id: LeaseID) throws -> LeaseStatus? {
    try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      guard let entry = state.leases.entry(id) else { return nil }
      return LeaseStatus(
        id: id, granted: entry.granted, remaining: max(.zero, entry.deadline - clock.now()),
        keys: state.records.keys(of: id).sorted())
    }
  }

  /// The living leases, sorted. Throws `closed`.
  package func leases() throws -> [LeaseID] {
    try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      return state.leases.ids.sorted()
    }
  }

  private func deadline(of id: LeaseID) -> Duration? {
    state.withLock { $0.leases.entry(id)?.deadline }
  }
}

extension LeaseTable {
  /// The number to grant a lease under: the wanted one, or one that nobody is likely to have.
  /// Throws `invalidRequest`.
  package static func identifier(
    wanted: LeaseID?, timeToLive: Duration
  ) throws -> LeaseID {
    guard timeToLive > .zero, timeToLive <= longestTimeToLive else {
      throw StateStoreError.invalidRequest("the time to live is not positive or too long")
    }
    guard wanted?.rawValue != 0 else {
      throw StateStoreError.invalidRequest("a lease cannot have the number 0")
    }
    return wanted ?? LeaseID(rawValue: Int64.random(in: 1...Int64.max))
  }
}
