import CSQLite
import Glibc
import StateStore

/// The database file: opened for this process alone, in WAL mode, each commit synced to the disk.
/// Its methods block; the commit queue calls them on its own thread.
///
/// Not checked by the compiler, but safe to send: after it was opened, only the commit queue's
/// thread uses the connection.
final class SQLiteFile: @unchecked Sendable {
  let path: String
  private let connection: SQLiteConnection

  /// Opens or creates the file, readable by its owner only, checks it and brings its schema up to
  /// date. Throws `StateStoreError`: `corrupt`, `newerSchema`, `unavailable`, `storageFull`.
  init(path: String, schema: Schema) throws {
    self.path = path
    try SQLiteFile.prepareFile(at: path)
    do {
      connection = try SQLiteConnection(path: path)
      // Exclusive locking keeps a second daemon out, and the WAL's index in memory instead of in
      // a shared file. Checkpoints are made between commits by the commit queue.
      for (name, value) in [
        ("locking_mode", "EXCLUSIVE"), ("journal_mode", "WAL"), ("synchronous", "FULL"),
        ("wal_autocheckpoint", "0"), ("temp_store", "MEMORY"),
      ] {
        try connection.run("PRAGMA \(name) = \(value)")
      }
      try SQLiteFile.check(connection)
      try schema.migrate(connection)
    } catch {
      throw StateStoreError(opening: path, error)
    }
  }

  /// Runs `body` with the database, outside a transaction.
  func read<Result>(_ body: (SQLiteConnection) throws -> Result) throws -> Result {
    do {
      return try body(connection)
    } catch {
      throw StateStoreError(database: error)
    }
  }

  /// Runs `body` in a transaction, which is on the disk when this returns, and taken back when it
  /// throws.
  func commit(_ body: (SQLiteConnection) throws -> Void) throws {
    do {
      try connection.commit(body)
    } catch {
      throw StateStoreError(database: error)
    }
  }

  /// Moves what it can from the WAL into the main file.
  func checkpoint() throws {
    try read { try $0.run("PRAGMA wal_checkpoint(PASSIVE)") }
  }

  /// How many bytes of the main file are in use.
  func usedBytes() throws -> Int64 {
    try read { database in
      let pages = try database.number("PRAGMA page_count") ?? 0
      let free = try database.number("PRAGMA freelist_count") ?? 0
      let size = try database.number("PRAGMA page_size") ?? 0
      return (pages - free) * size
    }
  }

  /// Closes the file, which moves the whole WAL into it.
  func close() {
    connection.close()
  }

  /// Creates the file if need be and sees to it that only its owner can read it. This is done
  /// before SQLite opens the file, since closing any descriptor of it would give up SQLite's lock.
  private static func prepareFile(at path: String) throws {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
    guard descriptor >= 0, fchmod(descriptor, 0o600) == 0 else {
      let code = errno
      if descriptor >= 0 { Glibc.close(descriptor) }
      throw StateStoreError(
        .unavailable, "the state file cannot be opened",
        metadata: ["path": path, "reason": String(cString: strerror(code))])
    }
    Glibc.close(descriptor)
  }

  private static func check(_ database: SQLiteConnection) throws {
    var findings: [String] = []
    try database.run("PRAGMA quick_check(1)") { findings.append($0.text(0)) }
    guard findings == ["ok"] else {
      throw StateStoreError(
        .corrupt, "the state file is damaged",
        metadata: ["finding": findings.joined(separator: "; ")])
    }
  }
}

extension SQLiteConnection {
  /// Runs `body` in a transaction, which is taken back when it throws.
  func commit(_ body: (SQLiteConnection) throws -> Void) throws {
    try run("BEGIN IMMEDIATE")
    do {
      try body(self)
      try run("COMMIT")
    } catch {
      if isInTransaction { try run("ROLLBACK") }
      throw error
    }
  }
}

extension StateStoreError {
  /// What an error of the database means for a request.
  init(database error: any Error) {
    guard let error = error as? SQLiteError else {
      self =
        error as? StateStoreError
        ?? StateStoreError(.unavailable, "the state file failed", cause: error)
      return
    }
    switch error.primaryCode {
    case SQLITE_FULL:
      self = StateStoreError(.storageFull, "the disk is full", cause: error)
    case SQLITE_CORRUPT, SQLITE_NOTADB:
      self = StateStoreError(.corrupt, "the state file is damaged", cause: error)
    case SQLITE_BUSY, SQLITE_LOCKED:
      self = StateStoreError(
        .unavailable, "the state file is in use by another process", cause: error)
    default:
      self = StateStoreError(.unavailable, "the state file failed", cause: error)
    }
  }

  fileprivate init(opening path: String, _ error: any Error) {
    self.init(database: error)
    metadata["path"] = path
  }
}
