import Glibc

/// Feeds a child's standard input and collects its two outputs at once, so that neither side waits
/// for the other for ever.
struct PipeExchange {
  private var input: ArraySlice<UInt8>
  private var feed: Descriptor?
  private var sources: [(descriptor: Descriptor?, bytes: [UInt8])]
  private let limit: Int

  var collectedOutput: [UInt8] { sources[0].bytes }
  var collectedErrors: [UInt8] { sources[1].bytes }

  init(
    input: [UInt8], feed: Descriptor?, output: Descriptor, errors: Descriptor, limit: Int
  ) {
    self.input = input[...]
    self.feed = feed
    self.limit = limit
    sources = [(output, []), (errors, [])]
    if let feed { _ = fcntl(feed.rawValue, F_SETFL, O_NONBLOCK) }
  }

  /// Exchanges until the child has closed both outputs.
  /// - Throws: `SystemError`, with `ETIMEDOUT` after the deadline.
  mutating func run(until deadline: ContinuousClock.Instant?) throws {
    while sources.contains(where: { $0.descriptor != nil }) {
      var polled = sources.map {
        pollfd(fd: $0.descriptor?.rawValue ?? -1, events: Int16(POLLIN), revents: 0)
      }
      polled.append(pollfd(fd: feed?.rawValue ?? -1, events: Int16(POLLOUT), revents: 0))
      let ready = retryingInterrupts { poll(&polled, 3, Self.milliseconds(until: deadline)) }
      if ready == 0 { throw SystemError(ETIMEDOUT, "wait") }
      for index in 0...1 where polled[index].revents != 0 { try collect(index) }
      if polled[2].revents != 0 { writeInput() }
    }
  }

  private static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
    guard let deadline else { return -1 }
    let left = ContinuousClock.now.duration(to: deadline)
    let (seconds, attoseconds) = left.components
    let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
    return Int32(clamping: max(0, milliseconds))
  }

  private mutating func collect(_ index: Int) throws {
    guard let descriptor = sources[index].descriptor else { return }
    let chunk = try descriptor.read(upTo: 64 << 10)
    if chunk.isEmpty { sources[index].descriptor = nil }
    let room = limit - sources[index].bytes.count
    sources[index].bytes.append(contentsOf: chunk.prefix(max(0, room)))
  }

  private mutating func writeInput() {
    guard let feed else { return }
    let count = input.withUnsafeBytes { Glibc.write(feed.rawValue, $0.baseAddress, $0.count) }
    if count > 0 { input = input.dropFirst(count) }
    let isBroken = count < 0 && errno != EAGAIN && errno != EINTR
    // A child that reads no further is its own business; its exit status tells.
    if input.isEmpty || isBroken { self.feed = nil }
  }
}
