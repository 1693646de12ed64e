import CLinux
import Glibc
import Host
import Synchronization

/// Reads the files of a log in order, and goes on with them as the container writes and the log is
/// rotated. For one task at a time.
final class LogReader: Sendable {
  private struct OpenFile {
    var descriptor: Descriptor
    var inode: UInt
    var offset: Int
  }

  private struct State {
    var isOpened = false
    /// Oldest first; the last one is, or was, the newest.
    var files: [OpenFile] = []
    var openLines: UInt8 = 0
    var isFinished = false
    /// Length of the first file at the last look.
    var lookedAt = 0
  }

  private static let chunkSize = 1 << 20
  private let log: ContainerLog
  private let options: ContainerLog.Options
  private let until: [UInt8]?
  private let state = Mutex(State())
  private let signal = ChangeSignal()

  init(log: ContainerLog, options: ContainerLog.Options) {
    self.log = log
    self.options = options
    until = options.until.map(LogStamp.text)
  }

  /// Reads the next chunk and gives it to `transform`; nil at the end of the log.
  /// - Throws: `SystemError`, `CancellationError`.
  func next<Result: Sendable>(
    _ transform: @escaping @Sendable (inout LogFraming.Chunk) -> Result
  ) async throws -> Result? {
    while true {
      try Task.checkCancellation()
      let result = try await BlockingPool.shared.run { try self.read(transform) }
      if let result { return result }
      if state.withLock({ $0.isFinished }) { return nil }
      try await waitForMore()
    }
  }

  // MARK: reading

  /// One chunk; nil when there is nothing now, with `isFinished` set when there never will be.
  private func read<Result: Sendable>(_ transform: (inout LogFraming.Chunk) -> Result) throws
    -> Result?
  {
    try state.withLock { state in
      if !state.isOpened {
        state.isOpened = true
        try open(&state)
      }
      // Looked at before the files are: what was written before the end is then not missed.
      let hasEnded = log.container.map { $0.exit != nil } ?? true
      while !state.isFinished {
        if let result = try readChunk(&state, transform) { return result }
        if try advance(&state) { continue }
        if !options.follow || hasEnded || isPastUntil { state.isFinished = true }
        return nil
      }
      return nil
    }
  }

  private var isPastUntil: Bool { options.until.map { ExitReading.now() > $0 } ?? false }

  private func readChunk<Result: Sendable>(
    _ state: inout State, _ transform: (inout LogFraming.Chunk) -> Result
  ) throws -> Result? {
    guard let file = state.files.first else { return nil }
    var information = stat()
    guard fstat(file.descriptor.rawValue, &information) == 0 else { return nil }
    state.lookedAt = Int(information.st_size)
    var limit = Self.chunkSize
    while state.lookedAt > file.offset {
      let size = min(limit, state.lookedAt - file.offset)
      let base = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
      defer { base.deallocate() }
      let count = retryingInterrupts {
        pread(file.descriptor.rawValue, base, size, off_t(file.offset))
      }
      guard count >= 0 else { throw SystemError.last("read", log.settings.path) }
      // Only whole records: the rest is read again when it has been written.
      guard let newline = martlet_last_byte(base, 0x0A, count) else {
        // No record of conmon's is longer than its buffer, but the file may be anybody's.
        guard count == limit, limit < 64 << 20 else { return nil }
        limit *= 4
        continue
      }
      let length = UnsafeRawPointer(newline) - UnsafeRawPointer(base) + 1
      state.files[0].offset += length
      var chunk = LogFraming.Chunk(
        bytes: UnsafeBufferPointer(start: base, count: length), openLines: state.openLines,
        until: until)
      let result = transform(&chunk)
      state.openLines = chunk.openLines
      if chunk.isBeyond { state.isFinished = true }
      return result
    }
    return nil
  }

  /// Goes on to the file after the one that was read to its end; false when there is none yet.
  private func advance(_ state: inout State) throws -> Bool {
    if state.files.count > 1 {
      state.files.removeFirst()
      return true
    }
    guard options.follow else { return false }
    guard let current = state.files.first else {
      // No file yet: the container has written nothing.
      try open(&state)
      return !state.files.isEmpty
    }
    let names = LogRotator.files(of: log.settings)
    let inodes = names.map(Self.inode)
    guard let newest = inodes[0], newest != current.inode else { return false }
    // A new file has its name: the one that was read is complete, but may have grown meanwhile.
    var information = stat()
    if fstat(current.descriptor.rawValue, &information) == 0,
      Int(information.st_size) > state.lookedAt
    {
      return true
    }
    // The file after this one; when this one is no longer kept, the oldest that is.
    let place = inodes.firstIndex { $0 == current.inode }
    let next = place.map { $0 - 1 } ?? (inodes.lastIndex { $0 != nil } ?? 0)
    guard let file = Self.openFile(names[max(0, next)]) else { return false }
    state.files = [file]
    state.lookedAt = 0
    return true
  }

