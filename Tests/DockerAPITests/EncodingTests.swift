import DockerModel
import FoundationEssentials
import NIOCore
import Testing

@testable import DockerAPI

/// Any JSON document.
private indirect enum Document: Decodable, Equatable {
  case null
  case flag(Bool)
  case number(Double)
  case text(String)
  case list([Document])
  case object([String: Document])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let flag = try? value.decode(Bool.self) {  // another kind is tried next
      self = .flag(flag)
    } else if let number = try? value.decode(Double.self) {  // another kind is tried next
      self = .number(number)
    } else if let text = try? value.decode(String.self) {  // another kind is tried next
      self = .text(text)
    } else if let list = try? value.decode([Document].self) {  // an object is left
      self = .list(list)
    } else {
      self = .object(try value.decode([String: Document].self))
    }
  }
}

@Suite struct EncodingTests {
  private static func summaries() -> [ContainerSummary] {
    var full = ContainerSummary()
    full.id = String(repeating: "a1", count: 32)
    full.names = ["/web", "/front/\"web\"\\\n\u{1}é😀"]
    full.image = "nginx"
    full.imageID = "sha256:abc"
    full.command = "nginx -g 'daemon off;'"
    full.created = 1_700_000_000
    full.sizeRw = 5
    full.sizeRootFs = 7
    full.labels = ["a": "b", "c\"": ""]
    full.state = "running"
    full.status = "Up 2 hours (healthy)"
    full.hostConfig.networkMode = "default"
    full.hostConfig.annotations = ["x": "y"]
    var port = Port()
    port.ip = "0.0.0.0"
    port.privatePort = 80
    port.publicPort = 8080
    port.type = "tcp"
    var hidden = Port()
    hidden.privatePort = 443
    hidden.type = "tcp"
    full.ports = [port, hidden]
    var endpoint = EndpointSettings()
    endpoint.ipamConfig = EndpointIPAMConfig()
    endpoint.ipamConfig?.ipv4Address = "10.0.0.2"
    endpoint.ipamConfig?.linkLocalIPs = ["169.254.0.1"]
    endpoint.aliases = ["web"]
    endpoint.driverOpts = ["o": "p"]
    endpoint.gwPriority = 1
    endpoint.ipAddress = "10.0.0.2"
    endpoint.ipPrefixLen = 16
    full.networkSettings.networks = ["net": endpoint, "unused": EndpointSettings()]
    var mount = MountPoint()
    mount.type = "volume"
    mount.name = "data"
    mount.source = "/var/lib/data"
    mount.destination = "/data"
    mount.driver = "local"
    mount.isWritable = true
    full.mounts = [mount, MountPoint()]
    return [full, ContainerSummary()]
  }

  private static func document(_ bytes: ByteBuffer) throws -> Document {
    try JSONDecoder().decode(Document.self, from: Data(bytes.readableBytesView))
  }

  @Test func theFastEncoderAgreesWithTheModel() throws {
    for summaries in [Self.summaries(), []] {
      let fast = try Self.document(ContainerSummaryEncoder.encode(summaries))
      #expect(fast == (try Self.document(try JSON.encode(summaries))))
    }
  }

  @Test(
    arguments: [
      ("1.47", APIVersion(1, 47)), ("1.5", APIVersion(1, 5)), ("2", APIVersion(2, 0)),
      ("1.24.3", APIVersion(1, 24)), ("99999999999999999999.1", APIVersion(1_000_000, 1)),
      ("", nil), ("olumes", nil), ("1.x", nil), ("-1", nil),
    ] as [(String, APIVersion?)])
  func versions(text: String, expected: APIVersion?) {
    #expect(APIVersion(text) == expected)
  }

  @Test func detachKeysAreFoundAcrossPieces() throws {
    var scanner = DetachKeyScanner(.standard)
    let first = scanner.scan([97, 16])
    #expect(first.pass == [97])
    #expect(!first.detached)
    #expect(scanner.scan([98]).pass == [16, 98], "what turned out to be input is passed on")
    _ = scanner.scan([16])
    #expect(scanner.scan([17]).detached)
    #expect(try DetachKeys("ctrl-a,b,ctrl-[").bytes == [1, 98, 27])
    for text in ["", "ctrl-", "ab", "ctrl-!", "a,,b", "é"] {
      #expect(throws: APIError.self) { try DetachKeys(text) }
    }
  }

  @Test func filtersMatchAsDockerHasThem() throws {
    let filters = Filters(["label": ["a", "b=1"], "dangling": ["1"], "name": ["x", "x"]])
    #expect(filters["name"] == ["x"])
    #expect(filters.matchesLabels("label", ["a": "", "b": "1"]))
    #expect(!filters.matchesLabels("label", ["a": "", "b": "2"]))
    #expect(filters.matchesExactly("name", "x"))
    #expect(!filters.matchesExactly("name", "y"))
    #expect(filters.matchesExactly("absent", "anything"))
    #expect(try filters.boolean("dangling") == true)
    #expect(try filters.boolean("absent") == nil)
    #expect(throws: APIError.self) { try filters.boolean("name") }
    #expect(throws: APIError.self) { try filters.validate(accepting: ["label"]) }
  }
}
