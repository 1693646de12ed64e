import Glibc
import NIOCore

/// Bytes that are read by blocking.
package protocol ByteSource: AnyObject {
  /// Reads some bytes into `buffer`, which is not empty; 0 is the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// The reading end of a ``BytePipe``.
package final class PipeSource: ByteSource {
  private let pipe: BytePipe
  private var current = ByteBuffer()

  /// Reads from `pipe`.
  package init(_ pipe: BytePipe) { self.pipe = pipe }

  package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while current.readableBytes == 0 {
      guard let next = try pipe.read() else { return 0 }
      current = next
    }
    let count = min(buffer.count, current.readableBytes)
    current.readWithUnsafeReadableBytes { bytes in
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      return count
    }
    return count
  }
}

/// A file from its beginning, or a part of one.
package final class FileSource: ByteSource {
  private let file: Descriptor
  private var offset: Int64
  private var remaining: Int64

  /// Reads `count` bytes (or to the end) from `offset`, without moving the file's own position.
  package init(_ file: Descriptor, offset: Int64 = 0, count: Int64 = .max) {
    self.file = file
    self.offset = offset
    remaining = count
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let wanted = Int(min(Int64(buffer.count), remaining))
    guard wanted > 0 else { return 0 }
    let count = retryingInterrupts { pread(file.rawValue, buffer.baseAddress, wanted, Int(offset)) }
    guard count >= 0 else { throw SystemError.last("read") }
    offset += Int64(count)
    remaining -= Int64(count)
    return count
  }
}

/// Bytes in memory.
package final class MemorySource: ByteSource {
  private let bytes: [UInt8]
  private var offset = 0

  /// Reads these bytes.
  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = min(buffer.count, bytes.count - offset)
    bytes[offset..<(offset + count)].withUnsafeBytes { buffer.copyMemory(from: $0) }
    offset += count
    return count
  }
}

/// Reads ahead in large pieces and hands out slices of its own memory.
package final class BufferedReader {
  private let source: any ByteSource
  private let memory: UnsafeMutableRawBufferPointer
  private var start = 0
  private var end = 0
  private let onRead: ((UnsafeRawBufferPointer) throws -> Void)?

  /// - Parameter onRead: is shown every byte once, in order, as it comes from the source.
  package init(
    _ source: any ByteSource, capacity: Int = 256 << 10,
    onRead: ((UnsafeRawBufferPointer) throws -> Void)? = nil
  ) {
    self.source = source
    self.onRead = onRead
    memory = .allocate(byteCount: capacity, alignment: 64)
  }

  deinit { memory.deallocate() }

  /// The next bytes, at most `limit`, valid until the next call; empty at the end.
  package func take(upTo limit: Int) throws -> UnsafeRawBufferPointer {
    if start == end { try refill() }
    let count = min(limit, end - start)
    defer { start += count }
    return UnsafeRawBufferPointer(rebasing: memory[start..<(start + count)])
  }

  /// Exactly `count` bytes, which must fit the memory, valid until the next call; nil at the end.
  /// Throws `malformed` if the end comes in between.
  package func takeExactly(_ count: Int) throws -> UnsafeRawBufferPointer? {
    if end - start < count {
      memory.baseAddress.map { _ = memmove($0, $0 + start, end - start) }
      end -= start
      start = 0
      while end < count {
        if try !fill() {
          if end == 0 { return nil }
          throw ArchiveError(.malformed, "the archive is cut short")
        }
      }
    }
    defer { start += count }
    return UnsafeRawBufferPointer(rebasing: memory[start..<(start + count)])
  }

  /// The first bytes without taking them; fewer than `count` only at the end.
  package func peek(_ count: Int) throws -> UnsafeRawBufferPointer {
    while end - start < count {
      if start > 0 {
        memory.baseAddress.map { _ = memmove($0, $0 + start, end - start) }
        end -= start
        start = 0
      }
      if try !fill() { break }
    }
    return UnsafeRawBufferPointer(rebasing: memory[start..<min(end, start + count)])
  }

  /// Reads and drops everything to the end of the source.
  package func drain() throws {
    while try !take(upTo: memory.count).isEmpty {}
  }

  private func refill() throws {
    start = 0
    end = 0
    _ = try fill()
  }

  private func fill() throws -> Bool {
    let space = UnsafeMutableRawBufferPointer(rebasing: memory[end...])
    let count = try source.read(into: space)
    guard count > 0 else { return false }
    try onRead?(UnsafeRawBufferPointer(rebasing: memory[end..<(end + count)]))
    end += count
    return true
  }
}
