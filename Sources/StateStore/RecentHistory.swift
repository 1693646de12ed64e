/// The last change sets of a store, in memory, without a gap up to the newest revision.
package struct RecentHistory: Sendable {
  /// How much is kept.
  package struct Limit: Hashable, Sendable {
    /// The most revisions.
    package var revisions: Int
    /// About the most bytes.
    package var bytes: Int

    /// A limit of these parts.
    package init(revisions: Int, bytes: Int) {
      self.revisions = revisions
      self.bytes = bytes
    }
  }

  private var sets: [ChangeSet] = []
  /// How many places at the front of `sets` are used up; they are given back now and then at once.
  private var dropped = 0
  private var bytes = 0
  /// The revision the next change set will have.
  private var next: Revision

  /// No history, of a store that stands at `revision`.
  package init(after revision: Revision) {
    self.next = revision + 1
  }

  /// The oldest revision whose changes are here; the next one to come when there are none.
  package var first: Revision {
    next - Revision(sets.count - dropped)
  }

  /// Whether there is more than `limit`.
  package func exceeds(_ limit: Limit) -> Bool {
    sets.count - dropped > limit.revisions || bytes > limit.bytes
  }

  /// Adds the newest revision's changes.
  package mutating func append(_ changeSet: ChangeSet) {
    sets.append(changeSet)
    bytes += changeSet.changes.reduce(0) { $0 + $1.footprint }
    next = changeSet.revision + 1
  }

  /// Forgets the oldest change set.
  package mutating func removeFirst() {
    guard dropped < sets.count else { return }
    bytes -= sets[dropped].changes.reduce(0) { $0 + $1.footprint }
    sets[dropped].changes = []
    dropped += 1
    if dropped > 64, dropped * 2 > sets.count {
      sets.removeFirst(dropped)
      dropped = 0
    }
  }

  /// The change sets from `revision` on; nil when they are not all here.
  package func changes(from revision: Revision) -> ArraySlice<ChangeSet>? {
    guard revision >= first else { return nil }
    guard revision < next else { return [] }
    return sets[(dropped + Int(revision - first))...]
  }
}

/// The records of a range as they were before `changeSets`, given how they are after them, in key
/// order.
package func undo(
  _ changeSets: some BidirectionalCollection<ChangeSet>, in range: KeyRange,
  from records: [KeyValue]
) -> [KeyValue] {
  var undone: [Key: KeyValue?] = [:]
  for changeSet in changeSets.reversed() {
    for change in changeSet.changes where range.contains(change.key) {
      undone[change.key] = .some(change.previous)
    }
  }
  return overlay(undone, on: records)
}

/// The records with some of them replaced or, where there is nil, left out; in key order.
package func overlay(_ replacements: [Key: KeyValue?], on records: [KeyValue]) -> [KeyValue] {
  guard !replacements.isEmpty else { return records }
  var result = records.filter { replacements[$0.key] == nil }
  let kept = result.count
  result.append(contentsOf: replacements.values.compactMap { $0 })
  if result.count > kept { result.sort { $0.key < $1.key } }
  return result
}
