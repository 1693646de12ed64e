import AsyncHTTPClient
import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import OCI

/// One request to a bucket.
struct S3Request: Sendable {
  var method: HTTPMethod
  /// The object's name; nil for the bucket.
  var object: String?
  var query: [(name: String, value: String)] = []
  var headers: [(name: String, value: String)] = []
  var body: ByteBuffer?

  init(_ method: HTTPMethod, _ object: String? = nil) {
    self.method = method
    self.object = object
  }
}

/// An answer with its whole body.
struct S3Answer: Sendable {
  var headers: HTTPHeaders
  var body: ByteBuffer

  /// The body as XML. Throws `unavailable`.
  func document() throws -> XMLNode {
    do {
      return try XMLNode(parsing: Array(body.readableBytesView))
    } catch {
      throw BlobStorageError.unexpected("\(error)")
    }
  }
}

/// Sends signed requests to a bucket, again where that helps. Throws ``BlobStorageError`` or
/// `CancellationError`.
///
/// All requests may be repeated: objects are written whole and under names of their own.
final class S3Client: Sendable {
  /// Bytes of an answer that is read into memory: a page of a listing has a thousand names of up
  /// to a thousand bytes each.
  private static let answerLimit = 8 << 20
  /// Bytes of an error's description.
  private static let errorLimit = 64 << 10
  private static let attempts = 6
  /// No slower connection is waited for, in bytes per second.
  private static let slowest: Int64 = 128 << 10

  private let endpoint: S3Endpoint
  private let signer: RequestSigner
  private let settings: S3Settings
  private let http: HTTPClient
  private let logger: Logger
  private let now: @Sendable () -> S3Time

  var bucket: String { settings.bucket }

  init(
    _ settings: S3Settings, signer: RequestSigner, endpoint: S3Endpoint, logger: Logger,
    now: @escaping @Sendable () -> S3Time = S3Client.currentTime
  ) {
    self.settings = settings
    self.signer = signer
    self.endpoint = endpoint
    self.logger = logger
    self.now = now
    let patience = TimeAmount(settings.requestTimeout)
    var options = HTTPClient.Configuration()
    options.redirectConfiguration = .disallow
    options.httpVersion = .http1Only
    options.timeout = .init(
      connect: min(.seconds(10), patience), read: patience, write: patience)
    // Attempts are counted here alone.
    options.connectionPool.retryConnectionEstablishment = false
    options.connectionPool.idleTimeout = .seconds(15)
    options.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = settings.connections
    if settings.skipVerify {
      var tls = TLSConfiguration.makeClientConfiguration()
      tls.certificateVerification = .none
      options.tlsConfiguration = tls
    }
    http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: options)
  }

  deinit {
    let http = self.http
    // A client must be shut down before it goes; that nothing is left to do is no news.
    Task { try? await http.shutdown() }
  }

  @Sendable static func currentTime() -> S3Time {
    S3Time(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
  }

  // MARK: - Requests

  /// Sends a request and reads the whole answer.
  func perform(_ request: S3Request, limit: Int = answerLimit) async throws -> S3Answer {
    try await attempting(request) {
      let response = try await self.send(request)
      let body = try await response.body.collect(upTo: limit)
      // What copies or joins objects is answered before it is done.
      let mayHide = request.method == .POST || (request.method == .PUT && body.readableBytes > 0)
      if mayHide, let refusal = S3Refusal.hidden(in: body) { throw refusal }
      return S3Answer(headers: response.headers, body: body)
    }
  }

  /// Sends a request and leaves the answer's body to the caller.
  func open(_ request: S3Request) async throws -> HTTPClientResponse {
    try await attempting(request) { try await self.send(request) }
  }

  /// A URL that anybody can read an object from for a while.
  func presignedURL(_ object: String) -> String {
    let path = endpoint.path(object)
    let query = signer.presigned(
      "GET", path: path, host: endpoint.host, lifetime: settings.presignLifetime, at: now())
    return "\(endpoint.scheme)://\(endpoint.host)\(path)?\(query)"
  }

  /// One attempt; throws ``S3Refusal`` for all but success.
  private func send(_ request: S3Request) async throws -> HTTPClientResponse {
    let path = endpoint.path(request.object)
    // TLS covers the body; over plain HTTP the signature has to.
    let payload =
      endpoint.isSecure && request.body != nil
      ? RequestSigner.unsignedPayload
      : request.body.map { RequestSigner.hash($0.readableBytesView) }
        ?? RequestSigner.emptyPayload
    let headers = signer.signed(
      request.method.rawValue, path: path, query: request.query,
      headers: request.headers + [("host", endpoint.host)], payload: payload, at: now())
    let query = RequestSigner.queryText(request.query)
    var message = HTTPClientRequest(
      url: "\(endpoint.scheme)://\(endpoint.host)\(path)" + (query.isEmpty ? "" : "?\(query)"))
    message.method = request.method
    message.headers = HTTPHeaders(headers.map { ($0.name, $0.value) })
    var patience = TimeAmount(settings.requestTimeout) * 2
    if let body = request.body {
      let length = Int64(body.readableBytes)
      if length > 0 { message.body = .stream(Slices(whole: body), length: .known(length)) }
      patience = patience + .seconds(length / Self.slowest)
    }
    // This covers the time to the answer's head; for its body there is the time between two reads.
    let response = try await http.execute(message, deadline: .now() + patience, logger: nil)
    guard (200...299).contains(response.status.code) else {
      let body =
        request.method == .HEAD
        ? ByteBuffer() : (try? await response.body.collect(upTo: Self.errorLimit)) ?? ByteBuffer()
      throw S3Refusal(status: response.status.code, body: body)
    }
    return response
  }

  // MARK: - Attempts

  /// Runs `body` again, after a while that grows, as long as it fails in a way that may pass.
  private func attempting<Value: Sendable>(
    _ request: S3Request, _ body: () async throws -> Value
  ) async throws -> Value {
    let start = ContinuousClock.now
    var pause = settings.retryPause
    for attempt in 1... {
      do {
        return try await body()
      } catch {
        try Task.checkCancellation()
        guard Self.mayPass(error), attempt < Self.attempts,
          ContinuousClock.now - start < settings.retryPatience
        else { throw BlobStorageError.ofS3(error) }
        logger.debug(
          "a request to the S3 service failed and is sent again",
          metadata: [
            "method": "\(request.method)", "object": "\(request.object ?? "")",
            "attempt": "\(attempt)", "error": "\(error)",
          ])
        // Many that failed together are not to come back together.
        try await Task.sleep(for: pause * Double.random(in: 0.5...1.5))
        pause = min(pause * 2, .seconds(5))
      }
    }
    throw CancellationError()
  }

  private static func mayPass(_ error: any Error) -> Bool {
    switch error {
    case is CancellationError, is BlobStorageError, is NIOTooManyBytesError: false
    case let refusal as S3Refusal: refusal.isTransient
    // A certificate does not become better.
    case NIOSSLError.handshakeFailed: false
    case let error as HTTPClientError: ![.cancelled, .alreadyShutdown].contains(error)
    default: true
    }
  }
}

/// A body in slices, so that what is sent is seen to get on, however slow the way is.
private struct Slices: AsyncSequence, Sendable {
  static let size = 256 << 10

  let whole: ByteBuffer

  struct AsyncIterator: AsyncIteratorProtocol {
    var rest: ByteBuffer

    mutating func next() async -> ByteBuffer? {
      rest.readableBytes == 0
        ? nil : rest.readSlice(length: Swift.min(Slices.size, rest.readableBytes))
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(rest: whole) }
}
