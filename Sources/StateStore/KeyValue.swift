/// The number of a committed change of the store. Revision 1 is the empty store's; each transaction
/// that changes something takes the next one, whatever number of keys it changes.
///
/// etcd: `ResponseHeader.revision`, `KeyValue.mod_revision` and so on.
package typealias Revision = Int64

/// The name of a lease. Never 0.
///
/// etcd: `LeaseGrantRequest.ID`.
package struct LeaseID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The number of the lease.
  package var rawValue: Int64

  /// The lease of this number.
  package init(rawValue: Int64) {
    self.rawValue = rawValue
  }

  /// Sixteen hexadecimal digits, as `etcdctl` prints a lease.
  package var description: String {
    let digits = String(UInt64(bitPattern: rawValue), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Numeric order.
  package static func < (left: LeaseID, right: LeaseID) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// A record with its history in numbers.
///
/// etcd: `mvccpb.KeyValue`.
package struct KeyValue: Hashable, Sendable {
  /// The name of the record. etcd: `key`.
  package var key: Key
  /// The content; empty when only keys were asked for, and for a deletion. etcd: `value`.
  package var value: [UInt8]
  /// The revision that created the key, since it last did not exist; 0 for a deletion.
  /// etcd: `create_revision`.
  package var createRevision: Revision
  /// The revision that last changed the key. etcd: `mod_revision`.
  package var modifyRevision: Revision
  /// How often the key was put since it was created: 1 after the first put, 0 for a deletion.
  /// etcd: `version`.
  package var version: Int64
  /// The lease the key hangs on, if any: when it ends, the key is deleted. etcd: `lease`, 0 for
  /// none.
  package var lease: LeaseID?

  /// A record of these parts.
  package init(
    key: Key, value: [UInt8], createRevision: Revision, modifyRevision: Revision, version: Int64,
    lease: LeaseID? = nil
  ) {
    self.key = key
    self.value = value
    self.createRevision = createRevision
    self.modifyRevision = modifyRevision
    self.version = version
    self.lease = lease
  }
}
