import Glibc
import Host
import Testing

@testable import ContainerRuntime

/// Statistics as files of both cgroup versions tell them, whichever this machine has.
@Suite struct StatisticsTests {
  private func withFiles(
    _ files: [String: String], _ body: (String) throws -> Void
  ) throws {
    var template = Array("/tmp/martlet-statistics-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let root = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? TreeRemoval.remove(root) }
    try Paths.makeDirectories(root + "/c")
    for (name, text) in files { try RuntimeFixture.write(text, root + "/c/" + name) }
    try body(root)
  }

  @Test func unified() throws {
    try withFiles([
      "cpu.stat": "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 7\n"
        + "nr_throttled 2\nthrottled_usec 11\n",
      "memory.current": "4096\n", "memory.max": "max\n",
      "memory.stat": "anon 100\nfile 200\nbroken\n",
      "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n7:1 \nx\n",
      "pids.current": "3\n", "pids.max": "12\n",
    ]) { root in
      var tree = CgroupTree(mounts: [])
      tree.unifiedRoot = root
      let statistics = StatisticsReader(cgroup: Cgroup("/c", in: tree)).read()
      #expect(statistics.processor.total == 5_000_000)
      #expect(statistics.processor.user == 3_000_000)
      #expect(statistics.processor.throttledTime == 11_000)
      #expect(statistics.memory.usage == 4096)
      #expect(statistics.memory.limit > 1 << 20)
      #expect(statistics.memory.details == ["anon": 100, "file": 200])
      #expect(statistics.blockBytes.map(\.value) == [1, 2])
      #expect(statistics.blockOperations.map(\.operation) == ["Read", "Write"])
      #expect(statistics.processes == 3 && statistics.processLimit == 12)
    }
  }

  @Test func separate() throws {
    try withFiles([
      "cpuacct.usage": "77\n", "cpuacct.usage_percpu": "70 7 \n",
      "cpuacct.stat": "user 1\nsystem 2\n",
      "cpu.stat": "nr_periods 1\nnr_throttled 2\nthrottled_time 3\n",
      "memory.usage_in_bytes": "5000\n", "memory.limit_in_bytes": "9223372036854771712\n",
      "memory.max_usage_in_bytes": "6000\n", "memory.failcnt": "4\n",
      "memory.stat": "cache 1\nrss 2\n",
      "blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Total 10\nTotal 10\n",
      "pids.current": "1\n", "pids.max": "max\n",
    ]) { root in
      var tree = CgroupTree(mounts: [])
      for name in ["cpu", "cpuacct", "memory", "blkio", "pids"] { tree.roots[name] = root }
      let statistics = StatisticsReader(cgroup: Cgroup("/c", in: tree)).read()
      #expect(statistics.processor.total == 77)
      #expect(statistics.processor.perProcessor == [70, 7])
      #expect(statistics.processor.system == 2 * statistics.processor.user)
      #expect(statistics.memory.maximumUsage == 6000 && statistics.memory.failureCount == 4)
      #expect(statistics.memory.limit < 9_223_372_036_854_771_712)
      #expect(statistics.blockBytes.map(\.operation) == ["Read", "Total"])
      #expect(statistics.processLimit == 0)
    }
  }

  @Test func processTables() throws {
    let text = """
      UID          PID    PPID  C STIME TTY          TIME CMD
      root           1       0  0 00:00 ?        00:00:01 /sbin/init splash  two
      root          22       1  0 00:00 ?        00:00:00 sleep 5
      """
    let table = try ContainerRuntime.table(text, of: [22])
    #expect(table.titles == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"])
    #expect(table.processes == [["root", "22", "1", "0", "00:00", "?", "00:00:00", "sleep 5"]])
    #expect(throws: ContainerRuntimeError.self) { try ContainerRuntime.table("", of: [1]) }
    #expect(throws: ContainerRuntimeError.self) {
      try ContainerRuntime.table("A B\n1 2\n", of: [1])
    }
  }
}
