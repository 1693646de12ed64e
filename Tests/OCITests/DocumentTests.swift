import OCI
import Testing

@Suite struct DocumentTests {
  private let digest = Digest.sha256(of: [1])

  private func parse(
    _ text: String, _ declared: String? = nil
  ) throws -> (document: ManifestDocument, mediaType: String) {
    try ManifestDocument.parse(Array(text.utf8), declared: declared)
  }

  @Test func digestText() {
    #expect(
      Digest.sha256(of: Array("abc".utf8)).description
        == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    for bad in [
      "", "sha256:", "sha256:ABC", "sha256:" + String(repeating: "A", count: 64), "md5:x",
    ] {
      #expect(Digest(bad) == nil)
    }
    #expect(Digest("sha512:" + String(repeating: "0", count: 128)) != nil)
  }

  @Test func kinds() throws {
    let config = #""config":{"mediaType":"c","digest":"\#(digest)","size":1}"#
    let image = "{\"schemaVersion\":2,\(config),\"layers\":[]}"
    #expect(try parse(image).mediaType == MediaType.ociManifest)
    #expect(try parse(image, MediaType.dockerManifest).mediaType == MediaType.dockerManifest)
    #expect(
      try parse(image, "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8")
        .mediaType == MediaType.dockerManifest)
    #expect(try parse(#"{"schemaVersion":2,"manifests":[]}"#).mediaType == MediaType.ociIndex)
    #expect(throws: OCIError.self) { try parse(image, MediaType.ociIndex) }
    #expect(throws: OCIError.self) {
      try parse("{\"schemaVersion\":2,\(config),\"layers\":[],\"manifests\":[]}")
    }
  }

  @Test(arguments: [
    "", "{}", "[]", "null", #"{"schemaVersion":2}"#, #"{"schemaVersion":3,"layers":[]}"#,
    #"{"schemaVersion":2,"config":{"mediaType":"x","digest":"nope","size":1},"layers":[]}"#,
    #"{"schemaVersion":2,"manifests":[{"mediaType":"x","size":-1,"digest":"sha256:"}]}"#,
    #"{"schemaVersion":2,"manifests":{}}"#, #"{"schemaVersion":2,"layers":"x","config":1}"#,
  ])
  func refusedManifests(_ text: String) {
    #expect(throws: OCIError.self) { try parse(text) }
  }

  @Test func schemaOne() {
    do {
      _ = try parse(#"{"schemaVersion":1,"fsLayers":[]}"#)
      Issue.record("schema 1 was taken")
    } catch let error as OCIError {
      #expect(error.code == .unsupportedDocument)
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test func boundedInSizeAndDepth() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(throws: OCIError.self) { try parse(deep) }
    #expect(throws: OCIError.self) { try parse(#"{"a":"# + deep) }
    let large = [UInt8](repeating: UInt8(ascii: " "), count: ManifestDocument.maximumBytes + 1)
    #expect(throws: OCIError.self) { try ManifestDocument.parse(large, declared: nil) }
    #expect(throws: OCIError.self) { try ImageConfiguration(parsing: Array(deep.utf8)) }
  }

  @Test func platforms() throws {
    func entry(_ platform: String, _ seed: UInt8) throws -> ContentDescriptor {
      var descriptor = ContentDescriptor(
        mediaType: MediaType.ociManifest, digest: Digest.sha256(of: [seed]), size: 1)
      descriptor.platform = try Platform(parsing: platform)
      return descriptor
    }
    var index = ImageIndex(mediaType: MediaType.ociIndex, manifests: [])
    index.manifests = [
      try entry("linux/arm/v6", 1), try entry("linux/amd64", 2), try entry("linux/arm/v7", 3),
      try entry("linux/arm64", 4), try entry("windows/amd64", 5),
    ]
    func chosen(_ platform: String) throws -> Digest? {
      index.manifest(for: try Platform(parsing: platform))?.digest
    }
    #expect(try chosen("linux/amd64") == Digest.sha256(of: [2]))
    #expect(try chosen("amd64") == Digest.sha256(of: [2]))
    #expect(try chosen("linux/amd64/v3") == Digest.sha256(of: [2]))
    #expect(try chosen("linux/arm/v7") == Digest.sha256(of: [3]))
    #expect(try chosen("linux/arm/v8") == Digest.sha256(of: [3]))
    #expect(try chosen("linux/arm/v6") == Digest.sha256(of: [1]))
    #expect(try chosen("linux/aarch64") == Digest.sha256(of: [4]))
    #expect(try chosen("linux/s390x") == nil)
    for bad in ["", "linux/", "a/b/c/d", "linux/amd 64"] {
      #expect(throws: OCIError.self) { try Platform(parsing: bad) }
    }
  }

  @Test func configurations() throws {
    let text = """
      {"architecture":"amd64","os":"linux","created":"2020-01-01T00:00:00Z","unknown":{"a":[1]},
       "config":{"Env":["A=b"],"ExposedPorts":{"80/tcp":{}},"Cmd":null,"Labels":{"x":"y"},
       "Healthcheck":{"Test":["CMD","x"],"Interval":1000000000}},
       "rootfs":{"type":"layers","diff_ids":["\(digest)"]},
       "history":[{"created_by":"x","empty_layer":true}]}
      """
    let configuration = try ImageConfiguration(parsing: Array(text.utf8))
    #expect(configuration.rootfs.diffIDs == [digest])
    #expect(configuration.config?.exposedPorts?.keys.sorted() == ["80/tcp"])
    #expect(configuration.config?.healthcheck?.interval == 1_000_000_000)
    #expect(configuration.history?.first?.emptyLayer == true)
    #expect(throws: OCIError.self) {
      try ImageConfiguration(parsing: Array(#"{"rootfs":{"type":"other"}}"#.utf8))
    }
  }
}
