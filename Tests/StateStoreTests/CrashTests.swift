import Dispatch
import FoundationEssentials
import Glibc
import StateStore
import StateStoreSQLite
import StateStoreTesting
import Testing

/// The path of the store that a child process of these tests writes to until it is killed.
private let childPath = ProcessInfo.processInfo.environment["MARTLET_STATE_CRASH_CHILD"]

@Suite("SQLite state store, killed")
struct CrashTests {
  @Test("a killed process loses nothing it has answered", .enabled(if: childPath == nil))
  func losesNothing() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/state.db"
    var generator = SeededGenerator(seed: UInt64(getpid()))
    var acknowledged: [Int: Int] = [:]
    for _ in 0..<8 {
      let answers = try await answersOfChild(
        path: path, killedAfter: Int.random(in: 1...600, using: &generator))
      for (writer, number) in answers {
        acknowledged[writer] = max(acknowledged[writer] ?? 0, number)
      }
      #expect(!answers.isEmpty)
      let store = try await SQLiteStateStore.open(path: path)
      for (writer, number) in acknowledged {
        let value = try await store.get(Key("writer/\(writer)"))?.value ?? []
        let stored = Int(String(decoding: value, as: UTF8.self)) ?? -1
        #expect(stored >= number, "writer \(writer) lost \(number), has \(stored)")
        // The two keys are always written together.
        let twin = try await store.get(Key("twin/\(writer)"))?.value ?? []
        #expect(twin == value)
        acknowledged[writer] = stored
      }
      await store.close()
    }
  }

  @Test("writes until it is killed", .enabled(if: childPath != nil))
  func child() async throws {
    let store = try await SQLiteStateStore.open(
      path: try #require(childPath), retention: RecentHistory.Limit(revisions: 300, bytes: 1 << 20))
    await withTaskGroup(of: Void.self) { group in
      for writer in 0..<10 {
        group.addTask { await write(as: writer, to: store) }
      }
    }
  }

  private func write(as writer: Int, to store: SQLiteStateStore) async {
    do {
      let last = try await store.get(Key("writer/\(writer)"))?.value ?? []
      var number = Int(String(decoding: last, as: UTF8.self)) ?? 0
      while true {
        number += 1
        let value = Array("\(number)".utf8)
        _ = try await store.transact(
          Transaction(do: [
            .put(Key("writer/\(writer)"), value), .put(Key("twin/\(writer)"), value),
          ]))
        let line = Array("ack \(writer) \(number)\n".utf8)
        guard Glibc.write(3, line, line.count) == line.count else { return }
      }
    } catch {
      Issue.record(error)
    }
  }

  /// Runs the `child` test in a process of its own and kills it after it has answered this many
  /// times.
  private func answersOfChild(
    path: String, killedAfter limit: Int
  ) async throws -> [(writer: Int, number: Int)] {
    var pipeEnds: [Int32] = [0, 0]
    try #require(pipe(&pipeEnds) == 0)
    for end in pipeEnds { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let process = try spawnChild(path: path, answersTo: pipeEnds[1])
    close(pipeEnds[1])
    let readEnd = pipeEnds[0]
    let bytes = await withCheckedContinuation { continuation in
      DispatchQueue(label: "crash-test").async {
        continuation.resume(returning: CrashTests.read(readEnd, lines: limit))
        kill(process, SIGKILL)
      }
    }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    close(readEnd)
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count == 3, let writer = Int(words[1]), let number = Int(words[2]) else {
        return nil
      }
      return (writer, number)
    }
  }

  private static func read(_ descriptor: Int32, lines: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var seen = 0
    var buffer = [UInt8](repeating: 0, count: 256)
    while seen < lines {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      guard count > 0 else { break }
      seen += buffer[..<count].count { $0 == 10 }
      bytes += buffer[..<count]
    }
    return bytes
  }

  private func spawnChild(path: String, answersTo descriptor: Int32) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, descriptor, 3)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    let arguments = [
      "/proc/self/exe", "--testing-library", "swift-testing", "--filter", "CrashTests/child",
    ]
    var environment = ProcessInfo.processInfo.environment
    environment["MARTLET_STATE_CRASH_CHILD"] = path
    var argumentPointers = arguments.map { strdup($0) } + [nil]
    var environmentPointers = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
    var process: pid_t = 0
    let error = posix_spawn(
      &process, "/proc/self/exe", &actions, nil, &argumentPointers, &environmentPointers)
    try #require(error == 0)
    return process
  }
}
