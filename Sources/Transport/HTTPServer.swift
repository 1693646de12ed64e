import Glibc
import Host
import HummingbirdCore
package import Logging
package import NIOCore
package import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Synchronization

/// One address a server listens at.
package struct ListenerConfiguration: Sendable, Hashable {
  package var address: ListenAddress
  package var tls: TLSSettings?
  /// Plain TCP gives whoever can reach the port root on this machine: it must be asked for.
  package var allowsPlainTCP: Bool
  /// Who, besides root, may use a unix socket.
  package var group: SocketGroup

  package init(
    _ address: ListenAddress, tls: TLSSettings? = nil, allowsPlainTCP: Bool = false,
    group: SocketGroup = .dockerIfPresent
  ) {
    self.address = address
    self.tls = tls
    self.allowsPlainTCP = allowsPlainTCP
    self.group = group
  }
}

/// Serves one handler on any number of listeners.
package struct HTTPServer: Service {
  private let handler: any HTTPHandler
  private let listeners: [ListenerConfiguration]
  private let limits: HTTPServerLimits
  private let headers: HTTPHeaders
  private let statistics: ServerStatistics
  private let eventLoopGroup: any EventLoopGroup
  private let logger: Logger
  private let onListening: @Sendable ([ListenAddress]) async -> Void

  /// `headers` are those of every answer that has none of that name itself. `onListening` is called
  /// once, when all listeners accept connections, with their addresses in the order given, ports
  /// filled in.
  package init(
    handler: any HTTPHandler, listeners: [ListenerConfiguration],
    limits: HTTPServerLimits = HTTPServerLimits(), headers: HTTPHeaders = [:],
    statistics: ServerStatistics = ServerStatistics(),
    eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger,
    onListening: @escaping @Sendable ([ListenAddress]) async -> Void = { _ in }
  ) {
    self.handler = handler
    self.listeners = listeners
    self.limits = limits
    self.headers = headers
    self.statistics = statistics
    self.eventLoopGroup = eventLoopGroup
    self.logger = logger
    self.onListening = onListening
  }

  /// Listens and serves until it is cancelled, or shut down gracefully: then no further request is
  /// accepted, and those under way have `shutdownTimeout` to end before they are cancelled. Throws
  /// `addressInUse` and `badConfiguration`.
  package func run() async throws {
    let bound = BoundAddresses(expected: listeners.count)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for (index, listener) in listeners.enumerated() {
        group.addTask {
          try await serve(listener) { address in
            if let all = bound.add(address, at: index) { await onListening(all) }
          }
          return true
        }
      }
      group.addTask {
        try await gracefulShutdown()
        try await Task.sleep(for: limits.shutdownTimeout)
        return false
      }
      var running = listeners.count
      while running > 0, try await group.next() == true { running -= 1 }
      group.cancelAll()
    }
  }

  private func serve(
    _ listener: ListenerConfiguration,
    onRunning: @escaping @Sendable (ListenAddress) async -> Void
  ) async throws {
    let tls = try await BlockingPool.shared.run { try listener.tls?.makeContext() }
    let connection = HTTPConnection(
      handler: handler, tls: tls, limits: limits, headers: headers, statistics: statistics,
      logger: logger)
    switch listener.address {
    case .tcp(let host, let port):
      guard tls != nil || listener.allowsPlainTCP else {
        throw TransportError(
          code: .badConfiguration, message: "plain TCP is refused unless it is asked for",
          metadata: ["address": "\(listener.address)"])
      }
      try await run(connection, .hostname(host, port: port)) { channel in
        await onRunning(.tcp(host: host, port: channel.localAddress?.port ?? port))
      }
    case .unix(let path):
      let file = try await BlockingPool.shared.run { try UnixSocketFile(path: path) }
      let publication = Publication()
      try await run(connection, .unixDomainSocket(path: file.temporaryPath)) { channel in
        do {
          try await BlockingPool.shared.run { try file.publish(group: listener.group) }
          publication.finish(.success(file.identity()))
          await onRunning(listener.address)
        } catch {
          publication.finish(.failure(error))
          channel.close(promise: nil)
        }
      }
      switch publication.result {
      case .failure(let error):
        unlink(file.temporaryPath)
        throw error
      case .success(let mine):
        // a socket that another server put there in the meantime stays
        if let mine, let now = file.identity(), mine == now { unlink(path) }
      }
    }
  }

  private func run(
    _ connection: HTTPConnection, _ address: BindAddress,
    onRunning: @escaping @Sendable (any Channel) async -> Void
  ) async throws {
    // the server takes being cancelled for an error; what ends it is told by its return
    var quiet = logger
    quiet.logLevel = .critical
    let server = connection.server(
      configuration: ServerConfiguration(
        address: address, backlog: 1024,
        availableConnectionsDelegate: MaximumAvailableConnections(
          limits.connections, logger: quiet)),
      onServerRunning: onRunning, eventLoopGroup: eventLoopGroup, logger: quiet)
    do {
      try await server.run()
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw TransportError(
        code: .addressInUse, message: "another server listens there",
        metadata: ["address": "\(address)"], cause: error)
    }
  }
}

/// Collects where the listeners are bound.
private final class BoundAddresses: Sendable {
  private let expected: Int
  private let addresses = Mutex<[Int: ListenAddress]>([:])

  init(expected: Int) { self.expected = expected }

  /// Notes one; gives all of them, in order, with the last.
  func add(_ address: ListenAddress, at index: Int) -> [ListenAddress]? {
    addresses.withLock { addresses in
      addresses[index] = address
      guard addresses.count == expected else { return nil }
      return addresses.sorted { $0.key < $1.key }.map(\.value)
    }
  }
}

/// How giving a unix socket its name went.
private final class Publication: Sendable {
  private let outcome = Mutex<Result<UnixSocketFile.Identity?, any Error>>(.success(nil))

  var result: Result<UnixSocketFile.Identity?, any Error> { outcome.withLock { $0 } }

  func finish(_ result: Result<UnixSocketFile.Identity?, any Error>) {
    outcome.withLock { $0 = result }
  }
}