  private static func inode(_ path: String) -> UInt? {
    var information = stat()
    return stat(path, &information) == 0 ? information.st_ino : nil
  }

  private static func openFile(_ path: String) -> OpenFile? {
    // Missing: not written yet, or rotated away.
    guard let descriptor = try? Descriptor.open(path, O_RDONLY | O_NOFOLLOW) else { return nil }
    var information = stat()
    guard fstat(descriptor.rawValue, &information) == 0 else { return nil }
    return OpenFile(descriptor: descriptor, inode: information.st_ino, offset: 0)
  }

  /// Opens all files of the log and goes to where the reading starts.
  private func open(_ state: inout State) throws {
    let names = LogRotator.files(of: log.settings)
    for _ in 0..<100 {
      let files = names.compactMap(Self.openFile)
      state.files = files.reversed()
      // A rotation in between would have one file opened twice or not at all.
      if Set(files.map(\.inode)).count == files.count,
        Self.inode(names[0]) == files.first?.inode || files.isEmpty
      {
        break
      }
    }
    if let tail = options.tail { try skip(toLast: max(0, tail), &state) }
  }

  // MARK: tail

  /// Drops all but the last `count` lines, looking from the end backwards.
  private func skip(toLast count: Int, _ state: inout State) throws {
    var lines = 0
    var open: UInt8 = 0b11
    for index in state.files.indices.reversed() {
      let file = state.files[index]
      var information = stat()
      guard fstat(file.descriptor.rawValue, &information) == 0 else { continue }
      var end = Int(information.st_size)
      while end > 0 {
        let start = max(0, end - Self.chunkSize)
        let (boundary, consumed) = try scanBackwards(
          file.descriptor, start..<end, isFirst: start == 0, count, &lines, &open)
        if let boundary {
          state.files[index].offset = boundary
          state.files.removeFirst(index)
          return
        }
        // A record longer than a chunk is nobody's; it is passed over.
        end = consumed < end ? consumed : start
      }
    }
  }

  /// Counts lines in a part of a file from its end. Returns where the wanted part begins, if that is
  /// in here, and else where the scan has come to.
  private func scanBackwards(
    _ file: Descriptor, _ range: Range<Int>, isFirst: Bool, _ count: Int, _ lines: inout Int,
    _ open: inout UInt8
  ) throws -> (boundary: Int?, position: Int) {
    let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: range.count)
    defer { buffer.deallocate() }
    guard let base = buffer.baseAddress else { return (nil, range.lowerBound) }
    let length = retryingInterrupts {
      pread(file.rawValue, base, range.count, off_t(range.lowerBound))
    }
    guard length >= 0 else { throw SystemError.last("read", log.settings.path) }
    // What follows the last newline is not written to its end yet.
    guard let last = martlet_last_byte(base, 0x0A, length) else { return (nil, range.lowerBound) }
    var end = UnsafeRawPointer(last) - UnsafeRawPointer(base) + 1
    while end > 0 {
      let before = end > 1 ? martlet_last_byte(base, 0x0A, end - 1) : nil
      let start = before.map { UnsafeRawPointer($0) - UnsafeRawPointer(base) + 1 } ?? 0
      if before == nil && !isFirst { break }
      if let record = LogRecord(base, from: start, to: end) {
        let bit = record.stream.rawValue
        // A line is counted at its end; an unended one at its last part.
        if !record.isPartial || open & bit != 0 { lines += 1 }
        open &= ~bit
        if lines > count { return (range.lowerBound + end, range.lowerBound + end) }
      }
      end = start
    }
    return (nil, range.lowerBound + end)
  }

  // MARK: waiting

  private func waitForMore() async throws {
    let path = log.settings.path
    let file = state.withLock { $0.files.first.map { "/proc/self/fd/\($0.descriptor.rawValue)" } }
    let signal = self.signal
    signal.reset()
    // Without a file, or when the kernel has no more watches, the clock below serves.
    let subscription = try? FileWatcher.shared.subscribe(to: file ?? path) { signal.set() }
    defer { if let subscription { FileWatcher.shared.end(subscription) } }
    // The file may have grown, or been followed by another, before it was watched.
    if try await BlockingPool.shared.run({ self.hasMore() }) { return }
    let observer = log.container?.ending.observe { _ in signal.set() }
    defer { if let observer { log.container?.ending.remove(observer) } }
    await signal.wait(for: subscription == nil ? .milliseconds(20) : .milliseconds(500))
  }

  private func hasMore() -> Bool {
    if log.container?.exit != nil { return true }
    return state.withLock { state in
      guard let file = state.files.first else { return Paths.exists(log.settings.path) }
      var information = stat()
      guard fstat(file.descriptor.rawValue, &information) == 0 else { return true }
      return Int(information.st_size) > state.lookedAt
        || (Self.inode(log.settings.path).map { $0 != file.inode } ?? false)
    }
  }
}
