import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import Transport

@Suite struct StreamTests {
  private static let upgradeHeaders = "Connection: Upgrade\r\nUpgrade: tcp\r\n"

  /// Echoes in upper case until the client half-closes, then says goodbye and half-closes.
  @Sendable private static func echo(_ exchange: Exchange) async throws {
    let body = try await exchange.collectBody(upTo: 100)
    let stream = try await exchange.upgradeToRawStream(
      headers: ["Content-Type": "application/vnd.docker.raw-stream"])
    try await stream.write(ByteBuffer(string: "[\(String(buffer: body))]"))
    for try await bytes in stream {
      try await stream.write(ByteBuffer(string: String(buffer: bytes).uppercased()))
    }
    try await stream.write(ByteBuffer(string: "bye"))
    try await stream.finishOutput()
  }

  @Test func upgradesAfterReadingTheBody() async throws {
    try await withServer(ClosureHandler(Self.echo)) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send(
          "POST /exec/x/start HTTP/1.1\r\nHost: x\r\n\(Self.upgradeHeaders)"
            + "Content-Length: 2\r\n\r\n{}")
        #expect(
          try await client.read(through: "\r\n\r\n")
            == "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
            + "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        #expect(try await client.read(through: "]") == "[{}]")
        try await client.send("hello")
        #expect(try await client.read(through: "HELLO") == "HELLO")
        client.finish()
        #expect(try await client.readToEnd() == "bye")
      }
    }
  }

  @Test func bytesAndEndSentWithTheRequestAreNotLost() async throws {
    try await withServer(ClosureHandler(Self.echo)) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send(
          "POST / HTTP/1.1\r\nHost: x\r\n\(Self.upgradeHeaders)Content-Length: 2\r\n\r\n{}early")
        client.finish()
        #expect(try await client.readToEnd().hasSuffix("\r\n\r\n[{}]EARLYbye"))
      }
    }
  }

  @Test func anUpgradeThatIsRefusedIsAnsweredToAHalfClosedClient() async throws {
    try await withServer(
      ClosureHandler { exchange in
        try await exchange.respond(.notFound, body: ByteBuffer(string: "no such exec"))
      }
    ) { path in
      for _ in 0..<20 {
        try await RawClient.connected(to: path) { client in
          try await client.send(
            "POST / HTTP/1.1\r\nHost: x\r\n\(Self.upgradeHeaders)Content-Length: 2\r\n\r\n{}early")
          client.finish()
          let answer = try await client.readToEnd()
          #expect(answer.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
          #expect(answer.hasSuffix("no such exec"))
        }
      }
    }
  }

  @Test func anUpgradeThatIsRefusedEndsTheConnection() async throws {
    try await withServer(ClosureHandler { try await $0.respond(.notFound) }) { path in
      for request in [
        "POST / HTTP/1.1\r\nHost: x\r\n\(Self.upgradeHeaders)\r\n",
        "CONNECT example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
      ] {
        try await RawClient.connected(to: path) { client in
          try await client.send(request)
          let answer = try await client.readToEnd()
          #expect(answer.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
          #expect(answer.contains("Connection: close\r\n"))
        }
      }
    }
  }

  @Test func answersOldClientsWithAnEndlessBody() async throws {
    try await withServer(ClosureHandler(Self.echo)) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        #expect(
          try await client.read(through: "\r\n\r\n")
            == "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")
        try await client.send("abc")
        #expect(try await client.read(through: "ABC") == "[]ABC")
        client.finish()
        #expect(try await client.readToEnd() == "bye")
      }
    }
  }

  @Test func serverMayFinishFirst() async throws {
    let received = Signal()
    try await withServer(
      ClosureHandler { exchange in
        let stream = try await exchange.upgradeToRawStream(headers: [:])
        try await stream.write(ByteBuffer(string: "all"))
        try await stream.finishOutput()
        var text = ""
        for try await bytes in stream {
          text += String(buffer: bytes)
          if text == "still heard" { received.send(text) }
        }
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send("POST / HTTP/1.1\r\nHost: x\r\n\(Self.upgradeHeaders)\r\n")
        #expect(try await client.readToEnd().hasSuffix("\r\n\r\nall"))
        try await client.send("still heard")
        #expect(await received.next() == "still heard")
        client.finish()
      }
    }
  }

  @Test func theLastBytesArriveAlthoughTheClientWasStillSending() async throws {
    let size = 4 << 20
    try await withServer(
      ClosureHandler { exchange in
        let stream = try await exchange.upgradeToRawStream(headers: [:])
        try await stream.write(ByteBuffer(repeating: UInt8(ascii: "x"), count: size))
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send(
          "POST / HTTP/1.1\r\nHost: x\r\n\(Self.upgradeHeaders)\r\nnever read")
        let answer = try await client.readToEnd()
        #expect(answer.utf8.count { $0 == UInt8(ascii: "x") } >= size)
      }
    }
  }

  @Test func aClientThatGoesAwayCancelsTheHandler() async throws {
    let ended = Signal()
    for upgrade in [false, true] {
      try await withServer(
        ClosureHandler { exchange in
          if upgrade {
            _ = try await exchange.upgradeToRawStream(headers: [:])
          } else {
            try await exchange.begin(.ok)
          }
          do {
            try await Task.sleep(for: .seconds(60))
          } catch {
            ended.send("\(type(of: error))")
            throw error
          }
        }
      ) { path in
        try await RawClient.connected(to: path) { client in
          try await client.send(
            "POST / HTTP/1.1\r\nHost: x\r\n\(upgrade ? Self.upgradeHeaders : "")\r\n")
          _ = try await client.read(through: "\r\n\r\n")
          try await client.channel.close()
        }
        #expect(await ended.next() == "CancellationError")
      }
    }
  }

  @Test func aClientThatDoesNotReadHoldsTheHandlerBack() async throws {
    let written = Atomic(0)
    let stalled = Signal()
    try await withServer(
      ClosureHandler { exchange in
        try await exchange.begin(.ok)
        let piece = ByteBuffer(repeating: 0, count: 64 << 10)
        for _ in 0..<1000 {
          let watch = Task {
            try await Task.sleep(for: .milliseconds(300))
            stalled.send()
          }
          defer { watch.cancel() }
          try await exchange.write(piece)
          written.add(piece.readableBytes, ordering: .relaxed)
        }
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        try await client.channel.setOption(.autoRead, value: false).get()
        try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = await stalled.next()
        #expect(written.load(ordering: .relaxed) < 16 << 20)
      }
    }
  }

  @Test func webSocketsCarryBytes() async throws {
    try await withServer(
      ClosureHandler { exchange in
        let stream = try await exchange.upgradeToWebSocket(binary: true)
        for try await bytes in stream {
          try await stream.write(ByteBuffer(string: String(buffer: bytes).uppercased()))
        }
      }
    ) { path in
      try await RawClient.connected(to: path) { client in
        try await client.send(
          "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        let head = try await client.read(through: "\r\n\r\n").lowercased()
        #expect(head.hasPrefix("http/1.1 101 switching protocols\r\n"))
        #expect(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"))
        // a masked text frame "hi", and a masked ping
        try await client.send(bytes: [0x81, 0x82, 1, 2, 3, 4, 0x69, 0x6B])
        #expect(try await client.read(count: 4) == [0x82, 2, 0x48, 0x49])
        try await client.send(bytes: [0x89, 0x81, 0, 0, 0, 0, 7])
        #expect(try await client.read(count: 3) == [0x8A, 1, 7])
        try await client.send(bytes: [0x88, 0x80, 0, 0, 0, 0])
        #expect(try await client.read(count: 4) == [0x88, 2, 3, 0xE8])
        #expect(try await client.readToEnd() == "")
      }
      try await RawClient.connected(to: path) { client in
        try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await client.read(through: "}").hasPrefix("HTTP/1.1 400 "))
      }
    }
  }
}
