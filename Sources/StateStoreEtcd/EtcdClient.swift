import EtcdProtocol
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import NIOCore
import NIOSSL
import StateStore
import SwiftProtobuf
import Synchronization

/// How long to wait before the next attempt: from 50 ms to 2 s, doubled each time, and spread so
/// that many clients do not come at once.
struct Backoff {
  private var next = Duration.milliseconds(50)

  /// The wait before the next attempt.
  mutating func step() -> Duration {
    defer { next = min(next * 2, .seconds(2)) }
    return next * Double.random(in: 0.5...1)
  }
}

/// The members of a cluster, and calls to whichever of them answers.
final class EtcdClient: Sendable {
  typealias Transport = HTTP2ClientTransport.Posix

  /// Whether a request may be made again when it is not known what became of it.
  enum Repetition {
    /// It reads, or does the same a second time.
    case harmless
    /// It must happen once.
    case forbidden
  }

  private struct State {
    /// The member that is asked.
    var current = 0
    var token: String?
    var isClosed = false
  }

  /// The most bytes of one answer that are taken.
  private static let answerLimit = 256 << 20

  let settings: EtcdSettings
  let logger: Logger
  private let members: [(endpoint: EtcdEndpoint, client: GRPCClient<Transport>)]
  private let connections: [Task<Void, Never>]
  private let state = Mutex(State())

  /// Makes the clients of all members; they connect when they are first asked. Blocks, for it reads
  /// the files of `settings.tls`. Throws `invalidRequest`.
  init(settings: EtcdSettings, logger: Logger) throws {
    guard !settings.endpoints.isEmpty else {
      throw StateStoreError.invalidRequest("no etcd endpoint is named")
    }
    guard (settings.username == nil) == (settings.password == nil) else {
      throw StateStoreError.invalidRequest("etcd's user needs a password, and a password a user")
    }
    self.settings = settings
    self.logger = logger
    members = try settings.endpoints.map { text in
      guard let endpoint = EtcdEndpoint(text, secureByDefault: settings.tls != nil) else {
        throw StateStoreError(
          .invalidRequest, "an etcd endpoint cannot be read", metadata: ["endpoint": text])
      }
      return (endpoint, try EtcdClient.client(of: endpoint, settings.tls))
    }
    connections = members.map { endpoint, client in
      Task {
        do { try await client.runConnections() } catch {
          logger.error(
            "the connection to etcd ended",
            metadata: ["endpoint": "\(endpoint)", "error": "\(error)"])
        }
      }
    }
  }

  deinit {
    for connection in connections { connection.cancel() }
  }

  /// Makes a call of one request and one answer. Tries again, with the next member, until the
  /// deadline, as long as that cannot do a thing twice. Cancelling the caller does not end it.
  /// Throws `StateStoreError`.
  func call<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, repetition: Repetition,
    timeout: Duration? = nil
  ) async throws -> Response {
    // A token is not asked for with a token.
    let renewals = method == EtcdMethod.authenticate ? 0 : 3
    return try await attempt(repetition, timeout: timeout, renewals: renewals) {
      member, metadata, options, mark in
      try await member.unary(
        request: ClientRequest(message: request, metadata: metadata), descriptor: method,
        serializer: EtcdSerializer<Request>(mark: mark),
        deserializer: EtcdDeserializer<Response>(), options: options
      ) { try $0.message }
    }
  }

  /// Makes a call of a stream with one request, and takes the first answer. As `call`.
  func callOnStream<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, repetition: Repetition
  ) async throws -> Response {
    try await attempt(repetition, timeout: nil, renewals: 3) { member, metadata, options, mark in
      try await member.bidirectionalStreaming(
        request: StreamingClientRequest(metadata: metadata) { try await $0.write(request) },
        descriptor: method, serializer: EtcdSerializer<Request>(mark: mark),
        deserializer: EtcdDeserializer<Response>(), options: options
      ) { response in
        for try await message in response.messages { return message }
        throw RPCError(code: .unavailable, message: "the stream ended without an answer")
      }
    }
  }

  /// Runs a stream with the member that is being asked, until either side ends it. Throws what
  /// `responses` throws, and `RPCError`; then the next member is asked from there on.
  func stream<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    requests: @escaping @Sendable (RPCWriter<Request>) async throws -> Void,
    responses: @escaping @Sendable (RPCAsyncSequence<Response, any Error>) async throws -> Void
  ) async throws {
    let (index, token) = try state.withLock { state in
      guard !state.isClosed else { throw StateStoreError.closed }
      return (state.current, state.token)
    }
    var metadata = metadata(token: token)
    // A member that lost its leader is left, instead of being listened to in vain.
    metadata.addString("true", forKey: "hasleader")
    do {
      try await members[index].client.bidirectionalStreaming(
        request: StreamingClientRequest(metadata: metadata, producer: requests),
        descriptor: method, serializer: EtcdSerializer<Request>(mark: nil),
        deserializer: EtcdDeserializer<Response>(), options: options(timeout: nil)
      ) { try await responses($0.messages) }
    } catch {
      // A stream that this side ended says nothing about the member.
      if !Task.isCancelled { moveOn(from: index) }
      throw error
    }
  }

  /// Gets a token for the user of the settings, if they name one.
  func authenticate(timeout: Duration? = nil) async throws {
    guard let name = settings.username, let password = settings.password else { return }
    let request = EtcdAuthenticateRequest.with {
      $0.name = name
      $0.password = password
    }
    state.withLock { $0.token = nil }
    let response: EtcdAuthenticateResponse = try await call(
      EtcdMethod.authenticate, request, repetition: .harmless, timeout: timeout)
    state.withLock { $0.token = response.token }
  }

  /// Ends all connections once the calls under way are done.
  func close() async {
    let wasOpen = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    if wasOpen { for member in members { member.client.beginGracefulShutdown() } }
    let connections = self.connections
    let limit = Task {
      // Cancelled when the connections end in good order.
      guard (try? await Task.sleep(for: settings.requestTimeout)) != nil else { return }
      for connection in connections { connection.cancel() }
    }
    for connection in connections { await connection.value }
    limit.cancel()
  }
}

