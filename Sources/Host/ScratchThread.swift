import Glibc

/// A thread that runs one closure and ends, for work that changes what a thread is: its working
/// directory, its namespaces, its credentials. Such a thread is never used again.
package enum ScratchThread {
  /// Runs `body` on a new thread and waits for it; call from a thread that may block.
  /// - Throws: what `body` throws, or `SystemError` if no thread can be made.
  package static func run<Value>(_ body: () throws -> Value) throws -> Value {
    try withoutActuallyEscaping(body) { body in
      let work = Work(body)
      var thread = pthread_t()
      let opaque = Unmanaged.passRetained(work).toOpaque()
      let status = pthread_create(
        &thread, nil,
        { argument in
          guard let argument else { return nil }
          Unmanaged<AnyWork>.fromOpaque(argument).takeRetainedValue().perform()
          return nil
        }, opaque)
      guard status == 0 else {
        Unmanaged<AnyWork>.fromOpaque(opaque).release()
        throw SystemError(status, "pthread_create")
      }
      pthread_join(thread, nil)
      guard let result = work.result else { throw SystemError(ECANCELED, "thread") }
      return try result.get()
    }
  }

  private class AnyWork {
    func perform() {}
  }

  private final class Work<Value>: AnyWork {
    private let body: () throws -> Value
    private(set) var result: Result<Value, any Error>?

    init(_ body: @escaping () throws -> Value) { self.body = body }

    override func perform() { result = Result { try body() } }
  }
}
