import Testing

@testable import RegistryConfiguration

/// The same numbers every time (SplitMix64).
private struct Numbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

@Suite("Hostile registry configurations") struct HostileConfigurationTests {
  private static let seed: UInt64 = 20_261_128
  private static let good = """
    version: 0.1
    log: {level: info, fields: {service: "r\\u00e9"}, accesslog: {disabled: true}}
    storage:
      filesystem:
        rootdirectory: /srv/images   # a comment
      maintenance: {uploadpurging: {enabled: true, age: 168h}}
    http:
      addr: ":5000"
      headers: {X-A: [b, 'c']}
    auth:
      token:
        issuer: >-
          folded
          text
    martlet:
      limits: {manifestsize: 4m}
      garbagecollection: {schedule: "0 0 3 * * *"}

    """

  /// Reads bytes, which must give a configuration or problems with places in the file.
  private func resolve(_ bytes: [UInt8]) throws {
    do {
      _ = try RegistryConfiguration.resolve(
        file: RegistryConfigurationFile(path: "x", contents: bytes))
    } catch let error as RegistryConfigurationError {
      #expect(!error.problems.isEmpty)
      #expect(error.problems.allSatisfy { $0.place.hasPrefix("x:") }, "\(error)")
      #expect(error.description.utf8.count < 300_000)
    }
  }

  @Test("random bytes never stop the process")
  func randomBytes() throws {
    var numbers = Numbers(state: Self.seed)
    for _ in 0..<2_000 {
      let count = Int.random(in: 0..<200, using: &numbers)
      try resolve((0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) })
    }
  }

  @Test("random pieces of YAML never stop the process")
  func randomPieces() throws {
    var numbers = Numbers(state: Self.seed)
    let pieces = [
      "{", "}", "[", "]", ",", ": ", "- ", "? ", "\"", "'", "\\", "\\u", "&a ", "*a", "!!str ", "!",
      "|\n", ">\n", "\n", "  ", "\t", "#", "---\n", "...\n", "%YAML 1.1\n", "<<", "null", "true",
      "version: 0.1\n", "storage:\n", "http:", "addr", "\u{0}", "é", "\u{FEFF}", "9999999999999999",
    ]
    for _ in 0..<2_000 {
      let count = Int.random(in: 0..<60, using: &numbers)
      let text = (0..<count).map { _ in pieces.randomElement(using: &numbers) ?? "" }.joined()
      try resolve(Array(text.utf8))
    }
  }

  @Test("changed bytes in a good file never stop the process")
  func mutations() throws {
    var numbers = Numbers(state: Self.seed)
    let good = Array(Self.good.utf8)
    for _ in 0..<2_000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &numbers) {
        let place = Int.random(in: 0..<bytes.count, using: &numbers)
        switch Int.random(in: 0..<4, using: &numbers) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &numbers)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(good.randomElement(using: &numbers) ?? 0, at: place)
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
    #expect(throws: Never.self) {
      try RegistryConfiguration.resolve(
        file: RegistryConfigurationFile(path: "x", contents: good))
    }
  }

  @Test("random variables never stop the process")
  func randomVariables() throws {
    var numbers = Numbers(state: Self.seed)
    let words = [
      "STORAGE", "HTTP", "FILESYSTEM", "HEADERS", "ADDR", "TLS", "CLIENTCAS", "0", "1", "-1", "",
      "MARTLET", "STORE", "ETCD", "ENDPOINTS", "LOG", "FIELDS", "9999999999999999999", "é",
    ]
    let texts = [
      "", "filesystem", "{", "[a, b]", "{a: b}", "\"", "''", "*a", "&", "none", "\n", "5",
    ]
    for _ in 0..<150 {
      var environment: [String: String] = [:]
      for _ in 0..<Int.random(in: 1...4, using: &numbers) {
        let count = Int.random(in: 1...5, using: &numbers)
        let name = (0..<count).map { _ in words.randomElement(using: &numbers) ?? "" }
        environment["REGISTRY_" + name.joined(separator: "_")] =
          texts.randomElement(using: &numbers) ?? ""
      }
      do {
        _ = try RegistryConfiguration.resolve(file: nil, environment: environment)
      } catch let error as RegistryConfigurationError {
        #expect(error.problems.allSatisfy { $0.place.hasPrefix("REGISTRY_") }, "\(error)")
      }
    }
  }

  @Test("absurd files are refused, and soon")
  func absurd() throws {
    let deep = 300_000
    for text in [
      String(repeating: "[", count: deep), String(repeating: "{a: ", count: deep),
      String(repeating: "- ", count: deep), String(repeating: "? ", count: deep),
      String(repeating: "a: \n", count: deep), String(repeating: "!", count: deep),
      String(repeating: "[a, ", count: deep), String(repeating: "#\n", count: deep) + "[",
      "version: 0.1\nk: " + String(repeating: "9", count: 900_000) + "\n",
      String(repeating: "k", count: 900_000) + ": 1\n",
      "[" + String(repeating: "a,", count: deep) + "]",
      String(repeating: "a: {b: ", count: 20) + "1",
      String(repeating: " ", count: 3 << 20),
    ] {
      let error = #expect(throws: RegistryConfigurationError.self) {
        try RegistryConfiguration.resolve(
          file: RegistryConfigurationFile(path: "x", contents: Array(text.utf8)))
      }
      #expect(error.map { $0.description.utf8.count < 10_000 } == true)
    }
  }

  @Test("a bomb of aliases is refused at its first alias")
  func bomb() throws {
    var text = "version: 0.1\na: &a [x, x, x, x, x, x, x, x, x]\n"
    for (new, old) in zip("bcdefghij", "abcdefghi") {
      text += "\(new): &\(new) [*\(old), *\(old), *\(old), *\(old), *\(old), *\(old)]\n"
    }
    let error = #expect(throws: RegistryConfigurationError.self) {
      try RegistryConfiguration.resolve(
        file: RegistryConfigurationFile(path: "x", contents: Array(text.utf8)))
    }
    #expect(error?.problems.map(\.place) == ["x:3:8"])
  }

  @Test("of endless problems the first are told")
  func tooMany() throws {
    let text = "version: 0.1\n" + (0..<5_000).map { "key\($0): 1\n" }.joined()
    let error = #expect(throws: RegistryConfigurationError.self) {
      try RegistryConfiguration.resolve(
        file: RegistryConfigurationFile(path: "x", contents: Array(text.utf8)))
    }
    #expect(error?.problems.count == 201)
    #expect(error?.problems.last?.message.contains("too many") == true)
  }
}
