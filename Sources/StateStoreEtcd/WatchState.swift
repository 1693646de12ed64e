import StateStore

/// Where a watch stands. Decides, and leaves waking those who wait to its owner.
struct WatchState {
  /// What the consumer does next.
  enum Step {
    case deliver(WatchBatch)
    case wait
    case finish
    case fail(StateStoreError)
  }

  /// Those to be woken at the end of a watch.
  struct Waiters {
    var consumer: CheckedContinuation<Void, Never>?
    var reader: CheckedContinuation<Void, Never>?
    var creation: CheckedContinuation<Revision, any Error>?
    var failure: StateStoreError

    func resume() {
      consumer?.resume()
      reader?.resume()
      creation?.resume(throwing: failure)
    }
  }

  let request: WatchRequest
  var assembler: WatchAssembler
  var progress = WatchProgress()
  private var batches: ArraySlice<WatchBatch> = []
  private var byteCount = 0
  /// Whether the consumer has been told all that had happened when the watch began.
  private var hasCaughtUp = false
  private(set) var end: EtcdWatch.End?
  /// The revision of the member when the watch was first in place.
  private(set) var created: Revision?
  /// Whether the stream of now is in place.
  private var isInPlace = false
  /// Asks the member for progress.
  private(set) var asker: AsyncStream<Void>.Continuation?

  var pump: Task<Void, Never>?
  var onEnd: (@Sendable () -> Void)?
  /// Whether the consumer is in `next()`.
  var isBeingRead = false
  /// The consumer, when there is nothing for it.
  var consumer: CheckedContinuation<Void, Never>?
  /// The reader of the stream, when there is no room for more.
  var reader: CheckedContinuation<Void, Never>?
  /// Whoever waits for the watch to be in place.
  var creation: CheckedContinuation<Revision, any Error>?

  init(request: WatchRequest, start: Revision) {
    self.request = request
    assembler = WatchAssembler(start: start)
  }

  /// Whether the consumer has to wait.
  var hasNothing: Bool { batches.isEmpty && end == nil }

  /// Whether more may be read: a watch that has caught up is cut off instead of being left unread.
  var hasRoom: Bool {
    end != nil || hasCaughtUp
      || (batches.count < EtcdWatch.historyLimit && byteCount < EtcdWatch.byteLimit / 8)
  }

  /// What the consumer does next.
  mutating func take() -> Step {
    if let batch = batches.popFirst() {
      byteCount -= batch.footprint
      if batch.events.isEmpty || batch.revision >= created ?? .max { hasCaughtUp = true }
      return .deliver(batch)
    }
    switch end {
    case .cancelled: return .finish
    case .failed(let error): return .fail(error)
    case nil: return .wait
    }
  }

  mutating func takeConsumer() -> CheckedContinuation<Void, Never>? {
    defer { consumer = nil }
    return consumer
  }

  /// Takes the reader of the stream, if it may go on.
  mutating func takeReader() -> CheckedContinuation<Void, Never>? {
    guard hasRoom else { return nil }
    defer { reader = nil }
    return reader
  }

  mutating func takeWaiters() -> Waiters {
    var failure = StateStoreError.closed
    if case .failed(let error) = end { failure = error }
    defer { (consumer, reader, creation) = (nil, nil, nil) }
    return Waiters(consumer: consumer, reader: reader, creation: creation, failure: failure)
  }

  /// Ends the watch, for the first reason given. What has been told before the history of more was
  /// lost is still delivered.
  mutating func finish(_ reason: EtcdWatch.End) {
    guard end == nil else { return }
    end = reason
    if case .failed(let error) = reason, error.code == .compacted { return }
    batches = []
    byteCount = 0
  }

  /// A stream is in place, with a member that is at `revision`.
  mutating func enterStream(
    _ revision: Revision, _ asker: AsyncStream<Void>.Continuation
  ) -> CheckedContinuation<Revision, any Error>? {
    isInPlace = true
    self.asker = asker
    progress.enterStream(readsHistory: assembler.next <= revision)
    guard created == nil else { return nil }
    created = revision
    if assembler.next > revision { hasCaughtUp = true }
    defer { creation = nil }
    return creation
  }

  /// The stream broke; returns whether it had been in place.
  mutating func leaveStream() -> Bool {
    defer { isInPlace = false }
    asker = nil
    assembler.restart()
    return isInPlace
  }

  /// Takes the events of an answer; returns whether that was too much for the consumer.
  mutating func append(_ events: [WatchEvent], isFragment: Bool) throws -> Bool {
    guard end == nil else { return false }
    progress.hear()
    for batch in try assembler.add(events, isFragment: isFragment) { add(batch) }
    let isTooMuch =
      batches.count > request.backlogLimit || byteCount > EtcdWatch.byteLimit
    guard hasCaughtUp, isTooMuch, let first = batches.first else { return false }
    finish(.failed(.watcherFellBehind(next: first.revision, newest: assembler.next - 1)))
    return true
  }

  /// The member says by itself that all up to `revision` was told; returns a consumer to wake.
  mutating func passQuietly(_ revision: Revision) -> CheckedContinuation<Void, Never>? {
    guard end == nil else { return nil }
    assembler.pass(revision)
    guard request.wantsProgress else { return nil }
    add(WatchBatch(revision: revision, events: []))
    return takeConsumer()
  }

  /// All up to `revision` was told; returns a consumer to wake.
  mutating func confirmProgress(_ revision: Revision) -> CheckedContinuation<Void, Never>? {
    progress.isWanted = false
    guard end == nil else { return nil }
    add(WatchBatch(revision: revision, events: []))
    return takeConsumer()
  }

  private mutating func add(_ batch: WatchBatch) {
    batches.append(batch)
    byteCount += batch.footprint
  }
}

extension WatchBatch {
  /// About how many bytes the batch holds in memory.
  fileprivate var footprint: Int {
    events.reduce(64) { sum, event in
      sum + 256 + event.record.key.bytes.count + event.record.value.count
        + (event.previous?.value.count ?? 0)
    }
  }
}
