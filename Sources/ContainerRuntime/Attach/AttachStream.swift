package import NIOCore

/// A client's view of a process's standard streams. One task reads, any may write. Letting go of it
/// detaches.
package final class AttachStream: Sendable {
  private let hub: AttachHub
  private let queue: AttachQueue

  init(hub: AttachHub, queue: AttachQueue) {
    self.hub = hub
    self.queue = queue
  }

  deinit { close() }

  /// The next bytes of one stream, or nil when the process has closed its streams.
  /// - Throws: `CancellationError`.
  package func next() async throws -> (stream: OutputStream, bytes: ByteBuffer)? {
    while true {
      try Task.checkCancellation()
      if let (segment, hasRoom) = queue.takeOne() {
        if hasRoom { hub.readerHasRoom() }
        return (segment.stream, segment.bytes)
      }
      if !(await queue.waitForMore()) { return nil }
    }
  }

  /// All that waits, as one buffer: framed as Docker multiplexes streams, or raw.
  ///
  /// - Parameters:
  ///   - multiplexed: each piece is preceded by its stream's number, three zeros and its length.
  ///   - output: standard output is wanted.
  ///   - errors: standard error is wanted.
  /// - Throws: `CancellationError`.
  package func nextFrames(
    multiplexed: Bool, stdout output: Bool = true, stderr errors: Bool = true
  ) async throws -> ByteBuffer? {
    while true {
      try Task.checkCancellation()
      if let (segments, hasRoom) = queue.takeAll() {
        if hasRoom { hub.readerHasRoom() }
        let wanted = segments.filter { $0.stream == .standardOutput ? output : errors }
        if wanted.count == 1, !multiplexed { return wanted[0].bytes }
        if !wanted.isEmpty { return Self.joined(wanted, multiplexed: multiplexed) }
        continue
      }
      if !(await queue.waitForMore()) { return nil }
    }
  }

  private static func joined(_ segments: [AttachQueue.Segment], multiplexed: Bool) -> ByteBuffer {
    let length = segments.reduce(0) { $0 + $1.bytes.readableBytes + 8 }
    var buffer = ByteBufferAllocator().buffer(capacity: length)
    for segment in segments {
      if multiplexed {
        buffer.writeInteger(UInt32(segment.stream.rawValue) << 24)
        buffer.writeInteger(UInt32(segment.bytes.readableBytes))
      }
      buffer.writeImmutableBuffer(segment.bytes)
    }
    return buffer
  }

  /// Writes to the process's standard input, waiting while it does not read. Without an open
  /// standard input the bytes are thrown away.
  /// - Throws: `ContainerRuntimeError.wrongState` once the input is closed.
  package func write(_ bytes: ByteBuffer) async throws {
    try await hub.write(bytes)
  }

  /// This client's input has ended. Closes the process's standard input where it is meant to end
  /// with the first client (`stdinOnce` without a terminal; every exec without a terminal).
  package func closeInput() { hub.closeInput() }

  /// Detaches: the process goes on, and `next` returns nil.
  package func close() {
    hub.detach(queue)
    queue.finish()
  }
}
