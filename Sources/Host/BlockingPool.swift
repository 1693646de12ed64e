import NIOPosix

/// The threads on which work that can block runs: mounts, file synchronisation, archive extraction,
/// name resolution, waiting. Nothing that blocks may run on Swift's cooperative threads.
package final class BlockingPool: Sendable {
  /// The pool of this process.
  package static let shared = BlockingPool(threads: 24)

  private let pool: NIOThreadPool

  /// Starts a pool with a fixed number of threads.
  package init(threads: Int) {
    pool = NIOThreadPool(numberOfThreads: threads)
    pool.start()
  }

  /// Runs `body` on a thread of the pool.
  ///
  /// Cancellation of the calling task abandons work that has not begun; work that has begun goes on.
  /// - Throws: what `body` throws, or `CancellationError`.
  package func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await pool.runIfActive(body)
  }
}
