package import OCI

/// Where the parts of a container's root file system lie (`GraphDriver.Data` in inspect).
package struct OverlayPaths: Sendable, Hashable {
  /// Read-only layers, topmost first.
  package var lower: [String]
  package var upper: String
  package var work: String
  package var merged: String
}

/// One path that differs from the image (`docker diff`).
package struct FilesystemChange: Sendable, Hashable {
  /// The values are those of the API's `Kind`.
  package enum Kind: Int, Sendable {
    case modified = 0
    case added = 1
    case deleted = 2
  }

  /// Absolute within the container.
  package var path: String
  package var kind: Kind

  package init(path: String, kind: Kind) {
    self.path = path
    self.kind = kind
  }
}

/// What `docker commit` asks for besides the container.
package struct CommitRequest: Sendable {
  package var author: String?
  package var comment: String?
  /// The command of the container, for the history line.
  package var createdBy: String
  /// The whole of the new image's execution settings.
  package var config: ExecutionConfiguration
  /// The image the container was made from.
  package var parentImage: String?

  package init(
    createdBy: String, config: ExecutionConfiguration, parentImage: String? = nil,
    author: String? = nil, comment: String? = nil
  ) {
    self.createdBy = createdBy
    self.config = config
    self.parentImage = parentImage
    self.author = author
    self.comment = comment
  }
}
