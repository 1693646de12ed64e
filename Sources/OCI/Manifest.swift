/// One image: its configuration and its layers, lowest first. OCI or Docker schema 2.
package struct Manifest: Hashable, Sendable, Codable {
  package var schemaVersion: Int
  package var mediaType: String?
  package var config: ContentDescriptor
  package var layers: [ContentDescriptor]
  package var annotations: [String: String]?

  package init(
    mediaType: String, config: ContentDescriptor, layers: [ContentDescriptor],
    annotations: [String: String]? = nil
  ) {
    self.schemaVersion = 2
    self.mediaType = mediaType
    self.config = config
    self.layers = layers
    self.annotations = annotations
  }
}

/// Manifests of one image for several platforms: an OCI index or a Docker manifest list.
package struct ImageIndex: Hashable, Sendable, Codable {
  package var schemaVersion: Int
  package var mediaType: String?
  package var manifests: [ContentDescriptor]
  package var annotations: [String: String]?

  package init(
    mediaType: String, manifests: [ContentDescriptor], annotations: [String: String]? = nil
  ) {
    self.schemaVersion = 2
    self.mediaType = mediaType
    self.manifests = manifests
    self.annotations = annotations
  }

  /// The entry to use where `platform` is wanted; nil when none fits. Of equal entries the first
  /// wins, as in other clients. Attestations, which have the platform unknown/unknown, never fit.
  package func manifest(for platform: Platform) -> ContentDescriptor? {
    var best: (preference: Int, descriptor: ContentDescriptor)?
    for descriptor in manifests {
      guard MediaType.isManifest(descriptor.mediaType) else { continue }
      guard let candidate = descriptor.platform,
        let preference = platform.preference(for: candidate)
      else { continue }
      if best.map({ preference > $0.preference }) ?? true {
        best = (preference, descriptor)
      }
    }
    if best == nil {
      let unmarked = manifests.filter { $0.platform == nil && MediaType.isManifest($0.mediaType) }
      return unmarked.count == 1 && manifests.count == 1 ? unmarked[0] : nil
    }
    return best?.descriptor
  }
}

/// A document that a registry keeps under `manifests/`.
package enum ManifestDocument: Hashable, Sendable {
  case image(Manifest)
  case index(ImageIndex)

  /// The largest manifest that registries and clients agree to handle.
  package static let maximumBytes = 4 * 1024 * 1024

  private struct Shape: Decodable {
    var schemaVersion: Int?
    var mediaType: String?
    var config: Present?
    var layers: Present?
    var manifests: Present?
    var fsLayers: Present?

    struct Present: Decodable {
      init(from decoder: any Decoder) throws {}
    }
  }

  /// Reads a manifest or an index, whichever it is, and its media type. `declared` is what the
  /// registry or the archive said it was; nil or something general lets the document speak.
  /// Throws ``OCIError``: `unsupportedDocument` for schema 1 and unknown kinds, else
  /// `invalidDocument`.
  package static func parse(
    _ bytes: [UInt8], declared: String?
  ) throws -> (document: ManifestDocument, mediaType: String) {
    let shape = try BoundedJSON.decode(
      Shape.self, from: bytes, kind: "manifest", maximumBytes: maximumBytes)
    let claimed = declared.map(MediaType.essence(of:)) ?? ""
    if shape.schemaVersion == 1 || shape.fsLayers != nil || MediaType.isSchema1(claimed) {
      throw OCIError(
        .unsupportedDocument,
        "manifest schema 1 is not supported any more: push the image again with a client that "
          + "writes schema 2 or OCI manifests")
    }
    guard shape.schemaVersion == 2 else {
      throw OCIError(.invalidDocument, "the manifest has no schemaVersion 2")
    }
    // A document that can be read both as an image and as an index would mean different things
    // to different clients.
    guard (shape.manifests == nil) || (shape.config == nil && shape.layers == nil) else {
      throw OCIError(.invalidDocument, "the manifest is both an image and an index")
    }
    let known = { (type: String) in MediaType.isIndex(type) || MediaType.isManifest(type) }
    var mediaType = shape.mediaType ?? claimed
    if !known(mediaType) {
      mediaType = known(claimed) ? claimed : ""
    }
    if mediaType.isEmpty {
      mediaType = shape.manifests != nil ? MediaType.ociIndex : MediaType.ociManifest
    }
    if known(claimed), MediaType.isIndex(claimed) != MediaType.isIndex(mediaType) {
      throw OCIError(
        .invalidDocument, "the manifest is not of the type that was announced",
        metadata: ["announced": claimed, "found": mediaType])
    }
    return (try parse(bytes, as: mediaType), mediaType)
  }

  private static func parse(_ bytes: [UInt8], as mediaType: String) throws -> ManifestDocument {
    if MediaType.isIndex(mediaType) {
      let index = try BoundedJSON.decode(
        ImageIndex.self, from: bytes, kind: "image index", maximumBytes: maximumBytes)
      try check(index.manifests)
      return .index(index)
    }
    let manifest = try BoundedJSON.decode(
      Manifest.self, from: bytes, kind: "image manifest", maximumBytes: maximumBytes)
    try check(manifest.layers + [manifest.config])
    return .image(manifest)
  }

  private static func check(_ descriptors: [ContentDescriptor]) throws {
    for descriptor in descriptors where descriptor.size < 0 {
      throw OCIError(
        .invalidDocument, "the manifest names content of negative size",
        metadata: ["digest": descriptor.digest.description])
    }
  }
}
