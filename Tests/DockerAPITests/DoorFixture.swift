import DockerModel
import Glibc
import Logging
import NIOCore
import NIOPosix
import Testing
import Transport

@testable import DockerAPI

/// A door in front of fake backends, on a unix socket of its own.
struct DoorFixture {
  let path: String
  let recorder: Recorder

  /// Runs a door for the length of `body`.
  static func run(_ body: (DoorFixture) async throws -> Void) async throws {
    let recorder = Recorder()
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let door = DockerDoor(
      backends: Backends(
        containers: FakeContainers(recorder: recorder), execs: FakeExecs(recorder: recorder),
        images: FakeImages(recorder: recorder), networks: FakeNetworks(),
        volumes: FakeVolumes(recorder: recorder), system: FakeSystem()),
      server: "Martlet/test (linux)", logger: logger)
    let path = "/tmp/martlet-door-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
    let (ready, signal) = AsyncStream.makeStream(of: Void.self)
    let server = HTTPServer(
      handler: door, listeners: [ListenerConfiguration(.unix(path: path))], logger: logger,
      onListening: { _ in signal.finish() })
    let running = Task {
      defer { signal.finish() }
      try await server.run()
    }
    for await _ in ready {}
    let result: Result<Void, any Error>
    do {
      result = .success(try await body(DoorFixture(path: path, recorder: recorder)))
    } catch {
      result = .failure(error)
    }
    running.cancel()
    _ = await running.result
    try result.get()
  }

  /// Sends one request and reads all of its answer.
  func send(
    _ method: String, _ target: String, headers: [String] = [], body: [UInt8] = []
  ) async throws -> Answer {
    var head = "\(method) \(target) HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
    for header in headers { head += header + "\r\n" }
    if !body.isEmpty { head += "Content-Length: \(body.count)\r\n" }
    return try Answer(try await exchange(Array((head + "\r\n").utf8) + body, half: false))
  }

  /// Sends one request with a JSON body.
  func post(_ target: String, json: String) async throws -> Answer {
    try await send(
      "POST", target, headers: ["Content-Type: application/json"], body: Array(json.utf8))
  }

  /// Asks for an upgrade, sends `input` and half-closes; gives everything that came back.
  func upgrade(
    _ target: String, method: String = "POST", json: String = "", input: String,
    headers: [String] = ["Connection: Upgrade", "Upgrade: tcp"]
  ) async throws -> String {
    var head = "\(method) \(target) HTTP/1.1\r\nHost: docker\r\n"
    for header in headers { head += header + "\r\n" }
    if !json.isEmpty {
      head += "Content-Type: application/json\r\nContent-Length: \(json.utf8.count)\r\n"
    }
    let bytes = try await exchange(Array((head + "\r\n" + json + input).utf8), half: true)
    return String(decoding: bytes, as: UTF8.self)
  }

  private func exchange(_ request: [UInt8], half: Bool) async throws -> [UInt8] {
    let stream = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .connect(unixDomainSocketPath: path) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
            wrappingChannelSynchronously: channel,
            configuration: .init(isOutboundHalfClosureEnabled: true))
        }
      }
    return try await stream.executeThenClose { inbound, outbound in
      do {
        try await outbound.write(ByteBuffer(bytes: request))
      } catch {
        // an answer that came early is read all the same
      }
      if half { outbound.finish() }
      var all: [UInt8] = []
      for try await bytes in inbound { all.append(contentsOf: bytes.readableBytesView) }
      return all
    }
  }
}

/// An answer, taken apart.
struct Answer {
  struct Malformed: Error { let text: String }

  let status: Int
  private let fields: [(name: String, value: String)]
  let body: String

  init(_ bytes: [UInt8]) throws {
    var text = String(decoding: bytes, as: UTF8.self)[...]
    let goOn = "HTTP/1.1 100 Continue\r\n\r\n"
    if text.hasPrefix(goOn) { text = text.dropFirst(goOn.count) }
    guard let end = text.firstRange(of: "\r\n\r\n") else { throw Malformed(text: String(text)) }
    let lines = text[..<end.lowerBound].split(separator: "\r\n")
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
      throw Malformed(text: String(text))
    }
    self.status = status
    fields = lines.dropFirst().map { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      let value = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
      return (parts[0].lowercased(), String(value))
    }
    let rest = text[end.upperBound...]
    let isChunked = fields.contains { $0.name == "transfer-encoding" }
    body = isChunked ? try Self.joined(rest) : String(rest)
  }

  private static func joined(_ chunks: Substring) throws -> String {
    var rest = Array(chunks.utf8)[...]
    var body: [UInt8] = []
    while let line = rest.firstIndex(of: 13) {
      guard let count = Int(String(decoding: rest[..<line], as: UTF8.self), radix: 16),
        rest.distance(from: line, to: rest.endIndex) >= count + 4
      else { break }
      if count == 0 { return String(decoding: body, as: UTF8.self) }
      rest = rest[(line + 2)...]
      body.append(contentsOf: rest.prefix(count))
      rest = rest.dropFirst(count + 2)
    }
    throw Malformed(text: "broken off: " + String(decoding: body, as: UTF8.self))
  }

  /// A header's value; empty when it is missing.
  subscript(name: String) -> String {
    fields.first { $0.name == name.lowercased() }?.value ?? ""
  }
}
