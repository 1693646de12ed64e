/// A wish to be told of every change to a range of keys.
///
/// etcd: `WatchCreateRequest`.
package struct WatchRequest: Hashable, Sendable {
  /// The keys watched. etcd: `key` and `range_end`.
  package var keys: KeyRange
  /// The first revision whose changes are wanted, also one that is still to come; nil for the next
  /// one. To go on from a read, give its answer's revision plus 1. etcd: `start_revision`.
  package var startRevision: Revision?
  /// Also tell what each record was before, as far as history goes back. etcd: `prev_kv`.
  package var wantsPrevious: Bool
  /// Leave puts out. etcd: filter `NOPUT`.
  package var ignoresPuts: Bool
  /// Leave deletions out. etcd: filter `NODELETE`.
  package var ignoresDeletes: Bool
  /// Send a batch without events now and then when nothing happens to the watched keys, so that the
  /// watcher knows how far it has seen. etcd: `progress_notify`.
  package var wantsProgress: Bool
  /// How many revisions a watcher that had caught up may fall behind before it is cut off with
  /// `watcherFellBehind`. A store may keep fewer.
  package var backlogLimit: Int

  /// A wish to hear of changes to `keys`.
  package init(
    _ keys: KeyRange, from startRevision: Revision? = nil, wantsPrevious: Bool = false,
    ignoresPuts: Bool = false, ignoresDeletes: Bool = false, wantsProgress: Bool = false,
    backlogLimit: Int = 8_192
  ) {
    self.keys = keys
    self.startRevision = startRevision
    self.wantsPrevious = wantsPrevious
    self.ignoresPuts = ignoresPuts
    self.ignoresDeletes = ignoresDeletes
    self.wantsProgress = wantsProgress
    self.backlogLimit = backlogLimit
  }
}

/// One change to one record.
///
/// etcd: `mvccpb.Event`.
package struct WatchEvent: Hashable, Sendable {
  /// What happened. etcd: `type`.
  package enum Kind: Hashable, Sendable {
    /// The record was written. etcd: `PUT`.
    case put
    /// The record was deleted, or its lease ended. etcd: `DELETE`.
    case delete
  }

  /// What happened.
  package var kind: Kind
  /// The record after the change; for a deletion only `key` and `modifyRevision` say something.
  /// etcd: `kv`.
  package var record: KeyValue
  /// The record before the change, when it was asked for, existed and is still in history.
  /// etcd: `prev_kv`.
  package var previous: KeyValue?

  /// An event of these parts.
  package init(kind: Kind, record: KeyValue, previous: KeyValue? = nil) {
    self.kind = kind
    self.record = record
    self.previous = previous
  }

  /// Whether the put created the record. etcd: `IsCreate()`.
  package var isCreation: Bool {
    kind == .put && record.createRevision == record.modifyRevision
  }
}

/// All watched changes of one revision, or, without events, the news that everything up to and
/// including `revision` has been told.
///
/// etcd: `WatchResponse`; a transaction's events are never split over two batches.
package struct WatchBatch: Hashable, Sendable {
  /// The revision of the changes. etcd: `header.revision` of a progress answer, the events'
  /// `mod_revision` otherwise.
  package var revision: Revision
  /// The changes, in the order the transaction made them; empty for progress.
  package var events: [WatchEvent]

  /// A batch of these parts.
  package init(revision: Revision, events: [WatchEvent]) {
    self.revision = revision
    self.events = events
  }
}

/// The changes of a watch, in order, each revision once, none left out. For one consumer.
///
/// The sequence does not end by itself. It throws `StateStoreError`: `compacted` or
/// `watcherFellBehind` when changes were lost to it (read the records again and watch from the
/// revision of that answer plus 1: `requiresResynchronisation`), `closed` when the store was
/// closed, and `CancellationError` when the consumer's task is cancelled. The watch ends with
/// `cancel()` or when the last reference to the stream goes.
package final class WatchStream: AsyncSequence, Sendable {
  /// What the stream delivers.
  package typealias Element = WatchBatch

  /// The revision the store had when the watch began. etcd: `header.revision` of the answer with
  /// `created`.
  package let revision: Revision
  private let produce: @Sendable () async throws -> WatchBatch?
  private let askForProgress: @Sendable () async throws -> Void
  private let end: @Sendable () -> Void

  /// A stream for a store's implementation: `next` waits for a batch (nil after `cancel`),
  /// `requestProgress` as the method of that name, `cancel` ends the watch and may be called
  /// several times.
  package init(
    revision: Revision, next: @escaping @Sendable () async throws -> WatchBatch?,
    requestProgress: @escaping @Sendable () async throws -> Void,
    cancel: @escaping @Sendable () -> Void
  ) {
    self.revision = revision
    self.produce = next
    self.askForProgress = requestProgress
    self.end = cancel
  }

  deinit {
    end()
  }

  /// Waits for the next batch; nil after `cancel()`.
  package func next() async throws -> WatchBatch? {
    try await produce()
  }

  /// Asks for a batch without events once everything that has happened by now has been told.
  /// etcd: `WatchProgressRequest`.
  package func requestProgress() async throws {
    try await askForProgress()
  }

  /// Ends the watch. etcd: `WatchCancelRequest`.
  package func cancel() {
    end()
  }

  /// Iterates over the batches that were not taken yet.
  package func makeAsyncIterator() -> Iterator {
    Iterator(stream: self)
  }

  /// Takes batches from a stream.
  package struct Iterator: AsyncIteratorProtocol {
    let stream: WatchStream

    /// Waits for the next batch.
    package mutating func next() async throws -> WatchBatch? {
      try await stream.next()
    }
  }
}
