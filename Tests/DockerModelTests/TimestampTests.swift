import FoundationEssentials
import Testing

@testable import DockerModel

@Suite struct TimestampTests {
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0, 0), ("2000-02-29T12:34:56.5Z", 951_827_696, 500_000_000),
    ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
    ("1969-12-31T23:59:59.999999999Z", -1, 999_999_999),
    ("2038-01-19T03:14:08Z", 2_147_483_648, 0),
  ])
  func writesAndReads(_ text: String, _ seconds: Int, _ nanoseconds: Int) {
    let time = Timestamp(seconds: Int64(seconds), nanoseconds: Int32(nanoseconds))
    #expect(time.rfc3339 == text)
    #expect(Timestamp(rfc3339: text) == time)
  }

  @Test func readsOffsets() {
    let inUTC = Timestamp(rfc3339: "2024-01-01T00:00:00Z")
    #expect(Timestamp(rfc3339: "2024-01-01T01:00:00+01:00") == inUTC)
    let bad = ["", "2024", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z"]
    for bad in bad {
      #expect(Timestamp(rfc3339: bad) == nil)
    }
  }

  @Test func everyDayIsItsOwn() {
    for day in stride(from: Int64(-719_162), to: 800_000, by: 37) {
      let time = Timestamp(seconds: day * 86400 + 3661)
      #expect(Timestamp(rfc3339: time.rfc3339) == time)
    }
  }

  @Test func nanosecondsGoBothWays() {
    for value: Int64 in [0, 1, -1, 1_700_000_000_123_456_789, -1_500_000_000] {
      #expect(Timestamp(nanosecondsSinceEpoch: value).nanosecondsSinceEpoch == value)
    }
    #expect(Timestamp(seconds: .max).nanosecondsSinceEpoch == .max)
  }
}

@Suite struct ModelCodingTests {
  @Test func createRequestTakesBothPartsAndIgnoresTheRest() throws {
    let body = #"""
      {"Image":"busybox","Cmd":"true","Entrypoint":["/x"],"Unknown":1,"Env":null,
       "HostConfig":{"Memory":5,"CapAdd":["ALL"],"PortBindings":{"80/tcp":null}},
       "NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["a"]}}}}
      """#
    let request = try JSONDecoder().decode(ContainerCreateRequest.self, from: Data(body.utf8))
    #expect(request.config.image == "busybox")
    #expect(request.config.cmd?.values == ["true"])
    #expect(request.hostConfig.memory == 5)
    #expect(request.networkingConfig.endpointsConfig?["n"]?.aliases == ["a"])
  }

  @Test func inspectShowsEveryMember() throws {
    let data = try JSONEncoder().encode(ContainerInspectResponse())
    let text = String(decoding: data, as: UTF8.self)
    let members = [
      "\"CapAdd\":null", "\"Binds\":null", "\"Ports\":{}",
      "\"FinishedAt\":\"0001-01-01T00:00:00Z\"",
    ]
    for member in members { #expect(text.contains(member)) }
  }
}
