import DockerModel
import Testing

@testable import Engine

@Suite struct ParsingTests {
  @Test(arguments: [
    ("64m", 64 << 20), ("1g", 1 << 30), ("10KB", 10 << 10), ("512", 512), ("1.5k", 1536),
    ("0", 0),
  ])
  func readsSizes(_ text: String, _ bytes: Int) {
    #expect(ByteCount.parse(text) == Int64(bytes))
  }

  @Test(arguments: ["", "x", "-1", "1q", "99999999999999999999g", "9223372036854775807g", "nan"])
  func refusesSizes(_ text: String) {
    #expect(ByteCount.parse(text) == nil)
  }

  @Test func readsSignals() throws {
    #expect(try Signals.number("KILL") == 9)
    #expect(try Signals.number("sigterm") == 15)
    #expect(try Signals.number("RTMIN+3") == 37)
    #expect(try Signals.number("64") == 64)
    for bad in ["", "0", "65", "FOO", "RTMIN+31", "-1"] {
      #expect(throws: APIError.self) { try Signals.number(bad) }
    }
  }

  @Test func readsPorts() throws {
    #expect(try PortSpecification("80") == PortSpecification("80/tcp"))
    let range = try PortSpecification.range("8000-8002/udp").map(\.text)
    #expect(range == ["8000/udp", "8001/udp", "8002/udp"])
    #expect(try PortSpecification.hostPorts("") == nil)
    #expect(try PortSpecification.hostPorts("8000-8010") == 8000...8010)
    for bad in ["", "0", "70000", "80/x", "a/tcp", "80/tcp/x"] {
      #expect(throws: APIError.self) { try PortSpecification(bad) }
    }
    for bad in ["x", "9-1", "1-2-3", "70000"] {
      #expect(throws: APIError.self) { try PortSpecification.hostPorts(bad) }
    }
  }

  @Test(arguments: [
    ("busybox", "busy*", true), ("a/b", "a*", false), ("a/b", "*/b", true), ("abc", "a?c", true),
    ("abc", "a[a-c]c", true), ("abc", "a[^b]c", false), ("", "*", true), ("x", "", false),
    ("aaab", "*a*b", true), ("a", "[", false), ("a*b", "a\\*b", true),
  ])
  func matchesGlobs(_ text: String, _ pattern: String, _ matches: Bool) {
    #expect(Glob.matches(text, pattern) == matches)
  }

  @Test func readsInstants() throws {
    #expect(try PruneBound.instant("1700000000") == Timestamp(seconds: 1_700_000_000))
    #expect(
      try PruneBound.instant("1700000000.5")
        == Timestamp(seconds: 1_700_000_000, nanoseconds: 500_000_000))
    #expect(try PruneBound.instant("2024-01-02") == Timestamp(rfc3339: "2024-01-02T00:00:00Z"))
    #expect(PruneBound.duration("1h30m") == Int64(5_400_000_000_000))
    for bad in ["", "h", "1x", "yesterday", "1h30"] {
      #expect(throws: APIError.self) { try PruneBound.instant(bad) }
    }
  }

  @Test func readsNumberSets() {
    #expect(HostConfigValidation.numbers("0-2,4") == [0, 1, 2, 4])
    for bad in ["", "a", "2-1", "1,", "-1", "0-99999999"] {
      #expect(HostConfigValidation.numbers(bad) == nil)
    }
  }

  @Test func appliesChanges() throws {
    var config = ContainerConfig()
    try ImageChanges.apply(
      [
        "CMD [\"a\", \"b c\"]", "ENV X=1 Y=\"two words\"", "ENV X=2", "LABEL k=v",
        "EXPOSE 80 53/udp",
        "WORKDIR /w", "VOLUME /data", "USER me", "STOPSIGNAL QUIT",
      ], to: &config)
    #expect(config.cmd?.values == ["a", "b c"])
    #expect(config.env == ["Y=two words", "X=2"])
    #expect(config.labels == ["k": "v"])
    #expect(Set(config.exposedPorts.keys) == ["80/tcp", "53/udp"])
    #expect(config.volumes?.keys.contains("/data") == true)
    for bad in ["RUN x", "CMD [1", "ENV", "STOPSIGNAL NO"] {
      #expect(throws: APIError.self) { try ImageChanges.apply([bad], to: &config) }
    }
  }

  /// No text a client could send makes a parser fail in any other way than by its error.
  @Test func survivesRandomText() {
    var generator = SplitMix(state: 7)
    let alphabet = Array("0123456789abcdefghxKMGT:/.,-=[]{}\"'\\ \u{0}éSIG%*?")
    for _ in 0..<20_000 {
      let length = Int(generator.next() % 12)
      let text = String(
        (0..<length).map { _ in alphabet[Int(generator.next() % UInt64(alphabet.count))] })
      _ = ByteCount.parse(text)
      _ = try? Signals.number(text)
      _ = try? PortSpecification.range(text)
      _ = try? PortSpecification.hostPorts(text)
      _ = try? PruneBound.instant(text)
      _ = HostConfigValidation.numbers(text)
      _ = Glob.matches(text, String(text.reversed()))
      _ = Timestamp(rfc3339: text)
      _ = try? SecurityOptions([text])
      var host = HostConfig()
      host.binds = [text]
      host.tmpfs = [text: text]
      _ = try? MountResolution(ContainerConfig(), host, volumesFrom: { _ in [] })
    }
  }
}

@Suite struct MountResolutionTests {
  private func resolve(_ change: (inout HostConfig) -> Void) throws -> [MountRecord] {
    var host = HostConfig()
    change(&host)
    return try MountResolution(ContainerConfig(), host, volumesFrom: { _ in [] }).sorted
  }

  @Test func readsBinds() throws {
    let mounts = try resolve {
      $0.binds = ["/a:/b:ro", "vol:/c:nocopy", "/anonymous", "/x/../y/:/d:rshared"]
    }
    let byPath = Dictionary(uniqueKeysWithValues: mounts.map { ($0.destination, $0) })
    #expect(byPath["/b"]?.isReadOnly == true)
    #expect(byPath["/c"]?.volume == "vol" && byPath["/c"]?.isNoCopy == true)
    #expect(byPath["/anonymous"]?.isAnonymous == true)
    #expect(byPath["/d"]?.source == "/y" && byPath["/d"]?.propagation == "rshared")
  }

  @Test(arguments: ["a:b", "/a:", ":/b", "/a:/", "/a:/b:bad", "x/y:/c", "/a:/b:ro:rw", ""])
  func refusesBinds(_ text: String) {
    #expect(throws: APIError.self) { try resolve { $0.binds = [text] } }
  }

  @Test func refusesDuplicates() {
    #expect(throws: APIError.self) { try resolve { $0.binds = ["/a:/x", "/b:/x/"] } }
  }
}
