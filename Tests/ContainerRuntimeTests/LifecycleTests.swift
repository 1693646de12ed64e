import Glibc
import Host
import Testing

@testable import ContainerRuntime

@Suite(.timeLimit(.minutes(2))) struct LifecycleTests {
  @Test func exitStatusesAndOutput() async throws {
    try await withRuntime { fixture in
      let quiet = try await fixture.run(fixture.settings(["true"]))
      #expect(quiet.exit.code == 0)
      #expect(!quiet.exit.oomKilled)
      #expect(quiet.output == "")
      let loud = try await fixture.run(fixture.shell("echo out; echo err >&2; exit 7"))
      #expect(loud.exit.code == 7)
      #expect(loud.output == "out\nerr\n")
    }
  }

  @Test(arguments: [
    (["nosuch"], 127, "executable file not found in $PATH"),
    (["/no/such"], 127, "no such file or directory"),
    (["/etc/passwd"], 126, "permission denied"),
  ])
  func programsThatCannotRun(_ arguments: [String], _ code: Int, _ phrase: String) async throws {
    try await withRuntime { fixture in
      let settings = fixture.settings(arguments)
      let error = await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.runtime.create(settings)
      }
      #expect(error?.exitCode == Int32(code))
      #expect(error?.description.contains(phrase) == true, "\(String(describing: error))")
    }
  }

  @Test func signalsAndEvents() async throws {
    try await withRuntime { fixture in
      var ends = fixture.runtime.exits.makeAsyncIterator()
      let killed = fixture.settings(["sleep", "100"])
      _ = try await fixture.runtime.create(killed)
      try await fixture.runtime.start(killed.id)
      try await fixture.runtime.kill(killed.id, signal: SIGKILL)
      #expect(await ends.next()?.code == 137)
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.runtime.kill(killed.id, signal: SIGTERM)
      }
      let trapping = fixture.shell("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done")
      _ = try await fixture.runtime.create(trapping)
      try await fixture.runtime.start(trapping.id)
      try await eventually("trap set") { try await fixture.text(trapping) == "ready\n" }
      try await fixture.runtime.kill(trapping.id, signal: SIGTERM)
      let end = await ends.next()
      #expect(end?.id == trapping.id)
      #expect(end?.code == 3)
    }
  }

  @Test func startTwiceAndStartAfterDeath() async throws {
    try await withRuntime { fixture in
      let settings = fixture.settings(["sleep", "100"])
      _ = try await fixture.runtime.create(settings)
      try await fixture.runtime.start(settings.id)
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.runtime.start(settings.id)
      }
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.runtime.create(settings)
      }
      let dead = fixture.settings(["sleep", "100"])
      _ = try await fixture.runtime.create(dead)
      try await fixture.runtime.kill(dead.id, signal: SIGKILL)
      _ = try await fixture.runtime.waitForExit(of: dead.id)
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.runtime.start(dead.id)
      }
    }
  }

  @Test func manyAtOnce() async throws {
    try await withRuntime { fixture in
      try await withThrowingTaskGroup(of: Int32.self) { group in
        for number in 0..<12 {
          let settings = fixture.shell("exit \(number)")
          group.addTask { try await fixture.run(settings).exit.code }
        }
        let codes = try await group.reduce(into: Set<Int32>()) { $0.insert($1) }
        #expect(codes == Set(0..<12))
      }
    }
  }

  @Test func pauseAndResume() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("while :; do echo tick; sleep 0.01; done")
      _ = try await fixture.runtime.create(settings)
      try await fixture.runtime.start(settings.id)
      try await eventually("first tick") { try await !fixture.text(settings).isEmpty }
      try await fixture.runtime.pause(settings.id)
      var information = stat()
      // What conmon had not written when the container froze is there soon.
      try await Task.sleep(for: .milliseconds(50))
      stat(settings.log.path, &information)
      let before = information.st_size
      try await Task.sleep(for: .milliseconds(100))
      stat(settings.log.path, &information)
      #expect(information.st_size == before)
      try await fixture.runtime.resume(settings.id)
      try await eventually("ticks again") {
        stat(settings.log.path, &information)
        return information.st_size > before
      }
      try await fixture.runtime.pause(settings.id)
      try await fixture.runtime.kill(settings.id, signal: SIGKILL)
      #expect(try await fixture.runtime.waitForExit(of: settings.id).code == 137)
    }
  }

  @Test func outOfMemory() async throws {
    guard CgroupTree.current.directory(for: "memory", "") != nil else { return }
    try await withRuntime { fixture in
      var settings = fixture.shell("a=x; while :; do a=$a$a; done")
      settings.resources.memory = 16 << 20
      let (exit, _) = try await fixture.run(settings)
      #expect(exit.oomKilled)
      #expect(exit.code == 137)
    }
  }
}
