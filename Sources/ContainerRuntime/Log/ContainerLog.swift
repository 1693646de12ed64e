import Glibc
import Host
package import NIOCore
import Synchronization

/// A container's log.
///
/// Docker's `json-file` driver keeps a JSON object for each line. Here both `json-file` and `local`
/// keep the form that conmon writes (see `LogRecord`): the container's output then goes to disk
/// without passing through the daemon, goes on when the daemon is down, and can be read back at the
/// speed of memory. Programs that read Docker's files behind its back find another form; those that
/// ask the engine do not notice.
package struct ContainerLog: Sendable {
  /// Which part of a log, and how.
  package struct Options: Sendable, Equatable {
    /// Goes on until the container ends.
    package var follow = false
    /// Nanoseconds since 1970; what is older is left out.
    package var since: Int64?
    /// Nanoseconds since 1970; what is newer is left out.
    package var until: Int64?
    /// Only the last lines, counted over both streams.
    package var tail: Int?
    /// Each line is preceded by its time.
    package var timestamps = false
    /// Standard output is wanted.
    package var stdout = true
    /// Standard error is wanted.
    package var stderr = true

    /// The whole log.
    package init() {}
  }

  /// How frames are made.
  package enum Format: Sendable {
    /// Docker's: the stream's number, three zeros, the length, the text. One frame for each line,
    /// except where a client is far behind: then lines of one stream share frames.
    case multiplexed
    /// The text alone.
    case raw
  }

  /// One piece of a log.
  package struct Entry: Sendable, Equatable {
    /// Nanoseconds since 1970.
    package var timestamp: Int64
    /// Where it was written to.
    package var stream: OutputStream
    /// The text, with its newline unless `isPartial`.
    package var text: ByteBuffer
    /// The line goes on with the next entry of the same stream.
    package var isPartial: Bool
  }

  let settings: LogSettings
  /// The container, if it is known to the runtime.
  let container: SupervisedContainer?

  /// The log as bytes for a client, in big batches.
  package func frames(_ options: Options, _ format: Format) -> LogFrames {
    LogFrames(log: self, options: options, format: format)
  }

  /// The log as values, in big batches.
  package func entries(_ options: Options) -> LogEntries {
    LogEntries(log: self, options: options)
  }
}

/// A log as bytes for a client.
package struct LogFrames: AsyncSequence, Sendable {
  package typealias Element = ByteBuffer
  let log: ContainerLog
  let options: ContainerLog.Options
  let format: ContainerLog.Format

  /// Reads the log from its start.
  package func makeAsyncIterator() -> Iterator {
    Iterator(
      reader: LogReader(log: log, options: options), framing: LogFraming(options, format))
  }

  /// Reads a log once.
  package struct Iterator: AsyncIteratorProtocol {
    let reader: LogReader
    let framing: LogFraming

    /// The next batch, or nil at the end.
    /// - Throws: `SystemError`, `CancellationError`.
    package mutating func next() async throws -> ByteBuffer? {
      let framing = framing
      while let result = try await reader.next({ framing.frames(&$0) }) {
        if result.readableBytes > 0 { return result }
      }
      return nil
    }
  }
}

/// A log as values.
package struct LogEntries: AsyncSequence, Sendable {
  package typealias Element = [ContainerLog.Entry]
  let log: ContainerLog
  let options: ContainerLog.Options

  /// Reads the log from its start.
  package func makeAsyncIterator() -> Iterator {
    Iterator(
      reader: LogReader(log: log, options: options), framing: LogFraming(options, .raw))
  }

  /// Reads a log once.
  package struct Iterator: AsyncIteratorProtocol {
    let reader: LogReader
    let framing: LogFraming

    /// The next batch, or nil at the end.
    /// - Throws: `SystemError`, `CancellationError`.
    package mutating func next() async throws -> [ContainerLog.Entry]? {
      let framing = framing
      while let result = try await reader.next({ framing.entries(&$0) }) {
        if !result.isEmpty { return result }
      }
      return nil
    }
  }
}

extension ContainerRuntime {
  /// The log of a container, which may run, have ended, or be unknown here.
  package func log(_ settings: LogSettings, of id: String) -> ContainerLog {
    ContainerLog(settings: settings, container: state.withLock { $0.containers[id] })
  }
}
