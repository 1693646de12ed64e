import Host
import NIOCore
import NIOHTTP1
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(2)))
struct ReadyAnswerTests {
  /// Has an answer at hand for whatever lies below `/ready`.
  private static func ready(_ request: HTTPRequestHead) -> ReadyAnswer? {
    guard request.uri.hasPrefix("/ready") else { return nil }
    return ReadyAnswer(headers: ["X-From": "loop"], body: ByteBuffer(string: request.uri))
  }

  private static let handler = ClosureHandler(ready: ready) { exchange in
    let body = try await exchange.collectBody(upTo: 100)
    try await exchange.respond(
      .ok, headers: ["X-From": "task"],
      body: ByteBuffer(string: exchange.request.uri + String(buffer: body)))
  }

  @Test func isGivenWithoutATask() async throws {
    try await withServer(Self.handler) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("GET /ready/a HTTP/1.1\r\nHost: x\r\n\r\n")
        let head = try await client.read(through: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(head.contains("X-From: loop\r\n"))
        #expect(head.contains("Content-Length: 8\r\n"))
        #expect(try await client.read(count: 8) == Array("/ready/a".utf8))
        try await client.send("HEAD /ready/bc HTTP/1.1\r\nHost: x\r\n\r\n")
        let second = try await client.read(through: "\r\n\r\n")
        #expect(second.contains("X-From: loop\r\n"))
        #expect(second.contains("Content-Length: 9\r\n"))
        // a HEAD has no body: what follows is the next answer
        try await client.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
        let third = try await client.read(through: "\r\n\r\n")
        #expect(third.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(third.contains("X-From: task\r\n"))
        #expect(try await client.read(count: 6) == Array("/other".utf8))
      }
    }
  }

  @Test func carriesTheServersHeadersAsAllAnswersDo() async throws {
    let headers: HTTPHeaders = ["X-Common": "a", "x-common": "b", "x-from": "server"]
    try await withServer(Self.handler, headers: headers) { path in
      try await RawClient.connected(to: path) { client in
        for (uri, from) in [("/ready", "loop"), ("/other", "task")] {
          try await client.send("GET \(uri) HTTP/1.1\r\nHost: x\r\n\r\n")
          let head = try await client.read(through: "\r\n\r\n")
          #expect(head.contains("X-Common: a\r\n") && head.contains("x-common: b\r\n"))
          // what an answer says itself stands
          #expect(head.contains("X-From: \(from)\r\n") && !head.contains("server"))
          #expect(try await client.read(count: 6) == Array(uri.utf8))
        }
        try await client.send("nonsense\r\n\r\n")
        let refusal = try await client.read(through: "\r\n\r\n")
        #expect(refusal.hasPrefix("HTTP/1.1 400") && refusal.contains("X-Common: a\r\n"))
      }
    }
  }

  @Test func keepsItsPlaceBetweenOtherAnswers() async throws {
    let paths = (0..<60).map { $0 % 3 == 0 ? "/other/\($0)" : "/ready/\($0)" }
    try await withServer(Self.handler) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send(
          paths.map { "GET \($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
        for path in paths {
          _ = try await client.read(through: "\r\n\r\n")
          #expect(try await client.read(count: path.utf8.count) == Array(path.utf8))
        }
      }
    }
  }

  @Test(arguments: [
    "POST /ready HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab",
    "GET /ready HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab",
    "GET /ready HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
  ])
  func isNotAskedForWithABody(_ request: String) async throws {
    try await withServer(Self.handler) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send(request)
        let head = try await client.read(through: "\r\n\r\n")
        #expect(head.contains("X-From: task\r\n"))
        #expect(try await client.read(count: 8) == Array("/readyab".utf8))
      }
    }
  }

  @Test func endsAConnectionThatIsNotKept() async throws {
    try await withServer(Self.handler) { path in
      for request in [
        "GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /ready HTTP/1.0\r\n\r\n",
      ] {
        try await RawClient.connected(to: path) { client in
          try await client.send(request)
          let answer = try await client.readToEnd()
          #expect(answer.contains("Connection: close\r\n"))
          #expect(answer.hasSuffix("\r\n\r\n/ready"))
        }
      }
    }
  }

  /// A client that sends requests and reads nothing must not fill the memory, nor lose an answer.
  @Test func waitsForAClientThatDoesNotRead() async throws {
    let large = ByteBuffer(repeating: UInt8(ascii: "x"), count: 64 * 1024)
    let ready: @Sendable (HTTPRequestHead) -> ReadyAnswer? = { _ in
      ReadyAnswer(headers: [:], body: large)
    }
    let handler = ClosureHandler(ready: ready) { try await $0.respond(.ok, body: large) }
    try await withServer(handler) { path in
      try await RawClient.connected(to: path) { client in
        let count = 200
        try await client.send(
          String(repeating: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", count: count))
        for _ in 0..<count {
          _ = try await client.read(through: "\r\n\r\n")
          _ = try await client.read(count: large.readableBytes)
        }
      }
    }
  }

  @Test func isCounted() async throws {
    let statistics = ServerStatistics()
    let arrived = Signal()
    let proceed = Signal()
    let handler = ClosureHandler(ready: Self.ready) { exchange in
      arrived.send()
      _ = await proceed.next()
      try await exchange.respond(.ok)
    }
    try await withServer(handler, statistics: statistics) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = try await client.read(through: "/ready")
        #expect(statistics.snapshot.waiting == 1)
        try await client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = await arrived.next()
        #expect(statistics.snapshot.accepted == 1)
        #expect(statistics.snapshot.requests == 2)
        #expect(statistics.snapshot.writing == 1)
        #expect(statistics.snapshot.active == 1)
        proceed.send()
        _ = try await client.read(through: "\r\n\r\n")
      }
    }
    // connections are counted off by their event loops, a moment later
    let deadline = ContinuousClock.now + .seconds(30)
    while statistics.snapshot.active > 0, ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(statistics.snapshot.active == 0)
  }
}
