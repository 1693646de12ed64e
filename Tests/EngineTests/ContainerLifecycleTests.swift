import ContainerRuntime
import DockerModel
import Testing

@testable import Engine

@Suite struct ContainerLifecycleTests {
  private let handle = RuntimeHandle(
    id: "c", process: ProcessIdentity(pid: 10, startTime: 1),
    monitor: ProcessIdentity(pid: 9, startTime: 1))
  private let start = Timestamp(seconds: 1000)

  private func policy(_ name: String, retries: Int = 0) -> RestartPolicy {
    var policy = RestartPolicy()
    policy.name = name
    policy.maximumRetryCount = retries
    return policy
  }

  private func exit(_ code: Int32, at seconds: Int64) -> ContainerExit {
    ContainerExit(
      id: "c", code: code, oomKilled: false, finishedAt: seconds * 1_000_000_000)
  }

  private func running() -> ContainerLifecycle {
    var lifecycle = ContainerLifecycle()
    _ = lifecycle.apply(.started(handle, at: start))
    return lifecycle
  }

  @Test func runsAndEnds() {
    var lifecycle = running()
    #expect(lifecycle.isRunning)
    let actions = lifecycle.apply(.exited(exit(3, at: 1001), policy: policy("no")))
    #expect(actions == [.removeIfAutomatic])
    #expect(lifecycle.phase == .exited)
    #expect(lifecycle.exitCode == 3)
    #expect(lifecycle.finishedAt == Timestamp(seconds: 1001))
  }

  @Test func aSecondExitChangesNothing() {
    var lifecycle = running()
    _ = lifecycle.apply(.exited(exit(0, at: 1001), policy: policy("no")))
    let before = lifecycle
    #expect(lifecycle.apply(.exited(exit(9, at: 1002), policy: policy("always"))).isEmpty)
    #expect(lifecycle == before)
  }

  @Test func restartsBackOffAndRecover() {
    var lifecycle = running()
    var pauses: [Duration] = []
    for _ in 0..<12 {
      let actions = lifecycle.apply(.exited(exit(1, at: 1001), policy: policy("always")))
      if case .restart(let pause) = actions.first { pauses.append(pause) }
      _ = lifecycle.apply(.started(handle, at: start))
    }
    #expect(pauses.prefix(3) == [.milliseconds(100), .milliseconds(200), .milliseconds(400)])
    #expect(pauses.last == .seconds(60))
    #expect(lifecycle.restartCount == 12)
    let late = lifecycle.apply(.exited(exit(1, at: 1010), policy: policy("always")))
    #expect(late == [.restart(after: .milliseconds(100))])
  }

  @Test func onFailureCountsAndSparesSuccess() {
    var lifecycle = running()
    for _ in 0..<2 {
      #expect(
        lifecycle.apply(.exited(exit(1, at: 1001), policy: policy("on-failure", retries: 2)))
          != [.removeIfAutomatic])
      _ = lifecycle.apply(.started(handle, at: start))
    }
    #expect(
      lifecycle.apply(.exited(exit(1, at: 1001), policy: policy("on-failure", retries: 2)))
        == [.removeIfAutomatic])
    var other = running()
    #expect(
      other.apply(.exited(exit(0, at: 1001), policy: policy("on-failure"))) == [.removeIfAutomatic])
  }

  @Test(arguments: ["always", "unless-stopped", "on-failure"])
  func aStoppedContainerIsNotRestarted(_ name: String) {
    var lifecycle = running()
    _ = lifecycle.apply(.stopRequested)
    let actions = lifecycle.apply(.exited(exit(143, at: 1001), policy: policy(name)))
    #expect(actions == [.removeIfAutomatic])
    #expect(lifecycle.phase == .exited)
    #expect(lifecycle.startsWithDaemon(under: policy("always")))
    #expect(!lifecycle.startsWithDaemon(under: policy("unless-stopped")))
  }

  @Test func stoppingARestartingContainerEndsIt() {
    var lifecycle = running()
    _ = lifecycle.apply(.exited(exit(1, at: 1001), policy: policy("always")))
    #expect(lifecycle.phase == .restarting)
    _ = lifecycle.apply(.stopRequested)
    #expect(lifecycle.phase == .exited)
  }

  @Test func pausesOnlyWhatRuns() {
    var lifecycle = ContainerLifecycle()
    _ = lifecycle.apply(.paused)
    #expect(lifecycle.phase == .created)
    lifecycle = running()
    _ = lifecycle.apply(.paused)
    #expect(lifecycle.isPaused && lifecycle.isRunning)
    _ = lifecycle.apply(.resumed)
    #expect(lifecycle.phase == .running(handle))
  }

  @Test func aFailedFirstStartLeavesItCreated() {
    var lifecycle = ContainerLifecycle()
    _ = lifecycle.apply(.startFailed(exitCode: 127, message: "not found", at: start))
    #expect(lifecycle.phase == .created)
    #expect(lifecycle.exitCode == 127)
    #expect(!lifecycle.startsWithDaemon(under: policy("always")))
  }

  /// Whatever comes in whatever order: what is being removed stays so, and a handle is there exactly
  /// while it runs.
  @Test func randomOrdersKeepTheInvariants() {
    for seed in 0..<500 {
      var generator = SplitMix(state: UInt64(seed))
      var lifecycle = ContainerLifecycle()
      for _ in 0..<30 {
        let wasRemoving = lifecycle.phase == .removing
        let events: [ContainerLifecycle.Event] = [
          .started(handle, at: start), .paused, .resumed, .stopRequested,
          .startFailed(exitCode: 1, message: "x", at: start),
          .exited(exit(1, at: 1001), policy: policy(seed % 2 == 0 ? "always" : "no")),
        ]
        let event =
          generator.next() % 40 == 0
          ? .removalBegan : events[Int(generator.next() % UInt64(events.count))]
        _ = lifecycle.apply(event)
        #expect(lifecycle.isRunning == (lifecycle.handle != nil))
        if wasRemoving { #expect(lifecycle.phase == .removing) }
      }
    }
  }
}

/// A small generator, so that a failing order can be run again.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
