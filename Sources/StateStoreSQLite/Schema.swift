import StateStore

/// The tables of the state file, as an ordered list of steps. A step is never changed once it has
/// been released; a new one is added behind it, together with a fixture of the file before it.
struct Schema: Sendable {
  /// Marks the file as ours: "MART".
  static let applicationID: Int64 = 0x4D41_5254

  /// The steps; a file that has taken the first n has version n.
  var migrations: [String]

  /// What this version of the program writes.
  ///
  /// `changes` has one row for each change that history still holds, and for each living record the
  /// row of its last change. Its id is the revision shifted left by `rowBits`, plus the change's
  /// place in the transaction. Version 0 marks a deletion. `previous` is the revision of the row
  /// that the change supersedes, 0 for none.
  static let current = Schema(migrations: [
    """
    CREATE TABLE changes (
      id INTEGER PRIMARY KEY,
      key BLOB NOT NULL,
      create_revision INTEGER NOT NULL,
      version INTEGER NOT NULL,
      lease INTEGER NOT NULL,
      previous INTEGER NOT NULL,
      value BLOB NOT NULL
    );
    CREATE TABLE leases (
      id INTEGER PRIMARY KEY,
      time_to_live INTEGER NOT NULL
    );
    CREATE TABLE marks (
      name TEXT PRIMARY KEY,
      value INTEGER NOT NULL
    ) WITHOUT ROWID;
    INSERT INTO marks VALUES ('compact_revision', 0);
    """
  ])

  /// Takes the steps that the file has not taken yet, each in a transaction. Throws `newerSchema`
  /// when it has taken more than there are, and `corrupt` when it is some other program's.
  func migrate(_ database: SQLiteConnection) throws {
    let application = try database.number("PRAGMA application_id") ?? 0
    let version = Int(try database.number("PRAGMA user_version") ?? 0)
    let isEmpty = try database.number("SELECT count(*) FROM sqlite_master") == 0
    guard application == Schema.applicationID || (isEmpty && version == 0) else {
      throw StateStoreError(.corrupt, "the state file belongs to another program")
    }
    guard version <= migrations.count else {
      throw StateStoreError(
        .newerSchema, "the state file was written by a newer version of martlet",
        metadata: ["version": "\(version)", "newest known": "\(migrations.count)"])
    }
    for (index, step) in migrations.enumerated().dropFirst(version) {
      try database.commit { database in
        try database.runScript(step)
        try database.run("PRAGMA application_id = \(Schema.applicationID)")
        try database.run("PRAGMA user_version = \(index + 1)")
      }
    }
  }
}
