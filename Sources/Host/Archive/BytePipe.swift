import Glibc
package import NIOCore

/// A bounded queue of bytes between a thread that may block and a task that may not.
///
/// One side writes (``write(_:)`` blocks, ``send(_:)`` suspends while the queue is full), the other
/// reads (``read()`` blocks, ``next()`` suspends while it is empty). Either may go away at any time;
/// the other then gets an error.
// @unchecked: all mutable state is touched only with `lock` held.
package final class BytePipe: @unchecked Sendable {
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private let capacity: Int
  private var queue: [ByteBuffer] = []
  private var head = 0
  private var queuedBytes = 0
  private var ended = false
  private var failure: (any Error)?
  private var abandoned = false
  private var waitingReader: CheckedContinuation<ByteBuffer?, any Error>?
  private var waitingWriter: CheckedContinuation<Void, any Error>?

  /// A pipe that holds about `capacity` bytes.
  package init(capacity: Int = 4 << 20) {
    self.capacity = capacity
    lock = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    changed.deallocate()
    lock.deallocate()
  }

  private func locked<Value>(_ body: () throws -> Value) rethrows -> Value {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return try body()
  }

  private static let gone = ArchiveError(.abandoned, "the other end of the stream went away")

  // MARK: - Writing

  /// Puts bytes into the queue, blocking while it is full.
  /// - Throws: `ArchiveError` (`abandoned`) once the reader is gone.
  package func write(_ buffer: ByteBuffer) throws {
    guard buffer.readableBytes > 0 else { return }
    let reader: CheckedContinuation<ByteBuffer?, any Error>? = try locked {
      while queuedBytes >= capacity && !abandoned { pthread_cond_wait(changed, lock) }
      return try enqueue(buffer)
    }
    reader?.resume(returning: buffer)
  }

  /// Puts bytes into the queue, suspending while it is full.
  /// - Throws: `ArchiveError` (`abandoned`) once the reader is gone.
  package func send(_ buffer: ByteBuffer) async throws {
    guard buffer.readableBytes > 0 else { return }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation {
        (continuation: CheckedContinuation<Void, any Error>) in
        let isFree = locked {
          if queuedBytes < capacity || abandoned { return true }
          waitingWriter = continuation
          return false
        }
        if isFree { continuation.resume() }
      }
    } onCancel: {
      abandon()
    }
    let reader: CheckedContinuation<ByteBuffer?, any Error>? = try locked { try enqueue(buffer) }
    reader?.resume(returning: buffer)
  }

  /// Queues with the lock held; returns the reader to hand the bytes to instead, if one waits.
  private func enqueue(_ buffer: ByteBuffer) throws -> CheckedContinuation<ByteBuffer?, any Error>?
  {
    if abandoned { throw Self.gone }
    if let reader = waitingReader {
      waitingReader = nil
      return reader
    }
    queue.append(buffer)
    queuedBytes += buffer.readableBytes
    pthread_cond_broadcast(changed)
    return nil
  }

  /// Ends the stream, with an error or without. What was queued can still be read.
  package func finish(_ error: (any Error)? = nil) {
    let reader: CheckedContinuation<ByteBuffer?, any Error>? = locked {
      guard !ended else { return nil }
      ended = true
      failure = error
      pthread_cond_broadcast(changed)
      defer { waitingReader = nil }
      return waitingReader
    }
    if let error { reader?.resume(throwing: error) } else { reader?.resume(returning: nil) }
  }

  // MARK: - Reading

  /// Takes the next bytes, blocking while there are none; nil at the end.
  package func read() throws -> ByteBuffer? {
    let taken: (ByteBuffer?, CheckedContinuation<Void, any Error>?) = try locked {
      while head == queue.count && !ended && !abandoned { pthread_cond_wait(changed, lock) }
      return (try dequeue(), freedWriter())
    }
    taken.1?.resume()
    return taken.0
  }

  /// Takes the next bytes, suspending while there are none; nil at the end.
  package func next() async throws -> ByteBuffer? {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation {
        (continuation: CheckedContinuation<ByteBuffer?, any Error>) in
        var writer: CheckedContinuation<Void, any Error>?
        let result: Result<ByteBuffer?, any Error>? = locked {
          if head == queue.count && !ended && !abandoned {
            waitingReader = continuation
            return nil
          }
          let result = Result { try dequeue() }
          writer = freedWriter()
          return result
        }
        writer?.resume()
        if let result { continuation.resume(with: result) }
      }
    } onCancel: {
      abandon()
    }
  }

  private func dequeue() throws -> ByteBuffer? {
    if abandoned { throw CancellationError() }
    guard head < queue.count else {
      if let failure { throw failure }
      return nil
    }
    let buffer = queue[head]
    head += 1
    queuedBytes -= buffer.readableBytes
    if head == queue.count || head > 64 {
      queue.removeFirst(head)
      head = 0
    }
    pthread_cond_broadcast(changed)
    return buffer
  }

  private func freedWriter() -> CheckedContinuation<Void, any Error>? {
    guard queuedBytes < capacity, let writer = waitingWriter else { return nil }
    waitingWriter = nil
    return writer
  }

  /// Says that this end is gone: whoever waits or comes later gets an error.
  package func abandon() {
    let (reader, writer) = locked {
      abandoned = true
      queue = []
      head = 0
      queuedBytes = 0
      pthread_cond_broadcast(changed)
      defer {
        waitingReader = nil
        waitingWriter = nil
      }
      return (waitingReader, waitingWriter)
    }
    reader?.resume(throwing: CancellationError())
    writer?.resume()
  }

  // MARK: - Joining

  /// A stream of what `produce` writes on a thread of its own. When the reader goes away the next
  /// write throws.
  package static func stream(
    capacity: Int = 4 << 20, _ produce: @escaping @Sendable (BytePipe) throws -> Void
  ) -> ByteStream {
    let pipe = BytePipe(capacity: capacity)
    let sequence = BytePipeSequence(pipe: pipe)
    DedicatedThread.start {
      do {
        try produce(pipe)
        pipe.finish()
      } catch {
        pipe.finish(error)
      }
    }
    return sequence
  }

  /// Runs `consume` on a thread of its own with the bytes of `stream`.
  /// - Throws: what either throws.
  package static func consume<Value: Sendable>(
    _ stream: ByteStream, capacity: Int = 4 << 20,
    _ consume: @escaping @Sendable (PipeSource) throws -> Value
  ) async throws -> Value {
    let pipe = BytePipe(capacity: capacity)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          for try await buffer in stream { try await pipe.send(buffer) }
          pipe.finish()
        } catch let error as ArchiveError where error.code == .abandoned {
          pipe.finish()  // the consumer had enough; its own outcome is what counts
        } catch {
          pipe.finish(error)
        }
      }
      let value = try await withTaskCancellationHandler {
        try await DedicatedThread.run {
          defer { pipe.abandon() }
          return try consume(PipeSource(pipe))
        }
      } onCancel: {
        pipe.abandon()
      }
      group.cancelAll()
      return value
    }
  }
}

/// The reading end of a pipe as an asynchronous sequence; may be iterated once.
private struct BytePipeSequence: AsyncSequence, Sendable {
  typealias Element = ByteBuffer
  typealias Failure = any Error

  /// Lets the writer know when neither sequence nor iterator is left.
  fileprivate final class End: Sendable {
    let pipe: BytePipe
    init(_ pipe: BytePipe) { self.pipe = pipe }
    deinit { pipe.abandon() }
  }

  private let end: End

  init(pipe: BytePipe) { end = End(pipe) }

  func makeAsyncIterator() -> Iterator { Iterator(end: end) }

  struct Iterator: AsyncIteratorProtocol {
    private let end: End

    fileprivate init(end: End) { self.end = end }

    mutating func next() async throws -> ByteBuffer? { try await end.pipe.next() }

    mutating func next(isolation: isolated (any Actor)?) async throws(any Error) -> ByteBuffer? {
      try await end.pipe.next()
    }
  }
}
