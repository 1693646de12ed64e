/// Media types of OCI image specification 1.x and of Docker's schema 2 that images are made of.
package enum MediaType {
  package static let ociManifest = "application/vnd.oci.image.manifest.v1+json"
  package static let ociIndex = "application/vnd.oci.image.index.v1+json"
  package static let ociConfiguration = "application/vnd.oci.image.config.v1+json"
  package static let ociLayer = "application/vnd.oci.image.layer.v1.tar"
  package static let ociLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
  package static let ociLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd"
  package static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
  package static let dockerManifestList =
    "application/vnd.docker.distribution.manifest.list.v2+json"
  package static let dockerConfiguration = "application/vnd.docker.container.image.v1+json"
  package static let dockerLayer = "application/vnd.docker.image.rootfs.diff.tar"
  package static let dockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"
  package static let dockerSchema1 = "application/vnd.docker.distribution.manifest.v1+json"
  package static let dockerSchema1Signed =
    "application/vnd.docker.distribution.manifest.v1+prettyjws"

  /// What a client that takes every kind of image asks a registry for.
  package static let acceptedManifests = [
    ociIndex, ociManifest, dockerManifestList, dockerManifest,
  ]

  /// Whether documents of this type list manifests, one per platform.
  package static func isIndex(_ mediaType: String) -> Bool {
    mediaType == ociIndex || mediaType == dockerManifestList
  }

  /// Whether documents of this type describe one image.
  package static func isManifest(_ mediaType: String) -> Bool {
    mediaType == ociManifest || mediaType == dockerManifest
  }

  /// Whether this is one of the manifest formats that were given up before schema 2.
  package static func isSchema1(_ mediaType: String) -> Bool {
    mediaType == dockerSchema1 || mediaType == dockerSchema1Signed
  }

  /// Whether blobs of this type are file system layers.
  package static func isLayer(_ mediaType: String) -> Bool {
    mediaType.hasPrefix("application/vnd.oci.image.layer.")
      || mediaType.hasPrefix("application/vnd.docker.image.rootfs.")
  }

  /// The type without parameters such as `; charset=utf-8`, in lower case.
  package static func essence(of header: String) -> String {
    let end = header.firstIndex(of: ";") ?? header.endIndex
    return header[..<end].filter { $0 != " " && $0 != "\t" }.lowercased()
  }
}
