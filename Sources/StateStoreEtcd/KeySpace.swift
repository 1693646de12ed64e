import EtcdProtocol
import FoundationEssentials
import StateStore
import SwiftProtobuf

/// The part of etcd's keys that is ours: those that begin with a prefix, which the store's keys do
/// not have.
struct KeySpace: Sendable {
  let prefix: [UInt8]
  /// The first key after all of ours; one zero byte, as etcd has it, when there is none.
  private let end: [UInt8]

  /// The keys in a folder: of `/a` those that begin with `/a/`, so that `/ab` is another's.
  init(folder: String) {
    self.init(prefix: folder.isEmpty || folder.hasSuffix("/") ? folder : folder + "/")
  }

  init(prefix: String) {
    self.prefix = Array(prefix.utf8)
    guard case .before(let end) = KeyRange.prefix(Key(bytes: self.prefix)).end else {
      self.end = [0]
      return
    }
    self.end = end.bytes
  }

  /// The key as etcd knows it.
  func encode(_ key: Key) -> Data { Data(prefix + key.bytes) }

  /// The range as etcd knows it: its first key and its end.
  func encode(_ range: KeyRange) -> (key: Data, end: Data) {
    switch range.end {
    case .onlyStart: (encode(range.start), Data())
    case .before(let end): (encode(range.start), encode(end))
    case .unbounded: (encode(range.start), Data(end))
    }
  }

  /// Whether an etcd key is ours.
  func owns(_ key: Data) -> Bool { key.starts(with: prefix) }

  /// The key of ours that etcd speaks of. Throws when it is not.
  func decode(_ key: Data) throws -> Key {
    guard key.count > prefix.count, owns(key) else {
      throw EtcdFailure.malformed("a key that was not asked for")
    }
    return Key(bytes: Array(key.dropFirst(prefix.count)))
  }

  /// The record of ours that etcd speaks of.
  func decode(_ record: EtcdKeyValue) throws -> KeyValue {
    KeyValue(
      key: try decode(record.key), value: Array(record.value),
      createRevision: record.createRevision, modifyRevision: record.modRevision,
      version: record.version, lease: record.lease == 0 ? nil : LeaseID(rawValue: record.lease))
  }

  /// The change that etcd tells of.
  func decode(_ event: EtcdEvent) throws -> WatchEvent {
    guard event.hasKv, event.kv.modRevision > 0 else {
      throw EtcdFailure.malformed("an event without a record")
    }
    let previous = event.hasPrevKv ? try decode(event.prevKv) : nil
    switch event.type {
    case .put: return WatchEvent(kind: .put, record: try decode(event.kv), previous: previous)
    case .delete:
      let tombstone = KeyValue(
        key: try decode(event.kv.key), value: [], createRevision: 0,
        modifyRevision: event.kv.modRevision, version: 0)
      return WatchEvent(kind: .delete, record: tombstone, previous: previous)
    case .UNRECOGNIZED: throw EtcdFailure.malformed("an event of an unknown kind")
    }
  }
}

extension KeySpace {
  func encode(_ request: RangeRequest) -> EtcdRangeRequest {
    EtcdRangeRequest.with {
      ($0.key, $0.rangeEnd) = encode(request.keys)
      $0.limit = Int64(request.limit)
      $0.revision = request.revision ?? 0
      $0.sortOrder =
        switch request.sortOrder {
        case .none: .none
        case .ascending: .ascend
        case .descending: .descend
        }
      $0.sortTarget =
        switch request.sortTarget {
        case .key: .key
        case .version: .version
        case .createRevision: .create
        case .modifyRevision: .mod
        case .value: .value
        }
      $0.serializable = request.allowsStale
      $0.keysOnly = request.keysOnly
      $0.countOnly = request.countOnly
      $0.minModRevision = max(0, request.minimumModifyRevision ?? 0)
      $0.maxModRevision = request.maximumModifyRevision ?? 0
      $0.minCreateRevision = max(0, request.minimumCreateRevision ?? 0)
      $0.maxCreateRevision = request.maximumCreateRevision ?? 0
    }
  }

