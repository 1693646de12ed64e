import Testing

@testable import DockerAPI

/// Numbers that are the same in every run, so that a failure can be repeated.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// Makes requests that are mostly near to what a route takes, and wrong somewhere.
private struct RequestGenerator {
  var random: SplitMix

  private static let paths = [
    "containers/json", "containers/create", "containers/prune", "containers/ID/json",
    "containers/ID/top", "containers/ID/logs", "containers/ID/changes", "containers/ID/export",
    "containers/ID/stats", "containers/ID/resize", "containers/ID/start", "containers/ID/stop",
    "containers/ID/restart", "containers/ID/kill", "containers/ID/update", "containers/ID/rename",
    "containers/ID/pause", "containers/ID/unpause", "containers/ID/attach",
    "containers/ID/attach/ws", "containers/ID/wait", "containers/ID", "containers/ID/archive",
    "containers/ID/exec", "exec/ID/start", "exec/ID/resize", "exec/ID/json", "images/json",
    "images/create", "images/load", "images/search", "images/prune", "images/get",
    "images/ID/json", "images/ID/history", "images/ID/push", "images/ID/tag", "images/ID",
    "images/ID/get", "commit", "auth", "info", "version", "_ping", "events", "system/df",
    "volumes", "volumes/create", "volumes/prune", "volumes/ID", "networks", "networks/create",
    "networks/prune", "networks/ID", "networks/ID/connect", "networks/ID/disconnect",
    "distribution/ID/json", "plugins", "plugins/ID/json", "plugins/pull", "swarm", "swarm/init",
    "services", "services/ID/logs", "nodes/ID", "secrets/create", "build", "build/prune",
    "session", "nonsense/ID",
  ]
  private static let names = [
    "a", "tty", "missing", "busy", "same", "registry:5000/a/b:c", "%2e%2e%2f%2e%2e", "%00", "é",
    "..", "%ff%fe", "%", "a%20b", "-", String(repeating: "x", count: 5000), "a%0d%0aX:%20y",
  ]
  private static let parameters = [
    "all", "limit", "size", "filters", "name", "platform", "stdout", "stderr", "since", "until",
    "tail", "follow", "stream", "one-shot", "h", "w", "t", "signal", "condition", "path", "force",
    "v", "link", "fromImage", "fromSrc", "tag", "repo", "names", "container", "changes", "type",
    "detachKeys", "scope", "verbose", "quiet", "term", "ps_args", "pause",
  ]
  private static let keys = [
    "Image", "Cmd", "Env", "HostConfig", "Memory", "NetworkingConfig", "EndpointsConfig", "Labels",
    "Healthcheck", "Test", "Interval", "Tty", "ConsoleSize", "Detach", "Name", "IPAM", "Config",
    "Subnet", "Container", "Force", "EndpointConfig", "Mounts", "Ulimits", "PortBindings",
    "RestartPolicy", "Driver", "DriverOpts", "username", "password", "ExposedPorts", "Volumes",
  ]

  private mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &random)]
  }

  private mutating func chance(_ percent: Int) -> Bool {
    Int.random(in: 0..<100, using: &random) < percent
  }

  private mutating func scalar() -> String {
    pick([
      "0", "1", "-1", "true", "null", "99999999999999999999999999", "1e400", "-0.5", "\"\"",
      "\"a\"", "\"\\u0000\"", "\"\\ud800\"", "\"../../etc\"", "{}", "[]", "nul", "\"\u{7}\"",
      "\"" + String(repeating: "y", count: 20_000) + "\"",
    ])
  }

  private mutating func json(_ depth: Int) -> String {
    if depth == 0 || chance(30) { return scalar() }
    let count = Int.random(in: 0...4, using: &random)
    if chance(25) {
      return "[" + (0..<count).map { _ in json(depth - 1) }.joined(separator: ",") + "]"
    }
    let members = (0..<count).map { _ in "\"\(pick(Self.keys))\":\(json(depth - 1))" }
    return "{" + members.joined(separator: ",") + "}"
  }

  mutating func body() -> [UInt8] {
    switch Int.random(in: 0..<10, using: &random) {
    case 0...1: return []
    case 2: return Array(String(repeating: pick(["[", "{\"a\":"]), count: 30_000).utf8)
    case 3: return (0..<200).map { _ in UInt8.random(in: 0...255, using: &random) }
    case 4: return Array(json(4).utf8.dropLast())
    default: return Array(json(5).utf8)
    }
  }

  mutating func target() -> String {
    var path = pick(Self.paths).replacing("ID", with: pick(Self.names))
    if chance(40) {
      path = pick(["v1.24", "v1.41", "v1.47", "v9.9", "v1.1", "v", "v1..", "v1.47x"]) + "/" + path
    }
    let count = Int.random(in: 0...4, using: &random)
    let query = (0..<count).map { _ in
      let value = pick([
        "1", "0", "-5", "abc", "", "99999999999999999999", "1.5", "%7B%7D", "%5B%5D", "%zz", "%",
        "%7B%22a%22%3A%5B1%5D%7D", "%7B%22label%22%3A%7B%22x%22%3Atrue%7D%7D", "ctrl-p", "/etc",
        "a%00b", "+", "=", "%7B%22a%22",
      ])
      return "\(pick(Self.parameters))=\(value)"
    }
    return "/" + path + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
  }

  mutating func method() -> String {
    pick(["GET", "GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
  }

  mutating func headers() -> [String] {
    var headers: [String] = []
    if chance(80) {
      headers.append(
        "Content-Type: "
          + pick([
            "application/json", "application/json; charset=utf-8", "text/plain", ";", "a/b/c",
          ]))
    }
    if chance(20) {
      headers.append(
        "X-Registry-Auth: " + pick(["", "e30=", "bnVsbA", "!!", "W10=", "eyJ1Ijp7fX0"]))
    }
    if chance(10) { headers.append("Expect: 100-continue") }
    if chance(5) { headers.append("X-Long: " + String(repeating: "z", count: 30_000)) }
    return headers
  }
}

@Suite struct GeneratedRequestTests {
  @Test(arguments: [1, 2, 3, 4])
  func neverAServerErrorNeverACrash(seed: UInt64) async throws {
    try await DoorFixture.run { door in
      var generator = RequestGenerator(random: SplitMix(state: seed))
      for number in 0..<400 {
        let method = generator.method()
        let target = generator.target()
        let (headers, body) = (generator.headers(), generator.body())
        let request = "\(seed)/\(number): \(method) \(target.prefix(200)) \(body.count) bytes"
        let answer: Answer
        do {
          answer = try await door.send(method, target, headers: headers, body: body)
        } catch {
          Issue.record(error, "\(request)")
          continue
        }
        #expect(answer.status != 500, "\(request): \(answer.body)")
        #expect((200..<600).contains(answer.status) || answer.status == 100, "\(request)")
        if answer.status >= 400, method != "HEAD" {
          #expect(answer.body.hasPrefix("{\"message\":\""), "\(request): \(answer.body)")
          #expect(answer.body.utf8.count > 14, "\(request): an error says what was wrong")
        }
      }
      let last = try await door.send("GET", "/_ping")
      #expect(last.body == "OK")
    }
  }
}
