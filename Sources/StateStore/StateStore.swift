/// A revisioned key-value store: the one place where the platform keeps durable state.
///
/// The meaning of every operation is that of etcd's v3 API; the doc comments name the fields. All
/// operations are linearisable: an answer reflects every transaction answered before it was asked.
/// An error is always a `StateStoreError`, except `CancellationError` from a stream.
package protocol StateStore: Sendable {
  /// Reads the records of a range of keys.
  ///
  /// etcd: `KV.Range`. Errors: `compacted`, `futureRevision`, `invalidRequest`, `closed`,
  /// `unavailable`.
  func range(_ request: RangeRequest) async throws -> RangeResponse

  /// Checks the conditions and runs one branch, wholly or not at all. The changes are durable when
  /// this returns. Cancelling the caller does not take a transaction back.
  ///
  /// etcd: `KV.Txn` (and `Put`, `DeleteRange`, which are transactions of one step). Errors:
  /// `duplicateKey`, `keyNotFound`, `leaseNotFound`, `invalidRequest`, `requestTooLarge`,
  /// `compacted`, `futureRevision`, `storageFull`, `closed`, `unavailable` (also when it is not
  /// known whether the transaction happened).
  func transact(_ transaction: Transaction) async throws -> TransactionResponse

  /// Begins to tell of changes. The watch is in place when this returns.
  ///
  /// etcd: `Watch.Watch` with a `create_request`. Errors: `compacted` when the start is older than
  /// history (a store may also say so by the stream's first batch), `invalidRequest`, `closed`,
  /// `unavailable`.
  func watch(_ request: WatchRequest) async throws -> WatchStream

  /// Grants a lease: keys put with it are deleted, all in one revision, when it was not kept alive
  /// for `timeToLive`. With no `id` the store picks one.
  ///
  /// etcd: `Lease.LeaseGrant`. Errors: `leaseExists`, `invalidRequest` (not positive, or absurdly
  /// long), `closed`, `unavailable`.
  func grantLease(timeToLive: Duration, id: LeaseID?) async throws -> LeaseGrant

  /// Starts a lease's time anew; returns the time it now has.
  ///
  /// etcd: `Lease.LeaseKeepAlive`. Errors: `leaseNotFound` (never granted, revoked or expired),
  /// `closed`, `unavailable`.
  @discardableResult
  func keepAlive(_ lease: LeaseID) async throws -> Duration

  /// Ends a lease now and deletes its keys in one revision; returns the store's revision after it.
  ///
  /// etcd: `Lease.LeaseRevoke`. Errors: `leaseNotFound`, `closed`, `unavailable`.
  @discardableResult
  func revoke(_ lease: LeaseID) async throws -> Revision

  /// What is known of a lease; nil when there is none of this number.
  ///
  /// etcd: `Lease.LeaseTimeToLive` with `keys`. Errors: `closed`, `unavailable`.
  func leaseStatus(_ lease: LeaseID) async throws -> LeaseStatus?

  /// The living leases, sorted.
  ///
  /// etcd: `Lease.LeaseLeases`. Errors: `closed`, `unavailable`.
  func leases() async throws -> [LeaseID]

  /// Forgets history before `revision`: reads at, and watches from, an older revision then fail
  /// with `compacted`; those at `revision` itself still work.
  ///
  /// etcd: `KV.Compact`. Errors: `compacted` when that has been done up to there already,
  /// `futureRevision`, `closed`, `unavailable`.
  func compact(to revision: Revision) async throws

  /// The store's revision and size.
  ///
  /// etcd: `Maintenance.Status`. Errors: `closed`, `unavailable`.
  func status() async throws -> StateStoreStatus

  /// Ends all watches with `closed` and gives resources back, after the transactions under way are
  /// done. May be called again.
  func close() async
}

/// How a store stands.
///
/// etcd: `StatusResponse`.
package struct StateStoreStatus: Hashable, Sendable {
  /// The newest revision. etcd: `header.revision`.
  package var revision: Revision
  /// The oldest revision that can be read at; 0 when all can.
  package var compactRevision: Revision
  /// How many records there are.
  package var keyCount: Int
  /// How many bytes the store takes on disk, or in memory when it has no disk. etcd: `dbSize`.
  package var size: Int64

  /// A status of these parts.
  package init(revision: Revision, compactRevision: Revision, keyCount: Int, size: Int64) {
    self.revision = revision
    self.compactRevision = compactRevision
    self.keyCount = keyCount
    self.size = size
  }
}
