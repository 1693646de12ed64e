import StateStore

/// Puts the events that etcd sends, in answers of any number of revisions and pieces, together into
/// one batch for each revision. Knows from where to go on when the connection breaks: what was only
/// told in part is told again, and what comes twice is left out.
struct WatchAssembler {
  /// The first revision that was not told.
  private(set) var next: Revision
  private var events: [WatchEvent] = []

  /// Begins with the changes of `start`.
  init(start: Revision) {
    next = start
  }

  /// Takes the events of one answer; `isFragment` when the rest of its last revision is to come in
  /// the next one. Returns the revisions that are complete now. Throws `unavailable` when the
  /// revisions are out of order.
  mutating func add(_ news: [WatchEvent], isFragment: Bool) throws -> [WatchBatch] {
    var batches: [WatchBatch] = []
    for event in news {
      let revision = event.record.modifyRevision
      guard revision >= next else { continue }
      if let pending = events.last?.record.modifyRevision, pending != revision {
        guard pending < revision else {
          throw EtcdFailure.malformed("events of revisions that go back")
        }
        batches.append(takeBatch(pending))
      }
      events.append(event)
    }
    if !isFragment, let pending = events.last?.record.modifyRevision {
      batches.append(takeBatch(pending))
    }
    return batches
  }

  /// Nothing happened up to and including `revision` that was not told.
  mutating func pass(_ revision: Revision) {
    guard events.isEmpty else { return }
    next = max(next, revision + 1)
  }

  /// Forgets what was told in part: it is told again from `next` on.
  mutating func restart() {
    events = []
  }

  private mutating func takeBatch(_ revision: Revision) -> WatchBatch {
    defer { events = [] }
    next = revision + 1
    return WatchBatch(revision: revision, events: events)
  }
}
