import HummingbirdCore
import Logging
import NIOCore
package import NIOHTTP1
import NIOSSL

/// Answers requests. One handler serves every connection of a server.
package protocol HTTPHandler: Sendable {
  /// Answers one request through the exchange: a whole answer, a streamed one, or an upgrade.
  ///
  /// The task is cancelled when the client goes away. An error thrown before the answer has begun is
  /// answered with its status (`TransportError`) or 500; one thrown later breaks the answer off.
  func handle(_ exchange: Exchange) async throws

  /// The answer to a GET or HEAD without a body when it can be told at once; nil sends the request
  /// to ``handle(_:)``. Called on the event loop: it must neither wait nor compute for long.
  func readyAnswer(to request: HTTPRequestHead, from peer: ConnectionPeer) -> ReadyAnswer?
}

extension HTTPHandler {
  package func readyAnswer(
    to request: HTTPRequestHead, from peer: ConnectionPeer
  ) -> ReadyAnswer? { nil }
}

/// One accepted connection: sets up its pipeline and serves its requests, one after another.
struct HTTPConnection: ServerChildChannel {
  struct Value: ServerChildChannelValue {
    let stream: NIOAsyncChannel<ConnectionInput, ConnectionOutput>
    let gone: EventLoopFuture<Void>
    let backlog: OutputBacklog
    var channel: any Channel { stream.channel }
  }

  let handler: any HTTPHandler
  let tls: NIOSSLContext?
  let limits: HTTPServerLimits
  /// Those of every answer that has none of that name itself.
  let headers: HTTPHeaders
  let statistics: ServerStatistics
  /// Ours, not the quieter one that the server gives along.
  let logger: Logger

  func setup(channel: any Channel, logger _: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      let pipeline = channel.pipeline.syncOperations
      let timer = HeadTimer(limits: limits)
      try pipeline.addHandler(timer)
      if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
      let encoder = HTTPResponseEncoder()
      let decoder = ByteToMessageHandler(
        HTTPRequestDecoder(
          leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop,
          limitConfiguration: limits.decoder))
      let gone = channel.eventLoop.makePromise(of: Void.self)
      let backlog = OutputBacklog()
      let connection = ConnectionHandler(
        handler: handler, timer: timer, limits: limits, headers: headers, statistics: statistics,
        encoder: encoder, decoder: decoder, gone: gone, backlog: backlog)
      try pipeline.addHandlers([encoder, EndOfInputGate(connection), decoder, connection])
      let stream = try NIOAsyncChannel<ConnectionInput, ConnectionOutput>(
        wrappingChannelSynchronously: channel,
        configuration: .init(isOutboundHalfClosureEnabled: false))
      return Value(stream: stream, gone: gone.futureResult, backlog: backlog)
    }
  }

  func handle(value: Value, logger _: Logger) async {
    do {
      try await value.stream.executeThenClose { inbound, outbound in
        let input = InputReader(inbound.makeAsyncIterator())
        let peer = ConnectionPeer(value.channel)
        let output = ConnectionWriter(
          outbound, backlog: value.backlog, eventLoop: value.channel.eventLoop)
        await withTaskGroup(of: Void.self) { group in
          group.addTask {
            await serve(input, output, channel: value.channel, peer: peer)
          }
          // a client that leaves takes what is done for it along
          try? await value.gone.get()  // never fails
          group.cancelAll()
        }
        try await value.channel.closeFuture.get()
      }
    } catch {
      logger.trace("connection ended with an error", metadata: ["error": "\(error)"])
    }
  }

  private func serve(
    _ input: InputReader, _ output: ConnectionWriter,
    channel: any Channel, peer: ConnectionPeer
  ) async {
    do {
      while let head = try await input.nextHead() {
        let exchange = Exchange(
          request: head, input: input, output: output, channel: channel, peer: peer,
          isEncrypted: tls != nil, limits: limits, logger: logger)
        await answer(exchange)
        guard try await exchange.conclude(), !Task.isCancelled else { break }
      }
    } catch {
      logger.trace("reading a request failed", metadata: ["error": "\(error)"])
    }
    await output.send(.close)
  }

  private func answer(_ exchange: Exchange) async {
    let start = ContinuousClock.now
    do {
      try await handler.handle(exchange)
    } catch {
      await exchange.fail(with: error)
    }
    guard logger.logLevel <= .debug else { return }
    logger.debug(
      "request served",
      metadata: [
        "request": "\(exchange.id)", "method": "\(exchange.request.method)",
        "uri": "\(exchange.request.uri)", "status": "\(exchange.status.map { Int($0.code) } ?? 0)",
        "peer": "\(exchange.peer)", "duration": "\(ContinuousClock.now - start)",
      ])
  }
}

extension HTTPServerLimits {
  var decoder: NIOHTTPDecoderLimitConfiguration {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = headerFieldSize
    limits.maxHeaderListSize = headerListSize
    limits.maxHeaderFieldCount = headerCount
    return limits
  }
}
