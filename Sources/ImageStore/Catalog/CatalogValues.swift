import FoundationEssentials
import OCI

/// An image in the state store, `/images/records/<hex>`.
struct StoredImage: Codable, Sendable, Hashable {
  var version = 1
  var id: Digest
  /// The manifest as received or pushed last.
  var manifest: ContentDescriptor?
  /// Other documents kept with the image: the index it was chosen from.
  var documents: [Digest] = []
  /// The blobs that the manifest names as layers.
  var layerBlobs: [Digest] = []
  var parent: Digest?
  /// Seconds since 1970.
  var lastTagTime: Double?
  /// The folder in the overlay folder with the mount points that every container needs.
  var initialDirectory: String?
}

/// A name in the state store, `/images/names/<full reference>`.
struct StoredName: Codable, Sendable, Hashable {
  var version = 1
  var image: Digest
}

/// An unpacked layer in the state store, `/images/layers/<diff id>`.
struct StoredLayer: Codable, Sendable, Hashable {
  var version = 1
  /// The folder in the overlay folder whose `diff` holds the files.
  var directory: String
  /// Bytes of its files.
  var size: Int64
  /// The archive that it came from, as it is kept under blobs; nil if it is not kept.
  var blob: ContentDescriptor?
}

/// Where a blob is known to be, `/images/sources/<digest>`, for mounting it across repositories.
struct StoredSources: Codable, Sendable, Hashable {
  var version = 1
  /// Full names of repositories, the latest last.
  var repositories: [String]

  static let maximum = 16
}

/// An image with its configuration read.
struct CatalogImage: Sendable, Hashable {
  var stored: StoredImage
  var configuration: ImageConfiguration
  var configurationBytes: [UInt8]

  var layers: [Digest] { configuration.rootfs.diffIDs }
}
