import Glibc
import Host
import NIOCore
import Testing

@testable import ContainerRuntime

/// Prints how long things take: `MARTLET_SPEED=1 swift test --filter SpeedTests`. It proves nothing
/// by itself and so does not run otherwise.
@Suite(.serialized, .enabled(if: getenv("MARTLET_SPEED") != nil)) struct SpeedTests {
  private func report(_ name: String, _ times: [Duration]) {
    let sorted = times.map {
      Double($0.components.attoseconds) / 1e15 + Double($0.components.seconds) * 1e3
    }.sorted()
    func text(_ value: Double) -> String { String((value * 100).rounded() / 100) }
    print("\(name): median \(text(sorted[sorted.count / 2])) ms, least \(text(sorted[0])) ms")
  }

  /// Runs the OCI runtime without pipes, which a container's process would keep open.
  private static func runc(_ runtime: ContainerRuntime, _ arguments: [String]) throws {
    let root = MonitorLaunch.runtimeRoot(runtime.configuration)
    let child = try Command(
      runtime.configuration.runtimePath, ["--root", root, "--log", "/dev/null"] + arguments
    ).spawn()
    #expect(try child.waitBlocking().isSuccess)
  }

  @Test func life() async throws {
    try await withRuntime { fixture in
      var times: [String: [Duration]] = [:]
      func timed<Result>(_ name: String, _ body: () async throws -> Result) async throws -> Result {
        let begin = ContinuousClock.now
        defer { times[name, default: []].append(begin.duration(to: .now)) }
        return try await body()
      }
      let runtime = fixture.runtime
      let count = 30
      for _ in 0..<count {
        let settings = fixture.settings(["true"])
        try await timed("all") {
          _ = try await timed("create") { try await runtime.create(settings) }
          try await timed("start") { try await runtime.start(settings.id) }
          _ = try await timed("exit") { try await runtime.waitForExit(of: settings.id) }
          try await timed("delete") { try await runtime.delete(settings.id) }
        }
        let spec = SpecificationBuilder(
          settings: settings, configuration: runtime.configuration, sharedMemoryFolder: "/x")
        let value = try await timed("specification") { try spec.build() }
        try await timed("encode") {
          try ContainerRecord.write(value, fixture.folder + "/spec.json")
        }
      }
      // What the OCI runtime needs alone for the same bundle.
      let settings = fixture.settings(["true"])
      _ = try await runtime.create(settings)
      let bundle = fixture.folder + "/bundle"
      try Paths.makeDirectories(bundle)
      let config = try Paths.readText(runtime.folder(of: settings.id) + "/config.json")
      try RuntimeFixture.write(
        config.replacing(settings.id, with: "alone"), bundle + "/config.json")
      for _ in 0..<count {
        try await timed("runc create alone") {
          try await BlockingPool.shared.run {
            try Self.runc(runtime, ["create", "--bundle", bundle, "alone"])
          }
        }
        try await timed("runc start alone") {
          try await BlockingPool.shared.run { try Self.runc(runtime, ["start", "alone"]) }
        }
        try await timed("runc delete alone") {
          try await BlockingPool.shared.run {
            try Self.runc(runtime, ["delete", "--force", "alone"])
          }
        }
      }
      let sleeper = fixture.settings(["sleep", "1000"])
      _ = try await runtime.create(sleeper)
      try await runtime.start(sleeper.id)
      for _ in 0..<count {
        try await timed("exec") {
          let settings = ExecSettings(id: Identifier.random(), arguments: ["true"])
          let handle = try await runtime.exec(containerID: sleeper.id, settings)
          _ = try await handle.stream?.readAll()
        }
        try await timed("runc exec alone") {
          try await BlockingPool.shared.run {
            try Self.runc(runtime, ["exec", sleeper.id, "true"])
          }
        }
      }
      for (name, times) in times.sorted(by: { $0.key < $1.key }) { report(name, times) }
    }
  }

  @Test func log() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell(
        "yes 'a line of a usual length, as programs write them to their logs, over and over' | head -c 200000000"
      )
      _ = try await fixture.runtime.create(settings)
      var options = ContainerLog.Options()
      options.follow = true
      for round in 0..<2 {
        let begin = ContinuousClock.now
        if round == 0 { try await fixture.runtime.start(settings.id) }
        var bytes = 0
        for try await frame in fixture.runtime.log(settings.log, of: settings.id).frames(
          options, .multiplexed)
        {
          bytes += frame.readableBytes
        }
        let seconds = begin.duration(to: .now) / .seconds(1)
        print(
          round == 0 ? "followed" : "read", "\(Int(Double(bytes) / seconds / 1e6)) MB/s of frames")
      }
    }
  }

  @Test func attached() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("dd if=/dev/zero bs=64k count=3200 2>/dev/null")
      var quiet = settings
      quiet.log = LogSettings()
      _ = try await fixture.runtime.create(quiet)
      let stream = try await fixture.runtime.attach(quiet.id)
      let begin = ContinuousClock.now
      try await fixture.runtime.start(quiet.id)
      var bytes = 0
      while let frame = try await stream.nextFrames(multiplexed: true) {
        bytes += frame.readableBytes
      }
      let seconds = begin.duration(to: .now) / .seconds(1)
      print("attached \(Int(Double(bytes) / seconds / 1e6)) MB/s of frames")
    }
  }
}
