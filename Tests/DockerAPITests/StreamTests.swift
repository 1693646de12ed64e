import FoundationEssentials
import Testing

@testable import DockerAPI

@Suite struct StreamTests {
  private static let raw = "application/vnd.docker.raw-stream"
  private static let multiplexed = "application/vnd.docker.multiplexed-stream"

  @Test func logsAreFramedUnlessThereIsATerminal() async throws {
    try await DoorFixture.run { door in
      let framed = try await door.send("GET", "/v1.47/containers/a/logs?stdout=1")
      #expect(framed["Content-Type"] == Self.multiplexed)
      #expect(framed.body == "\u{2}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{5}line\n")
      let old = try await door.send("GET", "/v1.41/containers/a/logs?stdout=1")
      #expect(old["Content-Type"] == Self.raw)
      #expect(old.body == framed.body)
      let terminal = try await door.send("GET", "/v1.47/containers/tty/logs?stdout=1")
      #expect(terminal["Content-Type"] == Self.raw)
      #expect(terminal.body == "line\n")
      #expect(try await door.send("GET", "/containers/missing/logs?stdout=1").status == 404)
    }
  }

  @Test func attachUpgradesTheConnection() async throws {
    try await DoorFixture.run { door in
      let framed = try await door.upgrade(
        "/v1.47/containers/a/attach?stream=1&stdin=1&stdout=1", input: "hi")
      #expect(framed.hasPrefix("HTTP/1.1 101 UPGRADED\r\nContent-Type: \(Self.multiplexed)\r\n"))
      #expect(framed.contains("Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"))
      #expect(framed.contains("\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{2}HI"))
      #expect(framed.hasSuffix("\u{3}bye"))
      let terminal = try await door.upgrade("/containers/tty/attach?stdin=1", input: "hi")
      #expect(terminal.hasPrefix("HTTP/1.1 101 UPGRADED\r\nContent-Type: \(Self.raw)\r\n"))
      #expect(terminal.hasSuffix("\r\n\r\nhelloHIbye"))
      let old = try await door.send("POST", "/v1.47/containers/a/attach?stdout=1")
      #expect(old.status == 200)
      #expect(old["Content-Type"] == Self.raw)
      #expect(old.body.hasSuffix("\u{5}hello"))
      let missing = try await door.upgrade("/containers/missing/attach", input: "")
      #expect(missing.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
      #expect(missing.hasSuffix("{\"message\":\"No such container: missing\"}\n"))
    }
  }

  @Test func execStartReadsItsBodyAndThenUpgrades() async throws {
    try await DoorFixture.run { door in
      let start = "/v1.47/exec/echo/start"
      let terminal = try await door.upgrade(
        start, json: #"{"Detach":false,"Tty":true,"ConsoleSize":[24,80]}"#, input: "abc")
      #expect(terminal.hasPrefix("HTTP/1.1 101 UPGRADED\r\nContent-Type: \(Self.raw)\r\n"))
      #expect(terminal.hasSuffix("\r\n\r\nhelloABCbye"))
      #expect(door.recorder.take() == ["size=80x24"])
      _ = try await door.upgrade(
        start, json: #"{"ConsoleSize":[24,80]}"#, input: "")
      #expect(door.recorder.take() == ["size=-"], "a size means nothing without a terminal")
      let bad = try await door.post(start, json: #"{"Tty":true,"ConsoleSize":[1]}"#)
      #expect(bad.status == 400)
      let detached = try await door.post("/exec/a/start", json: #"{"Detach":true}"#)
      #expect(detached.status == 200)
      #expect(door.recorder.take() == ["detached"])
    }
  }

  @Test func attachThroughAWebSocket() async throws {
    try await DoorFixture.run { door in
      let answer = try await door.upgrade(
        "/containers/a/attach/ws", method: "GET", input: "",
        headers: [
          "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ])
      #expect(answer.lowercased().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="))
      #expect(answer.contains("\u{5}hello"))
      #expect(door.recorder.take() == ["stdin=true stdout=true stderr=true"])
    }
  }

  @Test func progressIsOneMessageALine() async throws {
    try await DoorFixture.run { door in
      let answer = try await door.send("POST", "/images/create?fromImage=late&tag=1")
      #expect(answer.status == 200)
      #expect(answer["Content-Type"] == "application/json")
      let lines = answer.body.split(separator: "\r\n", omittingEmptySubsequences: false)
      #expect(lines.count == 22)
      #expect(lines.last == "")
      #expect(lines[20].contains(#""errorDetail":{"message":"manifest unknown"}"#))
      #expect(lines[20].contains(#""error":"manifest unknown""#))
      let early = try await door.send("POST", "/images/create?fromImage=missing")
      #expect(early.status == 404)
      let load = try await door.send(
        "POST", "/images/load?quiet=1", body: [UInt8](repeating: 1, count: 3_000_000))
      #expect(load.body == "{\"stream\":\"3000000\"}\r\n")
    }
  }

  @Test func archivesTellWhatTheyAreOf() async throws {
    try await DoorFixture.run { door in
      for method in ["HEAD", "GET"] {
        let answer = try await door.send(method, "/containers/a/archive?path=/etc/x")
        #expect(answer.status == 200)
        let stat = try #require(Data(base64Encoded: answer["X-Docker-Container-Path-Stat"]))
        let text = String(decoding: stat, as: UTF8.self)
        for part in [
          #""name":"/etc/x""#, #""size":3"#, #""mode":420"#, #""mtime":"2024-01-02T03:04:05Z""#,
          #""linkTarget":"""#,
        ] {
          #expect(text.contains(part))
        }
        #expect(answer.body == (method == "GET" ? "tar" : ""))
      }
      let put = try await door.send(
        "PUT", "/containers/a/archive?path=/tmp&copyUIDGID=1",
        body: [UInt8](repeating: 0, count: 1_000_000))
      #expect(put.status == 200)
      #expect(door.recorder.take() == ["path=/tmp bytes=1000000 own=true keep=false"])
      let export = try await door.send("GET", "/containers/a/export")
      #expect(export["Content-Type"] == "application/octet-stream")
      #expect(export.body == "tar")
      await #expect(throws: Answer.Malformed.self, "an archive that is cut does not look whole") {
        try await door.send("GET", "/containers/cut/export")
      }
      #expect(try await door.send("GET", "/images/a/get")["Content-Type"] == "application/x-tar")
    }
  }

  @Test func waitStatsAndEventsAreLines() async throws {
    try await DoorFixture.run { door in
      let wait = try await door.send("POST", "/containers/a/wait?condition=next-exit")
      #expect(wait.body == "{\"StatusCode\":7}\n")
      #expect(door.recorder.take() == ["condition=next-exit"])
      let lost = try await door.send("POST", "/containers/lost/wait")
      #expect(lost.status == 200)
      #expect(lost.body.contains("gone meanwhile"))
      #expect(try await door.send("POST", "/containers/missing/wait").status == 404)
      let stats = try await door.send("GET", "/containers/a/stats")
      #expect(stats.body.split(separator: "\n").count == 2)
      #expect(stats.body.contains(#""io_service_bytes_recursive":null"#))
      let once = try await door.send("GET", "/containers/a/stats?stream=0&one-shot=1")
      #expect(once.body.split(separator: "\n").count == 1)
      #expect(try await door.send("GET", "/events").body.split(separator: "\n").count == 2)
    }
  }
}
