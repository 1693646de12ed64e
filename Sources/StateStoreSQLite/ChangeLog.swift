import StateStore

/// The statements on the tables of the state file.
enum ChangeLog {
  /// A transaction can change this many records, 2 to this power.
  private static let rowBits: Int64 = 20

  /// What a file holds besides history.
  struct Contents {
    var records: RecordTable
    var compactRevision: Revision
    var leases: [(id: LeaseID, timeToLive: Duration)]
  }

  /// Reads the living records, from the last change of each key.
  static func load(_ database: SQLiteConnection) throws -> Contents {
    var records: [Key: KeyValue] = [:]
    var revision: Revision = 1
    try database.run("SELECT \(columns) FROM changes ORDER BY id") { row in
      let (record, isDeletion) = decode(row)
      revision = record.modifyRevision
      records[record.key] = isDeletion ? nil : record
    }
    var leases: [(id: LeaseID, timeToLive: Duration)] = []
    try database.run("SELECT id, time_to_live FROM leases") { row in
      leases.append((LeaseID(rawValue: row.integer(0)), .nanoseconds(row.integer(1))))
    }
    let compactRevision = try database.number(
      "SELECT value FROM marks WHERE name = 'compact_revision'")
    return Contents(
      records: RecordTable(revision: revision, records: records),
      compactRevision: compactRevision ?? 0, leases: leases)
  }

  /// Writes a revision's changes.
  static func append(_ changeSet: ChangeSet, to database: SQLiteConnection) throws {
    guard changeSet.changes.count < 1 << rowBits else {
      throw StateStoreError(.requestTooLarge, "the transaction changes too many records")
    }
    let firstID = changeSet.revision << rowBits
    for (offset, change) in changeSet.changes.enumerated() {
      let record = change.current
      try database.run(
        "INSERT INTO changes (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
          .integer(firstID + Int64(offset)), .blob(change.key.bytes),
          .integer(record?.createRevision ?? 0), .integer(record?.version ?? 0),
          .integer(record?.lease?.rawValue ?? 0), .integer(change.previous?.modifyRevision ?? 0),
          .blob(record?.value ?? []),
        ])
    }
  }

  /// Writes a lease.
  static func insertLease(
    _ id: LeaseID, timeToLive: Duration, into database: SQLiteConnection
  ) throws {
    let (seconds, attoseconds) = timeToLive.components
    let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    try database.run(
      "INSERT OR REPLACE INTO leases (id, time_to_live) VALUES (?, ?)",
      [.integer(id.rawValue), .integer(nanoseconds)])
  }

  /// Takes a lease away.
  static func deleteLease(_ id: LeaseID, from database: SQLiteConnection) throws {
    try database.run("DELETE FROM leases WHERE id = ?", [.integer(id.rawValue)])
  }

  /// Forgets history before `revision`, given what was forgotten before: rows that a later change
  /// up to `revision` superseded, and deletions before it.
  static func compact(
    from old: Revision, to revision: Revision, in database: SQLiteConnection
  ) throws {
    try database.run(
      """
        DELETE FROM changes WHERE id IN (
          SELECT superseded.id FROM changes AS later JOIN changes AS superseded
          ON superseded.id BETWEEN later.previous << \(rowBits)
            AND (later.previous << \(rowBits)) + \((1 << rowBits) - 1)
          WHERE later.id >= ? AND later.id < ? AND later.previous > 0
            AND superseded.key = later.key)
      """, [.integer((old + 1) << rowBits), .integer((revision + 1) << rowBits)])
    try database.run(
      "DELETE FROM changes WHERE id >= ? AND id < ? AND version = 0",
      [.integer(old << rowBits), .integer(revision << rowBits)])
    try database.run(
      "UPDATE marks SET value = ? WHERE name = 'compact_revision'", [.integer(revision)])
  }

  /// The changes of `range` from revision `first` up to and including `last`, grouped.
  static func changes(
    from first: Revision, through last: Revision, in range: KeyRange, of database: SQLiteConnection
  ) throws -> [ChangeSet] {
    var sets: [ChangeSet] = []
    var rows: [(record: KeyValue, isDeletion: Bool, previous: Revision)] = []
    try database.run(
      "SELECT \(columns) FROM changes WHERE id >= ? AND id < ? ORDER BY id",
      [.integer(first << rowBits), .integer((last + 1) << rowBits)]
    ) { row in
      let (record, isDeletion) = decode(row)
      if range.contains(record.key) { rows.append((record, isDeletion, row.integer(5))) }
    }
    for (record, isDeletion, previous) in rows {
      let change = Change(
        key: record.key, current: isDeletion ? nil : record,
        previous: try self.record(record.key, changedBy: previous, in: database))
      if sets.last?.revision == record.modifyRevision {
        sets[sets.count - 1].changes.append(change)
      } else {
        sets.append(ChangeSet(revision: record.modifyRevision, changes: [change]))
      }
    }
    return sets
  }

  /// The records of `range` at `revision`, given the newest.
  static func records(
    at revision: Revision, in range: KeyRange, newest: RecordTable, of database: SQLiteConnection
  ) throws -> [KeyValue] {
    var superseded: [Key: Revision] = [:]
    try database.run(
      "SELECT key, previous FROM changes WHERE id >= ? ORDER BY id",
      [.integer((revision + 1) << rowBits)]
    ) { row in
      let key = Key(bytes: row.blob(0))
      if range.contains(key), superseded[key] == nil { superseded[key] = row.integer(1) }
    }
    var undone: [Key: KeyValue?] = [:]
    for (key, previous) in superseded {
      undone[key] = .some(try record(key, changedBy: previous, in: database))
    }
    return overlay(undone, on: newest.records(in: range))
  }

  /// The row of `key` at the revision that changed it; nil for revision 0 and when it is forgotten.
  private static func record(
    _ key: Key, changedBy revision: Revision, in database: SQLiteConnection
  ) throws -> KeyValue? {
    guard revision > 0 else { return nil }
    var found: KeyValue?
    try database.run(
      "SELECT \(columns) FROM changes WHERE id >= ? AND id < ? AND key = ?",
      [.integer(revision << rowBits), .integer((revision + 1) << rowBits), .blob(key.bytes)]
    ) { row in
      let (record, isDeletion) = decode(row)
      found = isDeletion ? nil : record
    }
    return found
  }

  private static let columns = "id, key, create_revision, version, lease, previous, value"

  /// A row of `columns`.
  private static func decode(_ row: SQLiteRow) -> (record: KeyValue, isDeletion: Bool) {
    let lease = row.integer(4)
    let version = row.integer(3)
    let record = KeyValue(
      key: Key(bytes: row.blob(1)), value: row.blob(6), createRevision: row.integer(2),
      modifyRevision: row.integer(0) >> rowBits, version: version,
      lease: lease == 0 ? nil : LeaseID(rawValue: lease))
    return (record, version == 0)
  }
}