  /// The answer; `revision` is that of the transaction it belongs to, for answers without one.
  func decode(_ response: EtcdRangeResponse, revision: Revision = 0) throws -> RangeResponse {
    RangeResponse(
      revision: response.header.revision > 0 ? response.header.revision : revision,
      items: try response.kvs.map(decode), more: response.more,
      count: Int(clamping: response.count))
  }

  func encode(_ compare: Compare) -> EtcdCompare {
    EtcdCompare.with {
      ($0.key, $0.rangeEnd) = encode(compare.keys)
      $0.result =
        switch compare.relation {
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .less
        case .greater: .greater
        }
      switch compare.target {
      case .version(let version): ($0.target, $0.targetUnion) = (.version, .version(version))
      case .createRevision(let revision):
        ($0.target, $0.targetUnion) = (.create, .createRevision(revision))
      case .modifyRevision(let revision):
        ($0.target, $0.targetUnion) = (.mod, .modRevision(revision))
      case .value(let value): ($0.target, $0.targetUnion) = (.value, .value(Data(value)))
      case .lease(let lease): ($0.target, $0.targetUnion) = (.lease, .lease(lease?.rawValue ?? 0))
      }
    }
  }

  func encode(_ transaction: Transaction) -> EtcdTxnRequest {
    EtcdTxnRequest.with {
      $0.compare = transaction.compares.map(encode)
      $0.success = transaction.success.map(encode)
      $0.failure = transaction.failure.map(encode)
    }
  }

  private func encode(_ operation: Operation) -> EtcdRequestOp {
    EtcdRequestOp.with {
      switch operation {
      case .range(let request): $0.requestRange = encode(request)
      case .put(let request):
        $0.requestPut = .with {
          $0.key = encode(request.key)
          $0.value = Data(request.value)
          $0.lease = request.lease?.rawValue ?? 0
          $0.prevKv = request.wantsPrevious
          $0.ignoreValue = request.keepsValue
          $0.ignoreLease = request.keepsLease
        }
      case .delete(let request):
        $0.requestDeleteRange = .with {
          ($0.key, $0.rangeEnd) = encode(request.keys)
          $0.prevKv = request.wantsPrevious
        }
      case .transaction(let nested): $0.requestTxn = encode(nested)
      }
    }
  }

  /// The answer to a transaction; `revision` is that of the outer one, for answers without one.
  func decode(
    _ response: EtcdTxnResponse, to transaction: Transaction, revision: Revision = 0
  ) throws -> TransactionResponse {
    let revision = response.header.revision > 0 ? response.header.revision : revision
    let operations = response.succeeded ? transaction.success : transaction.failure
    guard operations.count == response.responses.count else {
      throw EtcdFailure.malformed("a transaction with another number of answers")
    }
    return TransactionResponse(
      revision: revision, succeeded: response.succeeded,
      responses: try zip(operations, response.responses).map {
        try decode($0.1, to: $0.0, revision: revision)
      })
  }

  private func decode(
    _ response: EtcdResponseOp, to operation: Operation, revision: Revision
  ) throws -> OperationResponse {
    switch (operation, response.response) {
    case (.range, .responseRange(let range)):
      return .range(try decode(range, revision: revision))
    case (.put, .responsePut(let put)):
      return .put(previous: put.hasPrevKv ? try decode(put.prevKv) : nil)
    case (.delete, .responseDeleteRange(let deletion)):
      return .delete(
        count: Int(clamping: deletion.deleted), previous: try deletion.prevKvs.map(decode))
    case (.transaction(let nested), .responseTxn(let answer)):
      return .transaction(try decode(answer, to: nested, revision: revision))
    default: throw EtcdFailure.malformed("a transaction's answer of another kind")
    }
  }
}
