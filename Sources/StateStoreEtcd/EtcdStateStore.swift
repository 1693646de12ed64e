import EtcdProtocol
package import Logging
import NIOPosix
package import StateStore
import SwiftProtobuf
import Synchronization

/// A store in an etcd cluster (3.4 or newer) that several processes may share. Everything it knows
/// is in etcd; other users of the cluster are kept apart by the key prefix, but share its revisions
/// and leases.
///
/// An answer that does not come is asked for again when that is harmless. A transaction, or the end
/// of a lease, whose answer does not come fails with `unavailable` and `outcome: unknown`; with
/// `outcome: none` it did not happen.
package final class EtcdStateStore: StateStore {
  private struct State {
    var isClosed = false
    var watches: [ObjectIdentifier: EtcdWatch] = [:]
    /// The oldest revision that could be read at when that was last asked for.
    var knownOldest: Revision = 0
  }

  let client: EtcdClient
  let keys: KeySpace
  private let state = Mutex(State())

  private init(client: EtcdClient, keys: KeySpace) {
    self.client = client
    self.keys = keys
  }

  /// Connects to the cluster, and fails when none of its members answers within the settings' dial
  /// timeout. Throws `StateStoreError`: `invalidRequest` for settings that make no sense,
  /// `unavailable` otherwise.
  package static func open(
    settings: EtcdSettings, logger: Logger
  ) async throws -> EtcdStateStore {
    let client: EtcdClient
    do {
      // Certificates are read from files.
      client = try await NIOThreadPool.singleton.runIfActive {
        try EtcdClient(settings: settings, logger: logger)
      }
    } catch let error as StateStoreError {
      throw error
    } catch {
      throw StateStoreError(.unavailable, "the pool of threads is closed", cause: error)
    }
    do {
      try await client.authenticate(timeout: settings.dialTimeout)
      let keys = KeySpace(folder: settings.prefix)
      let question = keys.encode(
        RangeRequest(.key(Key(bytes: [0])), countOnly: true))
      let answer: EtcdRangeResponse = try await client.call(
        EtcdMethod.range, question, repetition: .harmless, timeout: settings.dialTimeout)
      logger.info(
        "etcd answers",
        metadata: [
          "endpoints": "\(settings.endpoints)", "revision": "\(answer.header.revision)",
        ])
      return EtcdStateStore(client: client, keys: keys)
    } catch {
      await client.close()
      throw error
    }
  }

  /// Reads the records of a range of keys.
  package func range(_ request: RangeRequest) async throws -> RangeResponse {
    try request.validate()
    var request = request
    // etcd takes such a bound for none.
    let isEmpty = [request.maximumModifyRevision, request.maximumCreateRevision]
      .contains { $0 ?? 1 < 1 }
    if isEmpty { request.countOnly = true }
    do {
      let response: EtcdRangeResponse = try await client.call(
        EtcdMethod.range, keys.encode(request), repetition: .harmless)
      return try keys.decode(response)
    } catch let error as StateStoreError {
      throw await completed(error, requested: request.revision)
    }
  }

  /// Runs a transaction.
  package func transact(_ transaction: Transaction) async throws -> TransactionResponse {
    try transaction.validate()
    guard !transaction.nestedConditionsSeeEarlierSteps else {
      return try await transactInSteps(transaction)
    }
    do {
      return try await run(transaction)
    } catch let error as StateStoreError {
      throw await completed(error, requested: transaction.revisionsRead.min())
    }
  }

  /// Runs a transaction as etcd does.
  func run(_ transaction: Transaction) async throws -> TransactionResponse {
    let response: EtcdTxnResponse = try await client.call(
      EtcdMethod.transact, keys.encode(transaction),
      repetition: transaction.changesNothing ? .harmless : .forbidden)
    return try keys.decode(response, to: transaction)
  }

  /// Begins to tell of changes.
  package func watch(_ request: WatchRequest) async throws -> WatchStream {
    try request.validate()
    var start = request.startRevision ?? 0
    // A member may be behind the others, so that its newest revision may be an old one.
    if start == 0 { start = try await currentRevision() + 1 }
    let watch = EtcdWatch(client: client, keys: keys, request: request, start: start)
    let id = ObjectIdentifier(watch)
    try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      state.watches[id] = watch
    }
    let forget: @Sendable () -> Void = { [weak self] in
      self?.state.withLock { _ = $0.watches.removeValue(forKey: id) }
    }
    let created: Revision
    do {
      created = try await watch.begin(onEnd: forget)
    } catch {
      watch.end(.cancelled)
      throw error
    }
    return WatchStream(
      revision: max(created, request.startRevision == nil ? start - 1 : 0),
      next: { try await watch.next() },
      requestProgress: { try watch.requestProgress() }, cancel: { watch.end(.cancelled) })
  }

  /// Forgets history before `revision`.
  package func compact(to revision: Revision) async throws {
    do {
      let request = EtcdCompactionRequest.with { $0.revision = revision }
      let _: EtcdCompactionResponse = try await client.call(
        EtcdMethod.compact, request, repetition: .forbidden)
      state.withLock { $0.knownOldest = max($0.knownOldest, revision) }
    } catch let error as StateStoreError {
      throw await completed(error, requested: revision)
    }
  }

  /// The cluster's revision, the number of our records, and the size of the database of the member
  /// that answers, with everyone's records.
  package func status() async throws -> StateStoreStatus {
    let status: EtcdStatusResponse = try await client.call(
      EtcdMethod.status, EtcdStatusRequest(), repetition: .harmless)
    let records = try await range(RangeRequest(.all, countOnly: true))
    return StateStoreStatus(
      revision: records.revision, compactRevision: try await oldestRevision(),
      keyCount: records.count, size: status.dbSize)
  }

  /// Ends all watches and the connections.
  package func close() async {
    let watches = state.withLock { state in
      state.isClosed = true
      return Array(state.watches.values)
    }
    for watch in watches { watch.end(.failed(.closed)) }
    await client.close()
  }
}

