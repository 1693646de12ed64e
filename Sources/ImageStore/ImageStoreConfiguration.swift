package import OCI

/// What an operator decides about images.
package struct ImageStoreConfiguration: Sendable {
  /// The folder of blobs and half-finished downloads (`DATA_ROOT/images`).
  package var imagesPath: String
  /// The folder of unpacked layers and containers' writable layers (`DATA_ROOT/overlay`).
  package var overlayPath: String
  package var maximumConcurrentDownloads = 3
  package var maximumConcurrentUploads = 5
  /// How often a broken download is taken up again before it is an error.
  package var maximumDownloadAttempts = 5
  /// Base URLs of mirrors of docker.io, tried in this order before it.
  package var mirrors: [String] = []
  /// `host[:port]` or CIDR of registries whose certificate need not hold, or that speak plain HTTP.
  /// 127.0.0.0/8 and ::1 always belong to them.
  package var insecureRegistries: [String] = []
  /// Folders with one folder `HOST[:PORT]` per registry of `*.crt`, `*.cert` and `*.key` files.
  package var certificateDirectories = ["/etc/martlet/certs.d", "/etc/docker/certs.d"]
  /// Where registries on this machine announce themselves, so that their blobs are linked instead of
  /// downloaded.
  package var localRegistriesPath = "/run/martlet/registries"
  /// The platform that images are chosen for when a caller names none.
  package var platform = Platform.host
  package var limits = UnpackingLimits()
  /// What requests to registries carry as `User-Agent`.
  package var userAgent = "martlet"

  package init(imagesPath: String, overlayPath: String) {
    self.imagesPath = imagesPath
    self.overlayPath = overlayPath
  }
}

/// What an archive may cost at most.
package struct UnpackingLimits: Sendable, Hashable {
  /// Bytes of one layer once unpacked.
  package var maximumBytes: Int64 = 1 << 40
  /// Files, folders and links of one layer.
  package var maximumEntries = 10_000_000
  /// Uncompressed bytes for one compressed byte, counted once ``ratioFloor`` is passed.
  package var maximumRatio: Int64 = 400
  /// Uncompressed bytes up to which any ratio is allowed.
  package var ratioFloor: Int64 = 1 << 30

  package init() {}
}
