import Glibc
import Host
import NIOCore

/// Reads files for connections whose bytes must pass through us.
enum FilePiece {
  /// Up to `count` bytes from `offset` on, at least one. Throws `TransportError` when the file ends
  /// there, and `SystemError`.
  static func read(_ file: Descriptor, at offset: Int64, count: Int) async throws -> ByteBuffer {
    try await BlockingPool.shared.run {
      var bytes = ByteBufferAllocator().buffer(capacity: count)
      let read = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
        max(0, retryingInterrupts { pread(file.rawValue, memory.baseAddress, count, Int(offset)) })
      }
      guard read > 0 else {
        throw TransportError(code: .misuse, message: "a file is shorter than was said")
      }
      return bytes
    }
  }
}
