import DockerModel
import Logging
import NIOCore
import NIOHTTP1
import Transport

/// Sends the progress of a long operation, one JSON message on each line. The answer begins with the
/// first message, so that an operation that fails before gets a status of its own.
actor ProgressStream {
  private let request: APIRequest
  private var isBusy = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ request: APIRequest) { self.request = request }

  /// Runs the operation and completes the answer.
  func run(_ operation: (@escaping ProgressReporter) async throws -> Void) async throws {
    do {
      try await operation { await self.report($0) }
    } catch {
      guard request.exchange.hasBegun, !(error is CancellationError) else { throw error }
      await report(.failure("\(error)"))
    }
    if !request.exchange.hasBegun { try await begin() }
    try await request.exchange.finish()
  }

  private func begin() async throws {
    try await request.exchange.begin(
      .ok, headers: request.headers(contentType: "application/json"))
  }

  /// One message at a time, so that none overtakes the head or is mixed with another.
  private func report(_ message: JSONMessage) async {
    while isBusy { await withCheckedContinuation { waiting.append($0) } }
    isBusy = true
    defer {
      isBusy = false
      if !waiting.isEmpty { waiting.removeFirst().resume() }
    }
    do {
      if !request.exchange.hasBegun { try await begin() }
      try await request.exchange.write(try JSON.encode(message, end: "\r\n"))
    } catch {
      // the client is gone; its leaving cancels the operation
      request.exchange.logger.trace("progress lost", metadata: ["error": "\(error)"])
    }
  }
}
