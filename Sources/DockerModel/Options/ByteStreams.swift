package import NIOCore

/// Bytes arriving from a client, in order, read once. Reading is what lets the client send more.
/// Ends when the client finished its side; throws when the connection broke.
package typealias ByteStream = any AsyncSequence<ByteBuffer, any Error> & Sendable

/// How a container's output travels to a client.
package enum StreamFraming: Sendable, Equatable {
  /// The bytes as the process wrote them: containers with a terminal, and WebSocket clients.
  case raw
  /// Each piece behind an 8-byte header naming its stream; see ``ByteBuffer/writeFrame(_:_:)``.
  case multiplexed
}

/// A standard stream of a process, numbered as in the multiplexed framing.
package enum StandardStream: UInt8, Sendable {
  case input = 0
  case output = 1
  case error = 2
  /// An error of the daemon itself, told inside the stream.
  case system = 3
}

extension ByteBuffer {
  /// Appends one multiplexed frame: stream number, three zero bytes, the length as 32-bit
  /// big-endian, the bytes.
  package mutating func writeFrame(_ stream: StandardStream, _ bytes: ByteBuffer) {
    writeFrameHeader(stream, count: bytes.readableBytes)
    writeImmutableBuffer(bytes)
  }

  /// Appends one multiplexed frame holding `bytes`.
  package mutating func writeFrame(_ stream: StandardStream, bytes: some Collection<UInt8>) {
    writeFrameHeader(stream, count: bytes.count)
    writeBytes(bytes)
  }

  /// Appends the header of a frame whose `count` bytes the caller appends next.
  package mutating func writeFrameHeader(_ stream: StandardStream, count: Int) {
    writeMultipleIntegers(stream.rawValue, UInt8(0), UInt8(0), UInt8(0), UInt32(clamping: count))
  }
}

/// Where the bytes of an answer go (export, save).
package protocol ByteSink: Sendable {
  /// Sends the head of the answer. Call once, when the request is known to be good: an error thrown
  /// before becomes an error answer with its status, one thrown later cuts the stream.
  func begin() async throws
  /// Sends bytes at once; returns when the client has room for more. Throws when the client is gone.
  func write(_ bytes: ByteBuffer) async throws
}

/// Where a container's recorded output goes (logs).
package protocol OutputSink: Sendable {
  /// Sends the head of the answer and tells how output must be framed. Call once, as early as the
  /// request is known to be good, even when there is nothing to send yet.
  func begin(tty: Bool) async throws -> StreamFraming
  /// Sends bytes, already framed, at once; returns when the client has room for more. Many frames
  /// in one call are cheaper than one call for each.
  func write(_ bytes: ByteBuffer) async throws
}

/// Where an archive read out of a container goes.
package protocol ArchiveSink: Sendable {
  /// Sends the head of the answer with what the path is. Call once, before the first byte.
  func begin(_ stat: ContainerPathStat) async throws
  /// Sends bytes of the tar archive; returns when the client has room for more.
  func write(_ bytes: ByteBuffer) async throws
}

/// A client's connection turned into a raw stream in both directions (attach, exec).
package protocol RawConnection: Sendable {
  /// Answers the request and turns the connection into a raw stream; tells how output must be
  /// framed. Call once, when the request is known to be good: an error thrown before becomes an
  /// error answer with its status.
  func begin(tty: Bool) async throws -> StreamFraming
  /// What the client sends, read once. Ends when the client half-closed its side (end of standard
  /// input); throws when the client is gone. Nothing is read before ``begin(tty:)``.
  var input: ByteStream { get }
  /// Sends bytes, already framed, at once; returns when the client has room for more. Throws when
  /// the client is gone.
  func write(_ bytes: ByteBuffer) async throws
  /// Half-closes our side: the client reads end of file but may go on sending. The connection is
  /// closed altogether when the backend's call returns.
  func finishOutput() async throws
}

/// A wait that has been registered: nothing that happens from now on is missed.
package struct PendingWait: Sendable {
  /// Suspends until the condition holds.
  package let result: @Sendable () async throws -> ContainerWaitResponse

  package init(result: @escaping @Sendable () async throws -> ContainerWaitResponse) {
    self.result = result
  }
}

/// Receives the progress of a pull, push, load or import. Awaiting it is the back-pressure.
package typealias ProgressReporter = @Sendable (JSONMessage) async -> Void
