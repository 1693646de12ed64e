import Glibc

/// A thread of its own for work that blocks for long: unpacking a layer while it downloads would
/// hold one of the shared pool's threads for minutes.
package enum DedicatedThread {
  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `body` on a new thread and returns at once.
  package static func start(_ body: @escaping @Sendable () -> Void) {
    let opaque = Unmanaged.passRetained(Work(body)).toOpaque()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 8 << 20)
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    let status = pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, opaque)
    if status != 0 {
      // No thread to be had: a pool thread does the work later rather than nobody.
      let work = Unmanaged<Work>.fromOpaque(opaque).takeRetainedValue()
      Task { try await BlockingPool.shared.run { work.body() } }
    }
  }

  /// Runs `body` on a new thread and waits for its outcome without blocking.
  /// - Throws: what `body` throws.
  package static func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      start { continuation.resume(with: Result { try body() }) }
    }
  }
}
