import Glibc
import Host

/// A file that grows while someone else reads it.
// @unchecked: the state is touched only with `lock` held; the file is written by one task only.
final class GrowingFile: @unchecked Sendable {
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var available: Int64 = 0
  private var isFinished = false
  private var failure: (any Error)?

  init() {
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
    defer {
      pthread_cond_broadcast(changed)
      pthread_mutex_unlock(lock)
    }
    return try body()
  }

  /// Says that the file is good up to here.
  func grow(to size: Int64) { locked { available = max(available, size) } }

  /// Says that nothing more comes.
  func finish(_ error: (any Error)? = nil) {
    locked {
      guard !isFinished else { return }
      isFinished = true
      failure = error
    }
  }

  /// Waits until there is something beyond `offset`; returns how far the file is good, which is
  /// `offset` at its end. Blocks.
  func wait(beyond offset: Int64) throws -> Int64 {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    while available <= offset && !isFinished { pthread_cond_wait(changed, lock) }
    if available <= offset, let failure { throw failure }
    return max(available, offset)
  }
}

/// Reads a growing file from its beginning.
final class GrowingFileSource: ByteSource {
  private let file: Descriptor
  private let growth: GrowingFile
  private var offset: Int64 = 0

  init(_ file: Descriptor, _ growth: GrowingFile) {
    self.file = file
    self.growth = growth
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let end = try growth.wait(beyond: offset)
    let wanted = Int(min(Int64(buffer.count), end - offset))
    guard wanted > 0 else { return 0 }
    let count = retryingInterrupts { pread(file.rawValue, buffer.baseAddress, wanted, Int(offset)) }
    guard count > 0 else { throw SystemError.last("read") }
    offset += Int64(count)
    return count
  }
}
