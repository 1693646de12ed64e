import CLinux
import Glibc

/// Changes of files, as inotify(7) reports them. Reading blocks: use a thread of your own.
package final class Inotify: Sendable {
  /// One report.
  package struct Event: Sendable, Equatable {
    /// The number that `watch` returned.
    package var watch: Int32
    /// `IN_MODIFY` and the like.
    package var mask: UInt32
    /// The name in a watched folder; empty for the watched file itself.
    package var name: String
  }

  private let descriptor: Descriptor
  private let wakeUp: Descriptor

  /// An instance that watches nothing yet.
  /// - Throws: `SystemError`, with `EMFILE` when the user has too many.
  package init() throws {
    descriptor = Descriptor(owning: try checked("inotify", nil, martlet_inotify()))
    let event = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    wakeUp = Descriptor(owning: try checked("eventfd", nil, event))
  }

  /// Watches a file or folder; a second watch of the same file changes the first.
  /// - Throws: `SystemError`, with `ENOENT` when nothing is there.
  package func watch(_ path: String, for mask: UInt32) throws -> Int32 {
    try checked("inotify_add_watch", path, inotify_add_watch(descriptor.rawValue, path, mask))
  }

  /// Ends a watch; one that has ended is left in peace.
  package func unwatch(_ watch: Int32) {
    inotify_rm_watch(descriptor.rawValue, watch)
  }

  /// Makes the current or next `wait` return early. From any thread.
  package func interrupt() {
    eventfd_write(wakeUp.rawValue, 1)
  }

  /// Waits for reports. Returns none after `timeout` milliseconds (-1 waits for ever) or `interrupt`.
  /// - Throws: `SystemError`.
  package func wait(timeout: Int32 = -1) throws -> [Event] {
    var polled = [
      pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0),
      pollfd(fd: wakeUp.rawValue, events: Int16(POLLIN), revents: 0),
    ]
    try checked("poll", nil, retryingInterrupts { poll(&polled, 2, timeout) })
    if polled[1].revents != 0 {
      var value: eventfd_t = 0
      eventfd_read(wakeUp.rawValue, &value)
    }
    guard polled[0].revents != 0 else { return [] }
    return Self.parse(try descriptor.read(upTo: 64 << 10))
  }

  /// Splits what the kernel wrote: a header of 16 bytes and a padded name for each event.
  static func parse(_ bytes: [UInt8]) -> [Event] {
    var events: [Event] = []
    bytes.withUnsafeBytes { buffer in
      var offset = 0
      while offset + 16 <= buffer.count {
        let watch = buffer.loadUnaligned(fromByteOffset: offset, as: Int32.self)
        let mask = buffer.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
        let length = Int(buffer.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
        guard offset + 16 + length <= buffer.count else { return }
        let name = buffer[(offset + 16)..<(offset + 16 + length)].prefix { $0 != 0 }
        events.append(
          Event(watch: watch, mask: mask, name: String(decoding: name, as: UTF8.self)))
        offset += 16 + length
      }
    }
    return events
  }
}
