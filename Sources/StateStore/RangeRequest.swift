/// A question for the records of a range of keys, as of one revision.
///
/// etcd: `RangeRequest`.
package struct RangeRequest: Hashable, Sendable {
  /// The order of the answer. etcd: `SortOrder`.
  package enum SortOrder: Hashable, Sendable {
    /// By key, ascending, unless the target says otherwise. etcd: `NONE`.
    case none
    /// Smallest first. etcd: `ASCEND`.
    case ascending
    /// Largest first. etcd: `DESCEND`.
    case descending
  }

  /// What the answer is ordered by. etcd: `SortTarget`.
  package enum SortTarget: Hashable, Sendable {
    case key
    case version
    case createRevision
    case modifyRevision
    case value
  }

  /// The keys asked for. etcd: `key` and `range_end`.
  package var keys: KeyRange
  /// The most records to answer, 0 for all; applied after sorting. etcd: `limit`.
  package var limit: Int
  /// The revision to read at; nil for the newest. Fails with `compacted` when it is too old and
  /// `futureRevision` when it does not exist yet. etcd: `revision`, 0 for the newest.
  package var revision: Revision?
  /// The order of the answer. etcd: `sort_order`.
  package var sortOrder: SortOrder
  /// What the order looks at. etcd: `sort_target`.
  package var sortTarget: SortTarget
  /// Leave the values out. etcd: `keys_only`.
  package var keysOnly: Bool
  /// Answer only the number of records. etcd: `count_only`.
  package var countOnly: Bool
  /// Whether a replica may answer from what it has without asking the others. Stores inside the
  /// process are always up to date. etcd: `serializable`.
  package var allowsStale: Bool
  /// Leave out records last changed before this revision. etcd: `min_mod_revision`, 0 for none.
  package var minimumModifyRevision: Revision?
  /// Leave out records last changed after this revision. etcd: `max_mod_revision`.
  package var maximumModifyRevision: Revision?
  /// Leave out records created before this revision. etcd: `min_create_revision`.
  package var minimumCreateRevision: Revision?
  /// Leave out records created after this revision. etcd: `max_create_revision`.
  package var maximumCreateRevision: Revision?

  /// A question for `keys`; everything else as etcd has it by default.
  package init(
    _ keys: KeyRange, limit: Int = 0, revision: Revision? = nil, sortOrder: SortOrder = .none,
    sortTarget: SortTarget = .key, keysOnly: Bool = false, countOnly: Bool = false,
    allowsStale: Bool = false, minimumModifyRevision: Revision? = nil,
    maximumModifyRevision: Revision? = nil, minimumCreateRevision: Revision? = nil,
    maximumCreateRevision: Revision? = nil
  ) {
    self.keys = keys
    self.limit = limit
    self.revision = revision
    self.sortOrder = sortOrder
    self.sortTarget = sortTarget
    self.keysOnly = keysOnly
    self.countOnly = countOnly
    self.allowsStale = allowsStale
    self.minimumModifyRevision = minimumModifyRevision
    self.maximumModifyRevision = maximumModifyRevision
    self.minimumCreateRevision = minimumCreateRevision
    self.maximumCreateRevision = maximumCreateRevision
  }
}

/// The records of a range.
///
/// etcd: `RangeResponse`.
package struct RangeResponse: Hashable, Sendable {
  /// The store's revision when the question was answered, also when it was about an older one: a
  /// watch from `revision + 1` misses nothing that came after a read of the newest records.
  /// etcd: `header.revision`.
  package var revision: Revision
  /// The records, in the order asked for. etcd: `kvs`.
  package var items: [KeyValue]
  /// Whether `limit` left some out. etcd: `more`.
  package var more: Bool
  /// How many records the range of keys holds, whatever `limit` and the revision filters leave out.
  /// etcd: `count`.
  package var count: Int

  /// An answer of these parts.
  package init(revision: Revision, items: [KeyValue], more: Bool, count: Int) {
    self.revision = revision
    self.items = items
    self.more = more
    self.count = count
  }
}
