import Glibc
import Host
import NIOCore
import Testing

@testable import ContainerRuntime

@Suite(.timeLimit(.minutes(2))) struct LogTests {
  private func options(
    _ change: (inout ContainerLog.Options) -> Void
  ) -> ContainerLog.Options {
    var options = ContainerLog.Options()
    change(&options)
    return options
  }

  /// Runs a script to its end, and leaves the container there.
  private func finish(_ fixture: RuntimeFixture, _ settings: ContainerSettings) async throws {
    _ = try await fixture.runtime.create(settings)
    try await fixture.runtime.start(settings.id)
    _ = try await fixture.runtime.waitForExit(of: settings.id)
  }

  @Test func linesStreamsAndTail() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell(
        "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; sleep 0.02; done; printf end")
      try await finish(fixture, settings)
      #expect(try await fixture.text(settings).split(separator: "\n").count == 11)
      #expect(try await fixture.text(settings).hasSuffix("err 5\nend"))
      #expect(
        try await fixture.text(settings, options { $0.stdout = false })
          == "err 1\nerr 2\nerr 3\nerr 4\nerr 5\n")
      #expect(try await fixture.text(settings, options { $0.tail = 0 }) == "")
      #expect(try await fixture.text(settings, options { $0.tail = 1 }) == "end")
      #expect(try await fixture.text(settings, options { $0.tail = 3 }) == "out 5\nerr 5\nend")
      let all = try await fixture.text(settings)
      #expect(try await fixture.text(settings, options { $0.tail = 1000 }) == all)
    }
  }

  @Test func framesAndTimestamps() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("echo a; echo b >&2")
      let begin = ExitReading.now()
      try await finish(fixture, settings)
      let end = ExitReading.now()
      var frames: [UInt8] = []
      for try await frame in fixture.runtime.log(settings.log, of: settings.id)
        .frames(.init(), .multiplexed)
      { frames += frame.readableBytesView }
      #expect(frames == [1, 0, 0, 0, 0, 0, 0, 2, 97, 10, 2, 0, 0, 0, 0, 0, 0, 2, 98, 10])
      let stamped = try await fixture.text(settings, options { $0.timestamps = true })
      for line in stamped.split(separator: "\n") {
        let stamp = line.prefix { $0 != " " }
        #expect(stamp.utf8.count == 30 && stamp.hasSuffix("Z"))
      }
      var entries: [ContainerLog.Entry] = []
      for try await batch in fixture.runtime.log(settings.log, of: settings.id).entries(.init()) {
        entries += batch
      }
      #expect(entries.map(\.stream) == [.standardOutput, .standardError])
      #expect(entries.allSatisfy { $0.timestamp >= begin && $0.timestamp <= end })
    }
  }

  @Test func framesInBulkHoldTheSame() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("seq 1 60000; seq 1 10 >&2; seq 1 60000")
      try await finish(fixture, settings)
      var bytes: [UInt8] = []
      for try await frame in fixture.runtime.log(settings.log, of: settings.id)
        .frames(.init(), .multiplexed)
      { bytes += frame.readableBytesView }
      var texts: [UInt8: [UInt8]] = [:]
      var count = 0
      var rest = bytes[...]
      while rest.count >= 8 {
        let head = Array(rest.prefix(8))
        let length = head[4...].reduce(0) { $0 << 8 | Int($1) }
        try #require(rest.count >= 8 + length)
        texts[head[0], default: []] += rest.dropFirst(8).prefix(length)
        rest = rest.dropFirst(8 + length)
        count += 1
      }
      #expect(rest.isEmpty)
      #expect(count < 60_000)
      func numbers(_ last: Int) -> String { (1...last).map { "\($0)\n" }.joined() }
      let isOutput = texts[1] == Array((numbers(60_000) + numbers(60_000)).utf8)
      #expect(isOutput)
      #expect(texts[2] == Array(numbers(10).utf8))
    }
  }

  @Test func sinceAndUntil() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("echo 1; sleep 0.05; echo 2; sleep 0.05; echo 3")
      try await finish(fixture, settings)
      var times: [Int64] = []
      for try await batch in fixture.runtime.log(settings.log, of: settings.id).entries(.init()) {
        times += batch.map(\.timestamp)
      }
      try #require(times.count == 3)
      #expect(try await fixture.text(settings, options { $0.since = times[1] }) == "2\n3\n")
      #expect(try await fixture.text(settings, options { $0.since = times[1] + 1 }) == "3\n")
      #expect(try await fixture.text(settings, options { $0.until = times[1] }) == "1\n2\n")
      #expect(
        LogStamp.text(1_714_564_800_123_456_789) == Array("2024-05-01T12:00:00.123456789".utf8))
    }
  }

  @Test func longLinesAreJoined() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell(
        "awk 'BEGIN { for (i = 0; i < 50000; i++) printf \"x\"; print \"\"; print \"next\" }'")
      try await finish(fixture, settings)
      let expected = String(repeating: "x", count: 50_000) + "\nnext\n"
      #expect(try await fixture.text(settings) == expected)
      #expect(try await fixture.text(settings, options { $0.tail = 2 }) == expected)
      #expect(try await fixture.text(settings, options { $0.tail = 1 }) == "next\n")
      let stamped = try await fixture.text(settings, options { $0.timestamps = true })
      #expect(stamped.utf8.count == expected.utf8.count + 62)
    }
  }

  @Test func followEndsWithTheContainer() async throws {
    try await withRuntime { fixture in
      let settings = fixture.shell("for i in 1 2 3 4 5; do echo $i; sleep 0.03; done")
      _ = try await fixture.runtime.create(settings)
      async let text = fixture.text(settings, options { $0.follow = true })
      try await fixture.runtime.start(settings.id)
      #expect(try await text == "1\n2\n3\n4\n5\n")
    }
  }

  @Test func followCanBeCancelled() async throws {
    try await withRuntime { fixture in
      let settings = fixture.settings(["sleep", "1000"])
      _ = try await fixture.runtime.create(settings)
      try await fixture.runtime.start(settings.id)
      let follow = options { $0.follow = true }
      let task = Task { try await fixture.text(settings, follow) }
      try await Task.sleep(for: .milliseconds(50))
      task.cancel()
      let result = await task.result
      #expect(throws: CancellationError.self) { try result.get() }
    }
  }

  private static let numbers = (1...8).flatMap { part in
    (1...9999).map { "\(part)0\(String(10000 + $0).dropFirst())" }
  }

  private func rotating(_ fixture: RuntimeFixture, files: Int) -> ContainerSettings {
    var settings = fixture.shell(
      "for j in 1 2 3 4 5 6 7 8; do seq ${j}00001 ${j}09999; sleep 0.15; done")
    settings.log.maximumSize = 256 << 10
    settings.log.maximumFiles = files
    return settings
  }

  @Test func rotationKeepsTheOrderForThoseWhoFollow() async throws {
    try await withRuntime { fixture in
      let settings = rotating(fixture, files: 30)
      _ = try await fixture.runtime.create(settings)
      let follow = options { $0.follow = true }
      async let followed = fixture.text(settings, follow)
      try await fixture.runtime.start(settings.id)
      let lines = try await followed.split(separator: "\n").map(String.init)
      // Compared as a whole: a difference would be printed as 80,000 lines.
      #expect(lines.count == Self.numbers.count)
      let isSame = lines == Self.numbers
      #expect(isSame)
      #expect(Paths.exists(settings.log.path + ".1"))
      let all = try await fixture.text(settings).split(separator: "\n").map(String.init)
      let isWhole = all == Self.numbers
      #expect(isWhole)
    }
  }

  @Test func rotationKeepsNoMoreThanAsked() async throws {
    try await withRuntime { fixture in
      let settings = rotating(fixture, files: 3)
      try await finish(fixture, settings)
      #expect(Paths.exists(settings.log.path + ".1"))
      #expect(Paths.exists(settings.log.path + ".2"))
      #expect(!Paths.exists(settings.log.path + ".3"))
      // The first line that is kept may have begun in a file that is gone.
      let kept = try await fixture.text(settings).split(separator: "\n").map(String.init)
        .dropFirst()
      #expect(kept.count < Self.numbers.count && kept.count > 5000)
      let keptIsEnd = Array(kept) == Array(Self.numbers.suffix(kept.count))
      #expect(keptIsEnd)
      let tail = try await fixture.text(settings, options { $0.tail = 5000 })
      let tailIsEnd =
        tail.split(separator: "\n").map(String.init) == Array(Self.numbers.suffix(5000))
      #expect(tailIsEnd)
    }
  }

  @Test func noneKeepsNothing() async throws {
    try await withRuntime { fixture in
      var settings = fixture.shell("echo text")
      settings.log = LogSettings()
      let result = try await fixture.run(settings)
      #expect(result.output == "")
    }
  }
}
