import OCI
import Registry
import Testing

@testable import RegistryAPI

@Suite struct DistributionRouteTests {
  private static let digest = "sha256:" + String(repeating: "0a", count: 32)

  private func route(_ path: String) throws -> DistributionRoute? {
    try DistributionRoute(path: path)
  }

  private func refusal(_ path: String) -> RegistryError.Code? {
    do {
      _ = try DistributionRoute(path: path)
      return nil
    } catch {
      return (error as? RegistryError)?.code
    }
  }

  @Test func paths() throws {
    let digest = try #require(Digest(Self.digest))
    let name = try DistributionName("a/b/c")
    #expect(try route("/v2/") == .base)
    #expect(try route("/v2") == .base)
    #expect(try route("/v2/_catalog") == .catalog)
    #expect(try route("/v2/a/b/c/tags/list") == .tags(name))
    #expect(try route("/v2/a/b/c/manifests/v1.0") == .manifest(name, try Reference("v1.0")))
    #expect(
      try route("/v2/a/b/c/manifests/\(Self.digest)")
        == .manifest(name, try Reference(Self.digest)))
    #expect(
      try route("/v2/a/b/c/blobs/sha256%3A\(Self.digest.dropFirst(7))") == .blob(name, digest))
    #expect(try route("/v2/a/b/c/blobs/uploads/") == .uploads(name))
    #expect(try route("/v2/a/b/c/blobs/uploads") == .uploads(name))
    #expect(try route("/v2/a/b/c/blobs/uploads/xyz") == .upload(name, "xyz"))
    #expect(try route("/v2/a/b/c/referrers/\(Self.digest)") == .referrers(name, digest))
  }

  /// The end of a path decides, so that names may hold the words that routes are made of.
  @Test func namesLikeRoutes() throws {
    #expect(
      try route("/v2/tags/list/manifests/manifests/latest")
        == .manifest(try DistributionName("tags/list/manifests"), try Reference("latest")))
    #expect(
      try route("/v2/blobs/uploads/tags/list") == .tags(try DistributionName("blobs/uploads")))
    #expect(try DistributionName("alpine").repository == RepositoryName("library/alpine"))
  }

  @Test(arguments: [
    "/", "/v1/", "/v20/", "/v2x", "/v2/a", "/v2/a/b", "/v2/a/tags/other", "/v2/a/b/c/d",
  ])
  func otherPaths(_ path: String) throws {
    #expect(try route(path) == nil)
  }

  @Test(arguments: [
    "/v2/../../etc/manifests/x", "/v2/a/../b/tags/list", "/v2/a//b/tags/list",
    "/v2//tags/list", "/v2/A/tags/list", "/v2/a%2F..%2Fb/tags/list", "/v2/a%00/tags/list",
    "/v2/a%/tags/list", "/v2/%ff/tags/list", "/v2/.a/tags/list", "/v2/a./tags/list",
    "/v2/a\\b/tags/list", "/v2/a b/tags/list",
  ])
  func hostileNames(_ path: String) {
    #expect(refusal(path) == .nameInvalid)
  }

  @Test func hostileReferences() {
    #expect(refusal("/v2/a/blobs/sha256:xyz") == .digestInvalid)
    #expect(refusal("/v2/a/referrers/latest") == .digestInvalid)
    #expect(refusal("/v2/a/manifests/-x") != nil)
    #expect(refusal("/v2/a/manifests/") != nil)
    #expect(refusal("/v2/" + String(repeating: "a", count: 300) + "/tags/list") == .nameInvalid)
  }

  /// Whatever is sent, the parser either refuses or gives a name that keeps to the grammar.
  @Test func generatedPaths() {
    let pieces = [
      "v2", "tags", "list", "manifests", "blobs", "uploads", "referrers", "_catalog", "..", ".",
      "", "a", "library", "%2e%2e", "%2f", "%", "%zz", "é", "a_b", "A", "\u{0}", Self.digest,
      "sha512:00", "latest", String(repeating: "x", count: 256),
    ]
    var generator = SeededGenerator(seed: 20_261_128)
    var routes = 0
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...7, using: &generator)
      let parts = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }
      let end = Bool.random(using: &generator) ? "/tags/list" : ""
      let path = "/v2/" + parts.joined(separator: "/") + end
      do {
        guard let name = try DistributionRoute(path: path)?.name else { continue }
        routes += 1
        let text = name.repository.description
        #expect(text.utf8.count <= 255 && !text.contains("..") && !text.contains("//"), "\(path)")
        #expect(text == text.lowercased() && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
      } catch {
        #expect(error is RegistryError, "\(path): \(error)")
      }
    }
    #expect(routes > 100, "the generator makes paths that are routes, too")
  }

  @Test func manifestPathsOfReadyAnswers() throws {
    let found = try #require(RegistryDoor.manifestPath("/v2/a/b/manifests/latest"))
    #expect(found.name == "a/b" && found.reference == "latest")
    for path in [
      "/v2/", "/v2/manifests/x", "/v2/a/manifests/", "/v2//manifests/x/", "/v2/a/manifests/x?y=z",
      "/v2/a%2Fb/manifests/x", "/v1/a/manifests/x", "/v2/a/blobs/x", "/v2", "", "/v2/xmanifests/a",
      "/manifests/x", "/v2/manifests", "*",
    ] {
      #expect(RegistryDoor.manifestPath(path) == nil, "\(path)")
    }
  }
}

@Suite struct ByteRangeTests {
  @Test(arguments: [
    (nil, ByteRange.whole), ("bytes=0-", .part(0..<100)), ("bytes=0-0", .part(0..<1)),
    ("bytes=10-19", .part(10..<20)), ("bytes=90-1000", .part(90..<100)),
    ("bytes=-1", .part(99..<100)), ("bytes=-1000", .part(0..<100)), ("bytes=100-", .unsatisfiable),
    ("bytes=-0", .unsatisfiable), ("bytes=5-4", .whole), ("bytes=a-b", .whole),
    ("bytes=0-1,3-4", .whole), ("lines=0-1", .whole), ("bytes=", .whole), ("bytes=-", .whole),
    ("bytes=--1", .whole), ("bytes=+1-2", .whole), ("bytes=99999999999999999999-", .whole),
  ])
  func ofHundredBytes(_ header: String?, _ expected: ByteRange) {
    #expect(ByteRange(header, size: 100) == expected)
  }

  @Test func ofNothing() {
    #expect(ByteRange("bytes=0-", size: 0) == .unsatisfiable)
    #expect(ByteRange("bytes=-5", size: 0) == .unsatisfiable)
    #expect(ByteRange(nil, size: 0) == .whole)
  }

  /// A part always lies within the content and is never empty.
  @Test func generatedHeaders() {
    var generator = SeededGenerator(seed: 20_261_128)
    let alphabet = Array("0123456789-,= b9")
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...24, using: &generator)
      let tail = String((0..<count).map { _ in alphabet.randomElement(using: &generator) ?? "0" })
      let size = Int64.random(in: 0...1_000, using: &generator)
      if case .part(let part) = ByteRange("bytes=" + tail, size: size) {
        #expect(part.lowerBound >= 0 && part.upperBound <= size && !part.isEmpty, "\(tail)")
      }
    }
  }
}

/// A generator of numbers that are the same each time.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
