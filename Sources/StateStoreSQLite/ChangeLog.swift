import FoundationEssentials
import GRDB
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
  static func load(_ database: Database) throws -> Contents {
    var records: [Key: KeyValue] = [:]
    var revision: Revision = 1
    let rows = try Row.fetchCursor(
      database,
      sql:
        "SELECT id, key, create_revision, version, lease, previous, value FROM changes ORDER BY id")
    while let row = try rows.next() {
      let (record, isDeletion) = try decode(row)
      revision = record.modifyRevision
      records[record.key] = isDeletion ? nil : record
    }
    let leases = try Row.fetchAll(database, sql: "SELECT id, time_to_live FROM leases").map { row in
      (LeaseID(rawValue: row[0]), Duration.nanoseconds(row[1] as Int64))
    }
    let compactRevision = try Int64.fetchOne(
      database, sql: "SELECT value FROM marks WHERE name = 'compact_revision'")
    return Contents(
      records: RecordTable(revision: revision, records: records),
      compactRevision: compactRevision ?? 0, leases: leases)
  }

  /// Writes a revision's changes.
  static func append(_ changeSet: ChangeSet, to database: Database) throws {
    guard changeSet.changes.count < 1 << rowBits else {
      throw StateStoreError(.requestTooLarge, "the transaction changes too many records")
    }
    let statement = try database.cachedStatement(
      sql: """
        INSERT INTO changes (id, key, create_revision, version, lease, previous, value)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """)
    let firstID = changeSet.revision << rowBits
    for (offset, change) in changeSet.changes.enumerated() {
      let record = change.current
      statement.setUncheckedArguments([
        firstID + Int64(offset), Data(change.key.bytes), record?.createRevision ?? 0,
        record?.version ?? 0, record?.lease?.rawValue ?? 0, change.previous?.modifyRevision ?? 0,
        Data(record?.value ?? []),
      ])
      try statement.execute()
    }
  }

  /// Writes a lease.
  static func insertLease(
    _ id: LeaseID, timeToLive: Duration, into database: Database
  ) throws {
    let (seconds, attoseconds) = timeToLive.components
    let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    try database.execute(
      sql: "INSERT OR REPLACE INTO leases (id, time_to_live) VALUES (?, ?)",
      arguments: [id.rawValue, nanoseconds])
  }

  /// Takes a lease away.
  static func deleteLease(_ id: LeaseID, from database: Database) throws {
    try database.execute(sql: "DELETE FROM leases WHERE id = ?", arguments: [id.rawValue])
  }

  /// Forgets history before `revision`, given what was forgotten before: rows that a later change
  /// up to `revision` superseded, and deletions before it.
  static func compact(
    from old: Revision, to revision: Revision, in database: Database
  ) throws {
    try database.execute(
      sql: """
        DELETE FROM changes WHERE id IN (
          SELECT superseded.id FROM changes AS later JOIN changes AS superseded
          ON superseded.id BETWEEN later.previous << \(rowBits)
            AND (later.previous << \(rowBits)) + \((1 << rowBits) - 1)
          WHERE later.id >= ? AND later.id < ? AND later.previous > 0
            AND superseded.key = later.key)
        """, arguments: [(old + 1) << rowBits, (revision + 1) << rowBits])
    try database.execute(
      sql: "DELETE FROM changes WHERE id >= ? AND id < ? AND version = 0",
      arguments: [old << rowBits, revision << rowBits])
    try database.execute(
      sql: "UPDATE marks SET value = ? WHERE name = 'compact_revision'", arguments: [revision])
  }

  /// The changes of `range` from revision `first` up to and including `last`, grouped.
  static func changes(
    from first: Revision, through last: Revision, in range: KeyRange, of database: Database
  ) throws -> [ChangeSet] {
    var sets: [ChangeSet] = []
    let rows = try Row.fetchAll(
      database,
      sql: """
        SELECT id, key, create_revision, version, lease, previous, value FROM changes
        WHERE id >= ? AND id < ? ORDER BY id
        """, arguments: [first << rowBits, (last + 1) << rowBits])
    for row in rows {
      let (record, isDeletion) = try decode(row)
      guard range.contains(record.key) else { continue }
      let change = Change(
        key: record.key, current: isDeletion ? nil : record,
        previous: try self.record(record.key, changedBy: row[5], in: database))
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
    at revision: Revision, in range: KeyRange, newest: RecordTable, of database: Database
  ) throws -> [KeyValue] {
    var undone: [Key: KeyValue?] = [:]
    let rows = try Row.fetchCursor(
      database, sql: "SELECT key, previous FROM changes WHERE id >= ? ORDER BY id",
      arguments: [(revision + 1) << rowBits])
    while let row = try rows.next() {
      let key = Key(bytes: [UInt8](row[0] as Data))
      guard range.contains(key), undone[key] == nil else { continue }
      undone[key] = .some(try record(key, changedBy: row[1], in: database))
    }
    return overlay(undone, on: newest.records(in: range))
  }

  /// The row of `key` at the revision that changed it; nil for revision 0 and when it is forgotten.
  private static func record(
    _ key: Key, changedBy revision: Revision, in database: Database
  ) throws -> KeyValue? {
    guard revision > 0 else { return nil }
    let statement = try database.cachedStatement(
      sql: """
        SELECT id, key, create_revision, version, lease, previous, value FROM changes
        WHERE id >= ? AND id < ? AND key = ?
        """)
    let row = try Row.fetchOne(
      statement,
      arguments: [revision << rowBits, (revision + 1) << rowBits, Data(key.bytes)])
    guard let row else { return nil }
    let (record, isDeletion) = try decode(row)
    return isDeletion ? nil : record
  }

  /// A row of `id, key, create_revision, version, lease, previous, value`.
  private static func decode(_ row: Row) throws -> (record: KeyValue, isDeletion: Bool) {
    let lease: Int64 = row[4]
    let version: Int64 = row[3]
    let record = KeyValue(
      key: Key(bytes: [UInt8](row[1] as Data)), value: [UInt8](row[6] as Data),
      createRevision: row[2], modifyRevision: (row[0] as Int64) >> rowBits, version: version,
      lease: lease == 0 ? nil : LeaseID(rawValue: lease))
    return (record, version == 0)
  }
}
