import FoundationEssentials
package import OCI

/// What the registry must know of a manifest that is pushed.
package struct ParsedManifest: Sendable, Hashable {
  /// The media type it is stored with.
  package var mediaType: String
  package var isIndex: Bool
  package var config: ContentDescriptor?
  package var layers: [ContentDescriptor]
  package var manifests: [ContentDescriptor]
  package var subject: ContentDescriptor?
  package var artifactType: String?
  package var annotations: [String: String]?

  private struct Document: Decodable {
    var schemaVersion: Int?
    var mediaType: String?
    var config: ContentDescriptor?
    var layers: [ContentDescriptor]?
    var blobs: Presence?
    var fsLayers: Presence?
    var manifests: [ContentDescriptor]?
    var subject: ContentDescriptor?
    var artifactType: String?
    var annotations: [String: String]?
  }

  private struct Presence: Decodable {
    init(from decoder: any Decoder) throws {}
  }

  /// Reads and checks a manifest. `declared` is the request's content type. Throws
  /// ``RegistryError``: `manifestInvalid`, `manifestTooLarge`.
  package init(_ bytes: [UInt8], declared: String?, maximumBytes: Int) throws {
    guard bytes.count <= maximumBytes else {
      throw RegistryError(
        .manifestTooLarge, "the manifest is larger than is taken",
        metadata: ["size": "\(bytes.count)", "limit": "\(maximumBytes)"])
    }
    let document = try Self.document(bytes, maximumBytes: maximumBytes)
    mediaType = try Self.mediaType(document, declared: declared)
    isIndex = MediaType.isIndex(mediaType)
    guard document.manifests == nil || (document.config == nil && document.layers == nil) else {
      throw Self.invalid("the manifest is both an image and an index")
    }
    guard isIndex == (document.manifests != nil) else {
      throw Self.invalid(
        isIndex ? "the index lists no manifests" : "an image manifest cannot list manifests")
    }
    guard isIndex || document.config != nil else {
      throw Self.invalid("the manifest names no configuration")
    }
    config = document.config
    layers = document.layers ?? []
    manifests = document.manifests ?? []
    subject = document.subject
    artifactType = document.artifactType.flatMap { $0.isEmpty ? nil : $0 }
    annotations = document.annotations
    for descriptor in layers + manifests + [config, subject].compactMap({ $0 })
    where descriptor.size < 0 {
      throw Self.invalid(
        "a descriptor has a negative size", ["digest": descriptor.digest.description])
    }
  }

  /// The blobs that must be in the repository, each once.
  package var requiredBlobs: [Digest] {
    var seen: Set<Digest> = []
    return (([config].compactMap { $0 }) + layers).filter {
      !Self.isForeign($0.mediaType) && seen.insert($0.digest).inserted
    }.map(\.digest)
  }

  /// The manifests that must be in the repository, each once.
  package var requiredManifests: [Digest] {
    var seen: Set<Digest> = []
    return manifests.map(\.digest).filter { seen.insert($0).inserted }
  }

  /// The type in a referrers list: the manifest's own, else its configuration's; an index without
  /// one has none. OCI distribution specification 1.1, "Listing Referrers".
  package var effectiveArtifactType: String? {
    artifactType ?? config.flatMap { $0.mediaType.isEmpty ? nil : $0.mediaType }
  }

  /// Size of everything the manifest names, in bytes.
  package var contentSize: Int64 {
    var total: Int64 = 0
    for descriptor in layers + manifests + [config].compactMap({ $0 }) {
      let (sum, overflow) = total.addingReportingOverflow(descriptor.size)
      if overflow { return Int64.max }
      total = sum
    }
    return total
  }

  /// Whether layers of this type need not be in the registry, since clients fetch them elsewhere.
  static func isForeign(_ mediaType: String) -> Bool {
    mediaType.hasPrefix("application/vnd.oci.image.layer.nondistributable.")
      || mediaType.hasPrefix("application/vnd.docker.image.rootfs.foreign.")
  }

  private static func document(_ bytes: [UInt8], maximumBytes: Int) throws -> Document {
    guard JSONKeys.areUnique(bytes) else {
      throw invalid("the manifest is not valid JSON, or an object in it has a member twice")
    }
    do {
      return try BoundedJSON.decode(
        Document.self, from: bytes, kind: "manifest", maximumBytes: maximumBytes)
    } catch let error as OCIError {
      throw RegistryError(
        .manifestInvalid, "the manifest is not valid", metadata: error.metadata, cause: error)
    }
  }

  private static func mediaType(_ document: Document, declared: String?) throws -> String {
    let claimed = declared.map(MediaType.essence(of:)) ?? ""
    if document.schemaVersion == 1 || document.fsLayers != nil || MediaType.isSchema1(claimed) {
      throw invalid("manifest schema 1 is not supported")
    }
    guard document.schemaVersion == 2 else { throw invalid("the manifest has no schemaVersion 2") }
    let known = { (type: String) in MediaType.isIndex(type) || MediaType.isManifest(type) }
    let inside = document.mediaType ?? ""
    if known(claimed) {
      guard inside.isEmpty || inside == claimed else {
        throw invalid(
          "the manifest is not of the type that was announced",
          ["announced": claimed, "found": inside])
      }
      return claimed
    }
    if known(inside) { return inside }
    guard inside.isEmpty, isVague(claimed) else {
      throw invalid(
        "the manifest's media type is not supported",
        ["mediaType": inside.isEmpty ? claimed : inside])
    }
    return document.manifests != nil ? MediaType.ociIndex : MediaType.ociManifest
  }

  private static func isVague(_ type: String) -> Bool {
    type.isEmpty || type == "application/json" || type == "application/octet-stream"
  }

  private static func invalid(_ message: String, _ facts: [String: String] = [:]) -> RegistryError {
    RegistryError(.manifestInvalid, message, metadata: facts)
  }
}

