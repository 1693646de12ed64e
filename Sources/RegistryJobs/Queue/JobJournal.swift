import Identity
import Logging
import StateStore

/// What one run of a job has to say, gathered and written down together so that a talkative job is
/// no burden to the store.
actor JobJournal {
  /// The most lines of one job that are kept.
  private static let lineLimit = 10_000
  private static let lineLength = 4_096
  private static let batch = 50
  private static let interval = Duration.seconds(1)

  private let queue: JobQueue
  private let id: String
  private var nextNumber: Int
  private var lines: [String] = []
  private var progress: JobProgress?
  private var flushed = ContinuousClock.now
  private var timer: Task<Void, Never>?

  init(queue: JobQueue, id: String) async throws {
    self.queue = queue
    self.id = id
    // A job that was begun by a worker that is gone goes on behind its lines.
    let last = try await queue.records.read(
      RangeRequest(
        .prefix(JobKeys.logs(id)), limit: 1, sortOrder: .descending, sortTarget: .key,
        keysOnly: true)
    ).items.first
    nextNumber =
      last?.key.suffix(after: JobKeys.logs(id)).flatMap { Int($0, radix: 16) }.map { $0 + 1 } ?? 0
  }

  func append(_ text: String) async {
    guard nextNumber + lines.count < Self.lineLimit else { return }
    let isLast = nextNumber + lines.count == Self.lineLimit - 1
    let line = text.shortened(to: Self.lineLength)
    lines.append(isLast ? "the rest of the log is left out" : line)
    await flushInTime()
  }

  func report(_ progress: JobProgress) async {
    self.progress = progress
    await flushInTime()
  }

  private func flushInTime() async {
    if lines.count >= Self.batch || flushed + Self.interval < .now {
      await flush()
    } else if timer == nil {
      timer = Task { [weak self] in
        do {
          try await Task.sleep(for: Self.interval)
          await self?.flush()
        } catch {
          return
        }
      }
    }
  }

  /// Writes down what there is.
  func flush() async {
    timer?.cancel()
    timer = nil
    flushed = .now
    while !lines.isEmpty {
      let part = Array(lines.prefix(Self.batch))
      let first = nextNumber
      lines.removeFirst(part.count)
      nextNumber += part.count
      let puts = part.enumerated().map { offset, line in
        Operation.put(
          JobKeys.logs(id).appending(FixedWidth.hexadecimal(Int64(first + offset), 8)),
          Array(line.utf8))
      }
      await Self.uncancelled { await self.write(puts) }
    }
    guard let progress else { return }
    self.progress = nil
    await Self.uncancelled { await self.write(progress) }
  }

  /// What is taken out to be written must be written, also when the job that says it is cancelled
  /// or when it is the timer, which ends itself, that writes.
  private static func uncancelled(_ body: @escaping @Sendable () async -> Void) async {
    await Task { await body() }.value
  }

  private func write(_ operations: [Operation]) async {
    do {
      _ = try await queue.records.commit(
        when: [.exists(JobKeys.record(id))], do: operations)
    } catch {
      queue.logger.warning(
        "lines of a job's log are lost", metadata: ["job": "\(id)", "error": "\(error)"])
    }
  }

  private func write(_ progress: JobProgress) async {
    do {
      guard var found = try await queue.record(id), !found.record.status.isFinal else { return }
      found.record.progress = progress
      // One that is overtaken by a change of status is not worth a second try.
      _ = try await queue.records.commit(
        when: [.modifyRevision(of: JobKeys.record(id), is: found.revision)],
        do: [.put(JobKeys.record(id), try found.record.encoded())])
    } catch {
      queue.logger.debug(
        "a job's progress was not written", metadata: ["job": "\(id)", "error": "\(error)"])
    }
  }
}
