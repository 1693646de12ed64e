import EtcdProtocol
package import StateStore
import SwiftProtobuf

/// Leases of etcd count whole seconds, and it has a shortest one.
extension EtcdStateStore {
  /// Grants a lease.
  package func grantLease(timeToLive: Duration, id: LeaseID?) async throws -> LeaseGrant {
    let named = try LeaseTable.identifier(wanted: id, timeToLive: timeToLive)
    let parts = timeToLive.components
    let request = EtcdLeaseGrantRequest.with {
      $0.ttl = parts.seconds + (parts.attoseconds > 0 ? 1 : 0)
      $0.id = named.rawValue
    }
    let response: EtcdLeaseGrantResponse
    do {
      response = try await client.call(EtcdMethod.grantLease, request, repetition: .forbidden)
    } catch let error as StateStoreError where error.code == .leaseExists {
      throw StateStoreError(
        .leaseExists, "there is a lease of this number already",
        metadata: ["lease": named.description])
    }
    guard response.error.isEmpty, response.ttl > 0 else {
      throw EtcdFailure.malformed("a grant without a time to live")
    }
    return LeaseGrant(id: LeaseID(rawValue: response.id), timeToLive: .seconds(response.ttl))
  }

  /// Starts a lease's time anew.
  @discardableResult
  package func keepAlive(_ lease: LeaseID) async throws -> Duration {
    let response: EtcdLeaseKeepAliveResponse = try await client.callOnStream(
      EtcdMethod.keepLeaseAlive, EtcdLeaseKeepAliveRequest.with { $0.id = lease.rawValue },
      repetition: .harmless)
    guard response.ttl > 0 else { throw StateStoreError.leaseNotFound(lease) }
    return .seconds(response.ttl)
  }

  /// Ends a lease and deletes its keys, those of other users of the cluster included.
  @discardableResult
  package func revoke(_ lease: LeaseID) async throws -> Revision {
    do {
      let response: EtcdLeaseRevokeResponse = try await client.call(
        EtcdMethod.revokeLease, EtcdLeaseRevokeRequest.with { $0.id = lease.rawValue },
        repetition: .forbidden)
      return response.header.revision
    } catch let error as StateStoreError where error.code == .leaseNotFound {
      throw StateStoreError.leaseNotFound(lease)
    }
  }

  /// What is known of a lease.
  package func leaseStatus(_ lease: LeaseID) async throws -> LeaseStatus? {
    let request = EtcdLeaseTimeToLiveRequest.with {
      $0.id = lease.rawValue
      $0.keys = true
    }
    do {
      let response: EtcdLeaseTimeToLiveResponse = try await client.call(
        EtcdMethod.leaseTimeToLive, request, repetition: .harmless)
      guard response.ttl >= 0, response.grantedTtl > 0 else { return nil }
      return LeaseStatus(
        id: lease, granted: .seconds(response.grantedTtl), remaining: .seconds(response.ttl),
        keys: try response.keys.filter(keys.owns).map(keys.decode).sorted())
    } catch let error as StateStoreError where error.code == .leaseNotFound {
      return nil
    }
  }

  /// The living leases of everyone in the cluster: etcd does not say whose they are.
  package func leases() async throws -> [LeaseID] {
    let response: EtcdLeaseLeasesResponse = try await client.call(
      EtcdMethod.leases, EtcdLeaseLeasesRequest(), repetition: .harmless)
    return response.leases.map { LeaseID(rawValue: $0.id) }.sorted()
  }
}
