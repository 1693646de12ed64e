import CSQLite
import StateStore

/// An open database file. For one thread at a time; its methods block.
final class SQLiteConnection {
  /// A value of a column or a parameter.
  enum Value {
    case integer(Int64)
    case text(String)
    case blob([UInt8])
  }

  /// Nil after `close()`.
  private var handle: OpaquePointer?
  /// The statements compiled so far. Their texts are few and constant.
  private var statements: [String: OpaquePointer] = [:]

  /// Opens the file, which must exist.
  init(path: String) throws {
    var handle: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
    let code = sqlite3_open_v2(path, &handle, flags, nil)
    guard code == SQLITE_OK else {
      let error = SQLiteError(code: code, message: String(cString: sqlite3_errstr(code)))
      sqlite3_close_v2(handle)
      throw error
    }
    self.handle = handle
  }

  deinit {
    close()
  }

  /// Closes the file; whatever is asked of the connection after it fails.
  func close() {
    for statement in statements.values { sqlite3_finalize(statement) }
    statements = [:]
    sqlite3_close_v2(handle)
    handle = nil
  }

  /// Whether a transaction is open.
  var isInTransaction: Bool { handle.map { sqlite3_get_autocommit($0) == 0 } ?? false }

  /// Runs one statement to its end; calls `row` with each row of its answer.
  func run(
    _ sql: String, _ parameters: [Value] = [], row: (SQLiteRow) throws -> Void = { _ in }
  ) throws {
    let statement = try statement(sql)
    defer {
      sqlite3_reset(statement)
      sqlite3_clear_bindings(statement)
    }
    for (index, parameter) in parameters.enumerated() {
      try check(bind(parameter, to: statement, at: Int32(index + 1)))
    }
    while true {
      switch sqlite3_step(statement) {
      case SQLITE_ROW: try row(SQLiteRow(statement: statement))
      case SQLITE_DONE: return
      case let code: try check(code)
      }
    }
  }

  /// Runs several statements without parameters.
  func runScript(_ sql: String) throws {
    try check(sqlite3_exec(try opened(), sql, nil, nil, nil))
  }

  /// The first column of the first row of the answer as a number.
  func number(_ sql: String) throws -> Int64? {
    var result: Int64?
    try run(sql) { row in result = result ?? row.integer(0) }
    return result
  }

  private func statement(_ sql: String) throws -> OpaquePointer {
    if let statement = statements[sql] { return statement }
    var statement: OpaquePointer?
    try check(
      sqlite3_prepare_v3(try opened(), sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil))
    guard let statement else { throw SQLiteError(code: SQLITE_MISUSE, message: "no statement") }
    statements[sql] = statement
    return statement
  }

  private func opened() throws -> OpaquePointer {
    guard let handle else { throw SQLiteError(code: SQLITE_MISUSE, message: "closed") }
    return handle
  }

  private func bind(_ value: Value, to statement: OpaquePointer, at index: Int32) -> Int32 {
    // SQLite copies what it is given with this destructor.
    let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    switch value {
    case .integer(let number): return sqlite3_bind_int64(statement, index, number)
    case .text(let text): return sqlite3_bind_text(statement, index, text, -1, copied)
    case .blob(let bytes):
      // Without bytes there is no address, and a missing address would mean NULL.
      guard !bytes.isEmpty else { return sqlite3_bind_zeroblob(statement, index, 0) }
      return sqlite3_bind_blob64(statement, index, bytes, UInt64(bytes.count), copied)
    }
  }

  private func check(_ code: Int32) throws {
    guard code != SQLITE_OK else { return }
    throw SQLiteError(code: code, message: String(cString: sqlite3_errmsg(handle)))
  }
}

/// The row a statement stands at; valid until the statement goes on.
struct SQLiteRow {
  fileprivate let statement: OpaquePointer

  /// A column as a number.
  func integer(_ column: Int32) -> Int64 {
    sqlite3_column_int64(statement, column)
  }

  /// A column as bytes.
  func blob(_ column: Int32) -> [UInt8] {
    guard let start = sqlite3_column_blob(statement, column) else { return [] }
    let count = Int(sqlite3_column_bytes(statement, column))
    return Array(UnsafeRawBufferPointer(start: start, count: count))
  }

  /// A column as text.
  func text(_ column: Int32) -> String {
    sqlite3_column_text(statement, column).map { String(cString: $0) } ?? ""
  }
}

/// What SQLite says went wrong.
struct SQLiteError: Error, CustomStringConvertible {
  /// The extended result code.
  var code: Int32
  var message: String

  /// The result code without its extension.
  var primaryCode: Int32 { code & 0xFF }

  var description: String { "SQLite error \(code): \(message)" }
}
