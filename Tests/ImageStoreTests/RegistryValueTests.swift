import FoundationEssentials
import Synchronization
import Testing

@testable import ImageStore

@Suite struct RegistryValueTests {
  @Test func challenges() {
    #expect(Challenge.parse([#"Basic realm="x""#]) == .basic)
    #expect(
      Challenge.parse([
        "Basic realm=x", #"Bearer realm="https://a/t?x=1",service="s, \"q\"",scope="r:p:pull""#,
      ]) == .bearer(realm: "https://a/t?x=1", service: #"s, "q""#, scope: "r:p:pull"))
    #expect(
      Challenge.parse(["bearer realm=http://a , service=b"])
        == .bearer(realm: "http://a", service: "b", scope: nil))
    for bad in [
      "", "Bearer", "Bearer realm=\"file:///etc\"", "Digest x", "Bearer realm=\"", "=,=,",
    ] {
      #expect(Challenge.parse([bad]) == nil, "\(bad)")
    }
  }

  @Test func places() {
    let places = RegistryPlaces(
      mirrors: ["https://mirror.example/", "http://127.0.0.1:5000/hub"],
      insecure: ["10.1.0.0/16", "plain.example:5000", "fd00::/8"])
    let hub = places.endpoints(domain: "docker.io", forPush: false)
    #expect(
      hub.map(\.base) == [
        "https://mirror.example", "http://127.0.0.1:5000/hub", "https://registry-1.docker.io",
      ])
    #expect(hub.map(\.verifies) == [true, false, true])
    #expect(
      places.endpoints(domain: "docker.io", forPush: true).map(\.base) == [
        "https://registry-1.docker.io"
      ])
    #expect(places.endpoints(domain: "a.example", forPush: false).map(\.scheme) == ["https"])
    let insecure = [
      "10.1.2.3", "10.1.2.3:5000", "plain.example:5000", "127.3.2.1:80", "[::1]:5000", "localhost",
      "localhost:5000", "[fd12::1]:1",
    ]
    for host in insecure { #expect(places.isInsecure(host), "\(host)") }
    for host in ["10.2.0.1", "plain.example", "128.0.0.1", "[::2]", "evil.localhost.example"] {
      #expect(!places.isInsecure(host), "\(host)")
    }
  }

  @Test func locations() throws {
    let url = "https://h:5/v2/a/blobs/x?y=1"
    #expect(try RegistrySession.absolute("/p?q", against: url) == "https://h:5/p?q")
    #expect(try RegistrySession.absolute("http://o/p", against: url) == "http://o/p")
    #expect(try RegistrySession.absolute("//o/p", against: url) == "https://o/p")
    #expect(try RegistrySession.absolute("z", against: url) == "https://h:5/v2/a/blobs/z")
  }

  @Test func encodings() {
    let texts = ["", "a", "ab", "abc", "user:pass\u{e9}"]
    for text in texts {
      #expect(
        TextEncoding.base64(Array(text.utf8)) == Data(text.utf8).base64EncodedString())
    }
    #expect(TextEncoding.form([("a b", "c&d"), ("e", "/")]) == "a%20b=c%26d&e=%2F")
  }

  @Test func timestamps() {
    #expect(Timestamp.parse("1970-01-01T00:00:00Z")?.timeIntervalSince1970 == 0)
    #expect(
      Timestamp.parse("2024-02-29T23:59:59.5+01:30")?.timeIntervalSince1970 == 1_709_245_799.5)
    #expect(Timestamp.parse("0001-01-01T00:00:00Z")?.timeIntervalSince1970 == -62_135_596_800)
    for bad in [
      "", "yesterday", "2024-13-01T00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00",
    ] {
      #expect(Timestamp.parse(bad) == nil, "\(bad)")
    }
    for seconds in [0, 1, 951_782_399, 951_782_400, 4_102_444_800, -1] {
      let date = Date(timeIntervalSince1970: Double(seconds))
      #expect(Timestamp.parse(Timestamp.text(date)) == date)
    }
  }
}

@Suite struct SharedWorkTests {
  private let ignored: ProgressHandler = { _ in }

  /// Counts how often and how many at a time.
  private final class Gauge: Sendable {
    private let state = Mutex((running: 0, most: 0, starts: 0))
    func begin() {
      state.withLock {
        $0.running += 1
        $0.starts += 1
        $0.most = max($0.most, $0.running)
      }
    }
    func end() { state.withLock { $0.running -= 1 } }
    var most: Int { state.withLock { $0.most } }
    var starts: Int { state.withLock { $0.starts } }
    var running: Int { state.withLock { $0.running } }
  }

  @Test func oneRunForAll() async throws {
    let work = SharedWork<Int>()
    let gauge = Gauge()
    let results = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<50 {
        group.addTask {
          try await work.run("key", progress: ignored) { _ in
            gauge.begin()
            defer { gauge.end() }
            try await Task.sleep(for: .milliseconds(100))
            return 7
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results == Array(repeating: 7, count: 50))
    #expect(gauge.most == 1)
  }

  /// Callers come and go at random; never do two runs overlap, nobody hangs, nothing is left.
  @Test func comingAndGoing() async throws {
    let work = SharedWork<Int>()
    let gauge = Gauge()
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<200 {
        group.addTask {
          let call = Task {
            try await work.run("key", progress: ignored) { report in
              gauge.begin()
              defer { gauge.end() }
              report(TransferProgress(status: "x"))
              try await Task.sleep(for: .milliseconds(number % 5))
              return number
            }
          }
          if number % 3 != 0 {
            for _ in 0..<(number % 7) { await Task.yield() }
            call.cancel()
          }
          _ = await call.result
        }
      }
    }
    #expect(gauge.most <= 1)
    #expect(gauge.running == 0)
    let last = try await work.run("key", progress: ignored) { _ in 1 }
    #expect(last == 1)
  }

  @Test func semaphoreIsFairAndForgetsTheCancelled() async throws {
    let semaphore = AsyncSemaphore(2)
    let gauge = Gauge()
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<100 {
        group.addTask {
          let task = Task {
            try await semaphore.within {
              gauge.begin()
              await Task.yield()
              gauge.end()
            }
          }
          if number % 4 == 0 { task.cancel() }
          _ = await task.result
        }
      }
    }
    #expect(gauge.most <= 2)
    #expect(semaphore.tryEnter())
    #expect(semaphore.tryEnter())
    #expect(!semaphore.tryEnter())
    semaphore.setLimit(3)
    #expect(semaphore.tryEnter())
  }
}
