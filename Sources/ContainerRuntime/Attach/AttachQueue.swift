import NIOCore
import Synchronization

/// What waits for one reader of a process's streams: filled by the hub, emptied by one task.
final class AttachQueue: Sendable {
  struct Segment {
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

  private let state = Mutex(State())

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

  // MARK: the reader's side

  /// The first piece, with whether there is room again.
  func takeOne() -> (Segment, hasRoom: Bool)? {
    state.withLock { state in
      guard let segment = state.segments.popFirst() else { return nil }
      let before = state.waitingBytes
      state.waitingBytes -= segment.bytes.readableBytes
      if state.waitingBytes < Self.highWater { state.fullSince = nil }
      return (segment, before >= Self.lowWater && state.waitingBytes < Self.lowWater)
    }
  }

  /// All pieces, with whether there is room again.
  func takeAll() -> ([Segment], hasRoom: Bool)? {
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

  /// Waits for more; false when the end is reached and nothing is left.
  func waitForMore() async -> Bool {
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
}
