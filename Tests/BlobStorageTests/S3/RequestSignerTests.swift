import Testing

@testable import BlobStorage

/// The examples that Amazon publishes with its descriptions of Signature Version 4.
@Suite struct RequestSignerTests {
  private static let s3 = RequestSigner(
    accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region: "us-east-1")
  private static let host = "examplebucket.s3.amazonaws.com"
  private static let time = S3Time(milliseconds: 1_369_353_600_000)

  private struct Example {
    var method: String
    var path: String
    var query: RequestSigner.Pairs = []
    var headers: RequestSigner.Pairs = []
    var payload = RequestSigner.emptyPayload
    var signature: String
  }

  private static let examples = [
    Example(
      method: "GET", path: "/test.txt", headers: [("Range", "bytes=0-9")],
      signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    Example(
      method: "PUT", path: "/test%24file.text",
      headers: [
        ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
      ],
      payload: RequestSigner.hash("Welcome to Amazon S3.".utf8),
      signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    Example(
      method: "GET", path: "/", query: [("lifecycle", "")],
      signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    Example(
      method: "GET", path: "/", query: [("max-keys", "2"), ("prefix", "J")],
      signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
  ]

  @Test func headersAreSignedAsInTheExamples() throws {
    for example in Self.examples {
      let signed = Self.s3.signed(
        example.method, path: example.path, query: example.query,
        headers: [("host", Self.host)] + example.headers, payload: example.payload, at: Self.time)
      let authorization = try #require(signed.last { $0.name == "authorization" }).value
      #expect(authorization.hasSuffix(",Signature=\(example.signature)"), "\(example.path)")
      #expect(
        authorization.hasPrefix(
          "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="
        ))
    }
  }

  @Test func urlsAreSignedAsInTheExample() {
    let query = Self.s3.presigned(
      "GET", path: "/test.txt", host: Self.host, lifetime: 86_400, at: Self.time)
    #expect(
      query == "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
  }

  /// Cases of the suite of examples that is not about S3.
  @Test func otherServicesAreSignedAsInTheSuite() {
    let signer = RequestSigner(
      accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
      region: "us-east-1", service: "service")
    let time = S3Time(milliseconds: 1_440_938_160_000)
    let headers = [
      (name: "Host", value: "example.amazonaws.com"),
      (name: "X-Amz-Date", value: "20150830T123600Z"),
    ]
    func signature(_ method: String, _ query: RequestSigner.Pairs) -> String {
      String(
        signer.authorization(
          method, path: "/", query: query, headers: headers,
          payload: RequestSigner.emptyPayload, at: time
        ).suffix(64))
    }
    #expect(time.basic == "20150830T123600Z")
    #expect(
      signature("GET", [])
        == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "get-vanilla")
    #expect(
      signature("GET", [("Param2", "value2"), ("Param1", "value1")])
        == "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
      "get-vanilla-query-order-key-case")
    #expect(
      signature("POST", [])
        == "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "post-vanilla")
  }

  @Test func temporaryKeysSendTheirToken() throws {
    var signer = Self.s3
    signer.sessionToken = "token+/="
    let signed = signer.signed(
      "GET", path: "/", query: [], headers: [("host", Self.host)],
      payload: RequestSigner.emptyPayload, at: Self.time)
    #expect(signed.contains { $0 == ("x-amz-security-token", "token+/=") })
    let authorization = try #require(signed.last).value
    #expect(authorization.contains("x-amz-security-token"))
    #expect(
      signer.presigned("GET", path: "/", host: Self.host, lifetime: 1, at: Self.time)
        .contains("X-Amz-Security-Token=token%2B%2F%3D"))
  }

  @Test func whatIsNotUnreservedIsEncoded() {
    #expect(RequestSigner.encoded("a/b c+é~._-*") == "a%2Fb%20c%2B%C3%A9~._-%2A")
    #expect(RequestSigner.encoded("/a b/c", keepsSlashes: true) == "/a%20b/c")
  }
}

@Suite struct S3TimeTests {
  @Test func timesOfTheServiceAreRead() {
    #expect(S3Time(iso8601: "2009-10-12T17:50:30.000Z")?.milliseconds == 1_255_369_830_000)
    #expect(S3Time(iso8601: "1970-01-01T00:00:00Z")?.milliseconds == 0)
    #expect(S3Time(iso8601: "2000-02-29T23:59:59.5Z")?.milliseconds == 951_868_799_500)
    #expect(S3Time(iso8601: "2026-11-28T10:00:00.123456789Z")?.milliseconds == 1_795_860_000_123)
    for text in [
      "", "Z", "2009-10-12", "2009-10-12T17:50:30", "2009-13-12T17:50:30Z",
      "2009-10-12T17:50:30.0x0Z", "2009-10-12 17:50:30Z", "2009-10-12T25:50:30Z",
      String(repeating: "9", count: 100) + "Z",
    ] {
      #expect(S3Time(iso8601: text) == nil, "\(text)")
    }
  }

  @Test func timesAreWrittenAsTheyAreRead() {
    // Every so many hours over eight centuries, leap years of both kinds among them.
    for step in stride(from: Int64(-3000), to: 13_000, by: 7) {
      let time = S3Time(milliseconds: step * 1_000_003 * 777)
      let text = time.basic
      let iso =
        "\(text.prefix(4))-\(text.dropFirst(4).prefix(2))-\(text.dropFirst(6).prefix(2))T"
        + "\(text.dropFirst(9).prefix(2)):\(text.dropFirst(11).prefix(2)):\(text.dropFirst(13).prefix(2))Z"
      let back = S3Time(iso8601: iso)?.milliseconds ?? 0
      #expect(back <= time.milliseconds && time.milliseconds - back < 1000, "\(text)")
    }
  }
}
