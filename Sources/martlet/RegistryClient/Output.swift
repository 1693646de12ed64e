import ArgumentParser
import Glibc
import Identity

/// How results are shown.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case table, json }

/// A column of a table, or a line of a description.
struct Column: Sendable {
  let title: String
  let text: @Sendable (JSONValue) -> String

  /// Shows a member.
  init(_ title: String, _ key: String) {
    self.title = title
    text = { $0[key].text }
  }

  /// Shows what is made of an entry.
  init(_ title: String, _ text: @escaping @Sendable (JSONValue) -> String) {
    self.title = title
    self.text = text
  }

  /// Shows a moment.
  static func time(_ title: String, _ key: String) -> Column {
    Column(title) { $0[key].string.map(Human.time) ?? "" }
  }

  /// Shows a number of bytes.
  static func bytes(_ title: String, _ key: String) -> Column {
    Column(title) { $0[key].integer.map(Human.bytes) ?? "" }
  }
}

/// Values as people read them.
enum Human {
  /// A moment to the second; `never` for Go's zero time.
  static func time(_ text: String) -> String {
    if text.hasPrefix("0001-01-01") { return "never" }
    guard let time = Timestamp(text) else { return text }
    return Timestamp(seconds: time.seconds).description
  }

  /// Bytes in units of 1000.
  static func bytes(_ count: Int64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"]
    guard count >= 1_000 else { return "\(count) B" }
    var amount = count
    var unit = 0
    while amount >= 1_000_000, unit < units.count - 2 {
      amount /= 1_000
      unit += 1
    }
    let tenths = (amount + 50) / 100
    let whole = tenths / 10
    return (whole < 10 ? "\(whole).\(tenths % 10)" : "\(whole)") + " \(units[unit + 1])"
  }

  /// A digest's first digits.
  static func digest(_ text: String) -> String {
    guard let colon = text.firstIndex(of: ":") else { return text }
    return String(text[...colon] + text[text.index(after: colon)...].prefix(12))
  }

  /// The rules of a policy, as `--rule` takes them.
  static func rules(_ rules: JSONValue) -> String {
    rules.elements.map { rule in
      ([rule["field"].text, rule["operator"].text] + rule["values"].elements.map(\.text))
        .joined(separator: " ")
    }.joined(separator: "; ")
  }
}

/// Writes results to standard output.
struct Output: Sendable {
  let format: OutputFormat
  /// Whether only names or ids are written.
  let isQuiet: Bool

  /// A list: a table of `columns`, or the document, or the ids in lines.
  func list(
    _ listing: RegistryClient.Listing, id: @Sendable (JSONValue) -> String, _ columns: [Column]
  ) throws {
    if isQuiet {
      for row in listing.rows { Terminal.say(Terminal.printable(id(row))) }
    } else if format == .json {
      try json(listing.document)
    } else {
      table(listing.rows, columns)
    }
  }

  /// One thing: its members in lines, or the document, or its id.
  func show(_ document: JSONValue, id: String, _ columns: [Column]) throws {
    if isQuiet { return Terminal.say(Terminal.printable(id)) }
    if format == .json { return try json(document) }
    let width = (columns.map(\.title.count).max() ?? 0) + 3
    for column in columns {
      let text = Terminal.printable(column.text(document))
      let title = column.title + ":"
      Terminal.say(
        text.isEmpty ? title : title + String(repeating: " ", count: width - title.count) + text)
    }
  }

  /// Something was made or changed: a sentence, or the document, or its id.
  func did(_ sentence: String, _ document: JSONValue? = nil, id: String) throws {
    if isQuiet {
      Terminal.say(Terminal.printable(id))
    } else if format == .json {
      if let document { try json(document) }
    } else {
      Terminal.say(Terminal.printable(sentence))
    }
  }

  /// A remark for people; on standard error when standard output is for a program.
  func remark(_ line: String) {
    if isQuiet { return }
    if format == .json {
      Terminal.complain(line)
    } else {
      Terminal.say(Terminal.printable(line))
    }
  }

  /// A document.
  func json(_ document: JSONValue) throws {
    Terminal.say(String(decoding: try document.pretty(), as: UTF8.self))
  }

  /// A table with columns two spaces apart.
  func table(_ rows: [JSONValue], _ columns: [Column]) {
    let cells =
      [columns.map(\.title)]
      + rows.map { row in columns.map { Terminal.printable($0.text(row)) } }
    let widths = columns.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
    for line in cells {
      var text = ""
      for (cell, width) in zip(line, widths) {
        text += cell + String(repeating: " ", count: width - cell.count + 2)
      }
      while text.hasSuffix(" ") { text.removeLast() }
      Terminal.say(text)
    }
  }
}
