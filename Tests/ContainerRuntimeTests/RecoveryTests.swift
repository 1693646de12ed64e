import Glibc
import Host
import NIOCore
import Testing

@testable import ContainerRuntime

@Suite(.timeLimit(.minutes(2))) struct RecoveryTests {
  @Test func containersAreFoundInTheirStates() async throws {
    try await withRuntime { fixture in
      let created = fixture.shell("echo late; exit 4")
      let running = fixture.shell("while :; do sleep 0.05; test -e /tmp/go && exit 6; done")
      let paused = fixture.settings(["sleep", "1000"])
      let exited = fixture.shell("exit 8")
      for settings in [created, running, paused, exited] {
        _ = try await fixture.runtime.create(settings)
      }
      for settings in [running, paused, exited] {
        try await fixture.runtime.start(settings.id)
      }
      try await fixture.runtime.pause(paused.id)
      let end = try await fixture.runtime.waitForExit(of: exited.id)
      let before = try fixture.runtime.container(running.id).handle

      try await fixture.restart()
      guard case .created = try await fixture.runtime.adopt(created.id) else {
        Issue.record("not created")
        return
      }
      #expect(try await fixture.runtime.adopt(running.id) == .running(before))
      guard case .paused = try await fixture.runtime.adopt(paused.id) else {
        Issue.record("not paused")
        return
      }
      #expect(try await fixture.runtime.adopt(exited.id) == .exited(end))
      #expect(try await fixture.runtime.adopt("unheard-of") == .gone)
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.runtime.adopt(running.id)
      }

      var ends = fixture.runtime.exits.makeAsyncIterator()
      let stream = try await fixture.runtime.attach(created.id)
      try await fixture.runtime.start(created.id)
      #expect(try await stream.readAll() == "late\n")
      #expect(await ends.next()?.code == 4)
      try RuntimeFixture.write("", fixture.rootfs + "/tmp/go")
      #expect(await ends.next()?.code == 6)
      try await fixture.runtime.resume(paused.id)
      try await fixture.runtime.kill(paused.id, signal: SIGKILL)
      #expect(await ends.next()?.code == 137)
    }
  }

  @Test func endsThatNobodySawAreLearnt() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("while ! test -e /tmp/go; do sleep 0.02; done; exit 12")
      _ = try await fixture.runtime.create(settings)
      try await fixture.runtime.start(settings.id)
      let exec = ExecSettings(
        id: "the-exec",
        arguments: ["sh", "-c", "while ! test -e /tmp/exec; do sleep 0.02; done; exit 13"])
      let exec2 = ExecSettings(id: "other", arguments: ["sleep", "1000"])
      _ = try await fixture.runtime.exec(containerID: settings.id, exec)
      let other = try await fixture.runtime.exec(containerID: settings.id, exec2)
      let handle = try fixture.runtime.container(settings.id).handle
      let monitor = handle.monitor
      fixture.runtime.shutDown()
      try RuntimeFixture.write("", fixture.rootfs + "/tmp/exec")
      let execFile = fixture.folder + "/exec/containers/\(settings.id)/exec/the-exec/exit"
      try await eventually("exec exit file") { Paths.exists(execFile) }
      try await fixture.restart()
      #expect(try await fixture.runtime.adopt(settings.id) == .running(handle))
      try await eventually("exec adopted as ended") {
        if case .exited(let exit) = try await fixture.runtime.adoptExec(
          containerID: settings.id, execID: exec.id)
        {
          #expect(exit.code == 13)
          return true
        }
        return false
      }
      #expect(
        try await fixture.runtime.adoptExec(containerID: settings.id, execID: "other")
          == .running(pid: other.pid))
      fixture.runtime.shutDown()
      try RuntimeFixture.write("", fixture.rootfs + "/tmp/go")
      try await eventually("monitor ends") { !monitor.isAlive }
      try await fixture.restart()
      guard case .exited(let exit) = try await fixture.runtime.adopt(settings.id) else {
        Issue.record("not exited")
        return
      }
      #expect(exit.code == 12)
      #expect(exit.error == nil)
    }
  }

  @Test func aMonitorThatIsKilled() async throws {
    try await withRuntime { fixture in
      var ends = fixture.runtime.exits.makeAsyncIterator()
      let seen = fixture.settings(["sleep", "1000"])
      let handle = try await fixture.runtime.create(seen)
      try await fixture.runtime.start(seen.id)
      kill(handle.monitor.pid, SIGKILL)
      let end = await ends.next()
      #expect(end?.code == 137)
      #expect(end?.error != nil)
      #expect(!handle.process.isAlive)

      let unseen = fixture.settings(["sleep", "1000"])
      let second = try await fixture.runtime.create(unseen)
      try await fixture.runtime.start(unseen.id)
      fixture.runtime.shutDown()
      kill(second.monitor.pid, SIGKILL)
      try await eventually("monitor ends") { !second.monitor.isAlive }
      try await fixture.restart()
      guard case .exited(let exit) = try await fixture.runtime.adopt(unseen.id) else {
        Issue.record("not exited")
        return
      }
      #expect(exit.code == 137)
      #expect(!second.process.isAlive)
    }
  }

  @Test func leftoversAreFoundAndRemoved() async throws {
    try await withRuntime { fixture in
      let known = fixture.settings(["sleep", "1000"])
      let lost = fixture.settings(["sleep", "1000"])
      for settings in [known, lost] {
        _ = try await fixture.runtime.create(settings)
        try await fixture.runtime.start(settings.id)
      }
      let handle = try fixture.runtime.container(lost.id).handle
      try await fixture.restart()
      _ = try await fixture.runtime.adopt(known.id)
      let leftovers = try await fixture.runtime.leftovers(known: [known.id])
      #expect(leftovers.map(\.id) == [lost.id])
      try await fixture.runtime.cleanUp(lost.id)
      #expect(try await fixture.runtime.leftovers(known: [known.id]) == [])
      #expect(!handle.process.isAlive && !handle.monitor.isAlive)
      #expect(try fixture.runtime.container(known.id).handle.process.isAlive)
    }
  }

  @Test func interruptedCreationCountsAsGone() async throws {
    try await withRuntime { fixture in
      let settings = fixture.settings(["sleep", "1000"])
      let handle = try await fixture.runtime.create(settings)
      try await fixture.restart()
      unlink(fixture.folder + "/exec/containers/\(settings.id)/handle.json")
      #expect(try await fixture.runtime.adopt(settings.id) == .gone)
      #expect(!handle.process.isAlive && !handle.monitor.isAlive)
    }
  }

  /// Kills what creates a container at some point of its work: whatever that point was, the call
  /// ends, a deletion cleans up (the fixture looks), and the id can be used again.
  @Test(arguments: [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 35, 40, 50, 60])
  func creationKilledAtAnyPoint(_ milliseconds: Int) async throws {
    try await withRuntime { fixture in
      let settings = fixture.settings(["sleep", "1000"])
      let creation = Task { try await fixture.runtime.create(settings) }
      try await Task.sleep(for: .milliseconds(milliseconds))
      let bundle = fixture.folder + "/exec/containers/" + settings.id
      for pid in try Paths.entries(of: "/proc").compactMap({ Int32($0) }) {
        let line = (try? Paths.readText("/proc/\(pid)/cmdline")) ?? ""
        if line.contains(bundle) { kill(pid, SIGKILL) }
      }
      _ = await creation.result
      try await fixture.runtime.delete(settings.id)
      var quick = settings
      quick.arguments = ["true"]
      let exit = try await fixture.run(quick).exit
      #expect(exit.code == 0)
    }
  }

  @Test func aReusedProcessNumberIsNotMistaken() throws {
    let current = try ProcessIdentity(current: getpid())
    #expect(current.isAlive)
    #expect(current.open() != nil)
    let earlier = ProcessIdentity(pid: getpid(), startTime: current.startTime - 1)
    #expect(!earlier.isAlive)
    #expect(earlier.open() == nil)
    #expect(
      ProcessIdentity.startTime(
        inStat: "1 (a) b) (c) S 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 77 21 22 23") == 77)
  }
}
