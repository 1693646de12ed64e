import FoundationEssentials
import GRDB
import Glibc
import StateStore

/// The database file: opened for this process alone, in WAL mode, each commit synced to the disk.
/// Its methods block; the commit queue calls them on its own thread.
final class SQLiteFile: Sendable {
  let path: String
  private let database: DatabaseQueue

  /// Opens or creates the file, readable by its owner only, checks it and brings its schema up to
  /// date. Throws `StateStoreError`: `corrupt`, `newerSchema`, `unavailable`, `storageFull`.
  init(path: String, schema: Schema) throws {
    self.path = path
    try SQLiteFile.prepareFile(at: path)
    var configuration = Configuration()
    configuration.label = "martlet.state"
    configuration.foreignKeysEnabled = false
    configuration.prepareDatabase { database in
      // Exclusive locking keeps a second daemon out, and the WAL's index in memory instead of in
      // a shared file. Checkpoints are made between commits by the commit queue.
      for (name, value) in [
        ("locking_mode", "EXCLUSIVE"), ("journal_mode", "WAL"), ("synchronous", "FULL"),
        ("wal_autocheckpoint", "0"), ("temp_store", "MEMORY"),
      ] {
        _ = try Row.fetchOne(database, sql: "PRAGMA \(name) = \(value)")
      }
    }
    do {
      self.database = try DatabaseQueue(path: path, configuration: configuration)
      try database.inDatabase { database in
        try SQLiteFile.check(database)
        try schema.migrate(database)
      }
    } catch {
      throw StateStoreError(opening: path, error)
    }
  }

  /// Runs `body` with the database, outside a transaction.
  func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
    do {
      return try database.inDatabase(body)
    } catch {
      throw StateStoreError(database: error)
    }
  }

  /// Runs `body` in a transaction, which is on the disk when this returns, and taken back when it
  /// throws.
  func commit(_ body: (Database) throws -> Void) throws {
    do {
      try database.inDatabase { database in
        try database.cachedStatement(sql: "BEGIN IMMEDIATE").execute()
        do {
          try body(database)
          try database.cachedStatement(sql: "COMMIT").execute()
        } catch {
          if database.isInsideTransaction {
            try database.cachedStatement(sql: "ROLLBACK").execute()
          }
          throw error
        }
      }
    } catch {
      throw StateStoreError(database: error)
    }
  }

  /// Moves what it can from the WAL into the main file.
  func checkpoint() throws {
    try read { _ = try Row.fetchOne($0, sql: "PRAGMA wal_checkpoint(PASSIVE)") }
  }

  /// How many bytes of the main file are in use.
  func usedBytes() throws -> Int64 {
    try read { database in
      let pages = try Int64.fetchOne(database, sql: "PRAGMA page_count") ?? 0
      let free = try Int64.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
      let size = try Int64.fetchOne(database, sql: "PRAGMA page_size") ?? 0
      return (pages - free) * size
    }
  }

  /// Closes the file, which moves the whole WAL into it.
  func close() throws {
    do {
      try database.close()
    } catch {
      throw StateStoreError(database: error)
    }
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

  private static func check(_ database: Database) throws {
    let findings = try String.fetchAll(database, sql: "PRAGMA quick_check(1)")
    guard findings == ["ok"] else {
      throw StateStoreError(
        .corrupt, "the state file is damaged",
        metadata: ["finding": findings.joined(separator: "; ")])
    }
  }
}

extension StateStoreError {
  /// What an error of the database means for a request.
  init(database error: any Error) {
    guard let error = error as? DatabaseError else {
      self =
        error as? StateStoreError
        ?? StateStoreError(.unavailable, "the state file failed", cause: error)
      return
    }
    switch error.resultCode {
    case .SQLITE_FULL:
      self = StateStoreError(.storageFull, "the disk is full", cause: error)
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      self = StateStoreError(.corrupt, "the state file is damaged", cause: error)
    case .SQLITE_BUSY, .SQLITE_LOCKED:
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