extension EtcdStateStore {
  /// Adds the revision that an error of etcd does not name.
  private func completed(_ error: StateStoreError, requested: Revision?) async -> StateStoreError {
    let requested = requested ?? 0
    switch error.code {
    case .compacted:
      // Without an answer the next revision is the least that can be said.
      let oldest = try? await oldestRevision()
      return .compacted(requested, oldest: max(oldest ?? 0, requested + 1))
    case .futureRevision:
      // Without an answer it is known that the one asked for does not exist.
      let newest = try? await currentRevision()
      return .futureRevision(requested, newest: newest ?? requested - 1)
    default: return error
    }
  }

  /// The oldest revision that can be read at, 0 when all can. etcd only says whether one can be
  /// read at, and what the oldest is to a watch that begins before it.
  private func oldestRevision() async throws -> Revision {
    let known = state.withLock { $0.knownOldest }
    let probe = RangeRequest(
      .key(Key(bytes: [0])), revision: max(1, known), countOnly: true)
    do {
      let _: EtcdRangeResponse = try await client.call(
        EtcdMethod.range, keys.encode(probe), repetition: .harmless)
      return known
    } catch let error as StateStoreError where error.code == .compacted {
      // Goes on below.
    }
    let watch = EtcdWatch(
      client: client, keys: keys, request: WatchRequest(.key(Key(bytes: [0]))),
      start: max(1, known))
    defer { watch.end(.cancelled) }
    _ = try await watch.begin(onEnd: {})
    let timeout = client.settings.requestTimeout
    let limit = Task {
      // Cancelled when the answer has come.
      guard (try? await Task.sleep(for: timeout)) != nil else { return }
      watch.end(.failed(StateStoreError(.unavailable, "etcd does not tell its oldest revision")))
    }
    defer { limit.cancel() }
    do {
      while try await watch.next() != nil {}
    } catch let error as StateStoreError where error.code == .compacted {
      let oldest = error.revision ?? known
      state.withLock { $0.knownOldest = max($0.knownOldest, oldest) }
      return oldest
    }
    throw StateStoreError(.unavailable, "etcd does not tell its oldest revision")
  }
}

extension Transaction {
  /// Whether it only reads, whichever branches run.
  var changesNothing: Bool {
    (success + failure).allSatisfy { operation in
      switch operation {
      case .range: true
      case .put, .delete: false
      case .transaction(let nested): nested.changesNothing
      }
    }
  }

  /// The revisions that its ranges read at.
  var revisionsRead: [Revision] {
    (success + failure).flatMap { operation -> [Revision] in
      switch operation {
      case .range(let request): request.revision.map { $0 > 0 ? [$0] : [] } ?? []
      case .put, .delete: []
      case .transaction(let nested): nested.revisionsRead
      }
    }
  }
}
