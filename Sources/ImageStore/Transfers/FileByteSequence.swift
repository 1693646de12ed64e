import Glibc
package import Host
package import NIOCore

/// A file, piece by piece, as the body of a request.
package struct FileByteSequence: AsyncSequence, Sendable {
  package typealias Element = ByteBuffer

  let file: Descriptor
  let size: Int64
  /// Is told how far reading has come.
  let progress: @Sendable (Int64) -> Void

  /// The first `size` bytes of a file. `progress` is told how far reading has come.
  package init(
    file: Descriptor, size: Int64, progress: @escaping @Sendable (Int64) -> Void = { _ in }
  ) {
    self.file = file
    self.size = size
    self.progress = progress
  }

  /// Reads from the beginning.
  package func makeAsyncIterator() -> Iterator { Iterator(sequence: self) }

  /// Where reading is.
  package struct Iterator: AsyncIteratorProtocol {
    let sequence: FileByteSequence
    var offset: Int64 = 0

    /// The next piece, of at most a megabyte.
    package mutating func next() async throws -> ByteBuffer? {
      let (file, start) = (sequence.file, offset)
      let wanted = Int(Swift.min(1 << 20, sequence.size - start))
      guard wanted > 0 else { return nil }
      let piece = try await BlockingPool.shared.run {
        var buffer = ByteBufferAllocator().buffer(capacity: wanted)
        try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { bytes in
          let count = retryingInterrupts {
            pread(file.rawValue, bytes.baseAddress, wanted, Int(start))
          }
          guard count > 0 else { throw SystemError(EIO, "read") }
          return count
        }
        return buffer
      }
      offset += Int64(piece.readableBytes)
      sequence.progress(offset)
      return piece
    }
  }
}
