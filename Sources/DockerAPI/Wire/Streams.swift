import DockerModel
import NIOCore
import NIOHTTP1
import Synchronization
import Transport

/// Sends an archive as the answer's body.
struct HTTPByteSink: ByteSink {
  let exchange: Exchange
  let headers: HTTPHeaders

  func begin() async throws { try await exchange.begin(.ok, headers: headers) }
  func write(_ bytes: ByteBuffer) async throws { try await exchange.write(bytes) }

  /// Completes the answer of a backend that had nothing to send.
  func finish() async throws {
    if !exchange.hasBegun { try await begin() }
    try await exchange.finish()
  }
}

/// Sends an archive read out of a container, behind the header that tells what it is of.
struct HTTPArchiveSink: ArchiveSink {
  let request: APIRequest

  func begin(_ stat: ContainerPathStat) async throws {
    var headers = request.headers(contentType: "application/x-tar")
    headers.add(name: "X-Docker-Container-Path-Stat", value: try stat.headerValue())
    try await request.exchange.begin(.ok, headers: headers)
  }

  func write(_ bytes: ByteBuffer) async throws { try await request.exchange.write(bytes) }
}

/// Sends a container's recorded output.
struct HTTPOutputSink: OutputSink {
  let request: APIRequest

  func begin(tty: Bool) async throws -> StreamFraming {
    let framing: StreamFraming = tty ? .raw : .multiplexed
    let type = framing.mediaType(request.version)
    try await request.exchange.begin(.ok, headers: request.headers(contentType: type))
    return framing
  }

  func write(_ bytes: ByteBuffer) async throws { try await request.exchange.write(bytes) }
}

extension StreamFraming {
  /// Clients before API 1.42 know but one media type for both.
  func mediaType(_ version: APIVersion) -> String {
    self == .multiplexed && version >= APIVersion(1, 42)
      ? "application/vnd.docker.multiplexed-stream" : "application/vnd.docker.raw-stream"
  }
}

/// The client's connection, taken over for attach and exec.
final class HijackedConnection: RawConnection {
  private let request: APIRequest
  private let isWebSocket: Bool
  private let stream = Mutex<RawStream?>(nil)

  init(_ request: APIRequest, isWebSocket: Bool = false) {
    self.request = request
    self.isWebSocket = isWebSocket
  }

  func begin(tty: Bool) async throws -> StreamFraming {
    let framing: StreamFraming = tty || isWebSocket ? .raw : .multiplexed
    let opened: RawStream
    if isWebSocket {
      opened = try await request.exchange.upgradeToWebSocket(
        binary: request.version >= APIVersion(1, 28))
    } else {
      // without an upgrade clients are told of a raw stream, whatever its framing
      let type =
        request.exchange.wantsUpgrade
        ? framing.mediaType(request.version) : StreamFraming.raw.mediaType(request.version)
      opened = try await request.exchange.upgradeToRawStream(headers: ["Content-Type": type])
    }
    stream.withLock { $0 = opened }
    return framing
  }

  private func opened() throws -> RawStream {
    guard let stream = stream.withLock({ $0 }) else {
      throw TransportError(code: .misuse, message: "a connection was used before it was begun")
    }
    return stream
  }

  var input: ByteStream { Input(connection: self) }
  func write(_ bytes: ByteBuffer) async throws { try await opened().write(bytes) }
  func finishOutput() async throws { try await opened().finishOutput() }

  private struct Input: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    typealias Failure = any Error
    let connection: HijackedConnection

    struct AsyncIterator: AsyncIteratorProtocol {
      let connection: HijackedConnection
      var stream: RawStream.AsyncIterator?

      mutating func next() async throws -> ByteBuffer? {
        let iterator = try stream ?? connection.opened().makeAsyncIterator()
        stream = iterator
        return try await iterator.next()
      }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection) }
  }
}

/// Sends a value on each line as it comes: events, statistics.
struct JSONLines: Sendable {
  let request: APIRequest

  func begin() async throws {
    try await request.exchange.begin(
      .ok, headers: request.headers(contentType: "application/json"))
  }

  func send(_ value: some Encodable) async throws {
    try await request.exchange.write(try JSON.encode(value))
  }
}
