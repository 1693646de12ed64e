import Glibc
import Host
import NIOCore
import Testing

@testable import ContainerRuntime

extension AttachStream {
  /// Everything until the end, both streams together.
  func readAll() async throws -> String {
    var text: [UInt8] = []
    while let chunk = try await next() { text += chunk.bytes.readableBytesView }
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads until `text` has come.
  func read(until text: String) async throws -> String {
    var read = ""
    while !read.contains(text), let chunk = try await next() {
      read += String(decoding: chunk.bytes.readableBytesView, as: UTF8.self)
    }
    return read
  }
}

@Suite(.timeLimit(.minutes(2))) struct StreamTests {
  @Test func nothingIsLostBetweenAttachAndStart() async throws {
    try await withRuntime { fixture in
      for _ in 0..<5 {
        let settings = fixture.shell("echo first; echo second; seq 1 20000; echo last")
        _ = try await fixture.runtime.create(settings)
        let stream = try await fixture.runtime.attach(settings.id)
        try await fixture.runtime.start(settings.id)
        let text = try await stream.readAll()
        #expect(text.hasPrefix("first\nsecond\n"))
        #expect(text.hasSuffix("\n20000\nlast\n"))
        #expect(text.utf8.count == 13 + 108_894 + 5)
      }
    }
  }

  @Test func streamsAreTold() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("echo out; echo err >&2")
      _ = try await fixture.runtime.create(settings)
      let stream = try await fixture.runtime.attach(settings.id)
      try await fixture.runtime.start(settings.id)
      var frames: [UInt8] = []
      while let buffer = try await stream.nextFrames(multiplexed: true) {
        frames += buffer.readableBytesView
      }
      let expected =
        [1, 0, 0, 0, 0, 0, 0, 4] + Array("out\n".utf8) + [2, 0, 0, 0, 0, 0, 0, 4]
        + Array("err\n".utf8)
      #expect(frames == expected)
    }
  }

  @Test func inputEndsWithItsFirstClient() async throws {
    try await withRuntime { fixture in
      var settings = fixture.shell("cat; echo end")
      settings.openStdin = true
      settings.stdinOnce = true
      _ = try await fixture.runtime.create(settings)
      let stream = try await fixture.runtime.attach(settings.id)
      let onlooker = try await fixture.runtime.attach(settings.id)
      try await fixture.runtime.start(settings.id)
      // One who only looks does not close the input by leaving.
      onlooker.close()
      try await stream.write(ByteBuffer(string: "hello\n"))
      #expect(try await stream.read(until: "hello\n") == "hello\n")
      stream.closeInput()
      #expect(try await stream.readAll() == "end\n")
      #expect(try await fixture.runtime.waitForExit(of: settings.id).code == 0)
    }
  }

  @Test func largeInputArrivesWhole() async throws {
    try await withRuntime { fixture in
      var settings = fixture.shell("wc -c")
      settings.openStdin = true
      settings.stdinOnce = true
      _ = try await fixture.runtime.create(settings)
      let stream = try await fixture.runtime.attach(settings.id)
      try await fixture.runtime.start(settings.id)
      for _ in 0..<40 { try await stream.write(ByteBuffer(repeating: 65, count: 100_000)) }
      stream.closeInput()
      #expect(try await stream.readAll().contains("4000000"))
    }
  }

  @Test func writingCanBeCancelled() async throws {
    try await withRuntime { fixture in
      var settings = fixture.settings(["sleep", "1000"])
      settings.openStdin = true
      _ = try await fixture.runtime.create(settings)
      try await fixture.runtime.start(settings.id)
      let stream = try await fixture.runtime.attach(settings.id)
      let writing = Task {
        while true { try await stream.write(ByteBuffer(repeating: 65, count: 100_000)) }
      }
      try await Task.sleep(for: .milliseconds(200))
      writing.cancel()
      let result = await writing.result
      #expect(throws: CancellationError.self) { try result.get() }
    }
  }

  @Test func aForgottenStreamHoldsNobodyUp() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("dd if=/dev/zero bs=64k count=160 2>/dev/null")
      _ = try await fixture.runtime.create(settings)
      _ = try await fixture.runtime.attach(settings.id)
      try await fixture.runtime.start(settings.id)
      #expect(try await fixture.runtime.waitForExit(of: settings.id).code == 0)
    }
  }

  @Test func openInputOutlivesItsClients() async throws {
    try await withRuntime { fixture in
      var settings = fixture.shell("read a; read b; echo $a $b")
      settings.openStdin = true
      _ = try await fixture.runtime.create(settings)
      try await fixture.runtime.start(settings.id)
      let first = try await fixture.runtime.attach(settings.id)
      try await first.write(ByteBuffer(string: "one\n"))
      first.closeInput()
      first.close()
      let second = try await fixture.runtime.attach(settings.id)
      try await second.write(ByteBuffer(string: "two\n"))
      #expect(try await second.readAll() == "one two\n")
    }
  }

  @Test func terminalWithSize() async throws {
    try await withRuntime { fixture in
      var settings = fixture.shell("stty size; read x; stty size; echo done $TERM")
      settings.terminal = true
      settings.openStdin = true
      settings.terminalSize = TerminalSize(height: 33, width: 77)
      _ = try await fixture.runtime.create(settings)
      let stream = try await fixture.runtime.attach(settings.id)
      try await fixture.runtime.start(settings.id)
      _ = try await stream.read(until: "33 77\r\n")
      try await fixture.runtime.resize(settings.id, to: TerminalSize(height: 44, width: 88))
      // conmon reads the size from one pipe and input from another: wait until it has come.
      let probe = try await fixture.probe(
        settings.id, "while ! stty size </dev/pts/0 | grep -q '44 88'; do sleep 0.01; done")
      #expect(probe.exitCode == 0)
      try await stream.write(ByteBuffer(string: "\n"))
      let rest = try await stream.readAll()
      #expect(rest.contains("44 88\r\n"))
      #expect(rest.hasSuffix("done xterm\r\n"))
    }
  }

  @Test func manyReadersGetTheSame() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("seq 1 50000")
      _ = try await fixture.runtime.create(settings)
      var streams: [AttachStream] = []
      for _ in 0..<4 { streams.append(try await fixture.runtime.attach(settings.id)) }
      try await fixture.runtime.start(settings.id)
      let lengths = try await withThrowingTaskGroup(of: Int.self) { group in
        for stream in streams { group.addTask { try await stream.readAll().utf8.count } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(lengths == [Int](repeating: 288_894, count: 4))
    }
  }

  @Test func aSlowReaderIsWaitedForWhenAloneAndCutOffWhenNot() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("dd if=/dev/zero bs=64k count=160 2>/dev/null")
      _ = try await fixture.runtime.create(settings)
      let slow = try await fixture.runtime.attach(settings.id)
      try await fixture.runtime.start(settings.id)
      // 10 MiB do not fit into the queue: the container waits.
      try await Task.sleep(for: .milliseconds(300))
      #expect(try fixture.runtime.container(settings.id).exit == nil)
      #expect(try await slow.readAll().utf8.count == 160 * 65536)
    }
  }

  @Test func wherePatienceEnds() async throws {
    try await withRuntime { fixture in
      try await fixture.restart { $0.slowReaderPatience = .milliseconds(100) }
      let settings = fixture.shell("dd if=/dev/zero bs=64k count=160 2>/dev/null")
      _ = try await fixture.runtime.create(settings)
      let slow = try await fixture.runtime.attach(settings.id)
      let quick = try await fixture.runtime.attach(settings.id)
      try await fixture.runtime.start(settings.id)
      #expect(try await quick.readAll().utf8.count == 160 * 65536)
      #expect(try await slow.readAll().utf8.count < 160 * 65536)
    }
  }
}

extension RuntimeFixture {
  /// Runs a script in a running container.
  func probe(_ id: String, _ script: String) async throws -> ProbeResult {
    try await runtime.runProbe(
      containerID: id, ExecSettings(id: Identifier.random(), arguments: ["sh", "-c", script]),
      timeout: .seconds(20))
  }
}
