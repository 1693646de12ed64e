import Glibc
import NIOCore

/// Writes a tar archive: ustar headers, with pax records for what does not fit them.
package final class TarWriter {
  private let sink: (UnsafeRawBufferPointer) throws -> Void

  /// Hands what it writes to `sink`.
  package init(sink: @escaping (UnsafeRawBufferPointer) throws -> Void) { self.sink = sink }

  /// Writes the header of a member. For files exactly `entry.size` bytes of ``data(_:)`` and then
  /// ``endData(of:)`` must follow.
  package func header(_ entry: TarEntry) throws {
    let records = Self.records(for: entry)
    if !records.isEmpty {
      var extended = TarEntry(
        path: Array("PaxHeaders.0/".utf8) + Self.lastName(entry.path), kind: .file, mode: 0o644)
      extended.path = Array(extended.path.prefix(100))
      extended.size = Int64(records.count)
      try write(Self.block(extended, typeFlag: UInt8(ascii: "x")))
      try write(records)
      try pad(extended.size)
    }
    try write(Self.block(entry, typeFlag: Self.typeFlag(entry.kind)))
  }

  /// Writes a piece of a file's data.
  package func data(_ bytes: UnsafeRawBufferPointer) throws { try sink(bytes) }

  /// Fills up the last block of a file's data.
  package func endData(of entry: TarEntry) throws { try pad(entry.size) }

  /// Writes a small file whole.
  package func file(_ name: String, _ bytes: [UInt8], mode: UInt32 = 0o644, seconds: Int64 = 0)
    throws
  {
    var entry = TarEntry(path: Array(name.utf8), kind: .file, mode: mode)
    entry.size = Int64(bytes.count)
    entry.seconds = seconds
    try header(entry)
    try write(bytes)
    try endData(of: entry)
  }

  /// Writes the end of the archive.
  package func finish() throws { try write([UInt8](repeating: 0, count: 1024)) }

  private func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try sink($0) } }

  private func pad(_ size: Int64) throws {
    let rest = Int(size % Int64(TarHeader.blockSize))
    if rest > 0 { try write([UInt8](repeating: 0, count: TarHeader.blockSize - rest)) }
  }

  private static func lastName(_ path: [UInt8]) -> [UInt8] {
    path.split(separator: UInt8(ascii: "/")).last.map(Array.init) ?? []
  }

  private static func typeFlag(_ kind: TarEntry.Kind) -> UInt8 {
    switch kind {
    case .file: UInt8(ascii: "0")
    case .hardLink: UInt8(ascii: "1")
    case .symbolicLink: UInt8(ascii: "2")
    case .characterDevice: UInt8(ascii: "3")
    case .blockDevice: UInt8(ascii: "4")
    case .directory: UInt8(ascii: "5")
    case .fifo: UInt8(ascii: "6")
    }
  }

  /// The pax records that the entry needs, empty if ustar says it all.
  private static func records(for entry: TarEntry) -> [UInt8] {
    var records: [UInt8] = []
    func add(_ key: String, _ value: [UInt8]) {
      let body = [UInt8(ascii: " ")] + Array(key.utf8) + [UInt8(ascii: "=")] + value + [10]
      var length = body.count + 1
      while String(length).utf8.count + body.count != length {
        length = String(length).utf8.count + body.count
      }
      records += Array(String(length).utf8) + body
    }
    let isPlain = { (bytes: [UInt8]) in bytes.allSatisfy { $0 < 0x80 } }
    if split(entry.path) == nil || !isPlain(entry.path) { add("path", entry.path) }
    if entry.linkPath.count > 100 || !isPlain(entry.linkPath) { add("linkpath", entry.linkPath) }
    if entry.size > 0o77_777_777_777 { add("size", Array("\(entry.size)".utf8)) }
    if entry.user > 0o7_777_777 { add("uid", Array("\(entry.user)".utf8)) }
    if entry.group > 0o7_777_777 { add("gid", Array("\(entry.group)".utf8)) }
    if entry.seconds < 0 || entry.seconds > 0o77_777_777_777 {
      add("mtime", Array("\(entry.seconds)".utf8))
    }
    for (name, value) in entry.attributes.sorted(by: { $0.key < $1.key }) {
      add("SCHILY.xattr." + name, value)
    }
    return records
  }

  /// Divides a name between the fields of a ustar header; nil if it does not fit.
  private static func split(_ path: [UInt8]) -> (
    prefix: ArraySlice<UInt8>, name: ArraySlice<UInt8>
  )? {
    if path.count <= 100 { return ([], path[...]) }
    guard path.count <= 256 else { return nil }
    for index in path.indices.reversed() where path[index] == UInt8(ascii: "/") {
      let name = path[(index + 1)...]
      if index <= 155, index > 0, !name.isEmpty, name.count <= 100 {
        return (path[..<index], name)
      }
    }
    return nil
  }

  private static func block(_ entry: TarEntry, typeFlag: UInt8) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: TarHeader.blockSize)
    func put(_ bytes: some Sequence<UInt8>, at offset: Int, limit: Int) {
      for (index, byte) in bytes.prefix(limit).enumerated() { block[offset + index] = byte }
    }
    func octal(_ value: Int64, at offset: Int, width: Int) {
      let digits = String(max(0, value), radix: 8)
      let fitting = digits.utf8.count < width ? digits : "0"
      let zeros = String(repeating: "0", count: width - 1 - fitting.utf8.count)
      put((zeros + fitting).utf8, at: offset, limit: width - 1)
    }
    let parts = split(entry.path) ?? ([], entry.path.prefix(100))
    put(parts.name, at: 0, limit: 100)
    octal(Int64(entry.mode & 0o7777), at: 100, width: 8)
    octal(Int64(entry.user), at: 108, width: 8)
    octal(Int64(entry.group), at: 116, width: 8)
    octal(entry.kind == .file ? entry.size : 0, at: 124, width: 12)
    octal(entry.seconds, at: 136, width: 12)
    block[156] = typeFlag
    put(entry.linkPath, at: 157, limit: 100)
    put("ustar\0".utf8, at: 257, limit: 6)
    put("00".utf8, at: 263, limit: 2)
    octal(Int64(entry.deviceMajor), at: 329, width: 8)
    octal(Int64(entry.deviceMinor), at: 337, width: 8)
    put(parts.prefix, at: 345, limit: 155)
    put([UInt8](repeating: UInt8(ascii: " "), count: 8), at: 148, limit: 8)
    let sum = block.reduce(0) { $0 + Int($1) }
    let digits = String(sum, radix: 8)
    put(
      (String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits).utf8, at: 148,
      limit: 6)
    block[154] = 0
    block[155] = UInt8(ascii: " ")
    return block
  }
}

/// Gathers small writes into large buffers for a ``BytePipe``.
package final class PipeWriter {
  private let pipe: BytePipe
  private var buffer: ByteBuffer
  private let capacity: Int

  /// Writes to `pipe` in pieces of about `capacity` bytes.
  package init(_ pipe: BytePipe, capacity: Int = 256 << 10) {
    self.pipe = pipe
    self.capacity = capacity
    buffer = ByteBufferAllocator().buffer(capacity: capacity)
  }

  /// Adds bytes.
  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    buffer.writeBytes(bytes)
    if buffer.readableBytes >= capacity { try flush() }
  }

  /// Hands over what is gathered.
  package func flush() throws {
    guard buffer.readableBytes > 0 else { return }
    try pipe.write(buffer)
    buffer = ByteBufferAllocator().buffer(capacity: capacity)
  }
}
