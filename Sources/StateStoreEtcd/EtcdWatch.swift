import EtcdProtocol
import FoundationEssentials
import GRPCCore
import Logging
import StateStore
import SwiftProtobuf
import Synchronization

/// One watch, on a stream of its own that is begun anew when it breaks. A watch that has caught up
/// is read whether or not its consumer takes anything, and cut off when too much waits for it; one
/// that reads history is read as its consumer takes it.
final class EtcdWatch: Sendable {
  /// Why a watch ended.
  enum End: Sendable {
    case cancelled
    case failed(StateStoreError)
  }

  /// The most batches that wait for the consumer of a watch that reads history.
  static let historyLimit = 256
  /// The most bytes that wait for the consumer of a watch.
  static let byteLimit = 64 << 20

  let client: EtcdClient
  let keys: KeySpace
  let request: WatchRequest
  let state: Mutex<WatchState>

  /// A watch from `start` on, which has not begun.
  init(client: EtcdClient, keys: KeySpace, request: WatchRequest, start: Revision) {
    self.client = client
    self.keys = keys
    self.request = request
    state = Mutex(WatchState(request: request, start: start))
  }

  /// Begins, and returns the revision that the cluster's member had then, once the watch is in
  /// place. `onEnd` is called once, when it has ended. Throws `StateStoreError`.
  func begin(onEnd: @escaping @Sendable () -> Void) async throws -> Revision {
    let pump = Task { await self.pump() }
    let hasEnded = state.withLock { state in
      state.pump = pump
      state.onEnd = onEnd
      return state.end != nil
    }
    if hasEnded {
      pump.cancel()
      onEnd()
    }
    let timeout = client.settings.requestTimeout
    let limit = Task {
      // Cancelled when the watch is in place.
      guard (try? await Task.sleep(for: timeout)) != nil else { return }
      self.end(
        .failed(StateStoreError(.unavailable, "no member of the etcd cluster begins the watch")))
    }
    defer { limit.cancel() }
    return try await withCheckedThrowingContinuation { continuation in
      let answer: Result<Revision, any Error>? = state.withLock { state in
        if let created = state.created { return .success(created) }
        switch state.end {
        case .failed(let error): return .failure(error)
        case .cancelled: return .failure(StateStoreError.closed)
        case nil: break
        }
        state.creation = continuation
        return nil
      }
      if let answer { continuation.resume(with: answer) }
    }
  }

  /// Waits for the next batch; nil after it was cancelled.
  func next() async throws -> WatchBatch? {
    try state.withLock { state in
      guard !state.isBeingRead else {
        throw StateStoreError.invalidRequest("a watch is for one consumer")
      }
      state.isBeingRead = true
    }
    defer { state.withLock { $0.isBeingRead = false } }
    while true {
      try Task.checkCancellation()
      let (step, reader) = state.withLock { state in (state.take(), state.takeReader()) }
      reader?.resume()
      switch step {
      case .deliver(let batch): return batch
      case .finish: return nil
      case .fail(let error): throw error
      case .wait: await waitForNews()
      }
    }
  }

  /// Ends the watch, for the first reason given.
  func end(_ reason: End) {
    let (actions, onEnd, pump) = state.withLock { state in
      state.finish(reason)
      defer { state.onEnd = nil }
      return (state.takeWaiters(), state.onEnd, state.pump)
    }
    pump?.cancel()
    actions.resume()
    onEnd?()
  }

