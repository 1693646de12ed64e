/// A condition on the records of a range of keys. A key that does not exist has version, create
/// revision, modify revision and lease 0, and no value: every comparison of its value fails.
/// A range of several keys must hold for each of them.
///
/// etcd: `Compare`.
package struct Compare: Hashable, Sendable {
  /// What is compared, and with what. etcd: `target` and `target_union`.
  package enum Target: Hashable, Sendable {
    /// How often the key was put; 0 when it does not exist. etcd: `VERSION`.
    case version(Int64)
    /// The revision that created the key; 0 when it does not exist. etcd: `CREATE`.
    case createRevision(Revision)
    /// The revision that last changed the key; 0 when it does not exist. etcd: `MOD`.
    case modifyRevision(Revision)
    /// The content, bytewise. etcd: `VALUE`.
    case value([UInt8])
    /// The lease, nil for none. etcd: `LEASE`.
    case lease(LeaseID?)
  }

  /// How the record's side relates to the given side. etcd: `result`.
  package enum Relation: Hashable, Sendable {
    case equal
    case notEqual
    case less
    case greater
  }

  /// The keys compared. etcd: `key` and `range_end`.
  package var keys: KeyRange
  /// What is compared, and with what.
  package var target: Target
  /// How the record must relate to the target's value.
  package var relation: Relation

  /// The condition that the `target` of `keys` is in `relation` to the target's value.
  package init(_ keys: KeyRange, _ relation: Relation, _ target: Target) {
    self.keys = keys
    self.target = target
    self.relation = relation
  }

  /// The condition that `key` was last changed by `revision`; 0 means it must not exist.
  package static func modifyRevision(of key: Key, is revision: Revision) -> Compare {
    Compare(.key(key), .equal, .modifyRevision(revision))
  }

  /// The condition that `key` exists.
  package static func exists(_ key: Key) -> Compare {
    Compare(.key(key), .greater, .createRevision(0))
  }

  /// The condition that `key` does not exist.
  package static func missing(_ key: Key) -> Compare {
    Compare(.key(key), .equal, .createRevision(0))
  }
}

/// One step of a transaction.
///
/// etcd: `RequestOp`.
package indirect enum Operation: Hashable, Sendable {
  /// Reads; sees what earlier steps of the same transaction did.
  case range(RangeRequest)
  /// Writes one record.
  case put(PutRequest)
  /// Deletes the records of a range.
  case delete(DeleteRequest)
  /// A transaction inside the transaction: its conditions see what earlier steps did.
  case transaction(Transaction)

  /// Writes `value` under `key`.
  package static func put(_ key: Key, _ value: [UInt8], lease: LeaseID? = nil) -> Operation {
    .put(PutRequest(key, value, lease: lease))
  }

  /// Deletes `key`, if it exists.
  package static func delete(_ key: Key) -> Operation {
    .delete(DeleteRequest(.key(key)))
  }
}

/// Writes one record.
///
/// etcd: `PutRequest`.
package struct PutRequest: Hashable, Sendable {
  /// The record to write. etcd: `key`.
  package var key: Key
  /// Its new content. etcd: `value`.
  package var value: [UInt8]
  /// The lease to hang the key on; nil takes it off the lease it had. Fails with `leaseNotFound`
  /// when there is none of this number. etcd: `lease`.
  package var lease: LeaseID?
  /// Answer the record as it was before. etcd: `prev_kv`.
  package var wantsPrevious: Bool
  /// Keep the value and change only the lease; `value` must be empty and the key must exist, or
  /// the answer is `keyNotFound`. etcd: `ignore_value`.
  package var keepsValue: Bool
  /// Keep the lease and change only the value; `lease` must be nil and the key must exist, or the
  /// answer is `keyNotFound`. etcd: `ignore_lease`.
  package var keepsLease: Bool

  /// A write of `value` under `key`.
  package init(
    _ key: Key, _ value: [UInt8], lease: LeaseID? = nil, wantsPrevious: Bool = false,
    keepsValue: Bool = false, keepsLease: Bool = false
  ) {
    self.key = key
    self.value = value
    self.lease = lease
    self.wantsPrevious = wantsPrevious
    self.keepsValue = keepsValue
    self.keepsLease = keepsLease
  }
}

/// Deletes the records of a range.
///
/// etcd: `DeleteRangeRequest`.
package struct DeleteRequest: Hashable, Sendable {
  /// The keys to delete. etcd: `key` and `range_end`.
  package var keys: KeyRange
  /// Answer the records as they were before. etcd: `prev_kv`.
  package var wantsPrevious: Bool

  /// A deletion of `keys`.
  package init(_ keys: KeyRange, wantsPrevious: Bool = false) {
    self.keys = keys
    self.wantsPrevious = wantsPrevious
  }
}

/// Conditions, and what to do when they all hold and when they do not, as one step that happens
/// wholly or not at all. All its changes share one revision; a transaction that changes nothing
/// takes none.
///
/// A key may be changed once in a transaction: two puts of one key, or a put of a key that the same
/// transaction also deletes, are refused with `duplicateKey`, unless they are in the two branches
/// of one nested transaction, of which only one runs.
///
/// etcd: `TxnRequest`.
package struct Transaction: Hashable, Sendable {
  /// The most conditions, and the most steps in one branch. etcd: `--max-txn-ops`.
  package static let operationLimit = 128
  /// The most bytes that the keys and values of a transaction may have together.
  /// etcd: `--max-request-bytes`.
  package static let byteLimit = 1_572_864

  /// What must hold for `success` to run. etcd: `compare`.
  package var compares: [Compare]
  /// What to do when every condition holds. etcd: `success`.
  package var success: [Operation]
  /// What to do when one does not. etcd: `failure`.
  package var failure: [Operation]

  /// A transaction that does `success` when all `compares` hold and `failure` otherwise.
  package init(
    when compares: [Compare] = [], do success: [Operation], otherwise failure: [Operation] = []
  ) {
    self.compares = compares
    self.success = success
    self.failure = failure
  }
}

/// What one step of a transaction did.
///
/// etcd: `ResponseOp`.
package indirect enum OperationResponse: Hashable, Sendable {
  /// The records a range found. etcd: `response_range`.
  case range(RangeResponse)
  /// The record before the put, when it was asked for and existed. etcd: `response_put.prev_kv`.
  case put(previous: KeyValue?)
  /// How many records a deletion deleted, and, when asked for, what they were.
  /// etcd: `response_delete_range`.
  case delete(count: Int, previous: [KeyValue])
  /// What a nested transaction did. etcd: `response_txn`.
  case transaction(TransactionResponse)
}

/// What a transaction did.
///
/// etcd: `TxnResponse`.
package struct TransactionResponse: Hashable, Sendable {
  /// The store's revision after the transaction: its own, if it changed something.
  /// etcd: `header.revision`.
  package var revision: Revision
  /// Whether every condition held, so that `success` ran. etcd: `succeeded`.
  package var succeeded: Bool
  /// One answer for each step of the branch that ran, in order. etcd: `responses`.
  package var responses: [OperationResponse]

  /// An answer of these parts.
  package init(revision: Revision, succeeded: Bool, responses: [OperationResponse]) {
    self.revision = revision
    self.succeeded = succeeded
    self.responses = responses
  }
}
