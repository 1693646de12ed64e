/// One record's change in a committed transaction.
package struct Change: Hashable, Sendable {
  /// The record changed.
  package var key: Key
  /// The record after the change; nil when it was deleted.
  package var current: KeyValue?
  /// The record before the change; nil when it did not exist, or history does not know it any more.
  package var previous: KeyValue?

  /// A change of these parts.
  package init(key: Key, current: KeyValue?, previous: KeyValue?) {
    self.key = key
    self.current = current
    self.previous = previous
  }

  /// About how many bytes the change holds in memory.
  var footprint: Int {
    192 + key.bytes.count + (current?.value.count ?? 0)
  }
}

/// Everything one revision changed: never empty, each key at most once.
package struct ChangeSet: Hashable, Sendable {
  /// The revision that the changes made.
  package var revision: Revision
  /// The changes, in the order the transaction made them.
  package var changes: [Change]

  /// A change set of these parts.
  package init(revision: Revision, changes: [Change]) {
    self.revision = revision
    self.changes = changes
  }

  /// What a watcher with this request is told of the change set; nil when it is nothing.
  func batch(for request: WatchRequest) -> WatchBatch? {
    var events: [WatchEvent] = []
    for change in changes where request.keys.contains(change.key) {
      let previous = request.wantsPrevious ? change.previous : nil
      if let current = change.current {
        guard !request.ignoresPuts else { continue }
        events.append(WatchEvent(kind: .put, record: current, previous: previous))
      } else {
        guard !request.ignoresDeletes else { continue }
        let tombstone = KeyValue(
          key: change.key, value: [], createRevision: 0, modifyRevision: revision, version: 0)
        events.append(WatchEvent(kind: .delete, record: tombstone, previous: previous))
      }
    }
    return events.isEmpty ? nil : WatchBatch(revision: revision, events: events)
  }

  /// Whether a watcher with this request is told anything of the change set.
  func concerns(_ request: WatchRequest) -> Bool {
    changes.contains { change in
      request.keys.contains(change.key)
        && (change.current == nil ? !request.ignoresDeletes : !request.ignoresPuts)
    }
  }
}