extension EtcdClient {
  private typealias Attempt<Response> =
    @Sendable (GRPCClient<Transport>, Metadata, CallOptions, SentMark) async throws -> Response

  private func attempt<Response: Sendable>(
    _ repetition: Repetition, timeout: Duration?, renewals: Int,
    _ body: @escaping Attempt<Response>
  ) async throws -> Response {
    let deadline = ContinuousClock.now + (timeout ?? settings.requestTimeout)
    // A task of its own: cancelling the caller must not leave a change half known.
    return try await Task {
      try await self.attempt(repetition, until: deadline, renewals: renewals, body)
    }.value
  }

  private func attempt<Response: Sendable>(
    _ repetition: Repetition, until deadline: ContinuousClock.Instant, renewals: Int,
    _ body: Attempt<Response>
  ) async throws -> Response {
    var backoff = Backoff()
    var renewals = renewals
    while true {
      let (index, token) = try state.withLock { state in
        guard !state.isClosed else { throw StateStoreError.closed }
        return (state.current, state.token)
      }
      let mark = SentMark()
      do {
        let left = max(.milliseconds(1), ContinuousClock.now.duration(to: deadline))
        return try await body(
          members[index].client, metadata(token: token),
          options(timeout: share(of: left)), mark)
      } catch {
        let error = rpcError(error)
        switch EtcdFailure(error, wasSent: mark.isSet) {
        case .final(let final): throw final
        case .staleToken where settings.username != nil && renewals > 0:
          renewals -= 1
          try await authenticate()
          continue
        case .unknown where repetition == .forbidden:
          moveOn(from: index)
          throw EtcdFailure.outcomeUnknown(error)
        case .staleToken, .refused, .unknown: moveOn(from: index)
        }
        let wait = backoff.step()
        guard ContinuousClock.now + wait < deadline else { throw EtcdFailure.unreachable(error) }
        try await Task.sleep(for: wait)
      }
    }
  }

  /// What one member gets of the time left, so that there is time to ask another one.
  private func share(of left: Duration) -> Duration {
    members.count > 1 ? max(left / 2, min(left, .seconds(1))) : left
  }

  /// Asks the next member from now on, unless that has been done already.
  private func moveOn(from index: Int) {
    state.withLock { state in
      guard state.current == index else { return }
      state.current = (index + 1) % members.count
    }
  }

  private func rpcError(_ error: any Error) -> RPCError {
    if let error = error as? RPCError { return error }
    return RPCError(code: .unavailable, message: "the connection failed", cause: error)
  }

  private func metadata(token: String?) -> Metadata {
    guard let token else { return [:] }
    return ["token": .string(token)]
  }

  private func options(timeout: Duration?) -> CallOptions {
    var options = CallOptions.defaults
    options.timeout = timeout
    options.waitForReady = false
    options.maxResponseMessageBytes = EtcdClient.answerLimit
    // The transport (2.9) holds answers to the limit of requests, which is 4 MiB by default.
    options.maxRequestMessageBytes = EtcdClient.answerLimit
    return options
  }

  private static func client(
    of endpoint: EtcdEndpoint, _ tls: EtcdSettings.TLS?
  ) throws -> GRPCClient<Transport> {
    let config = Transport.Config.defaults { config in
      config.backoff = .init(
        initial: .milliseconds(50), max: .seconds(2), multiplier: 1.6, jitter: 0.2)
      // etcd closes connections that ask for a sign of life more often than every five seconds.
      config.connection.keepalive = .init(
        time: .seconds(10), timeout: .seconds(5), allowWithoutCalls: false)
      config.http2.authority = endpoint.isSecure ? tls?.serverName : nil
      config.channelDebuggingCallbacks.onCreateTCPConnection = { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          let position: ChannelPipeline.SynchronousOperations.Position =
            endpoint.isSecure
            ? .after(try pipeline.handler(type: NIOSSLClientHandler.self)) : .first
          try pipeline.addHandler(PingResponder(), position: position)
        }
      }
    }
    do {
      return GRPCClient(
        transport: try Transport(
          target: target(of: endpoint),
          transportSecurity: endpoint.isSecure ? security(tls ?? .init()) : .plaintext,
          config: config))
    } catch {
      throw StateStoreError(
        .invalidRequest, "the security of the connection to etcd cannot be set up",
        metadata: ["endpoint": endpoint.description], cause: error)
    }
  }

  private static func target(of endpoint: EtcdEndpoint) -> any ResolvableTarget {
    switch try? NIOCore.SocketAddress(ipAddress: endpoint.host, port: endpoint.port) {
    case .v4: .ipv4(address: endpoint.host, port: endpoint.port)
    case .v6: .ipv6(address: endpoint.host, port: endpoint.port)
    // No address, so a name.
    default: .dns(host: endpoint.host, port: endpoint.port)
    }
  }

  private static func security(_ tls: EtcdSettings.TLS) -> Transport.TransportSecurity {
    .tls { config in
      if let path = tls.authorityFile {
        config.trustRoots = .certificates([.file(path: path, format: .pem)])
      }
      if let path = tls.certificateFile {
        config.certificateChain = [.file(path: path, format: .pem)]
      }
      config.privateKey = tls.keyFile.map { .file(path: $0, format: .pem) }
    }
  }
}
