import Host
package import NIOCore
import Synchronization

/// A client's view of a process's standard streams. One task reads, any may write.
package final class AttachStream: Sendable {
  private struct Segment {
    var stream: OutputStream
    var bytes: ByteBuffer
  }

  private struct State {
    var segments = CircularBuffer<Segment>()
    var waitingBytes = 0
    var isFinished = false
    /// Since when the queue has been full.
    var fullSince: ContinuousClock.Instant?
    var waiter: CheckedContinuation<Void, Never>?
  }

  private static let highWater = 1 << 20
  private static let lowWater = 256 << 10
  /// Frames longer than this would make clients take large buffers.
  private static let longestSegment = 64 << 10

  private let hub: AttachHub
  private let state = Mutex(State())

  init(hub: AttachHub) { self.hub = hub }

  // MARK: the hub's side

  /// Whether the queue is full.
  var isFull: Bool { state.withLock { $0.waitingBytes >= Self.highWater } }

  /// Whether the queue has been full for longer than `patience`.
  func isStuck(after patience: Duration) -> Bool {
    state.withLock { $0.fullSince.map { $0.duration(to: .now) > patience } ?? false }
  }

  /// Queues a copy of `bytes`; true when the queue is full now.
  func append(_ bytes: UnsafeRawBufferPointer, from stream: OutputStream) -> Bool {
    state.withLock { state in
      guard !state.isFinished else { return false }
      let last = state.segments.indices.last
      if let last, state.segments[last].stream == stream,
        state.segments[last].bytes.readableBytes + bytes.count <= Self.longestSegment
      {
        state.segments[last].bytes.writeBytes(bytes)
      } else {
        let room = state.waitingBytes > 16 << 10 ? Self.longestSegment : bytes.count
        var buffer = ByteBufferAllocator().buffer(capacity: room)
        buffer.writeBytes(bytes)
        state.segments.append(Segment(stream: stream, bytes: buffer))
      }
      state.waitingBytes += bytes.count
      guard state.waitingBytes >= Self.highWater else { return false }
      state.fullSince = state.fullSince ?? .now
      return true
    }
  }

  /// Tells the reading task that there is something.
  func wake() {
    state.withLock { state in
      let waiter = state.waiter
      state.waiter = nil
      return waiter
    }?.resume()
  }

  /// No more will come.
  func finish() {
    state.withLock { $0.isFinished = true }
    wake()
  }

  // MARK: the client's side

  /// The next bytes of one stream, or nil when the process has closed its streams.
  /// - Throws: `CancellationError`.
  package func next() async throws -> (stream: OutputStream, bytes: ByteBuffer)? {
    while true {
      try Task.checkCancellation()
      if let (segment, hasRoom) = takeOne() {
        if hasRoom { hub.readerHasRoom() }
        return (segment.stream, segment.bytes)
      }
      if !(await waitForMore()) { return nil }
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
      if let (segments, hasRoom) = takeAll() {
        if hasRoom { hub.readerHasRoom() }
        let wanted = segments.filter { $0.stream == .standardOutput ? output : errors }
        if wanted.count == 1, !multiplexed { return wanted[0].bytes }
        if !wanted.isEmpty { return Self.joined(wanted, multiplexed: multiplexed) }
        continue
      }
      if !(await waitForMore()) { return nil }
    }
  }

  private static func joined(_ segments: [Segment], multiplexed: Bool) -> ByteBuffer {
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

  private func takeOne() -> (Segment, hasRoom: Bool)? {
    state.withLock { state in
      guard let segment = state.segments.popFirst() else { return nil }
      let before = state.waitingBytes
      state.waitingBytes -= segment.bytes.readableBytes
      if state.waitingBytes < Self.highWater { state.fullSince = nil }
      return (segment, before >= Self.lowWater && state.waitingBytes < Self.lowWater)
    }
  }

  private func takeAll() -> ([Segment], hasRoom: Bool)? {
    state.withLock { state in
      guard !state.segments.isEmpty else { return nil }
      let segments = Array(state.segments)
      let hasRoom = state.waitingBytes >= Self.lowWater
      state.segments = CircularBuffer()
      state.waitingBytes = 0
      state.fullSince = nil
      return (segments, hasRoom)
    }
  }

  /// False when the end is reached and nothing is left.
  private func waitForMore() async -> Bool {
    await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        let mustWait = state.withLock { state in
          if !state.segments.isEmpty || state.isFinished { return false }
          state.waiter = continuation
          return true
        }
        // A cancellation that came before the waiter was set woke nobody.
        if !mustWait { continuation.resume() } else if Task.isCancelled { wake() }
      }
    } onCancel: {
      wake()
    }
    return state.withLock { !$0.segments.isEmpty || !$0.isFinished }
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
    hub.detach(self)
    finish()
  }
}
