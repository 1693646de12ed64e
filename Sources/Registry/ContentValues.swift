package import BlobStorage
package import Identity
package import NIOCore
package import OCI

/// A manifest with its bytes, exactly as they were pushed.
package struct StoredManifest: Sendable, Hashable {
  package var digest: Digest
  package var mediaType: String
  package var content: ByteBuffer

  /// Size in bytes.
  package var size: Int { content.readableBytes }
  /// The bytes, copied.
  package var bytes: [UInt8] { Array(content.readableBytesView) }
}

/// What the push of a manifest did.
package struct PushedManifest: Sendable, Hashable {
  package var digest: Digest
  /// The manifest it says it belongs to; goes back to the client as `OCI-Subject`.
  package var subject: Digest?
}

/// A blob of a repository.
package struct StoredBlob: Sendable, Hashable {
  package var digest: Digest
  /// Size in bytes.
  package var size: Int64
  /// Where the bytes lie in the blob storage.
  package var key: StorageKey
}

/// An upload that is not finished.
package struct UploadDescription: Sendable, Hashable {
  package var id: String
  package var repository: RepositoryName
  package var startedAt: Timestamp
  /// The name of who began it.
  package var account: String
}

/// The manifests that say they belong to one manifest.
package struct ReferrersList: Sendable {
  package var manifests: [Referrer]
  /// Whether only those of the asked type are in the list.
  package var isFiltered: Bool

  /// One entry of the index that is answered.
  package struct Referrer: Sendable, Hashable, Codable {
    package var mediaType: String
    package var digest: Digest
    package var size: Int64
    package var artifactType: String?
    package var annotations: [String: String]?
  }
}

/// What is known of a manifest without reading it.
package struct ManifestSummary: Sendable, Hashable {
  package var digest: Digest
  package var mediaType: String
  /// Size of the manifest with everything it refers to, in bytes, as the manifest says.
  package var totalSize: Int64
  package var configDigest: Digest?
  package var configMediaType: String?
  package var artifactType: String?
  package var subject: Digest?
  package var os: String?
  package var osVersion: String?
  package var architecture: String?
  package var author: String
  package var createdAt: Timestamp
  /// The manifests of an index.
  package var children: [Digest]
}

/// A tag with when and by whom it was pushed.
package struct TagRecord: Sendable, Hashable {
  package var name: Tag
  package var digest: Digest
  package var author: String
  package var createdAt: Timestamp
  package var updatedAt: Timestamp
}

/// A tag with its manifest, for the REST API.
package struct TagDetails: Sendable, Hashable {
  package var tag: TagRecord
  package var manifest: ManifestSummary
}

/// One line of an image's history, joined with the layer it made.
package struct HistoryLine: Sendable, Hashable {
  package var line: String
  package var layerDigest: Digest?
  package var size: Int64
  package var isEmpty: Bool
  package var mediaType: String?
  package var urls: [String]
}