/// Looks for objects that have one member twice, which different readers read differently.
enum JSONKeys {
  /// Whether no object in `bytes` has a member twice. Also false for brackets that do not match;
  /// other mistakes are the decoder's to find.
  static func areUnique(_ bytes: [UInt8]) -> Bool {
    var scopes: [Set<[UInt8]>?] = []
    // Whether the next string is the name of a member.
    var expectsKey = false
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      switch byte {
      case UInt8(ascii: "{"):
        scopes.append([])
        expectsKey = true
      case UInt8(ascii: "["):
        scopes.append(nil)
        expectsKey = false
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard let scope = scopes.popLast(), (scope != nil) == (byte == UInt8(ascii: "}")) else {
          return false
        }
        expectsKey = false
      case UInt8(ascii: ","):
        expectsKey = scopes.last.map { $0 != nil } ?? false
      case UInt8(ascii: "\""):
        guard let end = endOfString(bytes, from: index) else { return false }
        if expectsKey, !scopes.isEmpty {
          guard let key = unescaped(bytes[index..<end]),
            scopes[scopes.count - 1]?.insert(key).inserted ?? true
          else { return false }
          expectsKey = false
        }
        index = end + 1
      default: break
      }
      if scopes.count > BoundedJSON.maximumDepth { return false }
    }
    return scopes.isEmpty
  }

  private static func endOfString(_ bytes: [UInt8], from start: Int) -> Int? {
    var index = start
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "\\") {
        index += 2
      } else if bytes[index] == UInt8(ascii: "\"") {
        return index
      } else {
        index += 1
      }
    }
    return nil
  }

  /// The name without escapes: `"a"` and `"\u0061"` are one member. Nil for a broken escape.
  private static func unescaped(_ raw: ArraySlice<UInt8>) -> [UInt8]? {
    guard raw.contains(UInt8(ascii: "\\")) else { return Array(raw) }
    let quoted = [UInt8(ascii: "\"")] + raw + [UInt8(ascii: "\"")]
    // A broken escape is the only way this fails, and nil says so.
    guard let text = try? JSONDecoder().decode(String.self, from: Data(quoted)) else { return nil }
    return Array(text.utf8)
  }
}
