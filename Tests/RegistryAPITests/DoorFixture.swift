import AsyncHTTPClient
import BlobStorage
import FoundationEssentials
import Identity
import Logging
import NIOCore
import NIOHTTP1
import Registry
import StateStore
import Testing
import Transport

@testable import RegistryAPI

/// A registry over memory and a folder of its own, behind a listener of its own.
struct DoorFixture: Sendable {
  static let password = "correct horse"

  let store: InMemoryStateStore
  let registry: RegistryService
  let identity: IdentityService
  let base: String
  let statistics: ServerStatistics

  /// An answer read to its end.
  struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: ByteBuffer

    var text: String { String(buffer: body) }

    func decoded<Value: Decodable>(_ type: Value.Type) throws -> Value {
      try JSONDecoder().decode(type, from: Data(body.readableBytesView))
    }
  }

  /// Runs a registry for the length of `body`; the users `ann` and `bob` are known to it.
  static func run(
    withTokens: Bool, _ body: (DoorFixture) async throws -> Void
  ) async throws {
    let root =
      FileManager.default.temporaryDirectory.path + "/martlet-door-\(UUID().uuidString)"
    // A folder that stays does no harm to other tests.
    defer { try? FileManager.default.removeItem(atPath: root) }
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let store = InMemoryStateStore()
    var settings = IdentitySettings()
    settings.hashing = .init(memory: 64, passes: 1, lanes: 1)
    let identity = IdentityService(store: store, settings: settings, logger: logger)
    for name in ["ann", "bob"] {
      _ = try await identity.createUser(try #require(AccountName(name)), password: password)
    }
    let registry = RegistryService(
      store: store, storage: try FilesystemStorage(root: root), identity: identity, logger: logger)
    let authority = TokenAuthority(
      store: store, secretBox: nil, settings: TokenSettings(issuer: "test"), logger: logger)
    let statistics = ServerStatistics()
    let door = RegistryDoor(
      registry: registry, identity: identity,
      authentication: withTokens ? .tokens(authority, service: "test-registry") : .none,
      distribution: DistributionSettings(), statistics: statistics)
    let (addresses, listening) = AsyncStream.makeStream(of: ListenAddress.self)
    let server = HTTPServer(
      handler: door,
      listeners: [
        ListenerConfiguration(.tcp(host: "127.0.0.1", port: 0), allowsPlainTCP: true)
      ],
      statistics: statistics, logger: logger,
      onListening: { all in
        for address in all { listening.yield(address) }
        listening.finish()
      })
    let caches = Task { await registry.run() }
    let running = Task {
      defer { listening.finish() }
      try await server.run()
    }
    var result = Result<Void, any Error>.success(())
    do {
      var port: Int?
      for await case .tcp(_, let bound) in addresses { port = bound }
      let fixture = DoorFixture(
        store: store, registry: registry, identity: identity,
        base: "http://127.0.0.1:\(try #require(port))", statistics: statistics)
      try await body(fixture)
    } catch {
      result = .failure(error)
    }
    running.cancel()
    caches.cancel()
    _ = await running.result
    await caches.value
    identity.stop()
    try result.get()
  }

  func request(
    _ method: HTTPMethod, _ path: String, _ headers: HTTPHeaders = [:], body: String? = nil
  ) async throws -> Answer {
    var request = HTTPClientRequest(url: path.hasPrefix("http") ? path : base + path)
    request.method = method
    request.headers = headers
    if let body { request.body = .bytes(ByteBuffer(string: body)) }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
    return Answer(
      status: Int(response.status.code), headers: response.headers,
      body: try await response.body.collect(upTo: 1 << 20))
  }

  /// Pushes a small image as `credentials`; gives its digest.
  func pushImage(_ name: String, _ tag: String, _ headers: HTTPHeaders = [:]) async throws -> String
  {
    let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    let blob = try await request(
      .POST, "/v2/\(name)/blobs/uploads/?digest=\(digest)", headers, body: "{}")
    #expect(blob.status == 201, "\(blob.text)")
    let config =
      #"{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\#(digest)","size":2}"#
    let type = "application/vnd.oci.image.manifest.v1+json"
    var headers = headers
    headers.add(name: "Content-Type", value: type)
    let manifest = try await request(
      .PUT, "/v2/\(name)/manifests/\(tag)", headers,
      body: #"{"schemaVersion":2,"mediaType":"\#(type)","config":\#(config),"layers":[]}"#)
    #expect(manifest.status == 201, "\(manifest.text)")
    return try #require(manifest.headers.first(name: "Docker-Content-Digest"))
  }
}
