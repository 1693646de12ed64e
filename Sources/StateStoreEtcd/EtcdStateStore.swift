package import Logging
package import StateStore

/// A store in an etcd cluster that several processes may share. Everything it knows is in etcd;
/// other users of the cluster are kept apart by the key prefix, but share revisions and leases.
package final class EtcdStateStore: StateStore {
  /// Connects to the cluster, and fails when none of its members answers within the settings' dial
  /// timeout. Throws `StateStoreError`: `invalidRequest` for settings that make no sense,
  /// `unavailable` otherwise.
  package static func open(
    settings: EtcdSettings, logger: Logger
  ) async throws -> EtcdStateStore {
    throw StateStoreError(.unavailable, "etcd is not spoken yet")
  }

  package func range(_ request: RangeRequest) async throws -> RangeResponse {
    throw StateStoreError.closed
  }
  package func transact(_ transaction: Transaction) async throws -> TransactionResponse {
    throw StateStoreError.closed
  }
  package func watch(_ request: WatchRequest) async throws -> WatchStream {
    throw StateStoreError.closed
  }
  package func grantLease(timeToLive: Duration, id: LeaseID?) async throws -> LeaseGrant {
    throw StateStoreError.closed
  }
  package func keepAlive(_ lease: LeaseID) async throws -> Duration { throw StateStoreError.closed }
  package func revoke(_ lease: LeaseID) async throws -> Revision { throw StateStoreError.closed }
  package func leaseStatus(_ lease: LeaseID) async throws -> LeaseStatus? {
    throw StateStoreError.closed
  }
  package func leases() async throws -> [LeaseID] { throw StateStoreError.closed }
  package func compact(to revision: Revision) async throws { throw StateStoreError.closed }
  package func status() async throws -> StateStoreStatus { throw StateStoreError.closed }
  package func close() async {}
}
