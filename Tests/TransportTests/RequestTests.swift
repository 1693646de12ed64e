import Logging
import NIOCore
import NIOHTTP1
import Testing

@testable import Transport

@Suite struct RequestTests {
  @Test func answersSeveralRequestsOnOneConnection() async throws {
    try await withServer(
      ClosureHandler { exchange in
        try await exchange.respond(.ok, body: ByteBuffer(string: exchange.request.uri))
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        for number in 1...3 {
          try await client.send("GET /uri\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
          let answer = try await client.read(through: "/uri\(number)")
          #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
        }
      }
    }
  }

  @Test func answersPipelinedRequestsInOrder() async throws {
    try await withServer(
      ClosureHandler { exchange in
        try await exchange.respond(.ok, body: ByteBuffer(string: "<\(exchange.request.uri)>"))
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        let requests = (1...20).map {
          "POST /\($0) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
        }
        try await client.send(requests.joined())
        for number in 1...20 { _ = try await client.read(through: "</\(number)>") }
      }
    }
  }

  @Test func headHasNoBody() async throws {
    try await withServer(
      ClosureHandler { exchange in
        try await exchange.respond(.ok, headers: ["X-A": "b"], body: ByteBuffer(string: "hidden"))
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        let answer = try await client.readToEnd()
        #expect(answer.contains("Content-Length: 6\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n"))
      }
    }
  }

  @Test func halfClosedClientStillGetsItsAnswer() async throws {
    try await withServer(
      ClosureHandler { exchange in
        try await exchange.respond(.ok, body: ByteBuffer(string: "pong"))
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.finish()
        #expect(try await client.readToEnd().hasSuffix("pong"))
      }
    }
  }

  @Test func collectsBodiesWithLengthAndInChunks() async throws {
    try await withServer(
      ClosureHandler { exchange in
        try await exchange.respond(.ok, body: exchange.collectBody(upTo: 100))
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc")
        try await client.send("de")
        #expect(try await client.read(through: "abcde").contains("200 OK"))
        try await client.send(
          "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        try await client.send("3\r\nxyz\r\n0\r\n\r\n")
        #expect(try await client.read(through: "abcxyz").contains("200 OK"))
      }
    }
  }

  @Test func refusesBodiesThatAreTooLarge() async throws {
    try await withServer(
      ClosureHandler { exchange in
        _ = try await exchange.collectBody(upTo: 4)
        try await exchange.respond(.ok)
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\nabc")
        let answer = try await client.readToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
        #expect(answer.contains("{\"message\":\"the request's body is too large limit=4\"}"))
      }
      try await RawClient.connected(to: path) { client in
        try await client.send(
          "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")
        #expect(try await client.read(through: "}").hasPrefix("HTTP/1.1 413 "))
      }
    }
  }

  @Test func tellsTheClientToGoOnWhenTheBodyIsWanted() async throws {
    try await withServer(
      ClosureHandler { exchange in
        if exchange.request.uri == "/refuse" { return try await exchange.respond(.forbidden) }
        try await exchange.respond(.ok, body: exchange.collectBody(upTo: 100))
      }
    ) { path in
      let head = "HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
      try await RawClient.connected(to: path) { client in
        try await client.send("POST /read " + head)
        #expect(try await client.read(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        try await client.send("abc")
        #expect(try await client.read(through: "abc").hasPrefix("HTTP/1.1 200 OK"))
      }
      try await RawClient.connected(to: path) { client in
        try await client.send("POST /refuse " + head)
        #expect(try await client.readToEnd().hasPrefix("HTTP/1.1 403 Forbidden"))
      }
    }
  }

  @Test func streamsEachWriteAtOnce() async throws {
    let goOn = Signal()
    try await withServer(
      ClosureHandler { exchange in
        try await exchange.begin(.ok, headers: ["Content-Type": "application/json"])
        for piece in ["one", "two", "three"] {
          try await exchange.write(ByteBuffer(string: piece))
          _ = await goOn.next()
        }
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await client.read(through: "\r\n\r\n").contains("ransfer-"))
        #expect(try await client.read(through: "one\r\n") == "3\r\none\r\n")
        goOn.send()
        #expect(try await client.read(through: "two\r\n") == "3\r\ntwo\r\n")
        goOn.send()
        #expect(try await client.read(through: "three\r\n") == "5\r\nthree\r\n")
        goOn.send()
        #expect(try await client.read(through: "0\r\n\r\n") == "0\r\n\r\n")
      }
    }
  }

  @Test func errorsBecomeAnswers() async throws {
    struct Odd: Error {}
    try await withServer(
      ClosureHandler { exchange in
        switch exchange.request.uri {
        case "/odd": throw Odd()
        case "/nothing": break
        case "/twice":
          try await exchange.respond(.ok, body: ByteBuffer(string: "once"))
          try await exchange.respond(.ok)
        default:
          try await exchange.begin(.ok)
          try await exchange.write(ByteBuffer(string: "part"))
          throw Odd()
        }
      }
    ) { path in
      for uri in ["/odd", "/nothing"] {
        try await RawClient.connected(to: path) { client in
          try await client.send("GET \(uri) HTTP/1.1\r\nHost: x\r\n\r\n")
          let answer = try await client.read(through: "}")
          #expect(answer.hasPrefix("HTTP/1.1 500 "))
          #expect(answer.contains("{\"message\":"))
        }
      }
      try await RawClient.connected(to: path) { client in
        try await client.send("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = try await client.readToEnd()
        #expect(answer.contains("part"))
        #expect(!answer.hasSuffix("0\r\n\r\n"), "a broken answer does not look complete")
      }
    }
  }

  @Test(arguments: [
    "GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", "\u{16}\u{03}\u{01}\u{02}\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
  ])
  func malformedRequestsAreRefused(text: String) async throws {
    try await withServer(ClosureHandler { try await $0.respond(.ok) }) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send(text)
        let answer = try await client.readToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(answer.contains("{\"message\":"))
      }
    }
  }

  @Test func aMalformedRequestIsAnsweredWhateverFollowsIt() async throws {
    try await withServer(ClosureHandler { try await $0.respond(.ok) }) { path in
      for size in [0, 10, 5000, 200_000] {
        try await RawClient.connected(to: path) { client in
          let body = String(repeating: "y", count: size)
          try await client.send("GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n\(body)")
          let answer = try await client.readToEnd()
          #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        }
      }
    }
  }

  @Test func hugeHeadersAreRefused() async throws {
    try await withServer(ClosureHandler { try await $0.respond(.ok) }) { path in
      try await RawClient.connected(to: path) { client in
        let header = "X-Long: " + String(repeating: "a", count: 100_000)
        try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\(header)\r\n\r\n")
        #expect(try await client.readToEnd().hasPrefix("HTTP/1.1 431 "))
      }
    }
  }

  @Test func slowHeadsAreCutOff() async throws {
    var limits = HTTPServerLimits()
    limits.headTimeout = .milliseconds(100)
    try await withServer(ClosureHandler { try await $0.respond(.ok) }, limits: limits) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("GET / HT")
        #expect(try await client.readToEnd() == "")
      }
    }
  }

  @Test func idleConnectionsAreClosed() async throws {
    var limits = HTTPServerLimits()
    limits.idleTimeout = .milliseconds(200)
    try await withServer(ClosureHandler { try await $0.respond(.ok) }, limits: limits) { path in
      try await RawClient.connected(to: path) { client in
        let answer = try await client.readToEnd()
        #expect(answer == "")
      }
    }
  }
}
