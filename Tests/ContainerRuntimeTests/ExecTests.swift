import Glibc
import Host
import NIOCore
import Testing

@testable import ContainerRuntime

@Suite(.timeLimit(.minutes(2))) struct ExecTests {
  private func withSleeper(
    environment: [String] = [], droppedCapabilities: [String] = [],
    _ body: (RuntimeFixture, String) async throws -> Void
  ) async throws {
    try await withRuntime { fixture in
      var settings = fixture.settings(["sleep", "1000"])
      settings.environment = environment
      settings.security.droppedCapabilities = droppedCapabilities
      _ = try await fixture.runtime.create(settings)
      try await fixture.runtime.start(settings.id)
      try await body(fixture, settings.id)
    }
  }

  private func exec(_ arguments: String...) -> ExecSettings {
    ExecSettings(id: Identifier.random(), arguments: arguments)
  }

  @Test func outputAndStatus() async throws {
    try await withSleeper { fixture, id in
      var ends = fixture.runtime.execExits.makeAsyncIterator()
      let settings = exec("sh", "-c", "echo out; echo err >&2; exit 5")
      let handle = try await fixture.runtime.exec(containerID: id, settings)
      let text = try await handle.stream?.readAll()
      #expect(text == "out\nerr\n")
      let end = await ends.next()
      #expect(end?.execID == settings.id)
      #expect(end?.code == 5)
    }
  }

  @Test func inputEndsAndOutputGoesOn() async throws {
    try await withSleeper { fixture, id in
      var settings = exec("sh", "-c", "cat; echo end")
      settings.attachStdin = true
      let handle = try await fixture.runtime.exec(containerID: id, settings)
      let stream = try #require(handle.stream)
      try await stream.write(ByteBuffer(string: "text\n"))
      stream.closeInput()
      #expect(try await stream.readAll() == "text\nend\n")
    }
  }

  @Test func terminal() async throws {
    try await withSleeper { fixture, id in
      var settings = exec("sh", "-c", "stty size; read x; stty size")
      settings.attachStdin = true
      settings.terminal = true
      settings.terminalSize = TerminalSize(height: 20, width: 50)
      let handle = try await fixture.runtime.exec(containerID: id, settings)
      let stream = try #require(handle.stream)
      _ = try await stream.read(until: "20 50\r\n")
      try await fixture.runtime.resizeExec(
        containerID: id, execID: settings.id, to: TerminalSize(height: 21, width: 51))
      let probe = try await fixture.probe(
        id, "while ! stty size </dev/pts/0 | grep -q '21 51'; do sleep 0.01; done")
      #expect(probe.exitCode == 0)
      try await stream.write(ByteBuffer(string: "\n"))
      #expect(try await stream.readAll().contains("21 51\r\n"))
    }
  }

  @Test func detached() async throws {
    try await withSleeper { fixture, id in
      var ends = fixture.runtime.execExits.makeAsyncIterator()
      var settings = exec("sh", "-c", "echo lost; exit 9")
      settings.attachOutput = false
      let handle = try await fixture.runtime.exec(containerID: id, settings)
      #expect(handle.stream == nil)
      #expect(await ends.next()?.code == 9)
    }
  }

  @Test func environmentUserAndFolder() async throws {
    try await withSleeper(environment: ["A=1", "B=2"]) { fixture, id in
      var settings = exec("sh", "-c", "echo $A $B $C; id -u; id -g; pwd")
      settings.environment = ["B=3", "C=4"]
      settings.user = "user"
      settings.workingDirectory = "/tmp"
      let handle = try await fixture.runtime.exec(containerID: id, settings)
      #expect(try await handle.stream?.readAll() == "1 3 4\n1000\n1000\n/tmp\n")
    }
  }

  @Test func privilegesAreTheContainersOwnUnlessTold() async throws {
    try await withSleeper(droppedCapabilities: ["ALL"]) { fixture, id in
      let script = "grep CapBnd /proc/self/status | tr -d 'CapBnd:\\t'"
      #expect(try await fixture.probe(id, script).output == Array("0000000000000000\n".utf8))
      var settings = exec("sh", "-c", script)
      settings.privileged = true
      let handle = try await fixture.runtime.exec(containerID: id, settings)
      let text = try await handle.stream?.readAll()
      #expect(text != "0000000000000000\n")
    }
  }

  @Test(arguments: [
    ("nosuch", 127, "executable file not found in $PATH"),
    ("/etc/passwd", 126, "permission denied"),
  ])
  func programsThatCannotRun(_ program: String, _ code: Int, _ phrase: String) async throws {
    try await withSleeper { fixture, id in
      let settings = exec(program)
      let error = await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.runtime.exec(containerID: id, settings)
      }
      #expect(error?.exitCode == Int32(code))
      #expect(error?.description.contains(phrase) == true, "\(String(describing: error))")
    }
  }

  @Test func probeThatTakesTooLong() async throws {
    try await withSleeper { fixture, id in
      let settings = exec("sh", "-c", "echo begun; exec sleep 100")
      let result = try await fixture.runtime.runProbe(
        containerID: id, settings, timeout: .milliseconds(500))
      #expect(result.timedOut)
      #expect(result.exitCode == 137)
      #expect(result.output == Array("begun\n".utf8))
      let long = exec("sh", "-c", "seq 1 100000")
      let bounded = try await fixture.runtime.runProbe(
        containerID: id, long, timeout: .seconds(20), outputLimit: 10)
      #expect(bounded.output == Array("1\n2\n3\n4\n5\n".utf8))
      #expect(bounded.exitCode == 0)
    }
  }

  @Test func endsWithItsContainer() async throws {
    try await withSleeper { fixture, id in
      var ends = fixture.runtime.execExits.makeAsyncIterator()
      let handle = try await fixture.runtime.exec(containerID: id, exec("sleep", "1000"))
      try await fixture.runtime.kill(id, signal: SIGKILL)
      #expect(try await handle.stream?.readAll() == "")
      #expect(await ends.next()?.code == 137)
    }
  }

  @Test func manyAtOnce() async throws {
    try await withSleeper { fixture, id in
      let texts = try await withThrowingTaskGroup(of: String.self) { group in
        for number in 0..<10 {
          let settings = exec("echo", "\(number)")
          group.addTask {
            try await fixture.runtime.exec(containerID: id, settings).stream?.readAll() ?? ""
          }
        }
        return try await group.reduce(into: Set<String>()) { $0.insert($1) }
      }
      #expect(texts == Set((0..<10).map { "\($0)\n" }))
    }
  }
}
