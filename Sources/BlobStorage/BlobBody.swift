package import Host
package import NIOCore

/// The bytes of a stored file, or of a part of it.
package enum BlobBody: Sendable {
  /// An open file of ours and where the bytes lie in it: the kernel can send them by itself.
  case file(Descriptor, offset: Int64, length: Int64)
  /// Bytes that come from somewhere else.
  case stream(length: Int64, AsyncThrowingStream<ByteBuffer, any Error>)

  /// How many bytes there are.
  package var length: Int64 {
    switch self {
    case .file(_, _, let length), .stream(let length, _): length
    }
  }
}
