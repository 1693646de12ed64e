import Glibc
import Host
import Testing

@testable import ContainerRuntime

/// What settings do, seen from inside a container.
@Suite(.timeLimit(.minutes(2))) struct SettingsTests {
  @Test func identityAndEnvironment() async throws {
    try await withRuntime { fixture in
      let text = try await fixture.output(
        of: "hostname; id -u; id -g; id -G; pwd; echo $A $HOME $HOSTNAME; cat /proc/1/oom_score_adj"
      ) {
        $0.hostname = "box"
        $0.user = "user"
        $0.additionalGroups = ["3000"]
        $0.workingDirectory = "/srv/here"
        $0.environment = ["A=x", "A=y"]
        $0.oomScoreAdjustment = 500
      }
      #expect(
        text == "box\n1000\n1000\n1000 2000 3000\n/srv/here\ny /home/user box\n500\n")
      #expect(
        try await fixture.output(of: "cat /proc/sys/kernel/domainname") { $0.domainname = "dom" }
          == "dom\n")
    }
  }

  @Test func initProgram() async throws {
    try await withRuntime { fixture in
      let text = try await fixture.output(of: "echo $$; tr '\\0' ' ' </proc/1/cmdline") {
        $0.useInit = true
      }
      #expect(text.hasPrefix("7\n") || !text.hasPrefix("1\n"))
      #expect(text.contains("/sbin/docker-init -- sh -c"))
    }
  }

  @Test func capabilitiesSeccompAndPrivileges() async throws {
    try await withRuntime { fixture in
      let script = "grep -E 'CapEff|CapBnd|Seccomp:|NoNewPrivs' /proc/self/status"
      let usual = try await fixture.output(of: script)
      #expect(usual.contains("CapEff:\t00000000a80425fb"))
      #expect(usual.contains("Seccomp:\t2"))
      #expect(usual.contains("NoNewPrivs:\t0"))
      let less = try await fixture.output(of: script) {
        $0.security.droppedCapabilities = ["ALL"]
        $0.security.addedCapabilities = ["net_admin", "CAP_CHOWN"]
        $0.security.noNewPrivileges = true
        $0.security.seccomp = .unconfined
      }
      #expect(less.contains("CapEff:\t0000000000001001"))
      #expect(less.contains("Seccomp:\t0"))
      #expect(less.contains("NoNewPrivs:\t1"))
      let all = try await fixture.output(
        of: script
          + "; ls /dev | wc -l; mkdir /sys/fs/cgroup/x; echo > /proc/sys/kernel/hostname && echo writable"
      ) {
        $0.security.privileged = true
      }
      #expect(all.contains("Seccomp:\t0"))
      #expect(all.contains("writable"))
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.output(of: "true") { $0.security.addedCapabilities = ["BOGUS"] }
      }
    }
  }

  @Test func seccompForbids() async throws {
    try await withRuntime { fixture in
      let script = "mkdir -p /tmp/m; mount -t tmpfs none /tmp/m 2>&1 && echo mounted"
      let usual = try await fixture.output(of: script) {
        $0.security.droppedCapabilities = ["SYS_ADMIN"]
      }
      #expect(!usual.contains("mounted"))
      let profile = """
        {"defaultAction": "SCMP_ACT_ALLOW",
         "syscalls": [{"name": "mkdir", "action": "SCMP_ACT_ERRNO", "errnoRet": 99}]}
        """
      let custom = try await fixture.output(of: "mkdir /tmp/nodir 2>&1") {
        $0.security.seccomp = .profile(json: profile)
      }
      #expect(custom.contains("Cannot assign requested address"))
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.output(of: "true") { $0.security.seccomp = .profile(json: "{") }
      }
    }
  }

  @Test func readonlyRootMaskedPathsAndMounts() async throws {
    try await withRuntime { fixture in
      let shared = fixture.folder + "/shared"
      try Paths.makeDirectories(shared)
      try RuntimeFixture.write("from host\n", shared + "/file")
      let text = try await fixture.output(
        of: """
          touch /x 2>&1; touch /t/x && echo tmpfs; cat /b/file; touch /b/new && echo bound
          touch /r/new 2>&1; wc -c < /proc/kcore; echo 1 > /proc/sys/kernel/panic
          grep -E ' /t | /dev/shm ' /proc/mounts
          """
      ) {
        $0.readonlyRootfs = true
        $0.sharedMemory = .own(size: 1 << 20)
        $0.mounts = [
          MountSettings(.bind(path: shared), at: "/b"),
          MountSettings(.bind(path: shared), at: "/r", readonly: true),
          MountSettings(.tmpfs(size: 2 << 20, mode: 0o700, options: ["exec"]), at: "/t"),
        ]
      }
      #expect(text.contains("touch: /x: Read-only file system"))
      #expect(text.contains("tmpfs\nfrom host\nbound\n"))
      #expect(text.contains("touch: /r/new: Read-only file system"))
      #expect(text.contains("can't create /proc/sys/kernel/panic: Read-only file system"))
      #expect(text.contains("size=2048k,mode=700"))
      #expect(text.contains("size=1024k"))
      #expect(Paths.exists(shared + "/new"))
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.output(of: "true") {
          $0.mounts = [MountSettings(.bind(path: "/no/such"), at: "/b")]
        }
      }
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.output(of: "true") {
          $0.mounts = [MountSettings(.tmpfs(options: ["bogus=1"]), at: "/b")]
        }
      }
    }
  }

  @Test func devicesLimitsAndSysctls() async throws {
    try await withRuntime { fixture in
      let text = try await fixture.output(
        of: """
          exec 2>&1; ulimit -n; ulimit -c; cat /proc/sys/net/ipv4/ip_forward; ls -l /dev/myfull
          echo x > /dev/myfull; cat /dev/myzero | head -c 2 | wc -c
          """
      ) {
        $0.limits = [
          ProcessLimit("nofile", soft: 123, hard: 456), ProcessLimit("core", soft: 0, hard: -1),
        ]
        $0.sysctls = ["net.ipv4.ip_forward": "1"]
        $0.devices = [
          DeviceSettings("/dev/full", at: "/dev/myfull"),
          DeviceSettings("/dev/zero", at: "/dev/myzero", permissions: "r"),
        ]
      }
      #expect(text.hasPrefix("123\n0\n1\ncrw-rw-rw-"))
      #expect(text.contains("No space left on device"))
      #expect(text.hasSuffix("2\n"))
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.output(of: "true") {
          $0.limits = [ProcessLimit("bogus", soft: 1, hard: 1)]
        }
      }
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.output(of: "true") { $0.devices = [DeviceSettings("/dev/nosuch")] }
      }
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.output(of: "true") { $0.deviceCgroupRules = ["c 1 rwm"] }
      }
    }
  }

  @Test func namespaces() async throws {
    try await withRuntime { fixture in
      let host = try Self.link("/proc/self/ns/uts")
      let text = try await fixture.output(
        of: "readlink /proc/self/ns/uts; readlink /proc/self/ns/pid"
      ) {
        $0.namespaces.uts = .host
        $0.namespaces.pid = .host
      }
      #expect(text == host + "\n" + (try Self.link("/proc/self/ns/pid")) + "\n")
      var first = fixture.settings(["sleep", "1000"])
      first.sharedMemory = .shareable(size: 1 << 20)
      let handle = try await fixture.runtime.create(first)
      try await fixture.runtime.start(first.id)
      _ = try await fixture.probe(first.id, "echo hello > /dev/shm/greeting")
      let joined = try await fixture.output(
        of: "readlink /proc/self/ns/ipc; cat /dev/shm/greeting"
      ) {
        $0.namespaces.ipc = .path("/proc/\(handle.pid)/ns/ipc")
        $0.namespaces.network = .path("/proc/\(handle.pid)/ns/net")
        $0.sharedMemory = .path(fixture.runtime.sharedMemoryPath(first.id))
      }
      #expect(joined == (try Self.link("/proc/\(handle.pid)/ns/ipc")) + "\nhello\n")
    }
  }

  @Test func sharedPidNamespaceLeavesNoProcesses() async throws {
    try await withRuntime { fixture in
      var settings = fixture.shell("sleep 54321 & sleep 54321 & echo ready; exit 3")
      settings.namespaces.pid = .host
      let (exit, _) = try await fixture.run(settings)
      #expect(exit.code == 3)
      #expect(RuntimeFixture.processes(mentioning: "54321").isEmpty)
    }
  }

  @Test func resourcesUpdateAndStatistics() async throws {
    guard !CgroupTree.current.isUnified else { return }
    try await withRuntime { fixture in
      var settings = fixture.shell("while :; do :; done")
      settings.resources.memory = 64 << 20
      settings.resources.pidsLimit = 33
      settings.resources.cpuShares = 512
      settings.resources.nanoCPUs = 500_000_000
      settings.resources.cpusetCPUs = "0"
      _ = try await fixture.runtime.create(settings)
      try await fixture.runtime.start(settings.id)
      let group = Cgroup(fixture.cgroupParent + "/" + settings.id)
      #expect(group.number("memory.limit_in_bytes", of: "memory") == 64 << 20)
      #expect(group.number("pids.max", of: "pids") == 33)
      #expect(group.number("cpu.shares", of: "cpu") == 512)
      #expect(group.number("cpu.cfs_quota_us", of: "cpu") == 50000)
      #expect(group.read("cpuset.cpus", of: "cpuset") == "0\n")
      var change = ResourceSettings()
      change.memory = 96 << 20
      change.cpuShares = 256
      change.pidsLimit = 44
      try await fixture.runtime.update(settings.id, change)
      #expect(group.number("memory.limit_in_bytes", of: "memory") == 96 << 20)
      #expect(group.number("cpu.shares", of: "cpu") == 256)
      #expect(group.number("pids.max", of: "pids") == 44)
      try await eventually("some work") {
        try await fixture.runtime.statistics(settings.id).processor.total > 50_000_000
      }
      let statistics = try await fixture.runtime.statistics(settings.id)
      #expect(statistics.memory.limit == 96 << 20)
      #expect(statistics.memory.usage > 0)
      #expect(statistics.memory.details["cache"] != nil || statistics.memory.details["rss"] != nil)
      #expect(statistics.processes == 1)
      #expect(statistics.processLimit == 44)
      #expect(statistics.onlineProcessors > 0)
      #expect(statistics.systemUsage > statistics.processor.total)
      let processes = try await fixture.runtime.processes(settings.id)
      let table = try await fixture.runtime.top(settings.id, psArguments: [])
      #expect(table.titles.contains("PID"))
      #expect(table.processes.map { $0[1] } == processes.map { String($0) })
      #expect(table.processes[0].last == "sh -c while :; do :; done")
      let aux = try await fixture.runtime.top(settings.id, psArguments: ["aux"])
      #expect(aux.processes.count == 1)
      await #expect(throws: ContainerRuntimeError.self) {
        try await fixture.runtime.top(settings.id, psArguments: ["-o", "comm"])
      }
    }
  }

  private static func link(_ path: String) throws -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    let count = readlink(path, &buffer, buffer.count)
    guard count > 0 else { throw SystemError.last("readlink", path) }
    return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