  private func waitForNews() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let goesOn = state.withLock { state in
          // The cancellation handler may have run before there was anything to wake.
          guard !Task.isCancelled, state.hasNothing else { return true }
          state.consumer = continuation
          return false
        }
        if goesOn { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.takeConsumer() }?.resume()
    }
  }

  /// Reads streams until the watch ends.
  private func pump() async {
    var backoff = Backoff()
    var mayRenew = true
    var failures = 0
    while !Task.isCancelled {
      var failure: any Error = RPCError(code: .unavailable, message: "the stream ended")
      do { try await readStream() } catch { failure = error }
      if state.withLock({ $0.leaveStream() }) {
        (backoff, mayRenew, failures) = (Backoff(), true, 0)
      }
      switch meaning(of: failure) {
      case .final(let error):
        // A member also calls a token that it does not know a lack of permission.
        guard mayRenew, client.settings.username != nil, error.code == .unavailable else {
          return end(.failed(error))
        }
        mayRenew = false
        await renewToken()
      case .staleToken: await renewToken()
      case .refused, .unknown: break
      }
      failures += 1
      // What does not pass by itself in some seconds is worth to be known, once.
      client.logger.log(
        level: failures == 6 ? .warning : .debug, "the stream of a watch broke",
        metadata: ["error": "\(failure)", "attempts": "\(failures)"])
      // Only the end of the watch ends a sleep early.
      guard (try? await Task.sleep(for: backoff.step())) != nil else { return }
    }
  }

  private func meaning(of error: any Error) -> EtcdFailure {
    switch error {
    // What cannot be read is read again from the last revision that could.
    case let error as StateStoreError: error.code == .unavailable ? .unknown : .final(error)
    case let error as RPCError: EtcdFailure(error, wasSent: true)
    default: .unknown
    }
  }

  private func renewToken() async {
    do { try await client.authenticate() } catch {
      client.logger.warning("etcd gives no new token", metadata: ["error": "\(error)"])
    }
  }

  private func readStream() async throws {
    let (questions, asker) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(4 * WatchProgress.questions))
    defer { asker.finish() }
    let create = createRequest()
    let failure = Mutex<StateStoreError?>(nil)
    do {
      try await client.stream(
        EtcdMethod.watch,
        requests: { (writer: RPCWriter<EtcdWatchRequest>) in
          try await writer.write(create)
          for await _ in questions {
            try await writer.write(.with { $0.progressRequest = EtcdWatchProgressRequest() })
          }
          // The end of the requests would be the end of the watch.
          try await Task.sleep(for: .seconds(1 << 40))
        },
        responses: { (responses: RPCAsyncSequence<EtcdWatchResponse, any Error>) in
          do {
            for try await response in responses { try await self.take(response, asker) }
          } catch let error as StateStoreError {
            failure.withLock { $0 = error }
            throw error
          }
        })
    } catch {
      throw failure.withLock { $0 } ?? error
    }
  }

  private func createRequest() -> EtcdWatchRequest {
    let next = state.withLock { $0.assembler.next }
    return EtcdWatchRequest.with {
      $0.createRequest = .with {
        ($0.key, $0.rangeEnd) = keys.encode(request.keys)
        $0.startRevision = next
        // Also moves on the place from where a watch of quiet keys is resumed.
        $0.progressNotify = true
        $0.prevKv = request.wantsPrevious
        $0.fragment = true
        if request.ignoresPuts { $0.filters.append(.noput) }
        if request.ignoresDeletes { $0.filters.append(.nodelete) }
        if request.keys.isEmpty {
          // etcd refuses such ranges; this watch hears of nothing either.
          $0.rangeEnd = .init()
          $0.filters = [.noput, .nodelete]
        }
      }
    }
  }

  private func take(
    _ response: EtcdWatchResponse, _ asker: AsyncStream<Void>.Continuation
  ) async throws {
    if response.canceled { throw cancellation(response) }
    if response.created {
      let creation = state.withLock { $0.enterStream(response.header.revision, asker) }
      creation?.resume(returning: response.header.revision)
    }
    let revision = response.header.revision
    if response.events.isEmpty {
      guard !response.created, revision > 0 else { return }
      if response.watchID < 0 { return try await takeProgress(revision) }
      state.withLock { $0.passQuietly(revision) }?.resume()
      return
    }
    let events = try response.events.map(keys.decode)
    let (consumer, isCutOff) = try state.withLock { state in
      let isCutOff = try state.append(events, isFragment: response.fragment)
      return (state.takeConsumer(), isCutOff)
    }
    consumer?.resume()
    if isCutOff { throw CancellationError() }
    await waitForRoom()
  }

  private func cancellation(_ response: EtcdWatchResponse) -> any Error {
    if response.compactRevision > 0 {
      let next = state.withLock { $0.assembler.next }
      return StateStoreError.compacted(next, oldest: response.compactRevision)
    }
    return RPCError(code: .unavailable, message: response.cancelReason)
  }

  /// Stops reading while a consumer that reads history has enough to take.
  private func waitForRoom() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let goesOn = state.withLock { state in
          guard !Task.isCancelled, !state.hasRoom else { return true }
          state.reader = continuation
          return false
        }
        if goesOn { continuation.resume() }
      }
    } onCancel: {
      state.withLock { state in
        defer { state.reader = nil }
        return state.reader
      }?.resume()
    }
  }
}

extension KeyRange {
  /// Whether no key can be in the range.
  var isEmpty: Bool {
    if case .before(let end) = end { !(start < end) } else { false }
  }
}
