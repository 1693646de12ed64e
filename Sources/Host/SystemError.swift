import CLinux
import Glibc

/// A system call that failed: what was called, on what, and the kernel's reason.
package struct SystemError: Error, Sendable, CustomStringConvertible {
  /// The error number the call left behind.
  package var errno: Int32
  /// The call or the step that failed, as in "mount".
  package var operation: String
  /// The path the call was about, if it was about one.
  package var path: String?

  /// Describes a failed call.
  package init(_ errno: Int32, _ operation: String, _ path: String? = nil) {
    self.errno = errno
    self.operation = operation
    self.path = path
  }

  /// Describes the call that just failed on this thread.
  package static func last(_ operation: String, _ path: String? = nil) -> SystemError {
    SystemError(Glibc.errno, operation, path)
  }

  /// The kernel's text for the error number, as in "no such file or directory".
  package var reason: String {
    var buffer = [CChar](repeating: 0, count: 256)
    martlet_error_text(errno, &buffer, buffer.count)
    let text = String(
      decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return text.prefix(1).lowercased() + text.dropFirst()
  }

  package var description: String {
    if let path { return "\(operation) \(path): \(reason)" }
    return "\(operation): \(reason)"
  }
}

/// Throws unless `result` is zero or above; returns it otherwise. For calls that report -1 and errno.
@discardableResult
package func checked(
  _ operation: String, _ path: String? = nil, _ result: Int32
) throws -> Int32 {
  guard result >= 0 else { throw SystemError.last(operation, path) }
  return result
}

/// Repeats a call for as long as a signal interrupts it.
@discardableResult
package func retryingInterrupts<Result: FixedWidthInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result != -1 || Glibc.errno != EINTR { return result }
  }
}
