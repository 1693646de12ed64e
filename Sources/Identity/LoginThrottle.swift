import Glibc

/// Counts failed sign-ins by name and by address, and says how long to wait. No clock and no locks
/// of its own.
struct LoginThrottle {
  /// What failures are counted for.
  enum Subject: Hashable {
    case name(String)
    case address(String)

    /// Whoever signs in with this name from this address. IPv6 addresses count by their /64, of
    /// which one host has as many addresses as it likes.
    static func subjects(name: String, address: String?) -> [Subject] {
      let nameSubject = Subject.name(String(name.prefix(AccountName.lengthLimit)))
      guard let address else { return [nameSubject] }
      return [nameSubject, .address(network(of: address))]
    }

    private static func network(of address: String) -> String {
      var parsed = in6_addr()
      guard address.utf8.count <= 64, inet_pton(AF_INET6, address, &parsed) == 1 else {
        return String(address.prefix(64))
      }
      return withUnsafeBytes(of: parsed) { bytes in
        bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":")
      }
    }
  }

  /// How an admitted attempt ended.
  enum Outcome {
    case success
    case failure
    /// Nobody knows: the attempt broke off.
    case abandoned
  }

  private struct Entry {
    var failures = 0
    /// Attempts that were let in and have not ended.
    var pending = 0
    var lastFailure = Timestamp(milliseconds: .min)
    var blockedUntil = Timestamp(milliseconds: .min)
  }

  private let policy: ThrottlePolicy
  private var entries: [Subject: Entry] = [:]

  init(_ policy: ThrottlePolicy) {
    self.policy = policy
  }

  /// How many names and addresses are remembered.
  var count: Int { entries.count }

  /// Lets an attempt in, which must then `finish`, or says how long to wait.
  mutating func admit(_ subjects: [Subject], now: Timestamp) -> Duration? {
    var wait: Duration = .zero
    for subject in subjects {
      guard var entry = entries[subject] else { continue }
      if entry.pending == 0, isForgotten(entry, now: now) { entry.failures = 0 }
      entries[subject] = entry
      if entry.blockedUntil > now { wait = max(wait, entry.blockedUntil - now) }
      // Guesses that are under way count as failed, or a thousand at once would be free.
      if entry.pending > 0, entry.failures + entry.pending >= free(subject) {
        wait = max(wait, policy.firstDelay)
      }
    }
    guard wait == .zero else { return wait }
    for subject in subjects {
      if entries[subject] == nil { makeRoom(now: now) }
      entries[subject, default: Entry()].pending += 1
    }
    return nil
  }

  /// Takes note of how an admitted attempt ended.
  mutating func finish(_ subjects: [Subject], _ outcome: Outcome, now: Timestamp) {
    for subject in subjects {
      guard var entry = entries[subject] else { continue }
      entry.pending = max(0, entry.pending - 1)
      switch (outcome, subject) {
      case (.failure, _):
        entry.failures += 1
        entry.lastFailure = now
        entry.blockedUntil = now + delay(failures: entry.failures, free: free(subject))
      case (.success, .name):
        entry.failures = 0
        entry.blockedUntil = now
      case (.success, .address), (.abandoned, _):
        // One right password must not clear an address that guesses at others.
        break
      }
      entries[subject] = entry.failures == 0 && entry.pending == 0 ? nil : entry
    }
  }

  private func free(_ subject: Subject) -> Int {
    switch subject {
    case .name: policy.freePerName
    case .address: policy.freePerAddress
    }
  }

  private func delay(failures: Int, free: Int) -> Duration {
    guard failures > free else { return .zero }
    let doublings = min(failures - free - 1, 40)
    return min(policy.firstDelay * (1 << doublings), policy.longestDelay)
  }

  private func isForgotten(_ entry: Entry, now: Timestamp) -> Bool {
    entry.blockedUntil <= now && entry.lastFailure + policy.forgetAfter <= now
  }

  /// Drops what is forgotten, then a quarter of the rest, those first that block least.
  private mutating func makeRoom(now: Timestamp) {
    guard entries.count >= policy.capacity else { return }
    entries = entries.filter { $0.value.pending > 0 || !isForgotten($0.value, now: now) }
    guard entries.count >= policy.capacity else { return }
    let idle = entries.filter { $0.value.pending == 0 }.sorted { left, right in
      (left.value.blockedUntil, left.value.lastFailure)
        < (right.value.blockedUntil, right.value.lastFailure)
    }
    for (subject, _) in idle.prefix(max(1, policy.capacity / 4)) { entries[subject] = nil }
  }
}
