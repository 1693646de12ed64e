import DaemonConfiguration
import Testing

@Suite("Hostile daemon.json")
struct HostileFileTests {
  private static let good =
    #"{"hosts": ["unix:///run/x"], "mtu": 1500, "log-opts": {"max-size": "1m"}, "#
    + #""default-address-pools": [{"base": "10.0.0.0/8", "size": 24}], "labels": ["a=\u00e9"], "#
    + #""default-ulimits": {"nofile": {"Soft": 1, "Hard": -1}}, "oom-score-adjust": -1e2}"#

  private func resolve(_ bytes: [UInt8]) throws {
    do {
      _ = try DaemonConfiguration.resolve(
        flags: DaemonFlags(), file: ConfigurationFile(path: "x", contents: bytes))
    } catch let error as ConfigurationError {
      #expect(!error.problems.isEmpty)
      #expect(error.problems.allSatisfy { $0.place.hasPrefix("x:") }, "\(error)")
      #expect(error.description.utf8.count < 100_000)
    }
  }

  @Test("random bytes never stop the process")
  func randomBytes() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<3_000 {
      let count = Int.random(in: 0..<200, using: &generator)
      try resolve((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
  }

  @Test("random JSON punctuation never stops the process")
  func randomPunctuation() throws {
    let pieces = [
      "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d8", "00", "1", "-", ".", "e", "\n",
      "null", "true", "\"mtu\":", "\"dns\":", "\u{0}", "é", "99999999999999999999",
    ]
    for _ in 0..<3_000 {
      let count = Int.random(in: 0..<60)
      try resolve(Array((0..<count).map { _ in pieces.randomElement() ?? "" }.joined().utf8))
    }
  }

  @Test("changed bytes in a good file never stop the process")
  func mutations() throws {
    let good = Array(Self.good.utf8)
    for _ in 0..<4_000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4) {
        let place = Int.random(in: 0..<bytes.count)
        switch Int.random(in: 0..<4) {
        case 0: bytes[place] = UInt8.random(in: 0...255)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(good.randomElement() ?? 0, at: place)
        default: bytes.removeSubrange(place..<min(bytes.count, place + 9))
        }
        if bytes.isEmpty { break }
      }
      try resolve(bytes)
    }
  }

  @Test("every prefix of a good file is refused or read")
  func prefixes() throws {
    let good = Array(Self.good.utf8)
    for count in 0...good.count { try resolve(Array(good.prefix(count))) }
  }

  @Test("absurd sizes are refused")
  func absurd() throws {
    try resolve([UInt8](repeating: 0x20, count: 3 << 20) + [0x7B])
    try resolve(Array((String(repeating: "[", count: 99) + String(repeating: "]", count: 99)).utf8))
    try resolve(Array(("{\"" + String(repeating: "k", count: 900_000) + "\": 1}").utf8))
    try resolve(Array(("{\"mtu\": " + String(repeating: "9", count: 900_000) + "}").utf8))
    let many = (0..<20_000).map { "\"k\($0)\": 1" }.joined(separator: ",")
    try resolve(Array("{\(many)}".utf8))
    let error = #expect(throws: ConfigurationError.self) {
      try DaemonConfiguration.resolve(
        flags: DaemonFlags(), file: ConfigurationFile(path: "x", contents: Array("{\(many)}".utf8)))
    }
    #expect(error?.problems.count == 201)
  }
}
