package import Identity
import Logging
package import OCI
import StateStore
import Synchronization

extension RegistryService {
  /// Keeps the caches right and writes down pulls, until the task is cancelled.
  package func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.followChanges() }
      group.addTask { await self.writePulls() }
    }
    cache.end()
  }

  private func followChanges() async {
    while !Task.isCancelled {
      do {
        let stream = try await store.watch(WatchRequest(RegistryCache.watchedKeys))
        cache.begin(at: stream.revision)
        while let batch = try await stream.next() {
          for event in batch.events { cache.changed(event.record.key, at: batch.revision) }
        }
      } catch {
        cache.end()
        guard !Task.isCancelled else { return }
        logger.warning("registry cache lost its watch", metadata: ["error": "\(error)"])
      }
      // Cancellation is seen by the loop's condition.
      try? await Task.sleep(for: .seconds(1))
    }
  }

  private func writePulls() async {
    while !Task.isCancelled {
      // Cancellation is seen by the loop's condition; what is pending is still written.
      try? await Task.sleep(for: .seconds(1))
      await flushPulls()
    }
  }

  /// Counts a pull and tells of it among the events; written down within a second or so.
  package func recordPull(
    _ repository: Repository, _ reference: Reference, digest: Digest, by caller: Caller
  ) {
    var event = event(.pull, .manifest, repository, by: caller)
    event.digest = digest
    if case .tag(let tag) = reference {
      event.object = .tag
      event.tag = tag
    }
    pulls.add(event, repository: repository.id)
  }

  /// Writes down the pulls and pushes counted since the last time.
  package func flushPulls() async {
    let pending = pulls.take()
    do {
      for (repository, count) in pending.counts {
        try await retrying { () -> Void? in
          let change = try await self.counting(repository, count)
          // The counters of a repository that is gone would stay for ever.
          guard try await self.existing([Keys.removal(repository)]).count == 1 else { return () }
          return try await self.commit(when: [change.compare], do: [change.operation]) ? () : nil
        }
      }
      for start in stride(from: 0, to: pending.events.count, by: 64) {
        let events = pending.events[start..<min(start + 64, pending.events.count)]
        _ = try await commit(when: [], do: events.map(operation))
      }
    } catch {
      logger.warning("pulls were not written down", metadata: ["error": "\(error)"])
    }
  }

  /// The step that adds to a repository's counters, and the condition it stands under.
  func counting(
    _ repository: String, _ more: RepositoryCounters
  ) async throws -> (compare: Compare, operation: Operation) {
    let key = Keys.counters.appending(repository)
    let found = try await fetch(key, as: RepositoryCounters.self)
    var counters = found?.record ?? RepositoryCounters()
    counters.pulls += more.pulls
    counters.pushes += more.pushes
    return (
      .modifyRevision(of: key, is: found?.revision ?? 0), .put(key, try counters.encoded())
    )
  }
}

/// Pulls and pushes that are not written down yet.
final class PullCounter: Sendable {
  struct Pending {
    var counts: [String: RepositoryCounters] = [:]
    var events: [RegistryEvent] = []
  }

  /// Beyond this pulls are only counted, so that a flood of them cannot fill memory.
  private static let eventLimit = 4_096
  private let pending = Mutex(Pending())

  func add(_ event: RegistryEvent, repository: String) {
    pending.withLock {
      $0.counts[repository, default: RepositoryCounters()].pulls += 1
      if $0.events.count < Self.eventLimit { $0.events.append(event) }
    }
  }

  func addPush(repository: String) {
    pending.withLock { $0.counts[repository, default: RepositoryCounters()].pushes += 1 }
  }

  func take() -> Pending {
    pending.withLock { pending in
      defer { pending = Pending() }
      return pending
    }
  }
}
