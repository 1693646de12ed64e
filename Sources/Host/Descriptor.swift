import CLinux
import Glibc
import Synchronization

/// A file descriptor that is closed when nothing refers to it any more.
package final class Descriptor: Sendable {
  private let value: Mutex<Int32>

  /// Takes over `descriptor`, which must be open and close-on-exec.
  package init(owning descriptor: Int32) { value = Mutex(descriptor) }

  deinit { close() }

  /// The number, or -1 once closed.
  package var rawValue: Int32 { value.withLock { $0 } }

  /// Closes the descriptor; a second call does nothing.
  package func close() {
    let descriptor = value.withLock { value in
      defer { value = -1 }
      return value
    }
    if descriptor >= 0 { Glibc.close(descriptor) }
  }

  /// Gives the number away: the caller closes it from now on.
  package func release() -> Int32 {
    value.withLock { value in
      defer { value = -1 }
      return value
    }
  }

  /// Opens a path, close-on-exec.
  /// - Throws: `SystemError`.
  package static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws -> Descriptor {
    let descriptor = retryingInterrupts { Glibc.open(path, flags | O_CLOEXEC, mode) }
    return Descriptor(owning: try checked("open", path, descriptor))
  }

  /// The two ends of a new pipe.
  /// - Throws: `SystemError`.
  package static func pipe() throws -> (reading: Descriptor, writing: Descriptor) {
    var ends: [Int32] = [-1, -1]
    try checked("pipe", nil, martlet_pipe(&ends))
    return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
  }

  /// Reads up to `count` bytes; an empty result is the end of the file. Blocks.
  /// - Throws: `SystemError`.
  package func read(upTo count: Int) throws -> [UInt8] {
    let number = rawValue
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let result = retryingInterrupts { Glibc.read(number, buffer.baseAddress, count) }
      if result < 0 { failure = .last("read") }
      initialized = max(0, result)
    }
    if let failure { throw failure }
    return bytes
  }

  /// Writes all of `bytes`. Blocks.
  /// - Throws: `SystemError`.
  package func write(_ bytes: some Collection<UInt8>) throws {
    let number = rawValue
    let written: Void? = try bytes.withContiguousStorageIfAvailable { buffer in
      try Descriptor.writeAll(UnsafeRawBufferPointer(buffer), to: number)
    }
    if written == nil {
      try Array(bytes).withUnsafeBytes { try Descriptor.writeAll($0, to: number) }
    }
  }

  private static func writeAll(_ buffer: UnsafeRawBufferPointer, to number: Int32) throws {
    var rest = buffer[...]
    while !rest.isEmpty {
      let slice = UnsafeRawBufferPointer(rebasing: rest)
      let count = retryingInterrupts { Glibc.write(number, slice.baseAddress, slice.count) }
      guard count >= 0 else { throw SystemError.last("write") }
      rest = rest.dropFirst(count)
    }
  }
}
