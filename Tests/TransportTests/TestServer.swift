import Glibc
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import Transport

/// A handler made of a closure.
struct ClosureHandler: HTTPHandler {
  private let ready: @Sendable (HTTPRequestHead) -> ReadyAnswer?
  private let body: @Sendable (Exchange) async throws -> Void

  init(
    ready: @escaping @Sendable (HTTPRequestHead) -> ReadyAnswer? = { _ in nil },
    _ body: @escaping @Sendable (Exchange) async throws -> Void
  ) {
    self.ready = ready
    self.body = body
  }

  func handle(_ exchange: Exchange) async throws { try await body(exchange) }

  func readyAnswer(to request: HTTPRequestHead, from _: ConnectionPeer) -> ReadyAnswer? {
    ready(request)
  }
}

/// Runs a server on a unix socket of its own for the length of `body`, which gets the socket's path.
func withServer<Result: Sendable>(
  _ handler: ClosureHandler, limits: HTTPServerLimits = HTTPServerLimits(),
  headers: HTTPHeaders = [:], statistics: ServerStatistics = ServerStatistics(),
  _ body: (String) async throws -> Result
) async throws -> Result {
  let path = "/tmp/martlet-transport-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
  let (ready, signal) = AsyncStream.makeStream(of: Void.self)
  let server = HTTPServer(
    handler: handler, listeners: [ListenerConfiguration(.unix(path: path))],
    limits: limits, headers: headers, statistics: statistics, logger: Logger(label: "test"),
    onListening: { _ in signal.finish() })
  let running = Task {
    defer { signal.finish() }
    try await server.run()
  }
  for await _ in ready {}
  do {
    let result = try await body(path)
    running.cancel()
    _ = await running.result
    #expect(access(path, F_OK) != 0, "the socket's file is removed")
    return result
  } catch {
    running.cancel()
    _ = await running.result
    throw error
  }
}

/// An event that tests wait for.
struct Signal: Sendable {
  private let stream: AsyncStream<String>
  private let continuation: AsyncStream<String>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream(of: String.self) }

  func send(_ text: String = "") { continuation.yield(text) }

  func next() async -> String? {
    for await text in stream { return text }
    return nil
  }
}
