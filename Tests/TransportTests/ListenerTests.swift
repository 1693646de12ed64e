import AsyncHTTPClient
import Glibc
import Host
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import ServiceLifecycle
import Testing

@testable import Transport

@Suite struct ListenerTests {
  @Test(arguments: [
    ("unix:///run/x.sock", "unix:///run/x.sock"), ("unix://", "unix:///run/docker.sock"),
    ("/run/y.sock", "unix:///run/y.sock"), ("tcp://", "tcp://localhost:2375"),
    ("tcp://:9", "tcp://localhost:9"), ("tcp://10.0.0.1", "tcp://10.0.0.1:2375"),
    ("tcp://10.0.0.1:80/", "tcp://10.0.0.1:80"), ("tcp://[::1]:80", "tcp://[::1]:80"),
    ("tcp://[::1]", "tcp://[::1]:2375"), ("0.0.0.0:7", "tcp://0.0.0.0:7"),
  ])
  func readsListenAddresses(text: String, expected: String) throws {
    #expect(try ListenAddress(text).description == expected)
  }

  @Test(arguments: [
    "", "ftp://x", "tcp://x:y", "tcp://x:70000", "tcp://[::1", "tcp://a b:1", "fd://",
  ])
  func refusesOtherAddresses(text: String) {
    #expect(throws: TransportError.self) { try ListenAddress(text) }
  }

  private static func temporaryPath() -> String {
    "/tmp/martlet-listen-\(getpid())-\(UInt32.random(in: 0 ... .max))"
  }

  private static func run(_ listener: ListenerConfiguration) async throws {
    try await HTTPServer(
      handler: ClosureHandler { try await $0.respond(.ok) }, listeners: [listener],
      logger: Logger(label: "test")
    ).run()
  }

  @Test func unixSocketsAreForTheirGroupOnly() async throws {
    try await withServer(ClosureHandler { try await $0.respond(.ok) }) { path in
      var status = stat()
      #expect(lstat(path, &status) == 0)
      #expect(status.st_mode & 0o7777 == 0o660)
    }
  }

  @Test func refusesASocketThatIsInUseAndReplacesAStaleOne() async throws {
    try await withServer(ClosureHandler { try await $0.respond(.ok) }) { path in
      let error = await #expect(throws: TransportError.self) {
        try await Self.run(ListenerConfiguration(.unix(path: path)))
      }
      #expect(error?.code == .addressInUse)
      // the first server is still there
      try await RawClient.connected(to: path) { client in
        try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = try await client.read(through: "200 OK")
      }
    }
  }

  @Test func leavesFilesAlone() async throws {
    let path = Self.temporaryPath()
    let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
    close(descriptor)
    defer { unlink(path) }
    let error = await #expect(throws: TransportError.self) {
      try await Self.run(ListenerConfiguration(.unix(path: path)))
    }
    #expect(error?.code == .badConfiguration)
    #expect(access(path, F_OK) == 0)
  }

  @Test func refusesPlainTCPUnlessToldAndUnknownGroups() async throws {
    await #expect(throws: TransportError.self) {
      try await Self.run(ListenerConfiguration(.tcp(host: "127.0.0.1", port: 0)))
    }
    await #expect(throws: (any Error).self) {
      try await Self.run(
        ListenerConfiguration(.unix(path: Self.temporaryPath()), group: .named("no-such-group")))
    }
  }

  @Test func mutualTLSLetsOnlyKnownClientsIn() async throws {
    let folder = Self.temporaryPath()
    #expect(mkdir(folder, 0o700) == 0)
    let made = try await Command(
      "/bin/sh", ["-ec", Self.certificates],
      environment: ["DIR": folder, "PATH": "/usr/bin:/bin"]
    ).run()
    try #require(made.status == .exited(0))
    let (addresses, announce) = AsyncStream.makeStream(of: ListenAddress.self)
    let server = HTTPServer(
      handler: ClosureHandler { exchange in
        try await exchange.respond(.ok, body: exchange.collectBody(upTo: 1 << 20))
      },
      listeners: [
        ListenerConfiguration(
          .tcp(host: "127.0.0.1", port: 0),
          tls: TLSSettings(
            certificatePath: folder + "/server.pem", keyPath: folder + "/server.key",
            clientAuthorityPaths: [folder + "/ca.pem"]))
      ], logger: Logger(label: "test"), onListening: { announce.yield($0[0]) })
    let running = Task { try await server.run() }
    var port = 0
    for await case .tcp(_, let number) in addresses {
      port = number
      break
    }
    var known = TLSConfiguration.makeClientConfiguration()
    known.trustRoots = .file(folder + "/ca.pem")
    var unknown = known
    unknown.certificateVerification = .none
    known.certificateChain = try NIOSSLCertificate.fromPEMFile(folder + "/client.pem").map {
      .certificate($0)
    }
    known.privateKey = .privateKey(try NIOSSLPrivateKey(file: folder + "/client.key", format: .pem))
    let body = String(repeating: "secret", count: 50_000)
    #expect(try await Self.post(body, port: port, tls: known) == body)
    await #expect(throws: (any Error).self) {
      try await Self.post(body, port: port, tls: unknown)
    }
    running.cancel()
    _ = await running.result
    _ = try await Command("/bin/rm", ["-r", folder]).run()
  }

  private static func post(
    _ body: String, port: Int, tls: TLSConfiguration
  ) async throws -> String {
    let client = HTTPClient(configuration: .init(tlsConfiguration: tls))
    do {
      var request = HTTPClientRequest(url: "https://127.0.0.1:\(port)/")
      request.method = .POST
      request.body = .bytes(ByteBuffer(string: body))
      let response = try await client.execute(request, timeout: .seconds(10))
      let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
      try await client.shutdown()
      return text
    } catch {
      try await client.shutdown()
      throw error
    }
  }

  private static let certificates = """
    cd $DIR
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
      -subj /CN=ca -keyout ca.key -out ca.pem 2>/dev/null
    for name in server client; do
      openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$name \
        -keyout $name.key -out $name.csr 2>/dev/null
      printf 'subjectAltName=IP:127.0.0.1' > $name.ext
      openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile $name.ext -out $name.pem 2>/dev/null
    done
    """

  @Test func gracefulShutdownLetsRequestsEnd() async throws {
    let path = Self.temporaryPath()
    let started = Signal()
    let goOn = Signal()
    let (ready, signal) = AsyncStream.makeStream(of: Void.self)
    let server = HTTPServer(
      handler: ClosureHandler { exchange in
        started.send()
        _ = await goOn.next()
        try await exchange.respond(.ok, body: ByteBuffer(string: "done"))
      }, listeners: [ListenerConfiguration(.unix(path: path))], logger: Logger(label: "test"),
      onListening: { _ in signal.finish() })
    let services = ServiceGroup(services: [server], logger: Logger(label: "test"))
    let running = Task { try await services.run() }
    for await _ in ready {}
    try await RawClient.connected(to: path) { client in
      try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = await started.next()
      await services.triggerGracefulShutdown()
      goOn.send()
      let answer = try await client.readToEnd()
      #expect(answer.hasSuffix("done"))
    }
    try await running.value
  }
}
