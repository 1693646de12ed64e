import OCI
import Testing

@testable import Registry

@Suite struct ManifestParserTests {
  private let digest = Digest.sha256(of: [1])

  private func parse(_ text: String, _ declared: String? = nil) throws -> ParsedManifest {
    try ParsedManifest(Array(text.utf8), declared: declared, maximumBytes: 4 << 20)
  }

  private func code(_ text: String, _ declared: String? = nil) -> RegistryError.Code? {
    do {
      _ = try parse(text, declared)
      return nil
    } catch {
      return (error as? RegistryError)?.code
    }
  }

  private var config: String {
    #""config":{"mediaType":"application/x","digest":"\#(digest)","size":1}"#
  }

  @Test func documentSpeaksForItself() throws {
    let image = try parse(#"{"schemaVersion":2,\#(config),"layers":[]}"#)
    #expect(image.mediaType == MediaType.ociManifest)
    #expect(image.effectiveArtifactType == "application/x")
    let index = try parse(#"{"schemaVersion":2,"manifests":[]}"#)
    #expect(index.mediaType == MediaType.ociIndex)
    #expect(index.effectiveArtifactType == nil)
    let docker = try parse(
      #"{"schemaVersion":2,\#(config),"layers":[]}"#, MediaType.dockerManifest + "; charset=utf-8")
    #expect(docker.mediaType == MediaType.dockerManifest)
  }

  @Test func brokenDocumentsAreRefused() {
    let broken = [
      "", "[]", "{", "null", "{}", #"{"schemaVersion":1}"#, #"{"schemaVersion":2}"#,
      #"{"schemaVersion":2,"layers":[]}"#,
      #"{"schemaVersion":2,\#(config),"manifests":[]}"#,
      #"{"schemaVersion":2,\#(config),\#(config)}"#,
      #"{"schemaVersion":2,"schemaVersion":2,\#(config)}"#,
      #"{"schemaVersion":2,"schema\u0056ersion":2,\#(config)}"#,
      #"{"schemaVersion":2,"mediaType":"text/html",\#(config)}"#,
      #"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:1","size":1}}"#,
      #"{"schemaVersion":2,"config":{"mediaType":"x","digest":"\#(digest)","size":-1}}"#,
      String(repeating: #"{"a":"#, count: 100) + "1" + String(repeating: "}", count: 100),
    ]
    for text in broken { #expect(code(text) == .manifestInvalid, "\(text)") }
    #expect(
      code(
        #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)",\#(config)}"#,
        MediaType.dockerManifest) == .manifestInvalid)
    #expect(
      code(#"{"schemaVersion":2,\#(config)}"#, MediaType.ociIndex) == .manifestInvalid)
  }

  @Test func sizeIsBounded() {
    let text = #"{"schemaVersion":2,\#(config)}"#
    #expect(throws: RegistryError.self) {
      try ParsedManifest(Array(text.utf8), declared: nil, maximumBytes: 10)
    }
  }

  @Test func foreignLayersNeedNotBeThere() throws {
    let foreign = [
      "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ].map { #"{"mediaType":"\#($0)","digest":"\#(Digest.sha256(of: [2]))","size":1}"# }
    let text =
      #"{"schemaVersion":2,\#(config),"layers":[\#(foreign.joined(separator: ","))]}"#
    #expect(try parse(text).requiredBlobs == [digest])
  }

  /// Whatever the bytes, the parser answers or refuses with an error of ours.
  @Test func randomBytesNeverDoHarm() {
    var generator = SeededGenerator(seed: 3)
    let seed = Array(
      #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)",\#(config),"layers":[]}"#.utf8)
    let interesting = Array(#"{}[]",:\u0"#.utf8)
    for _ in 0..<3_000 {
      var bytes = seed
      for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        case 2: bytes.insert(interesting.randomElement(using: &generator) ?? 0, at: index)
        default: bytes = Array(bytes.prefix(index + 1))
        }
      }
      do {
        let parsed = try ParsedManifest(bytes, declared: nil, maximumBytes: 4 << 20)
        #expect(
          parsed.mediaType == MediaType.ociManifest || parsed.mediaType == MediaType.ociIndex
            || MediaType.isManifest(parsed.mediaType))
      } catch {
        #expect(error is RegistryError)
      }
    }
  }
}
