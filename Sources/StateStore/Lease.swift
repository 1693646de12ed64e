/// A lease that was granted.
///
/// etcd: `LeaseGrantResponse`.
package struct LeaseGrant: Hashable, Sendable {
  /// The lease. etcd: `ID`.
  package var id: LeaseID
  /// How long it lives without a sign of life; at least what was asked for (etcd counts whole
  /// seconds and has a minimum). etcd: `TTL`.
  package var timeToLive: Duration

  /// A grant of these parts.
  package init(id: LeaseID, timeToLive: Duration) {
    self.id = id
    self.timeToLive = timeToLive
  }
}

/// What is known of a living lease.
///
/// etcd: `LeaseTimeToLiveResponse`.
package struct LeaseStatus: Hashable, Sendable {
  /// The lease. etcd: `ID`.
  package var id: LeaseID
  /// How long it lives from a sign of life on. etcd: `grantedTTL`.
  package var granted: Duration
  /// How long it still has. etcd: `TTL`.
  package var remaining: Duration
  /// The keys that hang on it, sorted. etcd: `keys`.
  package var keys: [Key]

  /// A status of these parts.
  package init(id: LeaseID, granted: Duration, remaining: Duration, keys: [Key]) {
    self.id = id
    self.granted = granted
    self.remaining = remaining
    self.keys = keys
  }
}
