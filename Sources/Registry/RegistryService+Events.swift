import Host
package import Identity
import OCI
import StateStore
import Synchronization

extension RegistryService {
  /// An event of now, to be filled in and given to ``record(_:)``.
  package func event(
    _ kind: RegistryEvent.Kind, _ object: RegistryEvent.Object, _ repository: Repository?,
    by caller: Caller
  ) -> RegistryEvent {
    let time = clock()
    return RegistryEvent(
      sequence: sequencer.next(at: time), time: time, kind: kind, object: object,
      repository: repository?.name, repositoryID: repository?.id, actor: caller.name,
      address: caller.address)
  }

  /// The step that writes an event down.
  func operation(_ event: RegistryEvent) throws -> Operation {
    .put(Keys.events.appending(event.sequence), try event.encoded())
  }

  /// Writes an event down.
  package func record(_ event: RegistryEvent) async throws {
    _ = try await commit(when: [], do: [operation(event)])
  }

  /// Events, newest first. `limit` bounds the answer; so that a filter that fits nothing does not
  /// read for ever, a page may hold fewer, even none, and say that there is more: go on with
  /// `before` set to ``EventPage/next``.
  package func events(_ filter: EventFilter, limit: Int) async throws -> EventPage {
    let prefix = Keys.events
    var end = filter.before.map(prefix.appending)
    if let until = filter.until {
      let bound = prefix.appending(EventSequencer.first(at: until))
      end = end.map { min($0, bound) } ?? bound
    }
    let start = filter.since.map { prefix.appending(EventSequencer.first(at: $0)) } ?? prefix
    let range = KeyRange(start: start, end: end.map { .before($0) } ?? KeyRange.prefix(prefix).end)
    return try await events(in: range, filter, limit: max(limit, 1))
  }

  private func events(
    in range: KeyRange, _ filter: EventFilter, limit: Int
  ) async throws -> EventPage {
    var range = range
    var page = EventPage(items: [], next: nil)
    for _ in 0..<Self.eventScanLimit {
      let response = try await read(
        RangeRequest(range, limit: 500, sortOrder: .descending, sortTarget: .key))
      for item in response.items {
        let event = try RegistryEvent(item)
        guard filter.matches(event) else { continue }
        guard page.items.count < limit else {
          page.next = page.items.last?.sequence
          return page
        }
        page.items.append(event)
      }
      guard response.more, let last = response.items.last else { return page }
      range.end = .before(last.key)
      page.next = last.key.suffix(after: Keys.events)
    }
    return page
  }

  /// How many parts of the stream one question reads at most.
  private static let eventScanLimit = 40

  /// Tells of events from `revision` on (nil: from now), each with the store's revision that wrote
  /// it; go on later from that plus 1. Ends with an error when history was lost; then read
  /// ``events(_:limit:)``.
  package func watchEvents(
    from revision: Int64?
  ) async throws -> AsyncThrowingStream<(revision: Int64, event: RegistryEvent), any Error> {
    let watch: WatchStream
    do {
      watch = try await store.watch(
        WatchRequest(.prefix(Keys.events), from: revision, ignoresDeletes: true))
    } catch let error as StateStoreError {
      throw RegistryError(.unavailable, "the state store does not answer", cause: error)
    }
    let pending = PendingEvents()
    return AsyncThrowingStream {
      while true {
        if let next = pending.pop() { return next }
        guard let batch = try await watch.next() else { return nil }
        pending.push(
          try batch.events.filter { $0.kind == .put }.map {
            (batch.revision, try RegistryEvent($0.record))
          })
      }
    }
  }

  /// The events that revisions of the store from one to another wrote, in the order they were
  /// written: what a watch that lost its history has missed. `since` bounds how far back is looked,
  /// `limit` how many are answered, the newest.
  package func events(
    since: Timestamp, writtenFrom first: Int64, through last: Int64, limit: Int
  ) async throws -> [(revision: Int64, event: RegistryEvent)] {
    var range = KeyRange(
      start: Keys.events.appending(EventSequencer.first(at: since)),
      end: KeyRange.prefix(Keys.events).end)
    var found: [(revision: Int64, event: RegistryEvent)] = []
    while found.count < limit {
      let response = try await read(
        RangeRequest(range, limit: 500, sortOrder: .descending, sortTarget: .key))
      for item in response.items where (first...max(first, last)).contains(item.modifyRevision) {
        found.append((item.modifyRevision, try RegistryEvent(item)))
      }
      guard response.more, let oldest = response.items.last else { break }
      range.end = .before(oldest.key)
    }
    return found.sorted { ($0.revision, $0.event.sequence) < ($1.revision, $1.event.sequence) }
  }

  /// Deletes events before a time, and all but the newest `keeping`; returns how many.
  package func purgeEvents(before: Timestamp?, keeping: Int?) async throws -> Int {
    var bound = before.map { Keys.events.appending(EventSequencer.first(at: $0)) }
    if let keeping {
      let kept = try await read(
        RangeRequest(
          .prefix(Keys.events), limit: max(keeping, 1), sortOrder: .descending, keysOnly: true))
      if kept.more, let oldest = kept.items.last {
        let end = keeping == 0 ? Keys.events.appending("~") : oldest.key
        bound = bound.map { max($0, end) } ?? end
      }
    }
    guard let bound else { return 0 }
    do {
      let response = try await store.transact(
        Transaction(do: [.delete(DeleteRequest(.interval(Keys.events, bound)))]))
      guard case .delete(let count, _)? = response.responses.first else { return 0 }
      return count
    } catch let error as StateStoreError {
      throw RegistryError(.unavailable, "the state store does not answer", cause: error)
    }
  }
}

/// Some events, newest first, and where the next page begins.
package struct EventPage: Sendable, Hashable {
  package var items: [RegistryEvent]
  /// What to set ``EventFilter/before`` to for the events after these; nil at the end.
  package var next: String?
}

extension EventFilter {
  func matches(_ event: RegistryEvent) -> Bool {
    (kinds?.contains(event.kind) ?? true) && (object.map { $0 == event.object } ?? true)
      && (repository.map { $0 == event.repository } ?? true)
      && (actor.map { $0 == event.actor } ?? true)
  }
}

/// Makes the places of events: the time in milliseconds, a count within it, and chance, so that
/// several processes can write to one stream without asking each other.
final class EventSequencer: Sendable {
  private let last = Mutex<(milliseconds: Int64, count: Int)>((0, 0))

  func next(at time: Timestamp) -> String {
    let (milliseconds, count) = last.withLock { last in
      if time.milliseconds > last.milliseconds {
        last = (time.milliseconds, 0)
      } else {
        // The clock stands or went back: the order stays.
        last.count += 1
        if last.count > 0xffff { last = (last.milliseconds + 1, 0) }
      }
      return last
    }
    return Self.hex(milliseconds, 12) + Self.hex(Int64(count), 4) + Identifier.hexadecimal(bytes: 2)
  }

  /// The least place of this time.
  static func first(at time: Timestamp) -> String { hex(max(time.milliseconds, 0), 12) }

  private static func hex(_ value: Int64, _ width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

/// Events of a batch that were not taken yet.
private final class PendingEvents: Sendable {
  private let items = Mutex<[(revision: Int64, event: RegistryEvent)]>([])

  func push(_ events: [(revision: Int64, event: RegistryEvent)]) {
    items.withLock { $0 = events.reversed() }
  }

  func pop() -> (revision: Int64, event: RegistryEvent)? {
    items.withLock { $0.popLast() }
  }
}
