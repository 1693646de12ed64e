import Host
import NIOCore
import NIOHTTP1

/// What arrives on a connection, in order.
enum ConnectionInput: Sendable {
  case head(HTTPRequestHead)
  case body(ByteBuffer)
  case end
  /// Bytes after an upgrade.
  case raw(ByteBuffer)
}

/// What a connection is told to send or do, in order. Everything is flushed as it comes.
enum ConnectionOutput: Sendable {
  /// A whole answer at once.
  case complete(HTTPResponseHead, ByteBuffer)
  /// A 100-continue or the like; the answer still follows.
  case informational(HTTPResponseHead)
  case head(HTTPResponseHead)
  case body(ByteBuffer)
  /// A part of an open file, sent by the kernel.
  case file(Descriptor, offset: Int64, length: Int64)
  case end
  /// The answer's head, after which the connection speaks another protocol.
  case upgrade(HTTPResponseHead, UpgradeProtocol)
  /// Bytes after an upgrade.
  case raw(ByteBuffer)
  /// After an upgrade: nothing more will be sent, but the client may go on sending.
  case halfClose
  /// Close once everything has been sent.
  case close
  /// Close now, so that the client can tell that its answer is incomplete.
  case abort
}

extension ConnectionOutput {
  /// How much of a client's patience it takes.
  var byteCount: Int {
    switch self {
    case .complete(_, let bytes), .body(let bytes), .raw(let bytes): bytes.readableBytes
    default: 0
    }
  }
}

/// What a connection speaks after an upgrade.
enum UpgradeProtocol: Sendable, Equatable {
  /// Plain bytes in both directions.
  case raw
  /// WebSocket; what is sent goes into binary frames, or else text frames.
  case webSocket(binary: Bool)
}
